// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the parts of nf_ovpn that need neither a device nor netlink.
 *
 * nf_ovpn exports nothing. Where the tests are a module they are compiled
 * together with a copy of what they test; where they are in the kernel, so is
 * nf_ovpn, and they test what is there.
 */
#include <linux/module.h>
#include <linux/random.h>

#include "kunit.h"

static uint seed;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of the random tests, to repeat one that failed");

bool nf_ovpn_kunit_benchmark;
module_param_named(benchmark, nf_ovpn_kunit_benchmark, bool, 0444);
MODULE_PARM_DESC(benchmark, "measure as well");

/**
 * nf_ovpn_kunit_seed - begin a random test
 * @rnd: to be seeded
 *
 * Return: the seed, which a failure has to name.
 */
u32 nf_ovpn_kunit_seed(struct rnd_state *rnd)
{
	u32 use = seed ?: get_random_u32();

	prandom_seed_state(rnd, use);
	return use;
}

MODULE_DESCRIPTION("KUnit tests of nf_ovpn");
MODULE_LICENSE("GPL");
