// SPDX-License-Identifier: GPL-2.0
/* Receive: from an outer datagram to an inner packet in the tun device's
 * receive path. Read from the bottom up: nf_ovpn_rx() takes a packet from a
 * hook, one datagram or as many as GRO has merged; rx_open() decrypts one.
 *
 * Nothing changes before a packet is authenticated; then the replay window,
 * the peer's address and the outer flow do, in this order.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/gso.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "nf_ovpn.h"
#include "segment.h"

#define D(name)		NF_OVPN_A_DROPS_##name

/* Find the OpenVPN header behind the outer headers.
 *
 * Returns its first word, or 0 when this is not a data packet: everything
 * else goes on to the socket as it is. Of P_DATA_V1 only the first byte of the
 * word means something. @udp_off is where the UDP header is.
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
	switch (op >> NF_OVPN_OP_SHIFT) {
	case NF_OVPN_P_DATA_V1:
	case NF_OVPN_P_DATA_V2:
		return op;
	default:
		return 0;
	}
}

/**
 * nf_ovpn_rx_peer - find the peer that a data packet says it is of
 * @inst: the instance
 * @skb: outer packet, data at its network header
 * @pf: its family
 * @reply: conntrack tuple of a reply to it
 *
 * Context: RCU read side.
 * Return: the peer; NULL when there is none; -ENOMSG when this is not a data
 * packet.
 */
struct nf_ovpn_peer *
nf_ovpn_rx_peer(struct nf_ovpn_instance *inst, struct sk_buff *skb, u8 pf,
		const struct nf_conntrack_tuple *reply)
{
	unsigned int udp_off;
	u32 op = data_op(skb, pf, &udp_off);

	if (!op)
		return ERR_PTR(-ENOMSG);
	if (op >> NF_OVPN_OP_SHIFT == NF_OVPN_P_DATA_V1)
		return nf_ovpn_peer_by_addr(inst, reply);
	return xa_load(&inst->peers, op & NF_OVPN_PEER_ID_MASK);
}

static struct nf_ovpn_key *key_by_op(const struct nf_ovpn_peer *peer, u32 op)
{
	u8 key_id = op >> NF_OVPN_KEY_ID_SHIFT & NF_OVPN_KEY_ID_MASK;
	struct nf_ovpn_key *key;
	int slot;

	for (slot = 0; slot < ARRAY_SIZE(peer->keys); slot++) {
		key = rcu_dereference(peer->keys[slot]);
		if (key && key->key_id == key_id)
			return key;
	}
	return NULL;
}

/* What the datagrams of one outer packet have in common. */
struct rx {
	struct nf_ovpn_peer		*peer;
	struct sk_buff			*skb;
	const struct nf_hook_state	*state;
	const void			*asked;
	int				path;
	bool				known;
	int				verdict;
	u8				tos;
	struct nf_ovpn_tally		tally;
};

/* A datagram is authentic: the first of a packet tells where the peer is, and
 * of a packet that went through INPUT that its flow may go past it.
 *
 * Returns a reason to drop the packet, or 0.
 */
static int rx_known(struct rx *rx)
{
	enum ip_conntrack_info ctinfo;
	enum ip_conntrack_dir dir;
	struct nf_conn *ct;

	if (likely(rx->known))
		return rx->verdict;
	rx->known = true;

	ct = nf_ct_get(rx->skb, &ctinfo);
	dir = CTINFO2DIR(ctinfo);
	nf_ovpn_peer_seen_at(rx->peer, ct, dir, rx->state->in->ifindex);
	nf_ovpn_touch(&rx->peer->last_rx);

	if (rx->path == NF_OVPN_A_STATS_RX_FAST_PACKETS)
		return 0;

	/* As nf_confirm() would, which this packet does not reach. */
	if (nf_conntrack_confirm(rx->skb) != NF_ACCEPT) {
		rx->verdict = D(CONNTRACK);
		return rx->verdict;
	}
	/* It may be another entry now, see __nf_conntrack_confirm(). */
	ct = nf_ct_get(rx->skb, &ctinfo);
	if (nf_ct_ovpn_find(ct))
		nf_ovpn_ct_arm(rx->peer->inst->net, ct, dir, rx->asked,
			       rx->peer->handle | NF_OVPN_HANDLE_OUTER);
	return 0;
}

/* The datagram is authentic, its packet ID included.
 *
 * Returns a reason to drop it, or 0.
 */
static int rx_accept(struct rx *rx, struct nf_ovpn_key *key, u64 packet_id)
{
	if (!nf_ovpn_key_accept(key, packet_id))
		return D(REPLAY);
	return rx_known(rx);
}

/* A datagram is not authentic. */
static int rx_failed(struct nf_ovpn_rx_key *rxk)
{
	atomic64_inc(&rxk->failed);
	return D(AUTH);
}

/* Find the key for packets of an epoch, which there was no memory for perhaps
 * when it was to be made.
 */
static struct nf_ovpn_rx_key *rx_key(struct nf_ovpn_key *key, u16 epoch)
{
	struct nf_ovpn_rx_key *rxk = nf_ovpn_key_rx(key, epoch);

	if (unlikely(!rxk && epoch > READ_ONCE(key->rx_last) &&
		     epoch <= READ_ONCE(key->rx_epoch) + NF_OVPN_EPOCHS_AHEAD)) {
		nf_ovpn_epoch_fill(key);
		rxk = nf_ovpn_key_rx(key, epoch);
	}
	return rxk && atomic64_read(&rxk->failed) <= NF_OVPN_KEY_FAILED_MAX ?
	       rxk : NULL;
}

/* Verify and decrypt one datagram of an AEAD cipher, @len bytes of text.
 *
 * Returns a reason to drop it, or 0.
 */
static int rx_open(struct rx *rx, struct nf_ovpn_key *key, const u8 *hdr,
		   const u8 *tag, u8 *dst, const u8 *src, unsigned int len)
{
	unsigned int op_len = nf_ovpn_op_len(rx->peer);
	size_t id_len = nf_ovpn_key_id_len(key);
	const u8 *id = hdr + op_len, *ad;
	struct nf_ovpn_rx_key *rxk;
	u64 packet_id;

	packet_id = key->epochs ? get_unaligned_be64(id) :
				  get_unaligned_be32(id);
	rxk = rx_key(key, nf_ovpn_key_epoch(key, packet_id));
	if (!rxk)
		return D(NO_KEY);

	ad = rx->peer->data_v1 ? id : hdr;
	if (!nf_ovpn_cipher_open(&rxk->cipher, dst, src, len, tag, ad,
				 id + id_len - ad, id, id_len))
		return rx_failed(rxk);
	return rx_accept(rx, key, packet_id);
}

/* Take the framing of compression off. */
static bool rx_unframe(struct sk_buff *skb, enum nf_ovpn_framing framing)
{
	u8 *data = skb->data;

	switch (framing) {
	case NF_OVPN_FRAMING_STUB:
		if (!skb->len || data[0] != NF_OVPN_NO_COMPRESS)
			return false;
		skb_pull(skb, 1);
		return true;
	case NF_OVPN_FRAMING_STUB_SWAP:
		if (skb->len < 2 || data[0] != NF_OVPN_NO_COMPRESS_SWAP)
			return false;
		data[0] = data[skb->len - 1];
		skb_trim(skb, skb->len - 1);
		return true;
	case NF_OVPN_FRAMING_STUB_V2:
		if (!skb->len || data[0] != NF_OVPN_COMPRESS_V2)
			return true;
		if (skb->len < 2 || data[1] != NF_OVPN_COMPRESS_V2_NONE)
			return false;
		skb_pull(skb, 2);
		return true;
	default:
		return true;
	}
}

/* The inner packet of a datagram of @gram_len bytes is "received" by the tun
 * device.
 */
static void rx_inner(struct rx *rx, struct sk_buff *skb, unsigned int gram_len)
{
	struct nf_ovpn_instance *inst = rx->peer->inst;
	unsigned int len;
	u16 mss;

	rx->tally.link_packets++;
	rx->tally.link_bytes += gram_len;

	if (!rx_unframe(skb, READ_ONCE(rx->peer->framing))) {
		nf_ovpn_drop(inst, skb, D(FRAMING));
		return;
	}

	len = skb->len;
	if (len == sizeof(nf_ovpn_ping) &&
	    !memcmp(skb->data, nf_ovpn_ping, sizeof(nf_ovpn_ping))) {
		consume_skb(skb);
		return;
	}

	skb_reset_network_header(skb);
	skb->protocol = nf_ovpn_inner_protocol(skb);
	if (!skb->protocol) {
		nf_ovpn_drop(inst, skb, D(INNER));
		return;
	}
	if (!nf_ovpn_peer_owns_source(rx->peer, skb)) {
		nf_ovpn_drop(inst, skb, D(SOURCE));
		return;
	}
	/* RFC 6040, 4.2: 2 is the one combination that must be dropped. */
	if (INET_ECN_decapsulate(skb, rx->tos, skb->protocol ==
				 htons(ETH_P_IP) ? ip_hdr(skb)->tos :
				 ipv6_get_dsfield(ipv6_hdr(skb))) > 1) {
		nf_ovpn_drop(inst, skb, D(ECN));
		return;
	}

	mss = READ_ONCE(rx->peer->tcp_mss);
	if (mss)
		nf_ovpn_mss_clamp(skb, mss);

	rx->tally.vpn_packets++;
	rx->tally.vpn_bytes += len;
	skb->dev = inst->dev;
	skb_reset_mac_header(skb);
	if (gro_cells_receive(&inst->gro_cells, skb) == NET_RX_SUCCESS)
		dev_sw_netstats_rx_add(inst->dev, len);
}

/* Verify and decrypt a datagram where it lies, which is linear and ours.
 *
 * Returns a reason to drop it, or 0; the packet is the text alone then.
 */
static int rx_open_in_place(struct rx *rx, struct nf_ovpn_key *key,
			    struct sk_buff *skb, unsigned int off,
			    unsigned int len)
{
	unsigned int op_len = nf_ovpn_op_len(rx->peer), head, tail = 0;
	u8 *gram = skb->data + off, *tag = gram + op_len;
	struct nf_ovpn_rx_key *rxk;
	size_t text_len = len;
	u32 packet_id;
	int reason;

	if (nf_ovpn_alg_is_aead(key->alg)) {
		head = op_len + nf_ovpn_key_head(key, NULL);
		tail = nf_ovpn_key_tail(key, NULL, 0);
		if (len < head + tail)
			return D(MALFORMED);
		text_len = len - head - tail;
		tag = tail ? gram + head + text_len :
			     tag + nf_ovpn_key_id_len(key);
		reason = rx_open(rx, key, gram, tag, gram + head, gram + head,
				 text_len);
	} else {
		rxk = rx_key(key, 0);
		if (!rxk)
			return D(NO_KEY);
		head = op_len + nf_ovpn_key_head(key, &rxk->cipher);
		if (len < head)
			return D(MALFORMED);
		text_len = len - op_len;
		reason = nf_ovpn_mac_open(&rxk->cipher, gram + op_len,
					  &text_len, &packet_id) ?
			 rx_accept(rx, key, packet_id) : rx_failed(rxk);
	}
	if (reason)
		return reason;

	skb_pull(skb, off + head);
	skb_trim(skb, text_len);
	return 0;
}

/* Take a datagram into a packet of its own. Such as the device would have
 * allocated it, GRO merges best.
 */
static void rx_copy(struct rx *rx, unsigned int off, unsigned int len)
{
	u8 hdr_buf[NF_OVPN_OP_V2_SIZE + sizeof(__be64)];
	struct nf_ovpn_instance *inst = rx->peer->inst;
	unsigned int head, tail, text_len, hdr_len;
	const u8 *hdr, *tag, *src;
	u8 tag_buf[NF_OVPN_TAG_SIZE];
	struct nf_ovpn_key *key;
	struct sk_buff *skb;
	int reason;

	/* It was there when the packet was looked at first. */
	hdr = skb_header_pointer(rx->skb, off, 1, hdr_buf);
	key = key_by_op(rx->peer, *hdr << NF_OVPN_KEY_ID_SHIFT);
	if (!key) {
		nf_ovpn_stats_drop(inst, D(NO_KEY), 1);
		return;
	}

	if (!nf_ovpn_alg_is_aead(key->alg)) {
		skb = netdev_alloc_skb(inst->dev, len);
		if (!skb)
			goto no_memory;
		skb_copy_bits(rx->skb, off, __skb_put(skb, len), len);
		reason = rx_open_in_place(rx, key, skb, 0, len);
		goto opened;
	}

	hdr_len = nf_ovpn_op_len(rx->peer) + nf_ovpn_key_id_len(key);
	head = nf_ovpn_op_len(rx->peer) + nf_ovpn_key_head(key, NULL);
	tail = nf_ovpn_key_tail(key, NULL, 0);
	if (len < head + tail) {
		nf_ovpn_stats_drop(inst, D(MALFORMED), 1);
		return;
	}
	text_len = len - head - tail;
	/* Neither can fail, the length is known to be right. */
	hdr = skb_header_pointer(rx->skb, off, hdr_len, hdr_buf);
	tag = skb_header_pointer(rx->skb, tail ? off + head + text_len :
				 off + hdr_len, NF_OVPN_TAG_SIZE, tag_buf);

	skb = netdev_alloc_skb(inst->dev, text_len);
	if (!skb)
		goto no_memory;
	__skb_put(skb, text_len);
	src = nf_ovpn_skb_piece(rx->skb, off + head, text_len);
	if (!src) {
		skb_copy_bits(rx->skb, off + head, skb->data, text_len);
		src = skb->data;
	}
	reason = rx_open(rx, key, hdr, tag, skb->data, src, text_len);

opened:
	if (reason)
		nf_ovpn_drop(inst, skb, reason);
	else
		rx_inner(rx, skb, len);
	return;

no_memory:
	nf_ovpn_stats_drop(inst, D(NO_MEMORY), 1);
}

/* Take the only datagram of a packet where it lies. */
static void rx_in_place(struct rx *rx, unsigned int off, unsigned int len)
{
	struct sk_buff *skb = rx->skb;
	struct nf_ovpn_key *key;
	int reason = D(NO_KEY);

	key = key_by_op(rx->peer, skb->data[off] << NF_OVPN_KEY_ID_SHIFT);
	if (key)
		reason = rx_open_in_place(rx, key, skb, off, len);
	if (reason) {
		nf_ovpn_drop(rx->peer->inst, skb, reason);
		return;
	}

	skb->ip_summed = CHECKSUM_NONE;
	skb_clear_hash(skb);
	skb_set_queue_mapping(skb, 0);
	skb_scrub_packet(skb, true);
	skb_reset_inner_headers(skb);
	rx_inner(rx, skb, len);
}

/* Take a packet of one datagram. */
static void rx_one(struct rx *rx, unsigned int udp_off)
{
	struct nf_ovpn_instance *inst = rx->peer->inst;
	struct sk_buff *skb = rx->skb;
	const struct udphdr *uh = (struct udphdr *)(skb->data + udp_off);
	unsigned int off = udp_off + sizeof(*uh);
	unsigned int len = ntohs(uh->len);

	if (len < sizeof(*uh) + NF_OVPN_OP_V2_SIZE ||
	    len > skb->len - udp_off) {
		nf_ovpn_drop(inst, skb, D(MALFORMED));
		return;
	}
	if (uh->check && nf_checksum(skb, rx->state->hook, udp_off, IPPROTO_UDP,
				     rx->state->pf)) {
		nf_ovpn_drop(inst, skb, D(CHECKSUM));
		return;
	}

	len -= sizeof(*uh);
	if (!skb_cloned(skb) && off + len <= skb_headlen(skb)) {
		rx_in_place(rx, off, len);
		return;
	}
	rx_copy(rx, off, len);
	consume_skb(skb);
}

/* Take a packet of many datagrams, made by GRO, which has verified their
 * checksums, or on this machine.
 */
static void rx_many(struct rx *rx, unsigned int udp_off)
{
	unsigned int off = udp_off + sizeof(struct udphdr);
	unsigned int size = skb_shinfo(rx->skb)->gso_size;
	unsigned int len;

	for (; off < rx->skb->len; off += len) {
		len = min(size, rx->skb->len - off);
		rx_copy(rx, off, len);
	}
	consume_skb(rx->skb);
}

/* Whether a packet is of this peer, with a key that is the kernel's. */
static bool is_of_peer(u32 op, const struct nf_ovpn_peer *peer)
{
	if (peer->data_v1)
		return op >> NF_OVPN_OP_SHIFT == NF_OVPN_P_DATA_V1 &&
		       key_by_op(peer, op);
	return op >> NF_OVPN_OP_SHIFT == NF_OVPN_P_DATA_V2 &&
	       (op & NF_OVPN_PEER_ID_MASK) == peer->id && key_by_op(peer, op);
}

/* Whether all datagrams that GRO has merged are data packets of this peer. */
static bool all_of_peer(const struct sk_buff *skb, unsigned int udp_off,
			const struct nf_ovpn_peer *peer)
{
	unsigned int off = udp_off + sizeof(struct udphdr);
	__be32 buf, *op;

	for (; off < skb->len; off += skb_shinfo(skb)->gso_size) {
		op = skb_header_pointer(skb, off, sizeof(buf), &buf);
		if (!op || !is_of_peer(be32_to_cpup(op), peer))
			return false;
	}
	return true;
}

static void rx_packet(struct nf_ovpn_peer *peer, struct sk_buff *skb,
		      unsigned int udp_off, const struct nf_hook_state *state,
		      int path, const void *asked)
{
	struct rx rx = {
		.peer	= peer,
		.skb	= skb,
		.state	= state,
		.asked	= asked,
		.path	= path,
		.tos	= state->pf == NFPROTO_IPV4 ? ip_hdr(skb)->tos :
			  ipv6_get_dsfield(ipv6_hdr(skb)),
	};

	if (skb_is_gso(skb))
		rx_many(&rx, udp_off);
	else
		rx_one(&rx, udp_off);
	if (rx.tally.link_packets)
		nf_ovpn_stats_rx(peer, path, &rx.tally);
}

/* Packets of many datagrams that are not all for the same: one at a time, and
 * what is not ours goes through by itself.
 */
static unsigned int rx_split(struct nf_ovpn_peer *peer, struct sk_buff *skb,
			     const struct nf_hook_state *state, int path)
{
	struct sk_buff *segs, *seg, *next;
	const void *asked = skb;
	unsigned int udp_off;

	/* As udp_rcv_segment(), which needs a socket. */
	segs = __skb_gso_segment(skb, NETIF_F_SG | NETIF_F_IP_CSUM |
				 NETIF_F_IPV6_CSUM, false);
	if (IS_ERR_OR_NULL(segs)) {
		nf_ovpn_drop(peer->inst, skb, D(NO_MEMORY));
		return NF_STOLEN;
	}
	consume_skb(skb);

	skb_list_walk_safe(segs, seg, next) {
		skb_mark_not_on_list(seg);
		if (is_of_peer(data_op(seg, state->pf, &udp_off), peer)) {
			rx_packet(peer, seg, udp_off, state, path, asked);
			continue;
		}
		nf_reset_ct(seg);
		netif_rx(seg);
	}
	return NF_STOLEN;
}

/**
 * nf_ovpn_rx - take a packet of an outer flow
 * @peer: the peer that the flow belongs to, or that the packet names
 * @skb: outer packet, data at its network header
 * @state: hook state
 * @path: NF_OVPN_A_STATS_RX_FAST_PACKETS at PREROUTING, _SLOW_ at LOCAL_IN
 *
 * A client that starts again from the same port is another peer on the flow of
 * the old one; its packets are not taken here. Nor are those for which the
 * kernel has no key, which may be userspace's.
 *
 * Context: RCU read side, BH disabled.
 * Return: NF_ACCEPT when it is for the socket or another peer, else NF_STOLEN.
 */
unsigned int nf_ovpn_rx(struct nf_ovpn_peer *peer, struct sk_buff *skb,
			const struct nf_hook_state *state, int path)
{
	unsigned int udp_off;

	if (!is_of_peer(data_op(skb, state->pf, &udp_off), peer))
		return NF_ACCEPT;

	if (skb_is_gso(skb) &&
	    (!(skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4) ||
	     !all_of_peer(skb, udp_off, peer)))
		return rx_split(peer, skb, state, path);

	rx_packet(peer, skb, udp_off, state, path, skb);
	return NF_STOLEN;
}
