/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_KUNIT_H
#define _NF_OVPN_KUNIT_H

#include <linux/prandom.h>

extern bool nf_ovpn_kunit_benchmark;

u32 nf_ovpn_kunit_seed(struct rnd_state *rnd);

#endif /* _NF_OVPN_KUNIT_H */
