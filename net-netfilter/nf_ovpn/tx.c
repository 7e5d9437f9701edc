// SPDX-License-Identifier: GPL-2.0
/* Transmit: from an inner packet to datagrams on their way out. Read from the
 * bottom up: nf_ovpn_tx() takes a packet from a hook.
 *
 * A packet of one segment is encrypted where it lies (tx_one()). The segments
 * of a GSO packet are encrypted from its pages into new ones, without a packet
 * made of each (tx_gso()): they go down the stack as one UDP GSO packet, with
 * one route, one conntrack pass, one pass through the qdisc for all of them.
 * It is split where the device cannot do it. Formats that only old peers want
 * do not get that: their segments are packets, encrypted one by one.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/dsfield.h>
#include <net/gso.h>
#include <net/inet_ecn.h>
#include <net/inet_timewait_sock.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/route.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "nf_ovpn.h"
#include "pages.h"
#include "segment.h"

#define D(name)		NF_OVPN_A_DROPS_##name

/* Largest outer header without that of the link */
#define TX_HEADROOM	(sizeof(struct ipv6hdr) + sizeof(struct udphdr) + \
			 NF_OVPN_HEAD_MAX)

/* What datagrams that go out together have in common. Framing is read once: the
 * room that is made has to be that which is used.
 */
struct tx {
	struct nf_ovpn_peer	*peer;
	struct nf_ovpn_key	*key;
	struct nf_ovpn_tx_key	*tx_key;
	struct nf_ovpn_endpoint	*ep;
	struct dst_entry	*dst;
	union nf_inet_addr	local;
	unsigned int		headroom;
	u64			packet_id;
	u32			mark;
	u8			dsfield;
	u8			framing;
	__be16			df;
	struct nf_ovpn_tally	tally;
};

/* Whether an address is one of this host, in the VRF or table in question */
static bool address_is_ours(struct net *net, u8 family,
			    const union nf_inet_addr *addr, u32 oif)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct rt6_info *rt;
	bool ours;
#endif
	u32 table;

	if (family == NFPROTO_IPV4) {
		table = l3mdev_fib_table_by_index(net, oif) ?: RT_TABLE_LOCAL;
		return inet_addr_type_table(net, addr->ip, table) == RTN_LOCAL;
	}
#if IS_ENABLED(CONFIG_IPV6)
	if (ipv6_chk_addr(net, &addr->in6, NULL, 0))
		return true;
	rt = rt6_lookup(net, &addr->in6, NULL, oif, NULL, 0);
	ours = rt && rt->rt6i_flags & RTF_LOCAL;
	ip6_rt_put(rt);
	return ours;
#else
	return false;
#endif
}

/* The address to send from: that by which the peer was heard last, as long as
 * it is one of this host; else the one that the route says. It is looked at
 * when addresses or routes have changed.
 */
static void tx_local(struct tx *tx, struct net *net, u32 oif)
{
	static const union nf_inet_addr any;
	struct nf_ovpn_endpoint *ep = tx->ep;
	int genid;

	tx->local = ep->local;
	if (nf_inet_addr_cmp(&ep->local, &any))
		return;
#if IS_ENABLED(CONFIG_IPV6)
	genid = ep->family == NFPROTO_IPV4 ? rt_genid_ipv4(net) :
					     rt_genid_ipv6(net);
#else
	genid = rt_genid_ipv4(net);
#endif
	/* Pairs with the writer below. */
	if (unlikely(smp_load_acquire(&ep->genid) != genid)) {
		WRITE_ONCE(ep->foreign, !address_is_ours(net, ep->family,
							 &ep->local, oif));
		dst_cache_reset(&ep->dst_cache);
		/* Pairs with the reader above. */
		smp_store_release(&ep->genid, genid);
	}
	if (unlikely(READ_ONCE(ep->foreign)))
		tx->local = any;
}

/* Find the route; its mark is the conntrack mark of the outer flow, else that
 * of the peer, else that of the instance.
 */
static int tx_route(struct tx *tx, struct sk_buff *skb)
{
	const struct nf_ovpn_instance *inst = tx->peer->inst;
	u32 oif = READ_ONCE(inst->bind_dev);
	struct ip_tunnel_key key = {};
	struct nf_ovpn_endpoint *ep;

	ep = rcu_dereference(tx->peer->endpoint);
	tx->ep = ep;
	tx_local(tx, inst->net, oif);
	tx->mark = ep->mark ?: READ_ONCE(tx->peer->mark) ?:
		   READ_ONCE(inst->mark);
	skb->mark = tx->mark;
	if (ep->family == NFPROTO_IPV4) {
		struct rtable *rt;

		key.u.ipv4.src = tx->local.ip;
		key.u.ipv4.dst = ep->remote.ip;
		rt = udp_tunnel_dst_lookup(skb, inst->dev, inst->net, oif,
					   &tx->local.ip, &key, ep->local_port,
					   ep->remote_port, 0, &ep->dst_cache);
		if (IS_ERR(rt))
			return PTR_ERR(rt);
		tx->dst = &rt->dst;
		return 0;
	}
#if IS_ENABLED(CONFIG_IPV6)
	key.u.ipv6.src = tx->local.in6;
	key.u.ipv6.dst = ep->remote.in6;
	tx->dst = udp_tunnel6_dst_lookup(skb, inst->dev, inst->net, NULL,
					 ep->scope_id ?: oif, &tx->local.in6,
					 &key,
					 ep->local_port, ep->remote_port, 0,
					 &ep->dst_cache);
	return PTR_ERR_OR_ZERO(tx->dst);
#else
	return -EAFNOSUPPORT;
#endif
}

/* What the outer header has of the inner one: ECN (RFC 6040, 4.1, normal mode)
 * and, if the instance says so, DSCP and DF.
 */
static void tx_inherit(struct tx *tx, const struct sk_buff *skb)
{
	const struct nf_ovpn_instance *inst = tx->peer->inst;
	enum nf_ovpn_df df = READ_ONCE(inst->df);
	bool inner_df = true;
	u8 inner = 0;

	switch (skb->protocol) {
	case htons(ETH_P_IP):
		inner = ip_hdr(skb)->tos;
		inner_df = ip_hdr(skb)->frag_off & htons(IP_DF);
		break;
	case htons(ETH_P_IPV6):
		inner = ipv6_get_dsfield(ipv6_hdr(skb));
		break;
	default:
		/* a ping, or not IP */
		df = NF_OVPN_DF_UNSET;
	}

	tx->dsfield = READ_ONCE(inst->dscp) == NF_OVPN_DSCP_INHERIT ?
		      inner & ~INET_ECN_MASK : 0;
	tx->dsfield = INET_ECN_encapsulate(tx->dsfield, inner);
	if (df == NF_OVPN_DF_SET || (df == NF_OVPN_DF_INHERIT && inner_df))
		tx->df = htons(IP_DF);
}

/* Largest inner packet for which an outer one fits the path */
static unsigned int tx_mtu(const struct tx *tx)
{
	unsigned int outside, mtu;

	outside = (tx->ep->family == NFPROTO_IPV4 ? sizeof(struct iphdr) :
						    sizeof(struct ipv6hdr)) +
		  sizeof(struct udphdr) + nf_ovpn_op_len(tx->peer);
	mtu = dst_mtu(tx->dst);
	mtu = nf_ovpn_key_fit(tx->key, mtu - min(mtu, outside));
	if (tx->framing == NF_OVPN_FRAMING_STUB ||
	    tx->framing == NF_OVPN_FRAMING_STUB_SWAP)
		mtu -= min(mtu, 1);
	return mtu;
}

/* With DF an inner packet that is too large is lost, unless it may be
 * fragmented and the outer one in its place. What the path takes is noted for
 * those that come after: they are answered by ICMP.
 */
static bool tx_too_big(struct tx *tx, const struct sk_buff *skb)
{
	unsigned int mtu = tx_mtu(tx);

	if (READ_ONCE(tx->ep->mtu) != mtu)
		WRITE_ONCE(tx->ep->mtu, mtu);
	if (nf_ovpn_tx_fits(skb, mtu))
		return false;
	if (skb->protocol == htons(ETH_P_IP) &&
	    !(ip_hdr(skb)->frag_off & htons(IP_DF))) {
		tx->df = 0;
		return false;
	}
	return true;
}

/* Hand an encrypted packet, GSO or not, to the stack. */
static void tx_send(const struct tx *tx, struct sk_buff *skb)
{
	const struct nf_ovpn_endpoint *ep = tx->ep;

	skb->mark = tx->mark;
	dst_hold(tx->dst);
	if (ep->family == NFPROTO_IPV4) {
		udp_tunnel_xmit_skb(dst_rtable(tx->dst), NULL, skb,
				    tx->local.ip, ep->remote.ip, tx->dsfield,
				    ip4_dst_hoplimit(tx->dst), tx->df,
				    ep->local_port, ep->remote_port, false,
				    false, 0);
		return;
	}
#if IS_ENABLED(CONFIG_IPV6)
	/* Too large for the path: fragments, as with IPv4 */
	skb->ignore_df = !tx->df;
	udp_tunnel6_xmit_skb(tx->dst, NULL, skb, NULL, &tx->local.in6,
			     &ep->remote.in6, tx->dsfield,
			     ip6_dst_hoplimit(tx->dst), 0, ep->local_port,
			     ep->remote_port, false, 0);
#endif
}

/* Write the opcode and, if there is one, the peer ID. */
static void tx_op(const struct tx *tx, u8 *gram)
{
	u8 key_id = tx->key->key_id;

	if (tx->peer->data_v1)
		*gram = NF_OVPN_P_DATA_V1 << 3 | key_id;
	else
		put_unaligned_be32(NF_OVPN_P_DATA_V2 << NF_OVPN_OP_SHIFT |
				   key_id << NF_OVPN_KEY_ID_SHIFT |
				   tx->peer->tx_id, gram);
}

/* Count a datagram with so much text, framing included. */
static void tx_count(struct tx *tx, unsigned int gram_len, unsigned int len)
{
	tx->tally.link_packets++;
	tx->tally.link_bytes += gram_len;
	tx->tally.vpn_packets++;
	tx->tally.vpn_bytes += len;
}

/* Bytes before the text of a datagram */
static unsigned int tx_head(const struct tx *tx)
{
	return nf_ovpn_op_len(tx->peer) +
	       nf_ovpn_key_head(tx->key, &tx->tx_key->cipher);
}

/* Make one datagram of an AEAD cipher at @gram, with the next packet ID. */
static void tx_seal(struct tx *tx, u8 *gram, const struct nf_ovpn_text *text)
{
	unsigned int op_len = nf_ovpn_op_len(tx->peer);
	size_t id_len = nf_ovpn_key_id_len(tx->key);
	u8 *id = gram + op_len, *tag = id + id_len;
	u8 *dst = gram + tx_head(tx), *ad;

	tx_op(tx, gram);
	if (tx->key->epochs) {
		put_unaligned_be64(tx->packet_id++, id);
		tag = dst + text->head_len + text->body_len;
	} else {
		put_unaligned_be32(tx->packet_id++, id);
	}
	ad = tx->peer->data_v1 ? id : gram;
	nf_ovpn_cipher_seal(&tx->tx_key->cipher, dst, text, tag, ad,
			    id + id_len - ad, id, id_len);
}

/* Put the framing of compression around a packet that is linear and ours, with
 * room for it.
 */
static void tx_frame(const struct tx *tx, struct sk_buff *skb)
{
	u8 first = skb->data[0];

	switch (tx->framing) {
	case NF_OVPN_FRAMING_STUB:
		*(u8 *)__skb_push(skb, 1) = NF_OVPN_NO_COMPRESS;
		break;
	case NF_OVPN_FRAMING_STUB_SWAP:
		skb->data[0] = NF_OVPN_NO_COMPRESS_SWAP;
		__skb_put_u8(skb, first);
		break;
	case NF_OVPN_FRAMING_STUB_V2:
		if (first != NF_OVPN_COMPRESS_V2)
			break;
		__skb_push(skb, 2);
		skb->data[0] = NF_OVPN_COMPRESS_V2;
		skb->data[1] = NF_OVPN_COMPRESS_V2_NONE;
	}
}

/* The most that comes behind the text: a tag or the padding, a byte of framing */
#define TX_TAIL_MAX	(max(NF_OVPN_TAG_SIZE, AES_BLOCK_SIZE) + 1)

/* Why a packet is dropped whose segments or checksum could not be made */
static int tx_reason(int err)
{
	return err == -ENOMEM ? D(NO_MEMORY) : D(OFFLOAD);
}

/* Send one packet: make it linear, ours alone, with its checksum in place and
 * room on both sides, then encrypt it as it lies.
 */
static void tx_one(struct tx *tx, struct sk_buff *skb)
{
	const struct nf_ovpn_cipher *cipher = &tx->tx_key->cipher;
	unsigned int len, room, head = tx_head(tx);
	struct nf_ovpn_text text = {};
	int err = -ENOMEM;
	u8 *gram;

	if (skb_linearize(skb) || skb_cow(skb, tx->headroom))
		goto drop;
	/* It may be the CRC of SCTP. */
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		err = skb_csum_hwoffload_help(skb, 0);
		if (err)
			goto drop;
		err = -ENOMEM;
	}
	room = skb_tailroom(skb);
	if (room < TX_TAIL_MAX &&
	    (tx->key->epochs || !nf_ovpn_alg_is_aead(tx->key->alg) ||
	     tx->framing == NF_OVPN_FRAMING_STUB_SWAP) &&
	    pskb_expand_head(skb, 0, TX_TAIL_MAX - room, GFP_ATOMIC))
		goto drop;
	skb->ip_summed = CHECKSUM_NONE;
	skb->encapsulation = 0;

	len = skb->len;
	tx_frame(tx, skb);
	text.body = skb->data;
	text.body_len = skb->len;
	gram = __skb_push(skb, head);
	__skb_put(skb, nf_ovpn_key_tail(tx->key, cipher, text.body_len));
	if (nf_ovpn_alg_is_aead(tx->key->alg)) {
		tx_seal(tx, gram, &text);
	} else {
		tx_op(tx, gram);
		nf_ovpn_mac_seal(cipher, gram + nf_ovpn_op_len(tx->peer),
				 text.body_len, tx->packet_id++);
	}
	tx_count(tx, skb->len, len);
	tx_send(tx, skb);
	return;

drop:
	nf_ovpn_drop(tx->peer->inst, skb, tx_reason(err));
}

/* Datagrams in the pages of one packet. All are as long as the first but for
 * the last, which may be shorter.
 */
struct tx_batch {
	struct sk_buff	*skb;
	unsigned int	count;
	unsigned int	size;
	unsigned int	room;
};

/* Pages for so many bytes of datagrams at a time */
#define TX_BATCH_CHUNK	SZ_32K

/* Room for a datagram of @len bytes, of which @left more are to come. */
static u8 *tx_batch_put(const struct tx *tx, struct tx_batch *batch,
			unsigned int len, unsigned int left)
{
	struct skb_shared_info *shinfo;
	unsigned int chunk;
	struct page *page;
	skb_frag_t *frag;
	u8 *data;

	if (!batch->skb) {
		batch->skb = alloc_skb(tx->headroom, GFP_ATOMIC);
		if (!batch->skb)
			return NULL;
		skb_reserve(batch->skb, tx->headroom);
		batch->count = 0;
		batch->size = len;
		batch->room = 0;
	}
	shinfo = skb_shinfo(batch->skb);

	if (batch->room < len) {
		chunk = max(len, min(len * (left + 1), TX_BATCH_CHUNK));
		data = nf_ovpn_pages_get(len, &chunk, &page);
		if (!data)
			return NULL;
		skb_add_rx_frag(batch->skb, shinfo->nr_frags, page,
				data - (u8 *)page_address(page), 0, chunk);
		batch->room = chunk;
	}

	frag = &shinfo->frags[shinfo->nr_frags - 1];
	data = skb_frag_address(frag) + skb_frag_size(frag);
	skb_frag_size_add(frag, len);
	batch->skb->len += len;
	batch->skb->data_len += len;
	batch->room -= len;
	batch->count++;
	return data;
}

/* Whether a datagram of @len bytes has to go into the next batch. */
static bool tx_batch_full(const struct tx *tx, const struct tx_batch *batch,
			  unsigned int len)
{
	const struct net_device *dev = dst_dev_rcu(tx->dst);
	const struct sk_buff *skb = batch->skb;
	unsigned int max;

	if (!skb)
		return false;
	max = min_t(unsigned int, READ_ONCE(dev->gso_max_size),
		    GSO_LEGACY_MAX_SIZE);
	return skb->len + len + TX_HEADROOM + LL_MAX_HEADER > max ||
	       batch->count >= READ_ONCE(dev->gso_max_segs) ||
	       (batch->room < len &&
		skb_shinfo(skb)->nr_frags == MAX_SKB_FRAGS);
}

/* What decides about the place of a packet among others goes along with each
 * batch of its segments, so that none overtakes packets of the same flow that
 * are sent one by one: the hash, the queue, when it is to leave (EDT).
 */
static void tx_batch_like(struct sk_buff *to, const struct sk_buff *from)
{
	to->priority = from->priority;
	skb_copy_hash(to, from);
	skb_copy_queue_mapping(to, from);
	skb_set_delivery_time(to, from->tstamp, from->tstamp_type);
}

static void tx_batch_send(const struct tx *tx, struct tx_batch *batch)
{
	struct sk_buff *skb = batch->skb;
	struct skb_shared_info *shinfo;

	if (!skb)
		return;
	batch->skb = NULL;
	shinfo = skb_shinfo(skb);

	if (batch->count > 1) {
		shinfo->gso_size = batch->size;
		shinfo->gso_segs = batch->count;
		shinfo->gso_type = SKB_GSO_UDP_L4;
		/* where the UDP header is going to be */
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_headroom(skb) - sizeof(struct udphdr);
		skb->csum_offset = offsetof(struct udphdr, check);
	}
	tx_send(tx, skb);
}

/* Room before the headers of a segment, so that they are aligned behind a byte
 * of framing.
 */
#define TX_FRAME_ROOM	4

/* Send the segments of a GSO packet. */
static void tx_gso(struct tx *tx, struct nf_ovpn_segments *segs)
{
	bool stub = tx->framing == NF_OVPN_FRAMING_STUB;
	u8 buf[TX_FRAME_ROOM + NF_OVPN_SEGMENT_HEAD_MAX] __aligned(4);
	u8 *head = buf + TX_FRAME_ROOM, *gram;
	unsigned int before = tx_head(tx), len;
	struct sk_buff *skb = segs->skb;
	struct tx_batch batch = {};
	struct nf_ovpn_text text;

	text.head = head;
	text.head_len = segs->head_len;
	if (stub) {
		text.head = --head;
		text.head_len++;
		*head++ = NF_OVPN_NO_COMPRESS;
	}

	while (segs->left) {
		len = before + text.head_len + nf_ovpn_segment_len(segs) +
		      (tx->key->epochs ? NF_OVPN_TAG_SIZE : 0);
		if (tx_batch_full(tx, &batch, len)) {
			/* fq tells flows apart by the socket. */
			if (skb->sk && skb->destructor && sk_fullsock(skb->sk))
				skb_set_owner_w(batch.skb, skb->sk);
			tx_batch_send(tx, &batch);
		}
		gram = tx_batch_put(tx, &batch, len,
				    nf_ovpn_segments_left(segs) - 1);
		if (!gram) {
			nf_ovpn_stats_drop(tx->peer->inst, D(NO_MEMORY),
					   nf_ovpn_segments_left(segs));
			break;
		}
		text.body_len =
			nf_ovpn_segments_next(segs, head,
					      gram + before + text.head_len,
					      &text.body);
		tx_seal(tx, gram, &text);
		tx_count(tx, len, segs->head_len + text.body_len);
		if (batch.count == 1)
			tx_batch_like(batch.skb, skb);
	}

	if (batch.skb && batch.skb->len) {
		/* As skb_segment(): the last is charged to the socket for all
		 * of them, with what it was charged for the packet.
		 */
		swap(batch.skb->truesize, skb->truesize);
		swap(batch.skb->destructor, skb->destructor);
		swap(batch.skb->sk, skb->sk);
		tx_batch_send(tx, &batch);
	} else {
		kfree_skb(batch.skb);
	}
	consume_skb(skb);
}

static void drop_list(struct nf_ovpn_instance *inst, struct sk_buff *list,
		      int reason)
{
	struct sk_buff *skb, *next;

	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		nf_ovpn_drop(inst, skb, reason);
	}
}

/* Send a list of packets to one peer, or the segments of the only one in it.
 * The route is found and packet IDs are taken once for all of them. The
 * packets have no dst, no mark and no conntrack any more.
 */
static void tx_list(struct nf_ovpn_peer *peer, struct nf_ovpn_key *key,
		    struct sk_buff *list, struct nf_ovpn_segments *segs,
		    int path)
{
	struct tx tx = {
		.peer		= peer,
		.key		= key,
		.framing	= READ_ONCE(peer->framing),
	};
	struct nf_ovpn_instance *inst = peer->inst;
	struct sk_buff *skb, *next;
	bool warn = false;
	u64 bytes = 0;
	u32 n = 0;
	int err;

	err = tx_route(&tx, list);
	if (err) {
		drop_list(inst, list, err == -ELOOP ? D(LOOP) : D(NO_ROUTE));
		return;
	}
	tx_inherit(&tx, list);
	if (tx.df && tx_too_big(&tx, list)) {
		drop_list(inst, list, D(TOO_BIG));
		goto out;
	}
	if (segs) {
		n = nf_ovpn_segments_left(segs);
		bytes = list->len + (n - 1) * segs->head_len;
	}
	for (skb = segs ? NULL : list; skb; skb = skb->next) {
		n++;
		bytes += skb->len;
	}
	tx.tx_key = nf_ovpn_key_reserve(key, n, bytes, &tx.packet_id, &warn);
	if (!tx.tx_key) {
		drop_list(inst, list, D(KEY_LIMIT));
		goto out;
	}
	/* two bytes for framing */
	tx.headroom = LL_RESERVED_SPACE(dst_dev_rcu(tx.dst)) + tx.dst->header_len +
		      (tx.ep->family == NFPROTO_IPV4 ? sizeof(struct iphdr) :
						       sizeof(struct ipv6hdr)) +
		      sizeof(struct udphdr) + tx_head(&tx) + 2;

	if (segs) {
		tx_gso(&tx, segs);
	} else {
		skb_list_walk_safe(list, skb, next) {
			skb_mark_not_on_list(skb);
			tx_one(&tx, skb);
		}
	}

	/* a ping is nothing of the device's */
	if (!path) {
		tx.tally.vpn_packets = 0;
		tx.tally.vpn_bytes = 0;
	}
	nf_ovpn_stats_tx(peer, path, &tx.tally);
	dev_sw_netstats_tx_add(inst->dev, tx.tally.vpn_packets,
			       tx.tally.vpn_bytes);
	nf_ovpn_touch(&peer->last_tx);
out:
	dst_release(tx.dst);
	if (unlikely(warn))
		nf_ovpn_nl_key_limit_ntf(peer, key);
}

/* What validate_xmit_skb() has done for packets of certain sockets before they
 * reach a driver: kTLS and PSP encrypt them where the device does not. NULL when
 * the packet is gone.
 */
static struct sk_buff *tx_validate(struct nf_ovpn_instance *inst,
				   struct sk_buff *skb)
{
#ifdef CONFIG_SOCK_VALIDATE_XMIT
	struct sk_buff *(*validate)(struct sock *sk, struct net_device *dev,
				    struct sk_buff *skb) = NULL;
	struct sock *sk = skb->sk;

	if (sk && sk_fullsock(sk))
		validate = sk->sk_validate_xmit_skb;
	else if (sk && sk_is_inet(sk) && sk->sk_state == TCP_TIME_WAIT)
		validate = inet_twsk(sk)->tw_validate_xmit_skb;
	if (unlikely(validate))
		return validate(sk, inst->dev, skb);
	if (unlikely(skb_is_decrypted(skb))) {
		nf_ovpn_drop(inst, skb, D(OFFLOAD));
		return NULL;
	}
#endif
	return skb;
}

/* The segments of a packet for which segment.c is not enough, or an error
 * pointer.
 */
static struct sk_buff *tx_segments(struct sk_buff *skb, struct net_device *dev)
{
	unsigned int off = skb_transport_offset(skb), len = skb->len - off;
	struct sk_buff *list, *seg;

	/* Headroom for all of them at once is cheaper than for each. */
	if (skb_cow_head(skb, LL_MAX_HEADER + TX_HEADROOM))
		return ERR_PTR(-ENOMEM);

	/* A program's bundle of datagrams (UDP_SEGMENT) is CHECKSUM_NONE where
	 * the device computes no checksums, but segmentation needs what goes
	 * with CHECKSUM_PARTIAL: skb_cow_head() does not move it along, and
	 * NAT has not taken the checksum for half of one.
	 */
	if (skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4 &&
	    !(skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST) &&
	    !skb->encapsulation && skb->ip_summed == CHECKSUM_NONE &&
	    pskb_may_pull(skb, off + sizeof(struct udphdr))) {
		if (skb->protocol == htons(ETH_P_IP))
			udp_hdr(skb)->check = ~udp_v4_check(len,
							    ip_hdr(skb)->saddr,
							    ip_hdr(skb)->daddr,
							    0);
		else
			udp_hdr(skb)->check = ~udp_v6_check(len,
							    &ipv6_hdr(skb)->saddr,
							    &ipv6_hdr(skb)->daddr,
							    0);
		skb->csum_start = skb_transport_header(skb) - skb->head;
		skb->csum_offset = offsetof(struct udphdr, check);
		skb->ip_summed = CHECKSUM_PARTIAL;
	}

	/* A tunnel in the tunnel: segmentation looks at the device. */
	skb->dev = dev;
	list = skb_gso_segment(skb, 0);
	if (!list)
		return ERR_PTR(-EINVAL);
	if (!IS_ERR(list)) {
		for (seg = list; seg; seg = seg->next)
			seg->dev = NULL;
	}
	return list;
}

/**
 * nf_ovpn_tx - encrypt an inner packet and send it to a peer
 * @peer: the peer
 * @key: its key, of nf_ovpn_peer_tx_key()
 * @skb: inner packet, GSO or not, data at its network header
 * @path: NF_OVPN_A_STATS_TX_FAST_PACKETS or _EGRESS_
 *
 * The packet is sent, or dropped and counted.
 *
 * Context: RCU read side, BH disabled.
 */
void nf_ovpn_tx(struct nf_ovpn_peer *peer, struct nf_ovpn_key *key,
		struct sk_buff *skb, int path)
{
	struct nf_ovpn_segments segs;
	struct sk_buff *list;
	u16 mss;

	skb = tx_validate(peer->inst, skb);
	if (!skb)
		return;

	mss = READ_ONCE(peer->tcp_mss);
	if (mss)
		nf_ovpn_mss_clamp(skb, mss);

	/* As the device's driver would be given it */
	if (unlikely(dev_nit_active_rcu(peer->inst->dev))) {
		skb->dev = peer->inst->dev;
		dev_queue_xmit_nit(skb, skb->dev);
	}

	/* Without a device: it is counted here, not by the tunnel code. */
	skb->dev = NULL;
	skb_scrub_packet(skb, true);
	skb_mark_not_on_list(skb);

	if (!skb_is_gso(skb)) {
		tx_list(peer, key, skb, NULL, path);
		return;
	}
	if (nf_ovpn_alg_is_aead(key->alg) &&
	    READ_ONCE(peer->framing) != NF_OVPN_FRAMING_STUB_SWAP &&
	    nf_ovpn_segments_start(&segs, skb) &&
	    TX_HEADROOM + segs.head_len + segs.gso_size <= TX_BATCH_CHUNK) {
		tx_list(peer, key, skb, &segs, path);
		return;
	}

	list = tx_segments(skb, peer->inst->dev);
	if (IS_ERR(list)) {
		drop_list(peer->inst, skb, tx_reason(PTR_ERR(list)));
		return;
	}
	consume_skb(skb);
	tx_list(peer, key, list, NULL, path);
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

	skb = alloc_skb(LL_MAX_HEADER + TX_HEADROOM + sizeof(nf_ovpn_ping) +
			TX_TAIL_MAX, GFP_ATOMIC);
	if (!skb) {
		nf_ovpn_stats_drop(peer->inst, D(NO_MEMORY), 1);
		return;
	}
	skb_reserve(skb, LL_MAX_HEADER + TX_HEADROOM);
	skb_put_data(skb, nf_ovpn_ping, sizeof(nf_ovpn_ping));
	tx_list(peer, key, skb, NULL, 0);
}

/**
 * nf_ovpn_tx_fits - whether a packet, or each of its segments, is not larger
 * @skb: inner packet, GSO or not
 * @mtu: than this
 *
 * Return: true when it fits.
 */
bool nf_ovpn_tx_fits(const struct sk_buff *skb, unsigned int mtu)
{
	return skb_is_gso(skb) ? skb_gso_validate_network_len(skb, mtu) :
				 skb->len <= mtu;
}

/**
 * nf_ovpn_tx_mtu - the largest inner packet that the path takes
 * @peer: the peer
 * @skb: packet to it
 *
 * Context: RCU read side, BH disabled.
 * Return: that, or UINT_MAX when outer packets may be fragmented or there is no
 * route or no key.
 */
unsigned int nf_ovpn_tx_mtu(struct nf_ovpn_peer *peer, struct sk_buff *skb)
{
	struct tx tx = {
		.peer		= peer,
		.key		= nf_ovpn_peer_tx_key(peer),
		.framing	= READ_ONCE(peer->framing),
	};
	unsigned int mtu = UINT_MAX;
	u32 mark = skb->mark;

	tx_inherit(&tx, skb);
	if (tx.df && tx.key && !tx_route(&tx, skb)) {
		mtu = tx_mtu(&tx);
		dst_release(tx.dst);
	}
	skb->mark = mark;
	return mtu;
}
