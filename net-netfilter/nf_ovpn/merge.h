/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_MERGE_H
#define _NF_OVPN_MERGE_H

#include <linux/skbuff.h>

/* Largest headers of a segment, IPv6 without extensions and TCP */
#define NF_OVPN_MERGE_HEAD_MAX	100

/**
 * struct nf_ovpn_merge - texts that are being put together to packets
 * @dev: device that the packets are for
 * @skb: the packet that is being made, NULL when there is none
 * @head_len: length of its headers, 0 when nothing can follow it
 * @gso_size: payload of each of its segments but for the last
 * @segs: how many it has
 * @seq: TCP sequence number of the next one
 * @ip_id: identification of the last one
 * @id_step: by how much it rises from one to the next, < 0 when not yet known
 * @page: memory for texts, one reference is ours
 * @pos: where the next payload goes
 * @end: end of the memory
 * @charged: up to there a packet's truesize has it
 * @text: where the text under way is
 * @overlap: how many of its bytes lie on the payload before
 * @saved: what was there
 */
struct nf_ovpn_merge {
	struct net_device	*dev;
	struct sk_buff		*skb;
	unsigned int		head_len;
	unsigned int		gso_size;
	unsigned int		segs;
	u32			seq;
	u16			ip_id;
	int			id_step;
	struct page		*page;
	u8			*pos;
	u8			*end;
	u8			*charged;
	u8			*text;
	unsigned int		overlap;
	u8			saved[NF_OVPN_MERGE_HEAD_MAX + 1];
};

void nf_ovpn_merge_start(struct nf_ovpn_merge *merge, struct net_device *dev);
u8 *nf_ovpn_merge_room(struct nf_ovpn_merge *merge, unsigned int front,
		       unsigned int len, unsigned int left);
void nf_ovpn_merge_forget(struct nf_ovpn_merge *merge);
struct sk_buff *nf_ovpn_merge_put(struct nf_ovpn_merge *merge, const u8 *data,
				  unsigned int len);
struct sk_buff *nf_ovpn_merge_end(struct nf_ovpn_merge *merge);

#endif /* _NF_OVPN_MERGE_H */
