// SPDX-License-Identifier: GPL-2.0
/* Receive: from an outer datagram to an inner packet in the tun device's
 * receive path. Read from the bottom up: nf_ovpn_rx() takes a packet from a
 * hook, one datagram or as many as GRO has merged; rx_open() decrypts one. Those
 * of one packet are decrypted next to each other (merge.c).
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
#include "merge.h"
#include "segment.h"

#define D(name)		NF_OVPN_A_DROPS_##name

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
	u32 op = nf_ovpn_data_op(skb, pf, &udp_off);

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
	int				dropped;
	u8				tos;
	u8				framing;
	struct nf_ovpn_tally		tally;
	struct nf_ovpn_merge		*merge;
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
		nf_ovpn_ct_arm(rx->peer->inst, ct, dir, rx->asked,
			       rx->peer->handle | NF_OVPN_HANDLE_OUTER,
			       nf_ovpn_fib_asks_label(rx->state->net,
						      nf_ct_l3num(ct)) ?
			       NF_OVPN_UNARMED_ROUTE : NF_OVPN_UNARMED_NONE);
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
static bool rx_unframe(enum nf_ovpn_framing framing, u8 **text,
		       unsigned int *len)
{
	u8 *data = *text;

	switch (framing) {
	case NF_OVPN_FRAMING_STUB:
		if (!*len || data[0] != NF_OVPN_NO_COMPRESS)
			return false;
		*text += 1;
		*len -= 1;
		return true;
	case NF_OVPN_FRAMING_STUB_SWAP:
		if (*len < 2 || data[0] != NF_OVPN_NO_COMPRESS_SWAP)
			return false;
		*len -= 1;
		data[0] = data[*len];
		return true;
	case NF_OVPN_FRAMING_STUB_V2:
		if (!*len || data[0] != NF_OVPN_COMPRESS_V2)
			return true;
		if (*len < 2 || data[1] != NF_OVPN_COMPRESS_V2_NONE)
			return false;
		*text += 2;
		*len -= 2;
		return true;
	default:
		return true;
	}
}

/* Bytes of framing that are expected before an inner packet */
static unsigned int rx_front(const struct rx *rx)
{
	return rx->framing == NF_OVPN_FRAMING_STUB;
}

/* Look at the text of an authentic datagram of @gram_len bytes.
 *
 * Returns a reason to drop it, 0 when it is a packet, or -ENODATA when it is a
 * ping.
 */
static int rx_text(struct rx *rx, unsigned int gram_len, u8 **text,
		   unsigned int *len)
{
	rx->tally.link_packets++;
	rx->tally.link_bytes += gram_len;

	if (!rx_unframe(rx->framing, text, len))
		return D(FRAMING);
	if (*len == sizeof(nf_ovpn_ping) &&
	    !memcmp(*text, nf_ovpn_ping, sizeof(nf_ovpn_ping)))
		return -ENODATA;
	return 0;
}

/* An inner packet, or several that are one, is "received" by the tun device.
 * Of those that are one the headers are linear, and nothing else.
 */
static void rx_inner(struct rx *rx, struct sk_buff *skb)
{
	unsigned int packets = max_t(unsigned int, 1,
				     skb_shinfo(skb)->gso_segs);
	unsigned int bytes = skb->len + (packets - 1) * skb_headlen(skb);
	struct nf_ovpn_instance *inst = rx->peer->inst;
	int reason = D(INNER);
	u16 mss;

	skb_reset_network_header(skb);
	skb->protocol = nf_ovpn_inner_protocol(skb);
	if (!skb->protocol)
		goto drop;
	reason = D(SOURCE);
	if (!nf_ovpn_peer_owns_source(rx->peer, skb))
		goto drop;
	/* RFC 6040, 4.2: 2 is the one combination that must be dropped. */
	reason = D(ECN);
	if (INET_ECN_decapsulate(skb, rx->tos, skb->protocol ==
				 htons(ETH_P_IP) ? ip_hdr(skb)->tos :
				 ipv6_get_dsfield(ipv6_hdr(skb))) > 1)
		goto drop;

	mss = READ_ONCE(rx->peer->tcp_mss);
	if (mss)
		nf_ovpn_mss_clamp(skb, mss);

	rx->tally.vpn_packets += packets;
	rx->tally.vpn_bytes += bytes;
	skb->dev = inst->dev;
	skb_reset_mac_header(skb);
	if (gro_cells_receive(&inst->gro_cells, skb) == NET_RX_SUCCESS) {
		rx->tally.dev_packets += packets;
		rx->tally.dev_bytes += bytes;
	}
	return;

drop:
	nf_ovpn_stats_drop(inst, reason, packets);
	nf_ovpn_free(skb, reason);
}

/* Verify and decrypt a datagram where it lies, which is ours.
 *
 * Returns a reason to drop it, or 0, and then where the text is.
 */
static int rx_open_in_place(struct rx *rx, struct nf_ovpn_key *key, u8 *gram,
			    unsigned int len, u8 **text, unsigned int *text_len)
{
	unsigned int op_len = nf_ovpn_op_len(rx->peer), head, tail = 0;
	u8 *tag = gram + op_len;
	struct nf_ovpn_rx_key *rxk;
	u32 packet_id;
	size_t size;
	int reason;

	if (nf_ovpn_alg_is_aead(key->alg)) {
		head = op_len + nf_ovpn_key_head(key, NULL);
		tail = nf_ovpn_key_tail(key, NULL, 0);
		if (len < head + tail)
			return D(MALFORMED);
		size = len - head - tail;
		tag = tail ? gram + head + size :
			     tag + nf_ovpn_key_id_len(key);
		reason = rx_open(rx, key, gram, tag, gram + head, gram + head,
				 size);
	} else {
		rxk = rx_key(key, 0);
		if (!rxk)
			return D(NO_KEY);
		head = op_len + nf_ovpn_key_head(key, &rxk->cipher);
		if (len < head)
			return D(MALFORMED);
		size = len - op_len;
		reason = nf_ovpn_mac_open(&rxk->cipher, gram + op_len,
					  &size, &packet_id) ?
			 rx_accept(rx, key, packet_id) : rx_failed(rxk);
	}
	*text = gram + head;
	*text_len = size;
	return reason;
}

/* Verify and decrypt a datagram from where it lies, which may be anybody's, to
 * where the text shall be. @gram is NULL when it lies in several pieces.
 *
 * Returns a reason to drop it, or 0, and then where the text is.
 */
static int rx_open_apart(struct rx *rx, struct nf_ovpn_key *key,
			 const u8 *gram, unsigned int off, unsigned int len,
			 unsigned int left, u8 **text, unsigned int *text_len)
{
	u8 hdr_buf[NF_OVPN_OP_V2_SIZE + sizeof(__be64)];
	unsigned int head, tail, hdr_len;
	u8 tag_buf[NF_OVPN_TAG_SIZE];
	const u8 *tag, *src;
	u8 *room;

	if (!nf_ovpn_alg_is_aead(key->alg)) {
		room = nf_ovpn_merge_room(rx->merge, len, len, left);
		if (!room)
			return D(NO_MEMORY);
		skb_copy_bits(rx->skb, off, room, len);
		return rx_open_in_place(rx, key, room, len, text, text_len);
	}

	hdr_len = nf_ovpn_op_len(rx->peer) + nf_ovpn_key_id_len(key);
	head = nf_ovpn_op_len(rx->peer) + nf_ovpn_key_head(key, NULL);
	tail = nf_ovpn_key_tail(key, NULL, 0);
	if (len < head + tail)
		return D(MALFORMED);
	*text_len = len - head - tail;
	room = nf_ovpn_merge_room(rx->merge,
				  rx->framing == NF_OVPN_FRAMING_STUB_SWAP ?
				  *text_len : rx_front(rx), *text_len, left);
	if (!room)
		return D(NO_MEMORY);
	*text = room;

	if (gram) {
		tag = gram + (tail ? head + *text_len : hdr_len);
		src = gram + head;
	} else {
		/* Nothing can fail, the length is known to be right. */
		gram = skb_header_pointer(rx->skb, off, hdr_len, hdr_buf);
		tag = skb_header_pointer(rx->skb, tail ? off + head +
					 *text_len : off + hdr_len,
					 NF_OVPN_TAG_SIZE, tag_buf);
		skb_copy_bits(rx->skb, off + head, room, *text_len);
		src = room;
	}
	return rx_open(rx, key, gram, tag, room, src, *text_len);
}

/* Take a datagram into new memory; @left more of about its length follow. */
static void rx_apart(struct rx *rx, unsigned int off, unsigned int len,
		     unsigned int left)
{
	struct sk_buff *inner = NULL;
	struct nf_ovpn_key *key;
	unsigned int text_len;
	const u8 *gram, *op;
	u8 op_buf, *text;
	int reason;

	/* Mostly it lies in one piece, which is what gcm.c needs. The opcode was
	 * there when the packet was looked at first.
	 */
	gram = nf_ovpn_skb_piece(rx->skb, off, len);
	op = gram ?: skb_header_pointer(rx->skb, off, sizeof(*op), &op_buf);
	key = key_by_op(rx->peer, *op << NF_OVPN_KEY_ID_SHIFT);
	reason = key ? rx_open_apart(rx, key, gram, off, len, left, &text,
				     &text_len) : D(NO_KEY);
	if (!reason)
		reason = rx_text(rx, len, &text, &text_len);
	if (!reason) {
		inner = nf_ovpn_merge_put(rx->merge, text, text_len);
		if (IS_ERR(inner))
			reason = D(NO_MEMORY);
	}

	if (reason) {
		nf_ovpn_merge_forget(rx->merge);
		if (reason > 0) {
			nf_ovpn_stats_drop(rx->peer->inst, reason, 1);
			rx->dropped = reason;
		}
	} else if (inner) {
		rx_inner(rx, inner);
	}
}

/* There are no more datagrams for rx_apart(). The packet that they were in goes
 * the way of what it had.
 */
static void rx_apart_end(struct rx *rx)
{
	struct sk_buff *inner = nf_ovpn_merge_end(rx->merge);

	if (inner)
		rx_inner(rx, inner);
	if (rx->dropped)
		nf_ovpn_free(rx->skb, rx->dropped);
	else
		consume_skb(rx->skb);
}

/* Take the only datagram of a packet where it lies. */
static void rx_in_place(struct rx *rx, unsigned int off, unsigned int len)
{
	struct sk_buff *skb = rx->skb;
	struct nf_ovpn_key *key;
	unsigned int text_len;
	u8 *text;
	int reason;

	key = key_by_op(rx->peer, skb->data[off] << NF_OVPN_KEY_ID_SHIFT);
	reason = key ? rx_open_in_place(rx, key, skb->data + off, len, &text,
					&text_len) : D(NO_KEY);
	if (!reason)
		reason = rx_text(rx, len, &text, &text_len);
	if (reason > 0) {
		nf_ovpn_drop(rx->peer->inst, skb, reason);
		return;
	}
	if (reason) {
		consume_skb(skb);
		return;
	}

	skb_pull(skb, text - skb->data);
	skb_trim(skb, text_len);
	skb->ip_summed = CHECKSUM_NONE;
	skb_clear_hash(skb);
	skb_set_queue_mapping(skb, 0);
	skb_scrub_packet(skb, true);
	skb_reset_inner_headers(skb);
	rx_inner(rx, skb);
}

/* Whether the inner headers can stay where the text lies. A peer ID and a byte
 * of framing are what makes the difference; the network header is aligned.
 */
static bool rx_aligned(const struct rx *rx)
{
	return IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) ||
	       IS_ALIGNED(nf_ovpn_op_len(rx->peer) + rx_front(rx), sizeof(u32));
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
	if (!skb_cloned(skb) && off + len <= skb_headlen(skb) &&
	    rx_aligned(rx)) {
		rx_in_place(rx, off, len);
		return;
	}
	nf_ovpn_merge_start(rx->merge, inst->dev);
	rx_apart(rx, off, len, 0);
	rx_apart_end(rx);
}

/* Take a packet of many datagrams, made by GRO, which has verified their
 * checksums, or on this machine.
 */
static void rx_many(struct rx *rx, unsigned int udp_off)
{
	unsigned int off = udp_off + sizeof(struct udphdr);
	unsigned int size = skb_shinfo(rx->skb)->gso_size;
	unsigned int len;

	nf_ovpn_merge_start(rx->merge, rx->peer->inst->dev);
	for (; off < rx->skb->len; off += len) {
		len = min(size, rx->skb->len - off);
		rx_apart(rx, off, len, (rx->skb->len - off - len) / size);
	}
	rx_apart_end(rx);
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
	const void *op;
	__be32 buf;

	for (; off < skb->len; off += skb_shinfo(skb)->gso_size) {
		op = nf_ovpn_skb_piece(skb, off, sizeof(buf)) ?:
		     skb_header_pointer(skb, off, sizeof(buf), &buf);
		if (!op || !is_of_peer(get_unaligned_be32(op), peer))
			return false;
	}
	return true;
}

static void rx_packet(struct nf_ovpn_peer *peer, struct sk_buff *skb,
		      unsigned int udp_off, const struct nf_hook_state *state,
		      int path, const void *asked)
{
	struct nf_ovpn_merge merge;
	struct rx rx = {
		.peer	= peer,
		.skb	= skb,
		.state	= state,
		.asked	= asked,
		.path	= path,
		.framing = READ_ONCE(peer->framing),
		.merge	= &merge,
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
 * what is not ours goes on from here by itself, as part of the same flow. Each
 * keeps the header of the link.
 */
static unsigned int rx_split(struct nf_ovpn_peer *peer, struct sk_buff *skb,
			     const struct nf_hook_state *state, int path)
{
	struct sk_buff *segs, *seg, *next;
	const void *asked = skb;
	unsigned int udp_off;

	/* As udp_queue_rcv_skb(). */
	if (skb_mac_header_was_set(skb))
		__skb_push(skb, -skb_mac_offset(skb));
	segs = __skb_gso_segment(skb, NETIF_F_SG | NETIF_F_IP_CSUM |
				 NETIF_F_IPV6_CSUM, false);
	if (IS_ERR_OR_NULL(segs)) {
		nf_ovpn_drop(peer->inst, skb, PTR_ERR(segs) == -ENOMEM ?
					      D(NO_MEMORY) : D(OFFLOAD));
		return NF_STOLEN;
	}
	consume_skb(skb);

	skb_list_walk_safe(segs, seg, next) {
		skb_mark_not_on_list(seg);
		__skb_pull(seg, skb_network_offset(seg));
		if (is_of_peer(nf_ovpn_data_op(seg, state->pf, &udp_off),
			       peer))
			rx_packet(peer, seg, udp_off, state, path, asked);
		else
			nf_ovpn_hook_again(seg, state);
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

	if (!is_of_peer(nf_ovpn_data_op(skb, state->pf, &udp_off), peer))
		return NF_ACCEPT;

	if (skb_is_gso(skb) &&
	    (!(skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4) ||
	     !all_of_peer(skb, udp_off, peer)))
		return rx_split(peer, skb, state, path);

	rx_packet(peer, skb, udp_off, state, path, skb);
	return NF_STOLEN;
}
