# SPDX-License-Identifier: GPL-2.0-or-later
#
# Everything here is done by the scripts in lab/; this names them. What is downloaded and built is
# kept outside the checkout (see lab/common.sh), and nothing is done twice.

SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@echo 'nf_ovpn: the OpenVPN data channel in Netfilter'
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | sort | \
		while IFS=$$'\t' read -r t h; do printf '  make %-17s %s\n' "$$t" "$$h"; done
	@echo
	@echo '  OPENVPN=2.6|2.7   the stock OpenVPN client of "shell"   [2.7]'
	@echo '  CIPHER=NAME       the data channel cipher of "demo" and "shell"'
	@echo '  TESTS="NAME ..."  only these groups, named in lab/tests.table; those of'
	@echo '                    "test-debug" and "test-qemu" are in lab/tests/*.table'
	@echo '  VERSION=N RANGE-DIFF=PREVIOUS   "series" makes version N, in OUT=DIR, compared with the directory or'
	@echo '                    the range of commits that was sent before; AUTHOR="NAME <MAIL>", SERIES=linux'
	@echo '  KSRC=DIR          a kernel tree of yours instead of the packaged one'
	@echo '  NF_OVPN_CACHE=DIR where downloads and objects go   [~/.cache/nf-ovpn]'
	@echo '  V=1               show the output of long steps'

.PHONY: setup
setup: ## install and build all that the others need; quick when nothing changed
	@lab/setup

.PHONY: demo
demo: setup ## what nf_ovpn is for, in a minute: beside mainline's driver, and with a rule in mid-flow
	@lab/demo/demo

.PHONY: shell
shell: setup ## boot the lab to a prompt, in the network of the demo
	@lab/run -i lab/demo/shell

.PHONY: demo-recording
demo-recording: setup ## the demo as a film, docs/demo.cast and docs/demo.svg
	@lab/install lab/packages.recording
	@lab/demo/record

.PHONY: test
test: setup ## every subject; the last line counts the tests
	@lab/test $(TESTS)

.PHONY: test-changed
test-changed: setup ## the same, and the long forms whose inputs changed since they passed (CI)
	@lab/test --changed

.PHONY: test-all
test-all: setup ## every test in its long form; takes an hour
	@lab/test --long $(TESTS)

.PHONY: times
times: ## how long each step and each group of tests took
	@lab/times

# Not among the tests of "make test": each takes a kernel of its own and a good part of an hour. One guest at a
# time, as each keeps all processors busy.
.PHONY: test-debug
test-debug: setup ## the self tests on a kernel that checks itself, and with allocations that fail
	@lab/kernel-build uml-debug
	@LAB_GUESTS=1 LAB_TESTS_TABLE=lab/tests/debug.table lab/test $(TESTS)

.PHONY: test-qemu
test-qemu: setup ## the self tests on x86-64 in QEMU; 32 bits and big endian compiled
	@lab/install lab/packages.qemu
	@lab/kernel-build x86-64
	@lab/kernel-build x86-64-builtin
	@LAB_GUESTS=1 LAB_TESTS_TABLE=lab/tests/qemu.table lab/test $(TESTS)

.PHONY: coverage
coverage: setup ## which lines of nf-ovpnd its unit tests execute
	@lab/install lab/packages.coverage
	@lab/tests/coverage

.PHONY: interop
interop: setup ## nf-ovpnd with stock OpenVPN in every combination, in docs/; takes long
	@lab/tests/interop

.PHONY: bench
bench: setup ## everything beside its peers, in docs/performance; takes more than an hour
	@lab/install lab/packages.bench
	@lab/bench/bench

.PHONY: bench-daemon
bench-daemon: setup ## nf-ovpnd beside stock OpenVPN as a server, in docs/performance; takes 15 minutes
	@lab/install lab/packages.bench
	@lab/bench/bench -d

.PHONY: bench-quick
bench-quick: setup ## throughput and packet rates beside mainline's ovpn driver, in minutes
	@lab/install lab/packages.bench
	@lab/bench/bench -n -r 3 -s 1 -S "none nf_ovpn nf_ovpn+ovpn ovpn wireguard" crypto bulk packets

# what "make series" has been told, as options of lab/series/make-series
VERSION := 1
series-options = $(if $(filter-out 1,$(VERSION)),--version '$(VERSION)') \
	$(if $(RANGE-DIFF),--range-diff '$(RANGE-DIFF)') $(if $(OUT),--out '$(OUT)') \
	$(if $(AUTHOR),--author '$(AUTHOR)') $(SERIES)

.PHONY: series
series: ## make patches/ from the folders, or a later version to be sent
	@lab/install
	@lab/kernel-source
	@lab/iproute2-source
	@lab/series/make-series $(series-options)

.PHONY: check
check: setup ## patches/ fresh, applicable and clean by the kernel's own tools; sources clean
	@lab/check/check

.PHONY: check-all
check-all: setup ## the same for each patch; also for x86-64, 32 bits, without IPv6, nf_tables, NAT, SMP
	@lab/check/check -a

.PHONY: clean
clean: ## remove what was built, keep what was downloaded
	@lab/clean objects

.PHONY: distclean-cache
distclean-cache: ## remove the whole cache outside the checkout
	@lab/clean all
