// SPDX-License-Identifier: GPL-2.0
/* Peers: their lifetime, where they are and which addresses they own.
 *
 * A peer is found by its handle (conntrack entry), by its ID or, where packets
 * have none, by its address (first packet of an outer flow), or by a VPN
 * address (first packet of an inner flow), always under RCU. Deleting it takes
 * it out of all places and frees it after a grace period; nobody holds a
 * reference.
 */
#include <linux/bsearch.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_tuple.h>

#include "nf_ovpn.h"
#include "trace.h"

/**
 * nf_ovpn_endpoint_new - allocate an endpoint to be filled by the caller
 * @gfp: allocation flags
 *
 * Return: the endpoint or NULL.
 */
struct nf_ovpn_endpoint *nf_ovpn_endpoint_new(gfp_t gfp)
{
	struct nf_ovpn_endpoint *endpoint = kzalloc_obj(*endpoint, gfp);

	if (!endpoint)
		return NULL;
	endpoint->mtu = UINT_MAX;
	/* Nothing has been found; a genid counts up from 0. */
	endpoint->genid = -1;
	if (dst_cache_init(&endpoint->dst_cache, gfp)) {
		kfree(endpoint);
		return NULL;
	}
	return endpoint;
}

/**
 * nf_ovpn_endpoint_free - free an endpoint that no packet can see
 * @endpoint: the endpoint or NULL
 */
void nf_ovpn_endpoint_free(struct nf_ovpn_endpoint *endpoint)
{
	if (!endpoint)
		return;
	dst_cache_destroy(&endpoint->dst_cache);
	kfree(endpoint);
}

static void endpoint_free_rcu(struct rcu_head *rcu)
{
	nf_ovpn_endpoint_free(container_of(rcu, struct nf_ovpn_endpoint, rcu));
}

/**
 * struct nf_ovpn_addr_node - a peer in the table by its address
 * @addr: where it is
 * @peer: the peer
 * @node: in nf_ovpn_instance::by_addr
 * @rcu: frees it
 *
 * Never changed: a peer that moves gets another one, before it loses this, so
 * that it is found all the time.
 */
struct nf_ovpn_addr_node {
	struct nf_ovpn_addr	addr;
	struct nf_ovpn_peer	*peer;
	struct rhash_head	node;
	struct rcu_head		rcu;
};

const struct rhashtable_params nf_ovpn_by_addr_params = {
	.key_len		= sizeof(struct nf_ovpn_addr),
	.key_offset		= offsetof(struct nf_ovpn_addr_node, addr),
	.head_offset		= offsetof(struct nf_ovpn_addr_node, node),
	.automatic_shrinking	= true,
};

static_assert(sizeof(struct nf_ovpn_addr) ==
	      sizeof(union nf_inet_addr) + sizeof(__be16) + sizeof(u16));

static void addr_of(const struct nf_ovpn_endpoint *ep,
		    struct nf_ovpn_addr *addr)
{
	addr->addr = ep->remote;
	addr->port = ep->remote_port;
	addr->family = ep->family;
}

/**
 * nf_ovpn_peer_by_addr - find the peer that sends packets without a peer ID
 * @inst: the instance
 * @reply: tuple of a reply to it
 *
 * Context: RCU read side.
 * Return: the peer or NULL.
 */
struct nf_ovpn_peer *
nf_ovpn_peer_by_addr(struct nf_ovpn_instance *inst,
		     const struct nf_conntrack_tuple *reply)
{
	const struct nf_ovpn_addr addr = {
		.addr	= reply->dst.u3,
		.port	= reply->dst.u.udp.port,
		.family	= reply->src.l3num,
	};

	const struct nf_ovpn_addr_node *found;

	found = rhashtable_lookup(&inst->by_addr, &addr,
				  nf_ovpn_by_addr_params);
	return found ? found->peer : NULL;
}

static void addr_remove(struct nf_ovpn_peer *peer)
{
	struct nf_ovpn_addr_node *old = peer->addr_node;

	if (!old)
		return;
	rhashtable_remove_fast(&peer->inst->by_addr, &old->node,
			       nf_ovpn_by_addr_params);
	peer->addr_node = NULL;
	kfree_rcu(old, rcu);
}

/* Put a peer into the table by its address, if it belongs there. It is not
 * found by the address before any more.
 */
static int addr_insert(struct nf_ovpn_peer *peer,
		       const struct nf_ovpn_endpoint *ep)
{
	struct nf_ovpn_addr_node *old = peer->addr_node, *new;
	int err;

	if (!peer->data_v1)
		return 0;
	new = kzalloc_obj(*new, GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	addr_of(ep, &new->addr);
	new->peer = peer;
	if (old && !memcmp(&old->addr, &new->addr, sizeof(new->addr))) {
		kfree(new);
		return 0;
	}

	err = rhashtable_lookup_insert_fast(&peer->inst->by_addr, &new->node,
					    nf_ovpn_by_addr_params);
	if (err) {
		kfree(new);
		return err == -EEXIST ? err : -ENOMEM;
	}
	addr_remove(peer);
	peer->addr_node = new;
	return 0;
}

/* Say where a peer is, by an endpoint that it owns from now on. */
static void peer_set_endpoint(struct nf_ovpn_peer *peer,
			      struct nf_ovpn_endpoint *endpoint)
{
	struct nf_ovpn_endpoint *old;

	spin_lock_bh(&peer->lock);
	old = rcu_replace_pointer(peer->endpoint, endpoint,
				  lockdep_is_held(&peer->lock));
	spin_unlock_bh(&peer->lock);
	if (old)
		call_rcu(&old->rcu, endpoint_free_rcu);
}

/**
 * nf_ovpn_peer_can_move - whether a peer can be at an endpoint
 * @peer: the peer
 * @endpoint: its new endpoint
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: false when it is found by its address, as another peer there is.
 */
bool nf_ovpn_peer_can_move(const struct nf_ovpn_peer *peer,
			   const struct nf_ovpn_endpoint *endpoint)
{
	const struct nf_ovpn_addr_node *other;
	struct nf_ovpn_addr addr = {};
	bool can;

	if (!peer->data_v1)
		return true;
	addr_of(endpoint, &addr);
	rcu_read_lock();
	other = rhashtable_lookup(&peer->inst->by_addr, &addr,
				  nf_ovpn_by_addr_params);
	can = !other || other->peer == peer;
	rcu_read_unlock();
	return can;
}

/**
 * nf_ovpn_peer_move - say where a peer is
 * @peer: the peer
 * @endpoint: its new endpoint, for which nf_ovpn_peer_can_move(); owned by the
 *	      peer when this succeeds
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: 0, or -ENOMEM, and the peer is where it was.
 */
int nf_ovpn_peer_move(struct nf_ovpn_peer *peer,
		      struct nf_ovpn_endpoint *endpoint)
{
	int err = addr_insert(peer, endpoint);

	if (!err)
		peer_set_endpoint(peer, endpoint);
	return err;
}

/* The prefixes of a peer, numbered: its addresses, then its networks. */
#define VPN_PREFIXES(vpn)	(2 + (vpn)->num)

static bool vpn_prefix(const struct nf_ovpn_vpn *vpn, unsigned int i,
		       struct nf_ovpn_prefix *prefix)
{
	switch (i) {
	case 0:
		prefix->addr = vpn->ip;
		prefix->family = NFPROTO_IPV4;
		prefix->len = 32;
		return vpn->has_ip;
	case 1:
		prefix->addr = vpn->in6;
		prefix->family = NFPROTO_IPV6;
		prefix->len = 128;
		return vpn->has_in6;
	default:
		*prefix = vpn->networks[i - 2];
		return true;
	}
}

/**
 * nf_ovpn_prefix_cmp - put networks in order
 * @a: network
 * @b: another one
 *
 * Return: 0 when they are the same, else which comes first, as memcmp().
 */
int nf_ovpn_prefix_cmp(const struct nf_ovpn_prefix *a,
		       const struct nf_ovpn_prefix *b)
{
	if (a->family != b->family)
		return a->family - b->family;
	if (a->len != b->len)
		return a->len - b->len;
	return memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

static int prefix_cmp(const void *a, const void *b)
{
	return nf_ovpn_prefix_cmp(a, b);
}

/**
 * nf_ovpn_vpn_sort - put the networks of a peer in order
 * @vpn: what nobody can see yet; it must be in order before a peer gets it
 */
void nf_ovpn_vpn_sort(struct nf_ovpn_vpn *vpn)
{
	sort(vpn->networks, vpn->num, sizeof(vpn->networks[0]), prefix_cmp,
	     NULL);
}

/* Whether one of the prefixes is @wanted. */
static bool vpn_has(const struct nf_ovpn_vpn *vpn,
		    const struct nf_ovpn_prefix *wanted)
{
	struct nf_ovpn_prefix prefix;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (vpn_prefix(vpn, i, &prefix) &&
		    !nf_ovpn_prefix_cmp(&prefix, wanted))
			return true;
	}
	return bsearch(wanted, vpn->networks, vpn->num,
		       sizeof(vpn->networks[0]), prefix_cmp);
}

/* Whether a prefix is one of the addresses as well, of which there is a route
 * already. The networks differ from each other.
 */
static bool is_address_too(const struct nf_ovpn_vpn *vpn, unsigned int i,
			   const struct nf_ovpn_prefix *prefix)
{
	struct nf_ovpn_prefix address;
	unsigned int j;

	for (j = 0; j < 2 && j < i; j++) {
		if (vpn_prefix(vpn, j, &address) &&
		    !nf_ovpn_prefix_cmp(&address, prefix))
			return true;
	}
	return false;
}

/* Take away the first @n prefixes of @vpn that are not in @keep. */
static void routes_del(struct nf_ovpn_peer *peer,
		       const struct nf_ovpn_vpn *vpn, unsigned int n,
		       const struct nf_ovpn_vpn *keep)
{
	struct nf_ovpn_prefix prefix;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (vpn_prefix(vpn, i, &prefix) &&
		    !(keep && vpn_has(keep, &prefix)))
			nf_ovpn_route_del(&peer->inst->routes, peer,
					  prefix.family, &prefix.addr,
					  prefix.len);
	}
}

/**
 * nf_ovpn_peer_set_vpn - change what a peer owns inside the tunnel
 * @peer: the peer
 * @vpn: all of its addresses and networks, which the peer owns when this
 *	 succeeds
 * @which: what another peer has, written with -EEXIST: 0 for the IPv4 address,
 *	   1 for the IPv6 address, 2 for the first network and so on
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: 0, -EEXIST when another peer has one of them, -ENOMEM. The peer
 * keeps what it had when this fails.
 */
int nf_ovpn_peer_set_vpn(struct nf_ovpn_peer *peer, struct nf_ovpn_vpn *vpn,
			 unsigned int *which)
{
	struct nf_ovpn_vpn *old = nf_ovpn_peer_vpn(peer);
	struct nf_ovpn_prefix prefix;
	unsigned int i;
	int err;

	/* Only what differs: what stays must not be missing for a moment. */
	for (i = 0; i < VPN_PREFIXES(vpn); i++) {
		if (!vpn_prefix(vpn, i, &prefix) ||
		    is_address_too(vpn, i, &prefix) ||
		    (old && vpn_has(old, &prefix)))
			continue;
		err = nf_ovpn_route_add(&peer->inst->routes, peer,
					prefix.family, &prefix.addr,
					prefix.len);
		if (err) {
			*which = i;
			routes_del(peer, vpn, i, old);
			return err;
		}
	}

	rcu_assign_pointer(peer->vpn, vpn);
	if (old) {
		routes_del(peer, old, VPN_PREFIXES(old), vpn);
		kvfree_rcu(old, rcu);
	}
	nf_ovpn_gen_bump(peer->inst->net);
	return 0;
}

/**
 * nf_ovpn_peer_forget_route - outer packets are to be routed anew
 * @peer: the peer
 *
 * Context: Process, under nf_ovpn_net::lock.
 */
void nf_ovpn_peer_forget_route(struct nf_ovpn_peer *peer)
{
	rcu_read_lock();
	dst_cache_reset(&rcu_dereference(peer->endpoint)->dst_cache);
	rcu_read_unlock();
}

/**
 * nf_ovpn_peer_new - add a peer to an instance
 * @inst: the instance
 * @id: peer ID in packets that we receive
 * @tx_id: peer ID in packets that we send
 * @data_v1: packets have no peer ID
 * @endpoint: where the peer is; owned by the peer when this succeeds
 * @vpn: addresses inside the tunnel; likewise
 * @which: what another peer has, written with -EEXIST: NF_OVPN_TAKEN_* or as
 *	   nf_ovpn_peer_set_vpn()
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: the peer, or an error pointer: -EEXIST, -ENOSPC, -ENOMEM.
 */
struct nf_ovpn_peer *nf_ovpn_peer_new(struct nf_ovpn_instance *inst, u32 id,
				      u32 tx_id, bool data_v1,
				      struct nf_ovpn_endpoint *endpoint,
				      struct nf_ovpn_vpn *vpn,
				      unsigned int *which)
{
	struct nf_ovpn_peer *peer;
	int cpu, err;

	if (inst->mode == NF_OVPN_MODE_P2P && inst->num_peers) {
		*which = NF_OVPN_TAKEN_P2P;
		return ERR_PTR(-EEXIST);
	}

	peer = kzalloc_obj(*peer, GFP_KERNEL_ACCOUNT);
	if (!peer)
		return ERR_PTR(-ENOMEM);
	peer->stats = alloc_percpu_gfp(struct nf_ovpn_peer_stats,
				       GFP_KERNEL_ACCOUNT);
	if (!peer->stats) {
		err = -ENOMEM;
		goto err_free;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(peer->stats, cpu)->syncp);

	peer->id = id;
	peer->tx_id = tx_id;
	peer->data_v1 = data_v1;
	peer->inst = inst;
	peer->last_rx = jiffies;
	peer->last_tx = jiffies;
	INIT_LIST_HEAD(&peer->keepalive);
	spin_lock_init(&peer->lock);
	RCU_INIT_POINTER(peer->endpoint, endpoint);

	/* Handle first: whoever finds the peer may store it. */
	err = nf_ovpn_handle_new(peer);
	if (err)
		goto err_stats;

	err = xa_insert(&inst->peers, id, peer, GFP_KERNEL_ACCOUNT);
	if (err) {
		if (err == -EBUSY) {
			*which = NF_OVPN_TAKEN_ID;
			err = -EEXIST;
		}
		goto err_handle;
	}

	err = addr_insert(peer, endpoint);
	if (err) {
		if (err == -EEXIST)
			*which = NF_OVPN_TAKEN_ENDPOINT;
		goto err_id;
	}

	err = nf_ovpn_peer_set_vpn(peer, vpn, which);
	if (err)
		goto err_addr;

	WRITE_ONCE(inst->num_peers, inst->num_peers + 1);
	return peer;

err_addr:
	addr_remove(peer);
err_id:
	xa_erase(&inst->peers, id);
err_handle:
	nf_ovpn_handle_del(peer);
	/* A packet may have found it; it has no key and cannot be used. */
	synchronize_rcu();
err_stats:
	free_percpu(peer->stats);
err_free:
	kfree(peer);
	return ERR_PTR(err);
}

static void peer_free_rcu(struct rcu_head *rcu)
{
	struct nf_ovpn_peer *peer = container_of(rcu, struct nf_ovpn_peer, rcu);
	int slot;

	for (slot = 0; slot < ARRAY_SIZE(peer->keys); slot++)
		nf_ovpn_key_free_now(rcu_dereference_raw(peer->keys[slot]));
	nf_ovpn_endpoint_free(rcu_dereference_raw(peer->endpoint));
	kvfree(rcu_dereference_raw(peer->vpn));
	free_percpu(peer->stats);
	kfree(peer);
}

/**
 * nf_ovpn_peer_del - delete a peer and tell userspace
 * @peer: the peer
 * @reason: why
 *
 * Context: Process, under nf_ovpn_net::lock.
 */
void nf_ovpn_peer_del(struct nf_ovpn_peer *peer,
		      enum nf_ovpn_del_peer_reason reason)
{
	struct nf_ovpn_instance *inst = peer->inst;
	struct nf_ovpn_vpn *vpn = nf_ovpn_peer_vpn(peer);

	nf_ovpn_keepalive_del(peer);
	xa_erase(&inst->peers, peer->id);
	addr_remove(peer);
	if (vpn)
		routes_del(peer, vpn, VPN_PREFIXES(vpn), NULL);
	nf_ovpn_handle_del(peer);
	WRITE_ONCE(inst->num_peers, inst->num_peers - 1);
	nf_ovpn_nl_peer_del_ntf(peer, reason);
	call_rcu(&peer->rcu, peer_free_rcu);
}

/**
 * nf_ovpn_peer_flush - delete all peers of an instance and tell userspace
 * @inst: the instance
 * @reason: why
 *
 * Context: Process, under nf_ovpn_net::lock.
 */
void nf_ovpn_peer_flush(struct nf_ovpn_instance *inst,
			enum nf_ovpn_del_peer_reason reason)
{
	struct nf_ovpn_peer *peer;
	unsigned long id;

	xa_for_each(&inst->peers, id, peer) {
		nf_ovpn_peer_del(peer, reason);
		cond_resched();
	}
}

/**
 * nf_ovpn_peer_seen_at - an authentic packet came: follow the peer
 * @peer: the peer
 * @ct: conntrack entry of the packet
 * @dir: its direction
 * @ifindex: where it came in
 *
 * The addresses are those of a reply, so that NAT of the outer flow and the
 * choice of a local address are honoured.
 *
 * Context: RCU read side, BH disabled.
 */
void nf_ovpn_peer_seen_at(struct nf_ovpn_peer *peer, const struct nf_conn *ct,
			  enum ip_conntrack_dir dir, int ifindex)
{
	const struct nf_conntrack_tuple *reply = &ct->tuplehash[!dir].tuple;
	const struct nf_ovpn_endpoint *old = rcu_dereference(peer->endpoint);
	struct nf_ovpn_endpoint *endpoint;
	u32 mark = 0;

#ifdef CONFIG_NF_CONNTRACK_MARK
	mark = READ_ONCE(ct->mark);
#endif
	if (likely(old->mark == mark &&
		   old->remote_port == reply->dst.u.udp.port &&
		   old->local_port == reply->src.u.udp.port &&
		   old->family == nf_ct_l3num(ct) &&
		   nf_inet_addr_cmp(&old->remote, &reply->dst.u3) &&
		   nf_inet_addr_cmp(&old->local, &reply->src.u3)))
		return;

	/* A peer that was found by its address is where it was. */
	if (peer->data_v1 &&
	    (old->remote_port != reply->dst.u.udp.port ||
	     !nf_inet_addr_cmp(&old->remote, &reply->dst.u3)))
		return;

	endpoint = nf_ovpn_endpoint_new(GFP_ATOMIC);
	if (!endpoint)
		return;
	endpoint->family = nf_ct_l3num(ct);
	endpoint->remote = reply->dst.u3;
	endpoint->remote_port = reply->dst.u.udp.port;
	endpoint->local = reply->src.u3;
	endpoint->local_port = reply->src.u.udp.port;
	endpoint->mark = mark;
	if (endpoint->family == NFPROTO_IPV6 &&
	    ipv6_addr_type(&endpoint->remote.in6) & IPV6_ADDR_LINKLOCAL)
		endpoint->scope_id = ifindex;

	/* A local address that was left open is no move, nor is a mark. */
	if (old->remote_port != endpoint->remote_port ||
	    !nf_inet_addr_cmp(&old->remote, &endpoint->remote)) {
		trace_nf_ovpn_float(peer, endpoint);
		peer_set_endpoint(peer, endpoint);
		nf_ovpn_nl_peer_float_ntf(peer);
	} else {
		peer_set_endpoint(peer, endpoint);
	}
}

/**
 * nf_ovpn_peer_by_vpn_addr - find the peer that an inner packet belongs to
 * @inst: the instance
 * @skb: inner packet, data at its network header
 * @source: compare its source address, else its destination
 *
 * Context: RCU read side.
 * Return: the peer, NULL when there is none or this is no IP packet.
 */
struct nf_ovpn_peer *nf_ovpn_peer_by_vpn_addr(struct nf_ovpn_instance *inst,
					      const struct sk_buff *skb,
					      bool source)
{
	const unsigned int off = skb_network_offset(skb);
	union {
		struct iphdr	ip4;
		struct ipv6hdr	ip6;
	} buf;
	const struct ipv6hdr *ip6h;
	const struct iphdr *iph;
	unsigned long id = 0;

	if (inst->mode == NF_OVPN_MODE_P2P)
		return xa_find(&inst->peers, &id, ULONG_MAX, XA_PRESENT);

	switch (skb->protocol) {
	case htons(ETH_P_IP):
		iph = skb_header_pointer(skb, off, sizeof(buf.ip4), &buf);
		if (!iph || iph->version != 4)
			return NULL;
		return nf_ovpn_route_lookup(&inst->routes, NFPROTO_IPV4,
					    source ? &iph->saddr : &iph->daddr);
	case htons(ETH_P_IPV6):
		ip6h = skb_header_pointer(skb, off, sizeof(buf.ip6), &buf);
		if (!ip6h || ip6h->version != 6)
			return NULL;
		return nf_ovpn_route_lookup(&inst->routes, NFPROTO_IPV6,
					    source ? &ip6h->saddr :
						     &ip6h->daddr);
	default:
		return NULL;
	}
}

/**
 * nf_ovpn_peer_owns_source - reverse path check of a received packet
 * @peer: the peer that it came from
 * @skb: inner packet, linear, data at its network header, protocol set
 *
 * The peer's own addresses need no look-up.
 *
 * Context: RCU read side.
 * Return: true when the source address belongs to the peer.
 */
bool nf_ovpn_peer_owns_source(struct nf_ovpn_peer *peer,
			      const struct sk_buff *skb)
{
	const struct nf_ovpn_vpn *vpn = rcu_dereference(peer->vpn);

	if (peer->inst->mode == NF_OVPN_MODE_P2P)
		return true;
	if (vpn && (skb->protocol == htons(ETH_P_IP) ?
		    vpn->has_ip && ip_hdr(skb)->saddr == vpn->ip.ip :
		    vpn->has_in6 && ipv6_addr_equal(&ipv6_hdr(skb)->saddr,
						    &vpn->in6.in6)))
		return true;
	return nf_ovpn_peer_by_vpn_addr(peer->inst, skb, true) == peer;
}
