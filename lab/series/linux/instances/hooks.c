// SPDX-License-Identifier: GPL-2.0
/* The hooks. There are none yet: packets take the way that they have without
 * this module.
 */
#include "nf_ovpn.h"

unsigned int nf_ovpn_egress_hook(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

const struct nf_hook_ops nf_ovpn_hooks[] = {};
const unsigned int nf_ovpn_num_hooks = ARRAY_SIZE(nf_ovpn_hooks);
