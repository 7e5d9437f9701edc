/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_SEGMENT_H
#define _NF_OVPN_SEGMENT_H

#include <linux/skbuff.h>
#include <net/tso.h>

/* Largest headers of a segment */
#define NF_OVPN_SEGMENT_HEAD_MAX	128

/**
 * struct nf_ovpn_segments - a GSO packet that is being segmented
 * @skb: the packet, data at its network header
 * @tso: what the next header will say
 * @head_len: length of the headers of each segment
 * @gso_size: payload of each segment but for the last
 * @off: offset of the next segment's payload
 * @left: bytes of payload from there
 */
struct nf_ovpn_segments {
	struct sk_buff	*skb;
	struct tso_t	tso;
	unsigned int	head_len;
	unsigned int	gso_size;
	unsigned int	off;
	unsigned int	left;
};

bool nf_ovpn_segments_start(struct nf_ovpn_segments *segs,
			    struct sk_buff *skb);
unsigned int nf_ovpn_segments_next(struct nf_ovpn_segments *segs, u8 *head,
				   u8 *body, const u8 **src);
const u8 *nf_ovpn_skb_piece(const struct sk_buff *skb, unsigned int off,
			    unsigned int len);

/* How many segments are to come. */
static inline unsigned int
nf_ovpn_segments_left(const struct nf_ovpn_segments *segs)
{
	return DIV_ROUND_UP(segs->left, segs->gso_size);
}

/* Payload of the next segment */
static inline unsigned int
nf_ovpn_segment_len(const struct nf_ovpn_segments *segs)
{
	return min(segs->gso_size, segs->left);
}

#endif /* _NF_OVPN_SEGMENT_H */
