// SPDX-License-Identifier: GPL-2.0-or-later
//
// The lists of system calls, and libseccomp, which makes a filter of them; see syscall_filter.h.

#include "util/syscall_filter.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <type_traits>

namespace nfovpn {

namespace {

// libseccomp's measure of what the kernel can do: filters for all threads, ending the process, and
// the log, which came with Linux 4.14.
constexpr unsigned kApiLevel = 3;

// By name: an architecture that has not one of them goes without.
constexpr const char* kAllowed[] = {
    // waiting
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "poll",
    "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
    "timerfd_create", "timerfd_settime", "timerfd_settime64", "timerfd_gettime",
    "timerfd_gettime64", "futex", "futex_time64", "nanosleep", "clock_nanosleep",
    "clock_nanosleep_time64", "restart_syscall", "sched_yield", "membarrier", "set_robust_list",
    "rseq",
    // sockets; socket() itself is below
    "socketpair", "bind", "connect", "listen", "accept", "accept4", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "shutdown", "send", "sendto", "sendmsg", "sendmmsg", "recv",
    "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64",
    // files: lists of revoked certificates, of single clients, status, log, PID
    "read", "readv", "pread64", "write", "writev", "pwrite64", "open", "openat", "close",
    "close_range", "creat", "stat", "stat64", "fstat", "fstat64", "lstat", "lstat64", "newfstatat",
    "fstatat64", "statx", "access", "faccessat", "faccessat2", "lseek", "_llseek", "getdents",
    "getdents64", "readlink", "readlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat",
    "ftruncate", "ftruncate64", "chdir", "fchdir", "fsync", "fdatasync", "fcntl", "fcntl64",
    "flock", "dup", "dup2", "dup3", "pipe", "pipe2", "umask", "getcwd", "fadvise64", "fadvise64_64",
    // memory; mmap() and mprotect() are below
    "brk", "munmap", "mremap", "madvise", "mlock", "memfd_create",
    // signals
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigreturn", "sigaltstack",
    "tgkill",
    // time, chance, and who we are
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "gettimeofday",
    "time", "getrandom", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid",
    "getuid32", "geteuid32", "getgid32", "getegid32", "getgroups", "getgroups32", "uname",
    "sysinfo", "getrlimit", "ugetrlimit", "sched_getaffinity", "getrusage", "exit", "exit_group"};

// Families of the daemon's own sockets, those of its libraries (name service, log), and netlink.
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

// What the C library, Asio and spdlog ask of a descriptor; and after a restart there is a new
// device.
constexpr unsigned long kRequests[] = {FIONREAD,  FIONBIO,   TCGETS,      TIOCGWINSZ,
                                       TUNSETIFF, TUNGETIFF, SIOCGIFINDEX};

// The name service works in a thread of its own, with libraries that are found when they are
// needed.
constexpr const char* kForNames[] = {
    "mmap",  "mmap2",          "mprotect",           "set_tid_address",
    "prctl", "statfs",         "sched_setscheduler", "fstatfs",
    "uname", "sched_getparam", "sched_getscheduler"};

// No library does that unasked.
constexpr const char* kPrograms[] = {"execve", "execveat", "fork", "vfork"};

// Neither the daemon nor a script for one client does that.
constexpr const char* kHostile[] = {"ptrace",
                                    "process_vm_readv",
                                    "process_vm_writev",
                                    "kcmp",
                                    "pidfd_getfd",
                                    "init_module",
                                    "finit_module",
                                    "delete_module",
                                    "create_module",
                                    "kexec_load",
                                    "kexec_file_load",
                                    "reboot",
                                    "bpf",
                                    "perf_event_open",
                                    "userfaultfd",
                                    "mount",
                                    "umount",
                                    "umount2",
                                    "move_mount",
                                    "open_tree",
                                    "fsopen",
                                    "fsmount",
                                    "fsconfig",
                                    "fspick",
                                    "mount_setattr",
                                    "pivot_root",
                                    "chroot",
                                    "swapon",
                                    "swapoff",
                                    "acct",
                                    "quotactl",
                                    "quotactl_fd",
                                    "add_key",
                                    "request_key",
                                    "keyctl",
                                    "io_uring_setup",
                                    "io_uring_enter",
                                    "io_uring_register",
                                    "iopl",
                                    "ioperm",
                                    "settimeofday",
                                    "clock_settime",
                                    "clock_settime64",
                                    "clock_adjtime",
                                    "clock_adjtime64",
                                    "adjtimex",
                                    "stime",
                                    "sethostname",
                                    "setdomainname",
                                    "unshare",
                                    "setns",
                                    "open_by_handle_at",
                                    "name_to_handle_at",
                                    "lookup_dcookie",
                                    "modify_ldt",
                                    "vm86",
                                    "vm86old",
                                    "nfsservctl",
                                    "uselib",
                                    "syslog"};

using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, void (*)(scmp_filter_ctx)>;

// Collects what fails: all rules are wanted or none.
class Rules {
public:
    explicit Rules(std::uint32_t otherwise) : filter_(seccomp_init(otherwise), seccomp_release) {
        if (!filter_)
            code_ = ENOMEM;
    }

    template <typename... Conditions>
    void add(std::uint32_t action, const char* name, Conditions... conditions) {
        const int number = seccomp_syscall_resolve_name(name);
        if (code_ != 0 || number == __NR_SCMP_ERROR)
            return; // too new for this libseccomp, which then has it under "otherwise"
        const int result =
            seccomp_rule_add(filter_.get(), action, number,
                             static_cast<unsigned>(sizeof...(conditions)), conditions...);
        // -EDOM: not on this architecture; -EACCES: it is the default action
        if (result != 0 && result != -EDOM && result != -EACCES)
            code_ = -result;
    }

    std::optional<FilterFailure> load() {
        set(SCMP_FLTATR_CTL_TSYNC, 1);
        set(SCMP_FLTATR_CTL_NNP, 0); // that is the caller's
        set(SCMP_FLTATR_CTL_LOG, 1);
        if (code_ == 0)
            code_ = -seccomp_load(filter_.get());
        if (code_ == 0)
            return std::nullopt;
        return FilterFailure{false, std::strerror(code_)};
    }

private:
    void set(scmp_filter_attr attribute, std::uint32_t value) {
        if (code_ == 0)
            code_ = -seccomp_attr_set(filter_.get(), attribute, value);
    }

    Filter filter_;
    int code_ = 0;
};

void allow_daemon(Rules& rules) {
    for (const char* name : kAllowed)
        rules.add(SCMP_ACT_ALLOW, name);
    for (int family : kFamilies)
        rules.add(SCMP_ACT_ALLOW, "socket",
                  SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0));
    for (unsigned long request : kRequests)
        rules.add(SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, request, 0));
    // Memory is written or executed, and what is executed is there already.
    for (const char* name : {"mmap", "mmap2", "mprotect"})
        rules.add(SCMP_ACT_ALLOW, name, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    // The limits of this process may be read, not set.
    rules.add(SCMP_ACT_ALLOW, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0, 0));
}

void allow_names(Rules& rules) {
    for (const char* name : kForNames)
        rules.add(SCMP_ACT_ALLOW, name);
    // A thread, not a process. The flags of clone3() are in memory, where no filter can see them;
    // the C library falls back to clone().
    rules.add(SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    rules.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
}

} // namespace

std::optional<FilterFailure> install_syscall_filter(FilterFor what) {
    if (seccomp_api_get() < kApiLevel)
        return FilterFailure{true, "the kernel has no seccomp, or one from before Linux 4.14"};
    if (what == FilterFor::DaemonWithScripts) {
        Rules rules(SCMP_ACT_ALLOW);
        for (const char* name : kHostile)
            rules.add(SCMP_ACT_ERRNO(EPERM), name);
        return rules.load();
    }
    Rules rules(SCMP_ACT_ERRNO(EPERM));
    allow_daemon(rules);
    if (what == FilterFor::DaemonWithNames)
        allow_names(rules);
    for (const char* name : kHostile)
        rules.add(SCMP_ACT_KILL_PROCESS, name);
    for (const char* name : kPrograms)
        rules.add(SCMP_ACT_KILL_PROCESS, name);
    return rules.load();
}

} // namespace nfovpn
