/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_ROUTE_H
#define _NF_OVPN_ROUTE_H

#include <linux/bitmap.h>
#include <linux/netfilter.h>
#include <linux/rhashtable-types.h>

struct nf_ovpn_peer;
struct sk_buff;

/**
 * struct nf_ovpn_routes - which VPN address belongs to which peer
 * @prefixes: hash table of all prefixes
 * @lens4: lengths that occur among IPv4 prefixes
 * @lens6: lengths that occur among IPv6 prefixes
 * @count4: how many prefixes there are of each length
 * @count6: likewise
 *
 * Changed under nf_ovpn_net::lock, read under RCU.
 */
struct nf_ovpn_routes {
	struct rhashtable	prefixes;
	DECLARE_BITMAP(lens4, 33);
	DECLARE_BITMAP(lens6, 129);
	u32			count4[33];
	u32			count6[129];
};

int nf_ovpn_routes_init(struct nf_ovpn_routes *routes);
void nf_ovpn_routes_destroy(struct nf_ovpn_routes *routes);
int nf_ovpn_route_add(struct nf_ovpn_routes *routes, struct nf_ovpn_peer *peer,
		      u8 family, const union nf_inet_addr *addr, u8 len);
bool nf_ovpn_route_del(struct nf_ovpn_routes *routes,
		       const struct nf_ovpn_peer *peer, u8 family,
		       const union nf_inet_addr *addr, u8 len);
struct nf_ovpn_peer *nf_ovpn_route_lookup(struct nf_ovpn_routes *routes,
					  u8 family, const void *addr);

#endif /* _NF_OVPN_ROUTE_H */
