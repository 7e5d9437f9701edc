/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_CONNTRACK_OVPN_H
#define _NF_CONNTRACK_OVPN_H

#include <linux/atomic.h>

#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_extend.h>

/**
 * struct nf_conn_ovpn - what nf_ovpn remembers about a flow, per direction
 * @handle: names a peer without referring to it, see nf_ovpn/ct.c. An entry
 *	    outlives the peer; a handle whose peer is gone finds nothing.
 * @kind: for which packets of the direction it is, see nf_ovpn/ct.c
 * @gen: the generation of rules and routes under which @handle may be used; 0
 *	 for none, and then @kind is the reason
 *
 * Written under nf_conn::lock and read without it: @gen is 0 while the others
 * change, and is read before and after them.
 */
struct nf_conn_ovpn {
	atomic64_t	handle[IP_CT_DIR_MAX];
	atomic64_t	kind[IP_CT_DIR_MAX];
	u32		gen[IP_CT_DIR_MAX];
};

/* Serial numbers of handles. They live here, where the entries do, so that
 * none repeats while an entry may hold it, nf_ovpn being reloaded or not.
 */
extern atomic64_t nf_ct_ovpn_serial;

static inline struct nf_conn_ovpn *nf_ct_ovpn_find(const struct nf_conn *ct)
{
#if IS_ENABLED(CONFIG_NF_OVPN)
	return nf_ct_ext_find(ct, NF_CT_EXT_OVPN);
#else
	return NULL;
#endif
}

/* Only for unconfirmed entries, as with every extension. */
static inline struct nf_conn_ovpn *nf_ct_ovpn_ext_add(struct nf_conn *ct)
{
#if IS_ENABLED(CONFIG_NF_OVPN)
	return nf_ct_ext_add(ct, NF_CT_EXT_OVPN, GFP_ATOMIC);
#else
	return NULL;
#endif
}

#endif /* _NF_CONNTRACK_OVPN_H */
