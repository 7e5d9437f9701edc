// SPDX-License-Identifier: GPL-2.0
/* Receive: from an outer datagram to an inner packet in the tun device's
 * receive path. Read from the bottom up: nf_ovpn_rx() splits what GRO has
 * merged, rx_datagram() takes one datagram.
 *
 * Nothing changes before a packet is authenticated; then the replay window,
 * the peer's address and the outer flow do, in this order.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/udp.h>
#include <net/gso.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "nf_ovpn.h"

#define D(name)		NF_OVPN_A_DROPS_##name

static int drop(struct nf_ovpn_instance *inst, struct sk_buff *skb, int reason)
{
	nf_ovpn_stats_drop(inst, reason);
	kfree_skb(skb);
	return NF_STOLEN;
}

/* Find the OpenVPN header behind the outer headers.
 *
 * Returns its first word, or 0 when this is not a data packet: everything
 * else goes on to the socket as it is. @udp_off is where the UDP header is.
 */
static u32 data_op(struct sk_buff *skb, u8 pf, unsigned int *udp_off)
{
	u32 op;

	if (pf == NFPROTO_IPV4) {
		if (ip_hdr(skb)->protocol != IPPROTO_UDP)
			return 0;
		*udp_off = ip_hdrlen(skb);
	} else {
		if (ipv6_hdr(skb)->nexthdr != IPPROTO_UDP)
			return 0;
		*udp_off = sizeof(struct ipv6hdr);
	}

	if (!pskb_may_pull(skb, *udp_off + sizeof(struct udphdr) + sizeof(op)))
		return 0;
	op = be32_to_cpup((__be32 *)(skb->data + *udp_off +
				     sizeof(struct udphdr)));
	return op >> NF_OVPN_OP_SHIFT == NF_OVPN_P_DATA_V2 ? op : 0;
}

/**
 * nf_ovpn_rx_peer_id - read the peer ID of a data packet
 * @skb: outer packet, data at its network header
 * @pf: its family
 * @peer_id: the peer ID, written
 *
 * Return: 0, or -ENOMSG when this is not a data packet.
 */
int nf_ovpn_rx_peer_id(struct sk_buff *skb, u8 pf, u32 *peer_id)
{
	unsigned int udp_off;
	u32 op = data_op(skb, pf, &udp_off);

	if (!op)
		return -ENOMSG;
	*peer_id = op & NF_OVPN_PEER_ID_MASK;
	return 0;
}

static struct nf_ovpn_key *key_by_id(const struct nf_ovpn_peer *peer, u8 key_id)
{
	struct nf_ovpn_key *key;
	int slot;

	for (slot = 0; slot < ARRAY_SIZE(peer->keys); slot++) {
		key = rcu_dereference(peer->keys[slot]);
		if (key && key->key_id == key_id)
			return key;
	}
	return NULL;
}

/* Protocol of the inner packet, 0 when it is not an IP packet. */
static __be16 inner_protocol(struct sk_buff *skb)
{
	if (skb->len >= sizeof(struct iphdr) && ip_hdr(skb)->version == 4)
		return htons(ETH_P_IP);
	if (skb->len >= sizeof(struct ipv6hdr) && ip_hdr(skb)->version == 6)
		return htons(ETH_P_IPV6);
	return 0;
}

/* The inner packet is "received" by the tun device. */
static void deliver(struct nf_ovpn_instance *inst, struct sk_buff *skb)
{
	unsigned int len = skb->len;

	skb->dev = inst->dev;
	skb->ip_summed = CHECKSUM_NONE;
	skb_clear_hash(skb);
	skb_set_queue_mapping(skb, 0);
	skb_scrub_packet(skb, true);
	skb_reset_mac_header(skb);
	skb_reset_inner_headers(skb);

	if (gro_cells_receive(&inst->gro_cells, skb) == NET_RX_SUCCESS)
		dev_sw_netstats_rx_add(inst->dev, len);
}

/* Take one datagram, data at its network header. @asked is the address of
 * the packet that it was part of.
 */
static int rx_datagram(struct nf_ovpn_peer *peer, struct sk_buff *skb, u32 op,
		       unsigned int udp_off, const struct nf_hook_state *state,
		       int path, const void *asked)
{
	struct nf_ovpn_instance *inst = peer->inst;
	unsigned int udp_len, link_len, vpn_len;
	const struct nf_ovpn_hdr *hdr;
	enum ip_conntrack_info ctinfo;
	enum ip_conntrack_dir dir;
	const struct udphdr *uh;
	struct nf_ovpn_key *key;
	struct nf_conn *ct;
	u8 *text, tos;

	uh = (struct udphdr *)(skb->data + udp_off);
	udp_len = ntohs(uh->len);
	if (udp_len < sizeof(*uh) + sizeof(*hdr) || udp_len > skb->len - udp_off)
		return drop(inst, skb, D(MALFORMED));
	if (uh->check && nf_checksum(skb, state->hook, udp_off, IPPROTO_UDP,
				     state->pf))
		return drop(inst, skb, D(CHECKSUM));

	key = key_by_id(peer, op >> NF_OVPN_KEY_ID_SHIFT & NF_OVPN_KEY_ID_MASK);
	if (!key)
		return drop(inst, skb, D(NO_KEY));

	if (skb_linearize_cow(skb))
		return drop(inst, skb, D(NO_MEMORY));

	tos = state->pf == NFPROTO_IPV4 ? ip_hdr(skb)->tos :
					  ipv6_get_dsfield(ipv6_hdr(skb));
	link_len = udp_len - sizeof(*uh);
	vpn_len = link_len - sizeof(*hdr);
	hdr = (struct nf_ovpn_hdr *)(skb->data + udp_off + sizeof(*uh));
	text = (u8 *)(hdr + 1);

	if (!nf_ovpn_cipher_open(&key->rx, text, text, vpn_len, hdr->tag,
				 (const u8 *)hdr, NF_OVPN_AD_SIZE,
				 hdr->packet_id))
		return drop(inst, skb, D(AUTH));
	if (!nf_ovpn_replay_accept(&key->replay, ntohl(hdr->packet_id)))
		return drop(inst, skb, D(REPLAY));

	ct = nf_ct_get(skb, &ctinfo);
	dir = CTINFO2DIR(ctinfo);
	nf_ovpn_peer_seen_at(peer, ct, dir, state->in->ifindex);
	nf_ovpn_touch(&peer->last_rx);

	if (path == NF_OVPN_A_STATS_RX_SLOW_PACKETS) {
		/* As nf_confirm() would, which this packet does not reach. */
		if (nf_conntrack_confirm(skb) != NF_ACCEPT)
			return drop(inst, skb, D(NO_MEMORY));
		/* It may be another entry now, see __nf_conntrack_confirm(). */
		ct = nf_ct_get(skb, &ctinfo);
		if (nf_ct_ovpn_find(ct))
			nf_ovpn_ct_arm(inst->net, ct, dir, asked,
				       peer->handle | NF_OVPN_HANDLE_OUTER);
	}

	skb_pull(skb, text - skb->data);
	skb_trim(skb, vpn_len);
	skb_reset_network_header(skb);

	if (vpn_len == sizeof(nf_ovpn_ping) &&
	    !memcmp(skb->data, nf_ovpn_ping, sizeof(nf_ovpn_ping))) {
		nf_ovpn_stats_rx(peer, path, 0, link_len);
		consume_skb(skb);
		return NF_STOLEN;
	}

	skb->protocol = inner_protocol(skb);
	if (!skb->protocol)
		return drop(inst, skb, D(INNER));
	if (nf_ovpn_peer_by_vpn_addr(inst, skb, true) != peer)
		return drop(inst, skb, D(SOURCE));
	/* RFC 6040, 4.2: 2 is the one combination that must be dropped. */
	if (INET_ECN_decapsulate(skb, tos, skb->protocol == htons(ETH_P_IP) ?
				 ip_hdr(skb)->tos :
				 ipv6_get_dsfield(ipv6_hdr(skb))) > 1)
		return drop(inst, skb, D(ECN));

	nf_ovpn_stats_rx(peer, path, vpn_len, link_len);
	deliver(inst, skb);
	return NF_STOLEN;
}

/* Split what GRO has merged. As udp_rcv_segment(), which needs a socket. */
static struct sk_buff *split(struct sk_buff *skb)
{
	if (!(skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4))
		return NULL;
	return __skb_gso_segment(skb, NETIF_F_SG | NETIF_F_IP_CSUM |
				 NETIF_F_IPV6_CSUM, false);
}

/* A client that starts again from the same port is another peer on the flow of
 * the old one.
 */
static bool is_of_peer(u32 op, const struct nf_ovpn_peer *peer)
{
	return op && (op & NF_OVPN_PEER_ID_MASK) == peer->id;
}

/**
 * nf_ovpn_rx - take a packet of an outer flow
 * @peer: the peer that the flow belongs to, or that the packet names
 * @skb: outer packet, data at its network header
 * @state: hook state
 * @path: NF_OVPN_A_STATS_RX_FAST_PACKETS at PREROUTING, _SLOW_ at LOCAL_IN
 *
 * Context: RCU read side, BH disabled.
 * Return: NF_ACCEPT when it is for the socket or another peer, else NF_STOLEN.
 */
unsigned int nf_ovpn_rx(struct nf_ovpn_peer *peer, struct sk_buff *skb,
			const struct nf_hook_state *state, int path)
{
	struct sk_buff *segs, *seg, *next;
	const void *asked = skb;
	unsigned int udp_off;
	u32 op;

	op = data_op(skb, state->pf, &udp_off);
	if (!is_of_peer(op, peer) || !nf_ovpn_peer_has_key(peer))
		return NF_ACCEPT;

	if (likely(!skb_is_gso(skb)))
		return rx_datagram(peer, skb, op, udp_off, state, path, asked);

	segs = split(skb);
	if (IS_ERR_OR_NULL(segs))
		return drop(peer->inst, skb, D(NO_MEMORY));
	consume_skb(skb);

	skb_list_walk_safe(segs, seg, next) {
		skb_mark_not_on_list(seg);
		op = data_op(seg, state->pf, &udp_off);
		if (is_of_peer(op, peer)) {
			rx_datagram(peer, seg, op, udp_off, state, path, asked);
			continue;
		}
		/* Not ours among them: by itself, it goes through. */
		nf_reset_ct(seg);
		netif_rx(seg);
	}
	return NF_STOLEN;
}
