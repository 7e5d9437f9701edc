// SPDX-License-Identifier: GPL-2.0
/* Transmit: from an inner packet to datagrams on their way out. Read from the
 * bottom up: nf_ovpn_tx() takes a packet from a hook, tx_list() its segments,
 * encapsulate() and send() one of them.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/gso.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/udp_tunnel.h>

#include "nf_ovpn.h"

#define D(name)		NF_OVPN_A_DROPS_##name

/* Largest outer header without that of the link */
#define TX_HEADROOM	(sizeof(struct ipv6hdr) + sizeof(struct udphdr) + \
			 sizeof(struct nf_ovpn_hdr))

/* A route to the peer and the local address that goes with it. */
struct tx_route {
	struct dst_entry	*dst;
	union nf_inet_addr	local;
};

static int tx_route(const struct nf_ovpn_instance *inst,
		    struct nf_ovpn_endpoint *ep, struct sk_buff *skb,
		    struct tx_route *route)
{
	struct ip_tunnel_key key = {};

	route->local = ep->local;
	if (ep->family == NFPROTO_IPV4) {
		struct rtable *rt;

		key.u.ipv4.src = ep->local.ip;
		key.u.ipv4.dst = ep->remote.ip;
		rt = udp_tunnel_dst_lookup(skb, inst->dev, inst->net, 0,
					   &route->local.ip, &key,
					   ep->local_port, ep->remote_port, 0,
					   &ep->dst_cache);
		if (IS_ERR(rt))
			return PTR_ERR(rt);
		route->dst = &rt->dst;
		return 0;
	}
#if IS_ENABLED(CONFIG_IPV6)
	key.u.ipv6.src = ep->local.in6;
	key.u.ipv6.dst = ep->remote.in6;
	route->dst = udp_tunnel6_dst_lookup(skb, inst->dev, inst->net, NULL,
					    ep->scope_id, &route->local.in6,
					    &key, ep->local_port,
					    ep->remote_port, 0, &ep->dst_cache);
	return PTR_ERR_OR_ZERO(route->dst);
#else
	return -EAFNOSUPPORT;
#endif
}

/* Make the packet linear, ours alone, with its checksum in place and room for
 * the outer headers; then encrypt it and put the OpenVPN header in front.
 */
static int encapsulate(const struct nf_ovpn_peer *peer,
		       const struct nf_ovpn_key *key, u32 packet_id,
		       struct sk_buff *skb, unsigned int headroom)
{
	unsigned int len = skb->len;
	struct nf_ovpn_hdr *hdr;

	if (skb_linearize(skb) || skb_cow(skb, headroom))
		return -ENOMEM;
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return -ENOMEM;
	skb->ip_summed = CHECKSUM_NONE;
	skb->encapsulation = 0;

	hdr = __skb_push(skb, sizeof(*hdr));
	hdr->op = htonl(NF_OVPN_P_DATA_V2 << NF_OVPN_OP_SHIFT |
			key->key_id << NF_OVPN_KEY_ID_SHIFT | peer->tx_id);
	hdr->packet_id = htonl(packet_id);
	nf_ovpn_cipher_seal(&key->tx, (u8 *)(hdr + 1), (u8 *)(hdr + 1), len,
			    hdr->tag, (const u8 *)hdr, NF_OVPN_AD_SIZE,
			    hdr->packet_id);

	/* From here to the end is what the device counts. */
	skb_set_inner_network_header(skb, sizeof(*hdr));
	return 0;
}

static void send(const struct nf_ovpn_endpoint *ep,
		 const struct tx_route *route, struct sk_buff *skb, u8 ecn)
{
	dst_hold(route->dst);
	if (ep->family == NFPROTO_IPV4) {
		udp_tunnel_xmit_skb(dst_rtable(route->dst), NULL, skb,
				    route->local.ip, ep->remote.ip, ecn,
				    ip4_dst_hoplimit(route->dst), 0,
				    ep->local_port, ep->remote_port, true,
				    false, 0);
		return;
	}
#if IS_ENABLED(CONFIG_IPV6)
	/* Too large for the path: fragments, as with IPv4 */
	skb->ignore_df = 1;
	udp_tunnel6_xmit_skb(route->dst, NULL, skb, skb->dev, &route->local.in6,
			     &ep->remote.in6, ecn, ip6_dst_hoplimit(route->dst),
			     0, ep->local_port, ep->remote_port, false, 0);
#endif
}

/* ECN of the outer header (RFC 6040, 4.1, normal mode) */
static u8 outer_ecn(const struct sk_buff *skb)
{
	switch (skb->protocol) {
	case htons(ETH_P_IP):
		return INET_ECN_encapsulate(0, ip_hdr(skb)->tos);
	case htons(ETH_P_IPV6):
		return INET_ECN_encapsulate(0, ipv6_get_dsfield(ipv6_hdr(skb)));
	default:
		return 0;
	}
}

static void drop_list(struct nf_ovpn_instance *inst, struct sk_buff *list,
		      int reason)
{
	struct sk_buff *skb, *next;

	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		nf_ovpn_stats_drop(inst, reason);
		kfree_skb(skb);
	}
}

/* Send a list of packets to one peer: packet IDs and the route are taken once
 * for all of them. The packets have no dst, no mark and no conntrack any more.
 */
static void tx_list(struct nf_ovpn_peer *peer, struct nf_ovpn_key *key,
		    struct sk_buff *list, int path)
{
	struct nf_ovpn_instance *inst = peer->inst;
	struct nf_ovpn_tally tally = {};
	struct nf_ovpn_endpoint *ep;
	struct sk_buff *skb, *next;
	struct tx_route route;
	unsigned int headroom;
	bool warn = false;
	u32 id, n = 0;
	int err;

	ep = rcu_dereference(peer->endpoint);
	err = tx_route(inst, ep, list, &route);
	if (err) {
		drop_list(inst, list, err == -ELOOP ? D(LOOP) : D(NO_ROUTE));
		return;
	}
	headroom = LL_RESERVED_SPACE(route.dst->dev) + route.dst->header_len +
		   TX_HEADROOM;

	for (skb = list; skb; skb = skb->next)
		n++;
	if (!nf_ovpn_key_reserve(key, n, &id, &warn)) {
		drop_list(inst, list, D(KEY_LIMIT));
		goto out;
	}

	skb_list_walk_safe(list, skb, next) {
		unsigned int len = skb->len;
		u8 ecn = outer_ecn(skb);

		skb_mark_not_on_list(skb);
		if (encapsulate(peer, key, id++, skb, headroom)) {
			drop_list(inst, skb, D(NO_MEMORY));
			continue;
		}
		tally.packets++;
		tally.vpn_bytes += len;
		tally.link_bytes += skb->len;
		send(ep, &route, skb, ecn);
	}

	nf_ovpn_stats_tx(peer, path, &tally);
	nf_ovpn_touch(&peer->last_tx);
out:
	dst_release(route.dst);
	if (unlikely(warn))
		nf_ovpn_nl_key_limit_ntf(peer, key);
}

/**
 * nf_ovpn_tx - encrypt an inner packet and send it to a peer
 * @peer: the peer
 * @skb: inner packet, GSO or not, data at its network header
 * @path: NF_OVPN_A_STATS_TX_FAST_PACKETS or _EGRESS_
 *
 * Context: RCU read side, BH disabled.
 * Return: false when the peer has no key to encrypt with; else the packet is
 * sent or dropped and counted.
 */
bool nf_ovpn_tx(struct nf_ovpn_peer *peer, struct sk_buff *skb, int path)
{
	struct nf_ovpn_key *key;
	struct sk_buff *segs;

	key = nf_ovpn_peer_tx_key(peer);
	if (!key)
		return false;

	skb->dev = peer->inst->dev;
	skb_scrub_packet(skb, true);

	if (skb_is_gso(skb)) {
		/* Once here is cheaper than once a segment. */
		if (skb_cow_head(skb, LL_MAX_HEADER + TX_HEADROOM)) {
			drop_list(peer->inst, skb, D(NO_MEMORY));
			return true;
		}
		segs = skb_gso_segment(skb, 0);
		if (IS_ERR_OR_NULL(segs)) {
			drop_list(peer->inst, skb, D(NO_MEMORY));
			return true;
		}
		consume_skb(skb);
		skb = segs;
	} else {
		skb_mark_not_on_list(skb);
	}

	tx_list(peer, key, skb, path);
	return true;
}

/**
 * nf_ovpn_tx_ping - send a ping to a peer
 * @peer: the peer
 *
 * Context: RCU read side, BH disabled.
 */
void nf_ovpn_tx_ping(struct nf_ovpn_peer *peer)
{
	struct nf_ovpn_key *key;
	struct sk_buff *skb;

	key = nf_ovpn_peer_tx_key(peer);
	if (!key)
		return;

	skb = alloc_skb(LL_MAX_HEADER + TX_HEADROOM + sizeof(nf_ovpn_ping),
			GFP_ATOMIC);
	if (!skb) {
		nf_ovpn_stats_drop(peer->inst, D(NO_MEMORY));
		return;
	}
	skb_reserve(skb, LL_MAX_HEADER + TX_HEADROOM);
	skb_put_data(skb, nf_ovpn_ping, sizeof(nf_ovpn_ping));
	/* Without a device: it is not one of the packets that tun sent. */
	tx_list(peer, key, skb, 0);
}
