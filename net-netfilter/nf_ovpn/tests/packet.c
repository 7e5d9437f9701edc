// SPDX-License-Identifier: GPL-2.0
/* Parsing of packets that may be anything: outer ones, inner ones, and the
 * options of TCP; in one piece, and in small ones at the ends of pages.
 */
#include <kunit/skbuff.h>
#include <kunit/test.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "kunit.h"
#ifdef MODULE
#include "../packet.c"
#include "../mss.c"
#else
#include "../nf_ovpn.h"
#endif

#define LONGEST	256

/* A packet with its first @linear bytes in one piece and all others in pages */
static struct sk_buff *packet(struct kunit *test, const u8 *data,
			      unsigned int len, unsigned int linear)
{
	unsigned int off;
	struct sk_buff *skb;
	struct page *page;

	linear = min(linear, len);
	skb = kunit_zalloc_skb(test, linear, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_data(skb, data, linear);
	skb_reset_network_header(skb);
	/* as many pieces as there can be, so that what is read crosses them */
	for (off = linear; off < len; ) {
		unsigned int n = skb_shinfo(skb)->nr_frags < 7 ?
				 min(len - off, 3) : len - off;

		page = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, page);
		memcpy(page_address(page) + PAGE_SIZE - n, data + off, n);
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page,
				PAGE_SIZE - n, n, PAGE_SIZE);
		off += n;
	}
	return skb;
}

static void fill(struct rnd_state *rnd, u8 *data, unsigned int len)
{
	while (len--)
		*data++ = prandom_u32_state(rnd);
}

/* --- outer packets --- */

/* Headers of an outer packet with @options bytes of IP options; its length */
static unsigned int outer(u8 *data, u8 pf, unsigned int options, u8 proto,
			  u32 op)
{
	unsigned int len;

	memset(data, 0, LONGEST);
	if (pf == NFPROTO_IPV4) {
		struct iphdr *iph = (struct iphdr *)data;

		iph->version = 4;
		iph->ihl = (sizeof(*iph) + options) / 4;
		iph->protocol = proto;
		len = sizeof(*iph) + options;
	} else {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)data;

		ip6h->version = 6;
		ip6h->nexthdr = proto;
		len = sizeof(*ip6h);
	}
	len += sizeof(struct udphdr);
	*(__be32 *)(data + len) = cpu_to_be32(op);
	return len + sizeof(op);
}

static u32 op_of(struct kunit *test, const u8 *data, unsigned int len,
		 unsigned int linear, u8 pf, unsigned int *udp_off)
{
	struct sk_buff *skb = packet(test, data, len, linear);
	u32 op = nf_ovpn_data_op(skb, pf, udp_off);

	kunit_kfree_skb(test, skb);
	return op;
}

/* Of all opcodes two are data, whatever the rest of the word; everything about
 * it comes back, and where the UDP header is.
 */
static void packet_test_opcodes(struct kunit *test)
{
	static const u8 families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	unsigned int i, options, len, udp_off;
	u8 data[LONGEST];
	u32 opcode, op;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (opcode = 0; opcode < 32; opcode++) {
			op = opcode << NF_OVPN_OP_SHIFT | 0x5abcdef;
			options = families[i] == NFPROTO_IPV4 ? opcode % 11 * 4 : 0;
			len = outer(data, families[i], options, IPPROTO_UDP,
				    op);
			KUNIT_EXPECT_EQ(test,
					op_of(test, data, len, LONGEST,
					      families[i], &udp_off),
					opcode == 6 || opcode == 9 ? op : 0);
			KUNIT_EXPECT_EQ(test, udp_off, len - sizeof(op) -
					sizeof(struct udphdr));
		}
	}
}

/* Cut anywhere and in pieces anywhere, it is none before all of the word is
 * there.
 */
static void packet_test_outer_cut(struct kunit *test)
{
	const u32 op = NF_OVPN_P_DATA_V2 << NF_OVPN_OP_SHIFT | 42;
	unsigned int whole, header, len, linear, udp_off;
	u8 data[LONGEST], pf;
	int i;

	for (i = 0; i < 2; i++) {
		pf = i ? NFPROTO_IPV6 : NFPROTO_IPV4;
		header = i ? sizeof(struct ipv6hdr) : sizeof(struct iphdr) + 8;
		whole = outer(data, pf, 8, IPPROTO_UDP, op);
		/* Netfilter has looked at the fixed header. */
		for (len = i ? header : sizeof(struct iphdr); len <= whole; len++) {
			for (linear = i ? header : sizeof(struct iphdr);
			     linear <= len; linear++)
				KUNIT_EXPECT_EQ_MSG(test,
						    op_of(test, data, len,
							  linear, pf, &udp_off),
						    len == whole ? op : 0,
						    "%u of %u bytes, %u linear",
						    len, whole, linear);
		}
	}
}

/* Other protocols, though what comes behind looks the same */
static void packet_test_protocols(struct kunit *test)
{
	const u32 op = NF_OVPN_P_DATA_V1 << NF_OVPN_OP_SHIFT;
	unsigned int proto, len, udp_off;
	u8 data[LONGEST];

	for (proto = 0; proto < 256; proto++) {
		len = outer(data, NFPROTO_IPV4, 0, proto, op);
		KUNIT_EXPECT_EQ(test, op_of(test, data, len, LONGEST,
					    NFPROTO_IPV4, &udp_off),
				proto == IPPROTO_UDP ? op : 0);
		len = outer(data, NFPROTO_IPV6, 0, proto, op);
		KUNIT_EXPECT_EQ(test, op_of(test, data, len, LONGEST,
					    NFPROTO_IPV6, &udp_off),
				proto == IPPROTO_UDP ? op : 0);
	}
}

/* --- inner packets --- */

/* Every first byte and every length: what is told is there, in one piece. */
static void packet_test_inner(struct kunit *test)
{
	unsigned int first, len, linear, n;
	u8 data[LONGEST] = {};
	struct sk_buff *skb;
	__be16 proto, want;

	for (first = 0; first < 256; first++) {
		for (n = 0; n < 45; n++) {
			/* around both headers, and a few short ones */
			len = n;
			linear = n * 7 % 45;
			want = 0;
			if (first >> 4 == 4 && (first & 15) >= 5 &&
			    len >= sizeof(struct iphdr))
				want = htons(ETH_P_IP);
			if (first >> 4 == 6 && len >= sizeof(struct ipv6hdr))
				want = htons(ETH_P_IPV6);

			data[0] = first;
			skb = packet(test, data, len, linear);
			proto = nf_ovpn_inner_protocol(skb);
			KUNIT_EXPECT_EQ_MSG(test, ntohs(proto), ntohs(want),
					    "first byte %02x, %u bytes, %u linear",
					    first, len, linear);
			if (want)
				KUNIT_EXPECT_GE(test, skb_headlen(skb),
						want == htons(ETH_P_IP) ?
						sizeof(struct iphdr) :
						sizeof(struct ipv6hdr));
			kunit_kfree_skb(test, skb);
		}
	}
}

/* --- TCP's options --- */

struct syn {
	u8		data[LONGEST];
	unsigned int	len;
	unsigned int	tcp;
	bool		v6;
};

static __sum16 *syn_check(struct syn *syn)
{
	return &((struct tcphdr *)(syn->data + syn->tcp))->check;
}

/* What the checksum of its data is to be, all of it counted */
static __sum16 checksum(const struct syn *syn)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)syn->data;
	const struct iphdr *iph = (const struct iphdr *)syn->data;
	unsigned int len = syn->len - syn->tcp;
	struct syn copy = *syn;
	__wsum csum;

	*syn_check(&copy) = 0;
	csum = csum_partial(copy.data + copy.tcp, len, 0);
	return syn->v6 ? csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len,
					 IPPROTO_TCP, csum) :
			 csum_tcpudp_magic(iph->saddr, iph->daddr, len,
					   IPPROTO_TCP, csum);
}

/* A SYN with these options, @len bytes of them, some of which may be behind the
 * end of the header
 */
static void syn_make(struct syn *syn, bool v6, const u8 *options,
		     unsigned int len, unsigned int doff)
{
	struct ipv6hdr *ip6h = (struct ipv6hdr *)syn->data;
	struct iphdr *iph = (struct iphdr *)syn->data;
	struct tcphdr *th;

	memset(syn, 0, sizeof(*syn));
	syn->v6 = v6;
	syn->tcp = v6 ? sizeof(*ip6h) : sizeof(*iph);
	syn->len = syn->tcp + sizeof(*th) + len;
	if (v6) {
		ip6h->version = 6;
		ip6h->nexthdr = IPPROTO_TCP;
		ip6h->payload_len = htons(syn->len - syn->tcp);
		ip6h->saddr.s6_addr[15] = 1;
		ip6h->daddr.s6_addr[15] = 2;
	} else {
		iph->version = 4;
		iph->ihl = 5;
		iph->protocol = IPPROTO_TCP;
		iph->tot_len = htons(syn->len);
		iph->saddr = htonl(0x0a080002);
		iph->daddr = htonl(0xc6336402);
	}
	th = (struct tcphdr *)(syn->data + syn->tcp);
	th->source = htons(40000);
	th->dest = htons(80);
	th->syn = 1;
	th->doff = doff;
	memcpy(th + 1, options, len);
	*syn_check(syn) = checksum(syn);
}

static void syn_clamp(struct kunit *test, struct syn *syn, u16 mss,
		      unsigned int linear)
{
	struct sk_buff *skb = packet(test, syn->data, syn->len, linear);

	skb->protocol = syn->v6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	skb->ip_summed = CHECKSUM_NONE;
	nf_ovpn_mss_clamp(skb, mss);
	KUNIT_ASSERT_EQ(test, skb->len, syn->len);
	KUNIT_ASSERT_EQ(test, 0, skb_copy_bits(skb, 0, syn->data, syn->len));
	kunit_kfree_skb(test, skb);
}

/* The same by a loop over what is there, slowly: options that make sense up to
 * the first that does not; of these the first that is an MSS.
 */
static void syn_model(struct syn *syn, u16 mss)
{
	struct tcphdr *th = (struct tcphdr *)(syn->data + syn->tcp);
	unsigned int end = th->doff * 4, at = sizeof(*th), len;
	u8 *opt = (u8 *)th;

	if (syn->v6)
		mss = mss > 20 ? mss - 20 : 1;
	if (!th->syn || syn->tcp + end > syn->len)
		return;
	while (at < end && opt[at] != TCPOPT_EOL) {
		if (opt[at] == TCPOPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= end || opt[at + 1] < 2)
			return;
		len = opt[at + 1];
		if (opt[at] == TCPOPT_MSS && len == TCPOLEN_MSS &&
		    at + len <= end) {
			if ((opt[at + 2] << 8 | opt[at + 3]) <= mss)
				return;
			opt[at + 2] = mss >> 8;
			opt[at + 3] = mss;
			*syn_check(syn) = checksum(syn);
			return;
		}
		at += len;
	}
}

#define OPTIONS(...)	{ { __VA_ARGS__ }, sizeof((const u8 []){ __VA_ARGS__ }) }

/* Options as systems send them, and as they should not be; each padded to words */
static void mss_test_options(struct kunit *test)
{
	static const struct {
		u8		options[20];
		unsigned int	len;
	} cases[] = {
		OPTIONS(2, 4, 5, 180),
		OPTIONS(1, 2, 4, 5, 180, 1, 1, 1),
		OPTIONS(1, 1, 2, 4, 5, 180, 1, 1),
		OPTIONS(2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7),
		OPTIONS(4, 2, 2, 4, 5, 180, 0, 0),
		OPTIONS(2, 4, 2, 24),
		OPTIONS(0, 0, 0, 0),
		OPTIONS(0, 2, 4, 5, 180, 0, 0, 0),
		OPTIONS(3, 0, 2, 4, 5, 180, 0, 0),
		OPTIONS(3, 1, 2, 4, 5, 180, 0, 0),
		OPTIONS(3, 255, 2, 4, 5, 180, 0, 0),
		OPTIONS(1, 1, 1, 2),
		OPTIONS(1, 1, 2, 4),
		OPTIONS(1, 2, 4, 5),
		OPTIONS(2, 3, 5, 1, 2, 4, 5, 180),
		OPTIONS(2, 4, 255, 255, 2, 4, 255, 255),
	};
	static const u16 limits[] = { 1, 20, 21, 536, 1200, 1459, 1460, 65535 };
	unsigned int i, j, linear, changed = 0;
	struct syn syn, want, before;
	int v6;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (j = 0; j < ARRAY_SIZE(limits); j++) {
			for (v6 = 0; v6 < 2; v6++) {
				syn_make(&before, v6, cases[i].options,
					 cases[i].len, 5 + cases[i].len / 4);
				want = before;
				syn_model(&want, limits[j]);
				if (memcmp(&want, &before, sizeof(want)))
					changed++;
				for (linear = before.tcp; linear <= before.len;
				     linear += 5) {
					syn = before;
					syn_clamp(test, &syn, limits[j], linear);
					KUNIT_EXPECT_EQ_MSG(test, 0,
							    memcmp(&syn, &want,
								   sizeof(syn)),
							    "case %u limit %u v6 %d linear %u",
							    i, limits[j], v6,
							    linear);
					KUNIT_EXPECT_EQ_MSG(test,
							    (__force u16)*syn_check(&syn),
							    (__force u16)checksum(&syn),
							    "case %u limit %u v6 %d linear %u: checksum",
							    i, limits[j], v6,
							    linear);
				}
			}
		}
	}
	KUNIT_EXPECT_GT(test, changed, 50);
}

/* What is no SYN, no first fragment or no TCP is left as it is. */
static void mss_test_others(struct kunit *test)
{
	static const u8 options[] = { 2, 4, 5, 180 };
	struct syn syn, before;
	unsigned int n;

	for (n = 0; n < 6; n++) {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)before.data;
		struct iphdr *iph = (struct iphdr *)before.data;
		struct tcphdr *th;

		syn_make(&before, n & 1, options, sizeof(options), 6);
		th = (struct tcphdr *)(before.data + before.tcp);
		switch (n) {
		case 0:
		case 1:
			th->syn = 0;
			th->ack = 1;
			break;
		case 2:
			iph->frag_off = htons(185);
			break;
		case 3:
			ip6h->nexthdr = IPPROTO_UDP;
			break;
		case 4:
			iph->protocol = IPPROTO_UDP;
			break;
		case 5:
			/* in an extension header that there is no room for */
			ip6h->nexthdr = IPPROTO_HOPOPTS;
			before.data[before.tcp + 1] = 255;
			break;
		}
		syn = before;
		syn_clamp(test, &syn, 536, LONGEST);
		KUNIT_EXPECT_EQ_MSG(test, 0, memcmp(&syn, &before, sizeof(syn)),
				    "case %u", n);
	}
}

/* Options that mostly make sense, and now and then do not */
static void random_options(struct rnd_state *rnd, u8 *options, unsigned int len)
{
	unsigned int at;
	u32 r;

	fill(rnd, options, len);
	for (at = 0; at + TCPOLEN_MSS <= len; ) {
		r = prandom_u32_state(rnd);
		switch (r % 16) {
		case 0 ... 5:
			options[at++] = TCPOPT_NOP;
			break;
		case 6 ... 9:
			options[at] = TCPOPT_MSS;
			options[at + 1] = TCPOLEN_MSS;
			at += TCPOLEN_MSS;
			break;
		case 10 ... 14:
			options[at + 1] = 2 + (r >> 16) % 5;
			at += options[at + 1];
			break;
		default:
			at++;
		}
	}
}

/* Anything at all behind the headers: as the model has it, and nothing else is
 * touched.
 */
static void mss_test_random(struct kunit *test)
{
	unsigned int i, len, changed = 0;
	struct syn syn, want, before;
	struct rnd_state rnd;
	u8 options[40];
	u32 seed, r;
	u16 mss;

	seed = nf_ovpn_kunit_seed(&rnd);
	for (i = 0; i < 20000; i++) {
		r = prandom_u32_state(&rnd);
		len = r % (sizeof(options) + 1);
		random_options(&rnd, options, sizeof(options));
		mss = prandom_u32_state(&rnd);
		syn_make(&before, i & 1, options, len,
			 i & 2 ? 5 + len / 4 : prandom_u32_state(&rnd) % 16);
		want = before;
		syn_model(&want, mss);
		if (memcmp(&want, &before, sizeof(want)))
			changed++;
		syn = before;
		syn_clamp(test, &syn, mss, prandom_u32_state(&rnd) % LONGEST +
			  syn.tcp);
		KUNIT_ASSERT_EQ_MSG(test, 0, memcmp(&syn, &want, sizeof(syn)),
				    "seed %u step %u: %*ph, limit %u", seed, i,
				    len, options, mss);
	}
	KUNIT_EXPECT_GT_MSG(test, changed, 1000, "seed %u", seed);
}

static struct kunit_case packet_cases[] = {
	KUNIT_CASE(packet_test_opcodes),
	KUNIT_CASE(packet_test_outer_cut),
	KUNIT_CASE(packet_test_protocols),
	KUNIT_CASE(packet_test_inner),
	KUNIT_CASE(mss_test_options),
	KUNIT_CASE(mss_test_others),
	KUNIT_CASE(mss_test_random),
	{}
};

static struct kunit_suite packet_suite = {
	.name		= "nf_ovpn_packet",
	.test_cases	= packet_cases,
};

kunit_test_suite(packet_suite);
