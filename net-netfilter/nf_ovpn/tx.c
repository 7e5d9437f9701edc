// SPDX-License-Identifier: GPL-2.0
/* Transmit: from an inner packet to datagrams on their way out. Read from the
 * bottom up: nf_ovpn_tx() takes a packet from a hook, tx_list() its segments,
 * encapsulate() makes a datagram of one. Datagrams of one size are gathered
 * and go down the stack as one UDP GSO packet: one route, one conntrack pass,
 * one pass through the qdisc for all of them. It is split again, without a
 * copy, where the device cannot do it.
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
	return 0;
}

/* Datagrams that go out together: the first is the packet, the others its
 * frag_list. All are as long as the first but for the last, which may be
 * shorter.
 */
struct tx_batch {
	struct nf_ovpn_endpoint	*ep;
	struct tx_route		route;
	struct sk_buff		*head;
	struct sk_buff		*tail;
	unsigned int		count;
	unsigned int		size;
	u8			ecn;
};

static void tx_flush(struct tx_batch *batch)
{
	const struct nf_ovpn_endpoint *ep = batch->ep;
	const struct tx_route *route = &batch->route;
	struct sk_buff *skb = batch->head;

	if (!skb)
		return;
	batch->head = NULL;

	if (batch->count > 1) {
		struct skb_shared_info *shinfo = skb_shinfo(skb);

		shinfo->gso_size = batch->size;
		shinfo->gso_segs = batch->count;
		shinfo->gso_type = SKB_GSO_UDP_L4;
		/* where the UDP header is going to be */
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_headroom(skb) - sizeof(struct udphdr);
		skb->csum_offset = offsetof(struct udphdr, check);
	}

	dst_hold(route->dst);
	if (ep->family == NFPROTO_IPV4) {
		udp_tunnel_xmit_skb(dst_rtable(route->dst), NULL, skb,
				    route->local.ip, ep->remote.ip, batch->ecn,
				    ip4_dst_hoplimit(route->dst), 0,
				    ep->local_port, ep->remote_port, true,
				    false, 0);
		return;
	}
#if IS_ENABLED(CONFIG_IPV6)
	/* Too large for the path: fragments, as with IPv4 */
	skb->ignore_df = 1;
	udp_tunnel6_xmit_skb(route->dst, NULL, skb, NULL, &route->local.in6,
			     &ep->remote.in6, batch->ecn,
			     ip6_dst_hoplimit(route->dst), 0, ep->local_port,
			     ep->remote_port, false, 0);
#endif
}

static bool tx_batch_takes(const struct tx_batch *batch,
			   const struct sk_buff *skb, u8 ecn)
{
	const struct sk_buff *head = batch->head;
	const struct net_device *dev = batch->route.dst->dev;
	unsigned int max = min_t(unsigned int, READ_ONCE(dev->gso_max_size),
				 GSO_LEGACY_MAX_SIZE);

	return head && ecn == batch->ecn && skb->len <= batch->size &&
	       /* whole so far */
	       head->len == batch->count * batch->size &&
	       batch->count < READ_ONCE(dev->gso_max_segs) &&
	       head->len + skb->len + TX_HEADROOM + LL_MAX_HEADER < max &&
	       head->sk == skb->sk && head->destructor == skb->destructor;
}

static void tx_add(struct tx_batch *batch, struct sk_buff *skb, u8 ecn)
{
	struct sk_buff *head = batch->head;

	if (!tx_batch_takes(batch, skb, ecn)) {
		tx_flush(batch);
		batch->head = skb;
		batch->tail = skb;
		batch->count = 1;
		batch->size = skb->len;
		batch->ecn = ecn;
		return;
	}

	/* The socket goes on being charged, by the first for all. */
	skb->destructor = NULL;
	skb->sk = NULL;

	if (batch->count == 1)
		skb_shinfo(head)->frag_list = skb;
	else
		batch->tail->next = skb;
	batch->tail = skb;
	batch->count++;
	head->len += skb->len;
	head->data_len += skb->len;
	head->truesize += skb->truesize;
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
	struct tx_batch batch = {};
	struct sk_buff *skb, *next;
	unsigned int headroom;
	bool warn = false;
	u32 id, n = 0;
	int err;

	batch.ep = rcu_dereference(peer->endpoint);
	err = tx_route(inst, batch.ep, list, &batch.route);
	if (err) {
		drop_list(inst, list, err == -ELOOP ? D(LOOP) : D(NO_ROUTE));
		return;
	}
	headroom = LL_RESERVED_SPACE(batch.route.dst->dev) +
		   batch.route.dst->header_len + TX_HEADROOM;

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
		tx_add(&batch, skb, ecn);
	}
	tx_flush(&batch);

	nf_ovpn_stats_tx(peer, path, &tally);
	if (path)
		dev_sw_netstats_tx_add(inst->dev, tally.packets,
				       tally.vpn_bytes);
	nf_ovpn_touch(&peer->last_tx);
out:
	dst_release(batch.route.dst);
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

	/* Without a device: it is counted here, not by the tunnel code. */
	skb->dev = NULL;
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
	tx_list(peer, key, skb, 0);
}
