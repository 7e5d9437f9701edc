// SPDX-License-Identifier: GPL-2.0
/* Segments become one GSO packet: the reverse of segment.c.
 *
 * The datagrams that GRO has merged are decrypted one after the other. Were a
 * packet made of each, GRO would take most of them apart again for their
 * payload. So a text is decrypted to where its payload follows that of the
 * text before, as far as is known, and its headers come to lie on the end of
 * that, which is saved:
 *
 *	        text n-1                text n
 *	+------+-----------------+
 *	| head | payload         |
 *	+------+----------+------+-----------------+
 *	           saved: | head | payload         |
 *	                  +------+-----------------+
 *
 * When the headers turn out to continue the packet, there is nothing to do but
 * to put back what was saved; else the text begins a packet of its own, whose
 * headers are copied, and whose payload stays where it is. What continues a
 * packet is what inet_gro_receive(), ipv6_gro_receive() and tcp_gro_receive()
 * say, checksums included; packets go through GRO afterwards, which finds
 * little to do.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "merge.h"
#include "pages.h"

/* Memory for so many bytes of text at a time */
#define MERGE_CHUNK	SZ_32K

/* A packet without payload of that size or more is copied whole. */
#define MERGE_COPY	256

/* Flags of segments that something may come before, and behind */
#define MERGE_FLAGS	(TCP_FLAG_FIN | TCP_FLAG_PSH)
#define MERGE_LAST	(TCP_FLAG_URG | TCP_FLAG_PSH | TCP_FLAG_RST | \
			 TCP_FLAG_SYN | TCP_FLAG_FIN)

static struct tcphdr *tcp_of(const u8 *data)
{
	return (struct tcphdr *)(data + (*data >> 4 == 4 ?
					 sizeof(struct iphdr) :
					 sizeof(struct ipv6hdr)));
}

/* Length of the headers of a TCP segment with payload that can be part of a
 * GSO packet, 0 for all else. Nothing is known of the packet.
 */
static unsigned int segment_head(const u8 *data, unsigned int len)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)data;
	const struct iphdr *iph = (const struct iphdr *)data;
	unsigned int off, head;
	__wsum sum;

	if (len < sizeof(*iph) + sizeof(struct tcphdr))
		return 0;
	if (*data == 0x45) {
		if (iph->protocol != IPPROTO_TCP || ip_is_fragment(iph) ||
		    ntohs(iph->tot_len) != len || ip_fast_csum(data, iph->ihl))
			return 0;
		off = sizeof(*iph);
	} else {
		if (*data >> 4 != 6 ||
		    len < sizeof(*ip6h) + sizeof(struct tcphdr) ||
		    ip6h->nexthdr != IPPROTO_TCP ||
		    ntohs(ip6h->payload_len) != len - sizeof(*ip6h))
			return 0;
		off = sizeof(*ip6h);
	}
	head = off + tcp_of(data)->doff * 4;
	if (head < off + sizeof(struct tcphdr) || head >= len)
		return 0;

	sum = csum_partial(data + off, len - off, 0);
	if (*data == 0x45 ? csum_tcpudp_magic(iph->saddr, iph->daddr, len - off,
					      IPPROTO_TCP, sum) :
			    csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr,
					    len - off, IPPROTO_TCP, sum))
		return 0;
	return head;
}

/* Whether the headers of a segment continue those of the packet. */
static bool continues(const struct nf_ovpn_merge *merge, const u8 *data,
		      unsigned int payload)
{
	const struct tcphdr *th = tcp_of(data), *th0;
	const u8 *first = merge->skb->data;
	u16 step;

	if (*data != *first)
		return false;
	if (*data == 0x45) {
		const struct iphdr *iph = (const struct iphdr *)data;
		const struct iphdr *iph0 = (const struct iphdr *)first;

		step = ntohs(iph->id) - merge->ip_id;
		if (iph->saddr != iph0->saddr || iph->daddr != iph0->daddr ||
		    iph->ttl != iph0->ttl || iph->tos != iph0->tos ||
		    (iph->frag_off ^ iph0->frag_off) & htons(IP_DF) ||
		    step > 1 || (merge->id_step >= 0 && step != merge->id_step))
			return false;
	} else {
		const struct ipv6hdr *ip6h = (const struct ipv6hdr *)data;
		const struct ipv6hdr *ip6h0 = (const struct ipv6hdr *)first;

		/* the first word has the flow label, too */
		if (*(__be32 *)ip6h != *(__be32 *)ip6h0 ||
		    ip6h->hop_limit != ip6h0->hop_limit ||
		    !ipv6_addr_equal(&ip6h->saddr, &ip6h0->saddr) ||
		    !ipv6_addr_equal(&ip6h->daddr, &ip6h0->daddr))
			return false;
	}

	th0 = tcp_of(first);
	return th->source == th0->source && th->dest == th0->dest &&
	       ntohl(th->seq) == merge->seq && th->ack_seq == th0->ack_seq &&
	       !((tcp_flag_word(th) ^ tcp_flag_word(th0)) & ~MERGE_FLAGS) &&
	       !memcmp(th + 1, th0 + 1, th0->doff * 4 - sizeof(*th)) &&
	       payload <= merge->gso_size &&
	       merge->skb->len + payload <= GSO_LEGACY_MAX_SIZE - 1;
}

/* Give the packet the bytes at merge->pos; false when it has no room. */
static bool add_payload(struct nf_ovpn_merge *merge, unsigned int len)
{
	unsigned int off = merge->pos - (u8 *)page_address(merge->page);
	struct page *page = merge->page;
	struct sk_buff *skb = merge->skb;
	int frags = skb_shinfo(skb)->nr_frags;

	if (skb_can_coalesce(skb, frags, page, off)) {
		skb_frag_size_add(&skb_shinfo(skb)->frags[frags - 1], len);
	} else if (frags < MAX_SKB_FRAGS) {
		get_page(page);
		skb_fill_page_desc(skb, frags, page, off, len);
	} else {
		return false;
	}
	skb->len += len;
	skb->data_len += len;
	merge->pos += len;
	/* with what lies before: headers, alignment */
	skb->truesize += merge->pos - merge->charged;
	merge->charged = merge->pos;
	return true;
}

/* Nothing more comes into the memory. What is left of it stays as long as the
 * packet that refers to it last, and is charged to that.
 */
static void let_go(struct nf_ovpn_merge *merge)
{
	struct sk_buff *skb = merge->skb;
	int frags;

	if (!merge->page)
		return;
	frags = skb ? skb_shinfo(skb)->nr_frags : 0;
	if (frags && skb_frag_page(&skb_shinfo(skb)->frags[frags - 1]) ==
		     merge->page)
		skb->truesize += merge->end - merge->charged;
	put_page(merge->page);
	merge->page = NULL;
}

/* What is known of the last segment, after it was added. */
static void note_last(struct nf_ovpn_merge *merge, const struct tcphdr *th,
		      unsigned int payload)
{
	merge->segs++;
	merge->seq += payload;
	if (payload < merge->gso_size || tcp_flag_word(th) & MERGE_LAST)
		merge->head_len = 0;
}

/* Add a segment to the packet: its headers are at @data, still, and its payload
 * is where it has to be.
 */
static bool add_segment(struct nf_ovpn_merge *merge, const u8 *data,
			unsigned int payload)
{
	const struct tcphdr *th = tcp_of(data);
	struct tcphdr *th0;

	if (!add_payload(merge, payload))
		return false;
	if (*data == 0x45) {
		u16 id = ntohs(((const struct iphdr *)data)->id);

		merge->id_step = (u16)(id - merge->ip_id);
		merge->ip_id = id;
	}
	th0 = tcp_of(merge->skb->data);
	tcp_flag_word(th0) |= tcp_flag_word(th) & MERGE_FLAGS;
	note_last(merge, th, payload);
	return true;
}

/* The text is not at @merge->text any more. */
static void put_back(struct nf_ovpn_merge *merge)
{
	memcpy(merge->text, merge->saved, merge->overlap);
	merge->overlap = 0;
}

/* Headers that say what the packet has become, as inet_gro_complete() and
 * tcp4_gro_complete() do it, or their brothers.
 */
static struct sk_buff *finish(struct nf_ovpn_merge *merge)
{
	struct sk_buff *skb = merge->skb;
	struct skb_shared_info *shinfo;
	struct tcphdr *th;
	unsigned int off;

	merge->skb = NULL;
	merge->head_len = 0;
	if (!skb || merge->segs < 2)
		return skb;

	shinfo = skb_shinfo(skb);
	shinfo->gso_size = merge->gso_size;
	shinfo->gso_segs = merge->segs;

	th = tcp_of(skb->data);
	off = (u8 *)th - skb->data;
	if (*skb->data == 0x45) {
		struct iphdr *iph = (struct iphdr *)skb->data;

		iph->tot_len = htons(skb->len);
		ip_send_check(iph);
		th->check = ~tcp_v4_check(skb->len - off, iph->saddr,
					  iph->daddr, 0);
		shinfo->gso_type = SKB_GSO_TCPV4 |
				   (merge->id_step ? 0 : SKB_GSO_TCP_FIXEDID);
	} else {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)skb->data;

		ip6h->payload_len = htons(skb->len - sizeof(*ip6h));
		th->check = ~csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr,
					     skb->len - off, IPPROTO_TCP, 0);
		shinfo->gso_type = SKB_GSO_TCPV6;
	}
	if (th->cwr)
		shinfo->gso_type |= SKB_GSO_TCP_ACCECN;
	skb->csum_start = (u8 *)th - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb->ip_summed = CHECKSUM_PARTIAL;
	return skb;
}

/* Begin a packet; returns the one before, NULL when there is none, or -ENOMEM,
 * which leaves all as it is.
 */
static struct sk_buff *begin(struct nf_ovpn_merge *merge, const u8 *data,
			     unsigned int len, unsigned int head)
{
	/* So much of it is where it cannot stay. */
	unsigned int over = merge->overlap ? merge->pos - data : 0;
	unsigned int linear = head ?: len;
	struct sk_buff *skb, *before;

	if (!head && len > MERGE_COPY)
		linear = NF_OVPN_MERGE_HEAD_MAX;
	if (linear < over) {
		linear = over;
		head = 0;
	}

	skb = netdev_alloc_skb(merge->dev, linear);
	if (!skb)
		return ERR_PTR(-ENOMEM);
	skb_put_data(skb, data, linear);
	if (head)
		skb->ip_summed = CHECKSUM_UNNECESSARY;

	put_back(merge);
	before = finish(merge);

	merge->skb = skb;
	merge->segs = 0;
	merge->id_step = -1;
	if (linear < len) {
		merge->pos = (u8 *)data + linear;
		add_payload(merge, len - linear);
	}
	if (!head)
		return before;

	merge->head_len = head;
	merge->gso_size = len - head;
	merge->seq = ntohl(tcp_of(skb->data)->seq);
	if (*skb->data == 0x45)
		merge->ip_id = ntohs(((struct iphdr *)skb->data)->id);
	note_last(merge, tcp_of(skb->data), len - head);
	return before;
}

/**
 * nf_ovpn_merge_start - nothing has been put together yet
 * @merge: what to fill
 * @dev: device that the packets are for
 */
void nf_ovpn_merge_start(struct nf_ovpn_merge *merge, struct net_device *dev)
{
	merge->dev = dev;
	merge->skb = NULL;
	merge->head_len = 0;
	merge->page = NULL;
	merge->pos = NULL;
	merge->overlap = 0;
}

/**
 * nf_ovpn_merge_room - room for a text that is about to be decrypted
 * @merge: what is being put together
 * @front: bytes that come before the inner packet in the text
 * @len: length of the text
 * @left: how many more texts there will be, of about the same length
 *
 * nf_ovpn_merge_put() or nf_ovpn_merge_forget() comes next.
 *
 * Context: Softirq, or BH disabled.
 * Return: where it goes, NULL when there is no memory.
 */
u8 *nf_ovpn_merge_room(struct nf_ovpn_merge *merge, unsigned int front,
		       unsigned int len, unsigned int left)
{
	unsigned int over = 0, chunk;
	u8 *pos = merge->pos;
	struct page *page;

	if (merge->skb && merge->head_len && front + merge->head_len < len)
		over = front + merge->head_len;
	else if (pos)
		pos = PTR_ALIGN(pos, SMP_CACHE_BYTES);

	if (!merge->page || pos + len - over > merge->end) {
		chunk = min_t(unsigned int, MERGE_CHUNK,
			      (len + SMP_CACHE_BYTES) * (left + 1));
		chunk = max(chunk, len);
		pos = nf_ovpn_pages_get(len, &chunk, &page);
		if (!pos)
			return NULL;
		let_go(merge);
		merge->page = page;
		merge->charged = pos;
		merge->end = pos + chunk;
		merge->overlap = 0;
		merge->text = pos;
		merge->pos = pos + over;
		return pos;
	}

	merge->pos = pos;
	merge->overlap = over;
	merge->text = pos - over;
	memcpy(merge->saved, merge->text, over);
	return merge->text;
}

/**
 * nf_ovpn_merge_forget - a text is of no use
 * @merge: what is being put together
 */
void nf_ovpn_merge_forget(struct nf_ovpn_merge *merge)
{
	put_back(merge);
}

/**
 * nf_ovpn_merge_put - take the inner packet of a text
 * @merge: what is being put together
 * @data: the packet, in the text where it was said to be, with an IP header
 * @len: its length
 *
 * Context: Softirq, or BH disabled.
 * Return: a packet that is complete, data at its network header; NULL when
 * there is none; or -ENOMEM when this one is lost.
 */
struct sk_buff *nf_ovpn_merge_put(struct nf_ovpn_merge *merge, const u8 *data,
				  unsigned int len)
{
	struct sk_buff *before;
	unsigned int head = 0;

	if (merge->dev->features & NETIF_F_GRO &&
	    (IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) ||
	     IS_ALIGNED((unsigned long)data, sizeof(u32))))
		head = segment_head(data, len);
	if (head && head == merge->head_len && merge->pos == data + head &&
	    continues(merge, data, len - head) &&
	    add_segment(merge, data, len - head)) {
		put_back(merge);
		return NULL;
	}

	before = begin(merge, data, len, head);
	if (IS_ERR(before))
		put_back(merge);
	return before;
}

/**
 * nf_ovpn_merge_end - there are no more texts
 * @merge: what was put together
 *
 * Return: the last packet, NULL when there is none.
 */
struct sk_buff *nf_ovpn_merge_end(struct nf_ovpn_merge *merge)
{
	let_go(merge);
	return finish(merge);
}
