// SPDX-License-Identifier: GPL-2.0
/* TCP MSS in SYN packets through the tunnel: OpenVPN's "mssfix".
 *
 * It spares a tunnel whose path is narrower than its device the detour by
 * path MTU discovery, which many networks break.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "nf_ovpn.h"

/* Offset of the TCP header, or 0. */
static unsigned int tcp_offset(struct sk_buff *skb)
{
	unsigned int off = skb_network_offset(skb);
	__be16 frag_off = 0;
	u8 proto;
	int ret;

	if (skb->protocol == htons(ETH_P_IP)) {
		const struct iphdr *iph = ip_hdr(skb);

		if (iph->protocol != IPPROTO_TCP ||
		    iph->frag_off & htons(IP_OFFSET))
			return 0;
		return off + iph->ihl * 4;
	}
	if (skb->protocol != htons(ETH_P_IPV6))
		return 0;

	proto = ipv6_hdr(skb)->nexthdr;
	ret = ipv6_skip_exthdr(skb, off + sizeof(struct ipv6hdr), &proto,
			       &frag_off);
	if (ret < 0 || proto != IPPROTO_TCP || frag_off & htons(IP6_OFFSET))
		return 0;
	return ret;
}

/**
 * nf_ovpn_mss_clamp - limit the MSS if the packet is a TCP SYN
 * @skb: inner packet, network header set, protocol that of
 *	 nf_ovpn_inner_protocol()
 * @mss: largest MSS inside IPv4; inside IPv6 it is that much less as its
 *	 header is longer
 *
 * A SYN without the option is left alone: it says 536 or 1220 (RFC 9293,
 * 3.7.1), which is what narrow paths are made for.
 */
void nf_ovpn_mss_clamp(struct sk_buff *skb, u16 mss)
{
	unsigned int off = tcp_offset(skb), len, i;
	struct tcphdr *th, buf;
	u16 old;
	u8 *opt;

	if (!off)
		return;
	th = skb_header_pointer(skb, off, sizeof(buf), &buf);
	if (!th || !th->syn || th->doff * 4 <= sizeof(*th))
		return;
	len = th->doff * 4;
	if (skb_ensure_writable(skb, off + len))
		return;
	th = (struct tcphdr *)(skb->data + off);

	if (skb->protocol == htons(ETH_P_IPV6))
		mss = mss > 20 ? mss - 20 : 1;

	opt = (u8 *)th;
	for (i = sizeof(*th); i + TCPOLEN_MSS <= len;) {
		if (opt[i] == TCPOPT_EOL)
			return;
		if (opt[i] == TCPOPT_NOP) {
			i++;
			continue;
		}
		if (opt[i + 1] < 2)
			return;
		if (opt[i] == TCPOPT_MSS && opt[i + 1] == TCPOLEN_MSS) {
			old = get_unaligned_be16(&opt[i + 2]);
			if (old <= mss)
				return;
			put_unaligned_be16(mss, &opt[i + 2]);
			/* at an odd offset the two bytes swap their weight */
			if (i & 1)
				inet_proto_csum_replace2(&th->check, skb,
							 htons(swab16(old)),
							 htons(swab16(mss)),
							 false);
			else
				inet_proto_csum_replace2(&th->check, skb,
							 htons(old), htons(mss),
							 false);
			return;
		}
		i += opt[i + 1];
	}
}
