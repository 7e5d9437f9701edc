// SPDX-License-Identifier: GPL-2.0
/* Peers: their lifetime, where they are and which addresses they own.
 *
 * A peer is found by its handle (conntrack entry), by its ID (first packet of
 * an outer flow) or by a VPN address (first packet of an inner flow), always
 * under RCU. Deleting it takes it out of the three places and frees it after
 * a grace period; nobody holds a reference.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_tuple.h>

#include "nf_ovpn.h"

/**
 * nf_ovpn_endpoint_new - allocate an endpoint to be filled by the caller
 * @gfp: allocation flags
 *
 * Return: the endpoint or NULL.
 */
struct nf_ovpn_endpoint *nf_ovpn_endpoint_new(gfp_t gfp)
{
	struct nf_ovpn_endpoint *endpoint = kzalloc_obj(*endpoint, gfp);

	if (endpoint && dst_cache_init(&endpoint->dst_cache, gfp)) {
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
 * nf_ovpn_peer_set_endpoint - say where a peer is
 * @peer: the peer
 * @endpoint: its new endpoint, which the peer owns from now on
 */
void nf_ovpn_peer_set_endpoint(struct nf_ovpn_peer *peer,
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

static void routes_del(struct nf_ovpn_peer *peer,
		       const struct nf_ovpn_vpn_addrs *vpn)
{
	struct nf_ovpn_routes *routes = &peer->inst->routes;

	if (vpn->has_ip)
		nf_ovpn_route_del(routes, peer, NFPROTO_IPV4, &vpn->ip, 32);
	if (vpn->has_in6)
		nf_ovpn_route_del(routes, peer, NFPROTO_IPV6, &vpn->in6, 128);
}

static int routes_add(struct nf_ovpn_peer *peer,
		      const struct nf_ovpn_vpn_addrs *vpn,
		      struct netlink_ext_ack *extack)
{
	struct nf_ovpn_routes *routes = &peer->inst->routes;
	int err = 0;

	if (vpn->has_ip)
		err = nf_ovpn_route_add(routes, peer, NFPROTO_IPV4, &vpn->ip,
					32);
	if (err) {
		if (err == -EEXIST)
			NL_SET_ERR_MSG(extack,
				       "vpn-ipv4 belongs to another peer");
		return err;
	}
	if (vpn->has_in6)
		err = nf_ovpn_route_add(routes, peer, NFPROTO_IPV6, &vpn->in6,
					128);
	if (err) {
		if (err == -EEXIST)
			NL_SET_ERR_MSG(extack,
				       "vpn-ipv6 belongs to another peer");
		if (vpn->has_ip)
			nf_ovpn_route_del(routes, peer, NFPROTO_IPV4, &vpn->ip,
					  32);
	}
	return err;
}

/**
 * nf_ovpn_peer_set_vpn - change the addresses that a peer owns
 * @peer: the peer
 * @vpn: all of its addresses
 * @extack: says what is wrong
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: 0, -EEXIST when another peer has an address, -ENOMEM. The peer
 * keeps what it had when this fails.
 */
int nf_ovpn_peer_set_vpn(struct nf_ovpn_peer *peer,
			 const struct nf_ovpn_vpn_addrs *vpn,
			 struct netlink_ext_ack *extack)
{
	struct nf_ovpn_vpn_addrs add = *vpn, del = peer->vpn;
	int err;

	/* Only what differs: what stays must not be missing for a moment. */
	if (add.has_ip && del.has_ip && add.ip.ip == del.ip.ip) {
		add.has_ip = false;
		del.has_ip = false;
	}
	if (add.has_in6 && del.has_in6 &&
	    ipv6_addr_equal(&add.in6.in6, &del.in6.in6)) {
		add.has_in6 = false;
		del.has_in6 = false;
	}

	err = routes_add(peer, &add, extack);
	if (err)
		return err;
	routes_del(peer, &del);
	peer->vpn = *vpn;
	atomic_inc(&nf_ovpn_pernet(peer->inst->net)->gen);
	return 0;
}

/**
 * nf_ovpn_peer_new - add a peer to an instance
 * @inst: the instance
 * @id: peer ID in packets that we receive
 * @tx_id: peer ID in packets that we send
 * @endpoint: where the peer is; owned by the peer when this succeeds
 * @vpn: addresses inside the tunnel
 * @extack: says what is wrong
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: the peer, or an error pointer: -EEXIST, -ENOSPC, -ENOMEM.
 */
struct nf_ovpn_peer *nf_ovpn_peer_new(struct nf_ovpn_instance *inst, u32 id,
				      u32 tx_id,
				      struct nf_ovpn_endpoint *endpoint,
				      const struct nf_ovpn_vpn_addrs *vpn,
				      struct netlink_ext_ack *extack)
{
	struct nf_ovpn_peer *peer;
	int cpu, err;

	if (inst->mode == NF_OVPN_MODE_P2P && inst->num_peers) {
		NL_SET_ERR_MSG(extack, "a p2p instance has one peer");
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
	peer->inst = inst;
	peer->last_rx = jiffies;
	peer->last_tx = jiffies;
	spin_lock_init(&peer->lock);
	RCU_INIT_POINTER(peer->endpoint, endpoint);

	/* Handle first: whoever finds the peer may store it. */
	err = nf_ovpn_handle_new(peer);
	if (err)
		goto err_stats;

	err = xa_insert(&inst->peers, id, peer, GFP_KERNEL_ACCOUNT);
	if (err) {
		if (err == -EBUSY) {
			NL_SET_ERR_MSG(extack, "a peer has this ID");
			err = -EEXIST;
		}
		goto err_handle;
	}

	err = nf_ovpn_peer_set_vpn(peer, vpn, extack);
	if (err)
		goto err_id;

	WRITE_ONCE(inst->num_peers, inst->num_peers + 1);
	return peer;

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
		kfree_sensitive(rcu_dereference_raw(peer->keys[slot]));
	nf_ovpn_endpoint_free(rcu_dereference_raw(peer->endpoint));
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

	xa_erase(&inst->peers, peer->id);
	routes_del(peer, &peer->vpn);
	nf_ovpn_handle_del(peer);
	WRITE_ONCE(inst->num_peers, inst->num_peers - 1);
	nf_ovpn_nl_peer_del_ntf(peer, reason);
	call_rcu(&peer->rcu, peer_free_rcu);
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

	if (likely(old->remote_port == reply->dst.u.udp.port &&
		   old->local_port == reply->src.u.udp.port &&
		   old->family == nf_ct_l3num(ct) &&
		   nf_inet_addr_cmp(&old->remote, &reply->dst.u3) &&
		   nf_inet_addr_cmp(&old->local, &reply->src.u3)))
		return;

	endpoint = nf_ovpn_endpoint_new(GFP_ATOMIC);
	if (!endpoint)
		return;
	endpoint->family = nf_ct_l3num(ct);
	endpoint->remote = reply->dst.u3;
	endpoint->remote_port = reply->dst.u.udp.port;
	endpoint->local = reply->src.u3;
	endpoint->local_port = reply->src.u.udp.port;
	if (endpoint->family == NFPROTO_IPV6 &&
	    ipv6_addr_type(&endpoint->remote.in6) & IPV6_ADDR_LINKLOCAL)
		endpoint->scope_id = ifindex;

	/* A local address that was left open is no move. */
	if (old->remote_port != endpoint->remote_port ||
	    !nf_inet_addr_cmp(&old->remote, &endpoint->remote)) {
		nf_ovpn_peer_set_endpoint(peer, endpoint);
		nf_ovpn_nl_peer_float_ntf(peer);
	} else {
		nf_ovpn_peer_set_endpoint(peer, endpoint);
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
