// SPDX-License-Identifier: GPL-2.0
/* VPN address -> peer, by longest prefix.
 *
 * All prefixes are in one hash table. A look-up tries the lengths that occur,
 * the longest first: one step where all peers have a single address, a few
 * more where networks lie behind them. It is asked once for a flow, and for
 * each packet received (reverse path check).
 */
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#include "route.h"

struct route_key {
	union nf_inet_addr	addr;
	u8			family;
	u8			len;
} __packed __aligned(4);

struct route {
	struct rhash_head	node;
	struct route_key	key;
	struct nf_ovpn_peer	*peer;
	struct rcu_head		rcu;
};

static const struct rhashtable_params route_params = {
	.key_len		= sizeof(struct route_key),
	.key_offset		= offsetof(struct route, key),
	.head_offset		= offsetof(struct route, node),
	.automatic_shrinking	= true,
};

static void route_key_init(struct route_key *key, u8 family, const void *addr,
			   u8 len)
{
	memset(key, 0, sizeof(*key));
	key->family = family;
	key->len = len;
	if (family == NFPROTO_IPV4)
		key->addr.ip = *(const __be32 *)addr &
			       (len ? htonl(~0U << (32 - len)) : 0);
	else
		ipv6_addr_prefix(&key->addr.in6, addr, len);
}

/**
 * nf_ovpn_routes_init - start with no prefix
 * @routes: the table
 *
 * Return: 0 or -ENOMEM.
 */
int nf_ovpn_routes_init(struct nf_ovpn_routes *routes)
{
	return rhashtable_init(&routes->prefixes, &route_params);
}

static void route_free(void *ptr, void *arg)
{
	kfree(ptr);
}

/**
 * nf_ovpn_routes_destroy - free the table when no reader is left
 * @routes: the table
 */
void nf_ovpn_routes_destroy(struct nf_ovpn_routes *routes)
{
	rhashtable_free_and_destroy(&routes->prefixes, route_free, NULL);
}

/**
 * nf_ovpn_route_add - give a prefix to a peer
 * @routes: the table
 * @peer: the peer
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: address; what is behind the prefix is ignored
 * @len: length of the prefix
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: 0, -EEXIST when a peer has that prefix already, -ENOMEM.
 */
int nf_ovpn_route_add(struct nf_ovpn_routes *routes, struct nf_ovpn_peer *peer,
		      u8 family, const union nf_inet_addr *addr, u8 len)
{
	struct route *route;
	int err;

	route = kzalloc_obj(*route, GFP_KERNEL_ACCOUNT);
	if (!route)
		return -ENOMEM;

	route_key_init(&route->key, family, addr, len);
	route->peer = peer;
	err = rhashtable_lookup_insert_fast(&routes->prefixes, &route->node,
					    route_params);
	if (err) {
		kfree(route);
		return err;
	}

	if (family == NFPROTO_IPV4) {
		if (!routes->count4[len]++)
			set_bit(len, routes->lens4);
	} else {
		if (!routes->count6[len]++)
			set_bit(len, routes->lens6);
	}
	return 0;
}

/**
 * nf_ovpn_route_del - take a prefix away from a peer
 * @routes: the table
 * @peer: the peer
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: address
 * @len: length of the prefix
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: false when the peer does not have it.
 */
bool nf_ovpn_route_del(struct nf_ovpn_routes *routes,
		       const struct nf_ovpn_peer *peer, u8 family,
		       const union nf_inet_addr *addr, u8 len)
{
	struct route_key key;
	struct route *route;

	route_key_init(&key, family, addr, len);
	route = rhashtable_lookup_fast(&routes->prefixes, &key, route_params);
	if (!route || route->peer != peer ||
	    rhashtable_remove_fast(&routes->prefixes, &route->node,
				   route_params))
		return false;

	if (family == NFPROTO_IPV4) {
		if (!--routes->count4[len])
			clear_bit(len, routes->lens4);
	} else {
		if (!--routes->count6[len])
			clear_bit(len, routes->lens6);
	}
	kfree_rcu(route, rcu);
	return true;
}

/**
 * nf_ovpn_route_lookup - find the peer that an address belongs to
 * @routes: the table
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: pointer to the __be32 or struct in6_addr
 *
 * Context: RCU read side.
 * Return: the peer, NULL when there is none.
 */
struct nf_ovpn_peer *nf_ovpn_route_lookup(struct nf_ovpn_routes *routes,
					  u8 family, const void *addr)
{
	bool v4 = family == NFPROTO_IPV4;
	const unsigned long *lens = v4 ? routes->lens4 : routes->lens6;
	unsigned long bits = v4 ? 33 : 129;
	struct route_key key;
	struct route *route;
	unsigned long len;

	for (len = find_last_bit(lens, bits); len < bits;
	     len = find_last_bit(lens, len)) {
		route_key_init(&key, family, addr, len);
		route = rhashtable_lookup(&routes->prefixes, &key,
					  route_params);
		if (route)
			return route->peer;
		bits = len;
	}
	return NULL;
}
