// SPDX-License-Identifier: GPL-2.0
/* Segments of a GSO packet for someone who copies them anyway.
 *
 * skb_gso_segment() makes a packet of each segment. To encrypt out of place
 * no more is needed than its headers and where its payload is; tso.c, made
 * for drivers without segmentation in hardware, has most of it. What it
 * leaves to the hardware is the checksums.
 */
#include <linux/highmem.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>

#include "segment.h"

/* What can be done here: plain TCP and UDP, made by us or put together by GRO.
 * Above all not SKB_GSO_DODGY, whose headers nobody has looked at.
 */
#define SEGMENT_TYPES	(SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN | \
			 SKB_GSO_TCP_ACCECN | SKB_GSO_TCP_FIXEDID | \
			 SKB_GSO_UDP_L4)

/**
 * nf_ovpn_skb_piece - find bytes that lie in one piece
 * @skb: packet
 * @off: offset of the first byte from the packet's data
 * @len: how many bytes
 *
 * Return: pointer to the first byte, NULL when they are in several pieces or
 * without an address.
 */
const u8 *nf_ovpn_skb_piece(const struct sk_buff *skb, unsigned int off,
			    unsigned int len)
{
	unsigned int headlen = skb_headlen(skb);
	const struct sk_buff *part;
	int i;

	if (off + len <= headlen)
		return skb->data + off;
	if (off < headlen)
		return NULL;

	off -= headlen;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		if (off < skb_frag_size(frag)) {
			if (off + len > skb_frag_size(frag) ||
			    skb_frag_is_net_iov(frag) ||
			    PageHighMem(skb_frag_page(frag)))
				return NULL;
			return skb_frag_address(frag) + off;
		}
		off -= skb_frag_size(frag);
	}

	skb_walk_frags(skb, part) {
		if (off < part->len)
			return nf_ovpn_skb_piece(part, off, len);
		off -= part->len;
	}
	return NULL;
}

/* Whether the transport header follows that of IP, as it does in all segments
 * then. The offset alone does not say so: on its way through the stack a packet
 * with extension headers has that of the first of them.
 */
static bool plain_headers(const struct sk_buff *skb, unsigned int transport)
{
	int proto = skb_is_gso_tcp(skb) ? IPPROTO_TCP : IPPROTO_UDP;

	switch (skb->protocol) {
	case htons(ETH_P_IP):
		return ip_hdr(skb)->protocol == proto &&
		       ip_hdrlen(skb) == transport;
	case htons(ETH_P_IPV6):
		return ipv6_hdr(skb)->nexthdr == proto &&
		       sizeof(struct ipv6hdr) == transport;
	default:
		return false;
	}
}

/**
 * nf_ovpn_segments_start - begin to segment a GSO packet
 * @segs: what to fill
 * @skb: the packet, data at its network header; it must stay as it is
 *
 * Return: false when it has to be done by skb_gso_segment().
 */
bool nf_ovpn_segments_start(struct nf_ovpn_segments *segs, struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int transport = skb_transport_offset(skb);
	unsigned int len = sizeof(struct udphdr);

	if (shinfo->gso_type & ~SEGMENT_TYPES || skb->encapsulation ||
	    !shinfo->gso_size || skb_network_offset(skb) ||
	    !skb_frags_readable(skb) || !plain_headers(skb, transport))
		return false;

	/* A program's bundle of datagrams (UDP_SEGMENT) is CHECKSUM_NONE where
	 * the device computes no checksums. Those of the segments are computed
	 * here, from nothing.
	 */
	if (skb->ip_summed != CHECKSUM_PARTIAL &&
	    !(shinfo->gso_type & SKB_GSO_UDP_L4))
		return false;

	if (skb_is_gso_tcp(skb)) {
		if (!pskb_may_pull(skb, transport + sizeof(struct tcphdr)))
			return false;
		len = tcp_hdrlen(skb);
	}
	if (transport + len > NF_OVPN_SEGMENT_HEAD_MAX ||
	    !pskb_may_pull(skb, transport + len) ||
	    skb->len <= transport + len)
		return false;

	segs->skb = skb;
	segs->head_len = tso_start(skb, &segs->tso);
	segs->gso_size = shinfo->gso_size;
	segs->off = segs->head_len;
	segs->left = skb->len - segs->head_len;
	return true;
}

static void segment_checksum(const struct nf_ovpn_segments *segs, u8 *head,
			     unsigned int len, __wsum csum)
{
	unsigned int transport = skb_transport_offset(segs->skb);
	bool udp = segs->tso.tlen == sizeof(struct udphdr);
	int proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
	__sum16 *check;

	check = (__sum16 *)(head + transport +
			    (udp ? offsetof(struct udphdr, check) :
				   offsetof(struct tcphdr, check)));
	*check = 0;
	csum = csum_partial(head + transport, segs->tso.tlen, csum);
	len += segs->tso.tlen;

	if (segs->tso.ipv6) {
		const struct ipv6hdr *ip6h = (struct ipv6hdr *)head;

		*check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len, proto,
					 csum);
	} else {
		struct iphdr *iph = (struct iphdr *)head;

		ip_send_check(iph);
		*check = csum_tcpudp_magic(iph->saddr, iph->daddr, len, proto,
					   csum);
	}
	if (udp && !*check)
		*check = CSUM_MANGLED_0;
}

/**
 * nf_ovpn_segments_next - make the next segment
 * @segs: the packet being segmented, with a segment left
 * @head: the headers, written; room for NF_OVPN_SEGMENT_HEAD_MAX
 * @body: room for the payload, used when it does not lie in one piece
 * @src: where the payload is, written: in the packet or @body
 *
 * Return: length of the payload.
 */
unsigned int nf_ovpn_segments_next(struct nf_ovpn_segments *segs, u8 *head,
				   u8 *body, const u8 **src)
{
	bool first = segs->off == segs->head_len;
	unsigned int len = nf_ovpn_segment_len(segs);
	int gso_type = skb_shinfo(segs->skb)->gso_type;
	__wsum csum;

	tso_build_hdr(segs->skb, head, &segs->tso, len, len == segs->left);
	if (gso_type & SKB_GSO_TCP_FIXEDID)
		segs->tso.ip_id--;
	/* As tcp_gso_segment(): CWR is said once, where ECN is that of RFC
	 * 3168.
	 */
	if (!first && segs->tso.tlen != sizeof(struct udphdr) &&
	    !(gso_type & SKB_GSO_TCP_ACCECN))
		((struct tcphdr *)(head + segs->head_len -
				   segs->tso.tlen))->cwr = 0;

	*src = nf_ovpn_skb_piece(segs->skb, segs->off, len);
	if (*src) {
		csum = csum_partial(*src, len, 0);
	} else {
		csum = skb_copy_and_csum_bits(segs->skb, segs->off, body, len);
		*src = body;
	}
	segment_checksum(segs, head, len, csum);

	segs->tso.tcp_seq += len;
	segs->off += len;
	segs->left -= len;
	return len;
}
