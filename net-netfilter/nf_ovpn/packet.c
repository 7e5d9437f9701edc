// SPDX-License-Identifier: GPL-2.0
/* What packets are, by themselves: nobody else has looked at them so far. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "packet.h"

/**
 * nf_ovpn_data_op - find the OpenVPN header behind the outer headers
 * @skb: outer packet, data at its network header, which is linear
 * @pf: its family
 * @udp_off: where the UDP header is, written
 *
 * Return: the first word of a data packet, of which with P_DATA_V1 only the
 * first byte means something; or 0 when this is none.
 */
u32 nf_ovpn_data_op(struct sk_buff *skb, u8 pf, unsigned int *udp_off)
{
	__be32 buf, *word;
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

	/* Nothing of the datagram is pulled: it had better lie in one piece. */
	if (!pskb_may_pull(skb, *udp_off + sizeof(struct udphdr)))
		return 0;
	word = skb_header_pointer(skb, *udp_off + sizeof(struct udphdr),
				  sizeof(buf), &buf);
	if (!word)
		return 0;
	op = be32_to_cpup(word);
	switch (op >> NF_OVPN_OP_SHIFT) {
	case NF_OVPN_P_DATA_V1:
	case NF_OVPN_P_DATA_V2:
		return op;
	default:
		return 0;
	}
}

/**
 * nf_ovpn_inner_protocol - tell an inner packet by itself
 * @skb: inner packet, data at its network header
 *
 * Neither what comes out of a tunnel nor what a program puts into a tun device
 * by a packet socket has been looked at by anyone.
 *
 * Return: ETH_P_IP or ETH_P_IPV6, network byte order, when there is a header of
 * that protocol, which is linear then; else 0.
 */
__be16 nf_ovpn_inner_protocol(struct sk_buff *skb)
{
	if (!pskb_may_pull(skb, sizeof(struct iphdr)))
		return 0;
	if (ip_hdr(skb)->version == 4 && ip_hdr(skb)->ihl >= 5)
		return htons(ETH_P_IP);
	if (ip_hdr(skb)->version == 6 &&
	    pskb_may_pull(skb, sizeof(struct ipv6hdr)))
		return htons(ETH_P_IPV6);
	return 0;
}
