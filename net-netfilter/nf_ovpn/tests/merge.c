// SPDX-License-Identifier: GPL-2.0
/* What merge.c makes of packets, the stack's own segmentation must take apart
 * into the same packets again, to the last bit.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "kunit.h"
#ifdef MODULE
#include "../merge.c"
#include "../pages.c"
#else
#include "../merge.h"
#include "../pages.h"
#endif

#define PACKETS		40
#define PACKET_MAX	1600
#define ROUNDS		300

/* Packets that go in, and how many of them came out so far */
struct stream {
	struct kunit		*test;
	struct net_device	*dev;
	u32			seed;
	unsigned int		num;
	unsigned int		out;
	unsigned int		skbs;
	unsigned int		truesize;
	unsigned int		front;
	unsigned int		len[PACKETS];
	u8			data[PACKETS][PACKET_MAX];
};

static struct stream *stream_new(struct kunit *test)
{
	struct stream *stream = kunit_kzalloc(test, sizeof(*stream),
					      GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, stream);
	stream->test = test;
	stream->dev = alloc_netdev_dummy(0);
	KUNIT_ASSERT_NOT_NULL(test, stream->dev);
	stream->dev->features = NETIF_F_GRO;
	return stream;
}

static void stream_free(struct stream *stream)
{
	free_netdev(stream->dev);
}

/* What a TCP segment is to be. */
struct segment {
	bool	ip6;
	u8	tos;
	u8	ttl;
	u16	id;
	bool	df;
	u32	seq;
	u32	ack;
	u8	flags;
	u8	options;
	u32	timestamp;
	u16	payload;
	bool	broken;
};

static void stream_add(struct stream *stream, const struct segment *seg)
{
	u8 *data = stream->data[stream->num];
	unsigned int off = seg->ip6 ? sizeof(struct ipv6hdr) :
				      sizeof(struct iphdr);
	struct tcphdr *th = (struct tcphdr *)(data + off);
	unsigned int len, i;
	__wsum sum;

	memset(data, 0, off + 60);
	len = off + sizeof(*th) + seg->options + seg->payload;
	th->source = htons(5201);
	th->dest = htons(40000);
	th->seq = htonl(seg->seq);
	th->ack_seq = htonl(seg->ack);
	th->doff = (sizeof(*th) + seg->options) / 4;
	((u8 *)th)[13] = seg->flags;
	th->window = htons(1000);
	memset(th + 1, TCPOPT_NOP, seg->options);
	if (seg->options)
		put_unaligned_be32(seg->timestamp, th + 1);
	for (i = 0; i < seg->payload; i++)
		data[len - seg->payload + i] = seg->seq + i + (i >> 8);

	if (seg->ip6) {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)data;

		ip6_flow_hdr(ip6h, seg->tos, htonl(0x12345));
		ip6h->payload_len = htons(len - off);
		ip6h->nexthdr = IPPROTO_TCP;
		ip6h->hop_limit = seg->ttl;
		ip6h->saddr.s6_addr[15] = 1;
		ip6h->daddr.s6_addr[15] = 2;
		sum = csum_partial(th, len - off, 0);
		th->check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr,
					    len - off, IPPROTO_TCP, sum);
	} else {
		struct iphdr *iph = (struct iphdr *)data;

		iph->version = 4;
		iph->ihl = 5;
		iph->tos = seg->tos;
		iph->tot_len = htons(len);
		iph->id = htons(seg->id);
		iph->frag_off = seg->df ? htons(IP_DF) : 0;
		iph->ttl = seg->ttl;
		iph->protocol = IPPROTO_TCP;
		iph->saddr = htonl(0x0a000001);
		iph->daddr = htonl(0x0a000002);
		ip_send_check(iph);
		sum = csum_partial(th, len - off, 0);
		th->check = csum_tcpudp_magic(iph->saddr, iph->daddr, len - off,
					      IPPROTO_TCP, sum);
	}
	if (seg->broken)
		th->check = ~th->check;
	stream->len[stream->num++] = len;
}

/* One packet has come out: it is the next that went in. */
static void expect_packet(struct stream *stream, struct sk_buff *skb)
{
	struct kunit *test = stream->test;
	unsigned int n = stream->out++;
	static u8 copy[PACKET_MAX];

	KUNIT_ASSERT_LT_MSG(test, n, stream->num, "seed %u", stream->seed);
	KUNIT_ASSERT_EQ_MSG(test, skb->len, stream->len[n],
			    "packet %u, seed %u", n, stream->seed);
	KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, 0, copy, skb->len), 0);
	KUNIT_EXPECT_MEMEQ_MSG(test, copy, stream->data[n], skb->len,
			       "packet %u, seed %u", n, stream->seed);
}

/* A packet has come out, one or several in one. */
static void expect_out(struct stream *stream, struct sk_buff *skb)
{
	struct sk_buff *segs, *seg, *next;
	struct kunit *test = stream->test;

	if (!skb)
		return;
	stream->skbs++;
	stream->truesize += skb->truesize;
	if (!skb_is_gso(skb)) {
		expect_packet(stream, skb);
		kfree_skb(skb);
		return;
	}

	KUNIT_EXPECT_TRUE(test, skb->ip_summed == CHECKSUM_PARTIAL);
	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_segs,
			DIV_ROUND_UP(skb->len - skb_headlen(skb),
				     skb_shinfo(skb)->gso_size));
	skb->dev = stream->dev;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_reset_mac_len(skb);
	skb->protocol = *skb->data >> 4 == 4 ? htons(ETH_P_IP) :
					       htons(ETH_P_IPV6);
	segs = skb_gso_segment(skb, 0);
	kfree_skb(skb);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR_OR_NULL(segs), "seed %u",
			       stream->seed);
	skb_list_walk_safe(segs, seg, next) {
		skb_mark_not_on_list(seg);
		skb_pull(seg, skb_network_offset(seg));
		expect_packet(stream, seg);
		kfree_skb(seg);
	}
}

static void stream_run(struct stream *stream, struct rnd_state *rnd)
{
	struct nf_ovpn_merge *merge;
	unsigned int n, len;
	struct sk_buff *skb;
	u8 *room;

	merge = kunit_kmalloc(stream->test, sizeof(*merge), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(stream->test, merge);
	memset(merge, 0xa5, sizeof(*merge));

	local_bh_disable();
	nf_ovpn_merge_start(merge, stream->dev);
	for (n = 0; n < stream->num; n++) {
		/* what is decrypted and of no use must leave no trace */
		if (rnd && prandom_u32_state(rnd) % 8 == 0) {
			len = 1 + prandom_u32_state(rnd) % PACKET_MAX;
			room = nf_ovpn_merge_room(merge, stream->front, len, 1);
			if (room) {
				memset(room, 0x5a, len);
				nf_ovpn_merge_forget(merge);
			}
		}
		len = stream->front + stream->len[n];
		room = nf_ovpn_merge_room(merge, stream->front, len,
					  stream->num - n - 1);
		KUNIT_EXPECT_NOT_NULL(stream->test, room);
		if (!room)
			break;
		memset(room, 0xfa, stream->front);
		memcpy(room + stream->front, stream->data[n], stream->len[n]);
		skb = nf_ovpn_merge_put(merge, room + stream->front,
					stream->len[n]);
		KUNIT_EXPECT_FALSE(stream->test, IS_ERR(skb));
		if (!IS_ERR(skb))
			expect_out(stream, skb);
	}
	expect_out(stream, nf_ovpn_merge_end(merge));
	local_bh_enable();
	KUNIT_EXPECT_EQ_MSG(stream->test, stream->out, stream->num, "seed %u",
			    stream->seed);
	kunit_kfree(stream->test, merge);
}

/* What a bulk transfer is made of becomes one packet. */
static void bulk(struct kunit *test, bool ip6, bool fixed_id, unsigned int front)
{
	struct stream *stream = stream_new(test);
	struct segment seg = {
		.ip6 = ip6, .ttl = 64, .df = true, .seq = U32_MAX - 5000,
		.ack = 7, .flags = TCPHDR_ACK, .options = 12, .payload = 1368,
		.id = U16_MAX - 3,
	};
	unsigned int n, text = 0;

	stream->front = front;
	for (n = 0; n < PACKETS; n++) {
		if (n == PACKETS - 1) {
			seg.payload = 100;
			seg.flags |= TCPHDR_PSH;
		}
		stream_add(stream, &seg);
		seg.seq += seg.payload;
		if (!fixed_id)
			seg.id++;
	}
	stream_run(stream, NULL);
	KUNIT_EXPECT_EQ(test, stream->skbs, 1);
	/* All of the memory is charged, that of headers too. */
	for (n = 0; n < PACKETS; n++)
		text += front + stream->len[n];
	KUNIT_EXPECT_GE(test, stream->truesize, text);
	stream_free(stream);
}

static void merge_test_bulk(struct kunit *test)
{
	bulk(test, false, false, 0);
	bulk(test, false, true, 0);
	bulk(test, false, false, 1);
	bulk(test, true, false, 0);
}

/* Without GRO on the device every packet stays one. */
static void merge_test_off(struct kunit *test)
{
	struct stream *stream = stream_new(test);
	struct segment seg = {
		.ttl = 64, .flags = TCPHDR_ACK, .payload = 1000,
	};
	unsigned int n;

	stream->dev->features = 0;
	for (n = 0; n < 5; n++) {
		stream_add(stream, &seg);
		seg.seq += seg.payload;
		seg.id++;
	}
	stream_run(stream, NULL);
	KUNIT_EXPECT_EQ(test, stream->skbs, 5);
	stream_free(stream);
}

/* Each of these fields, when it differs, begins another packet. */
static void merge_test_differs(struct kunit *test)
{
	static const struct segment differs[] = {
		{ .tos = 1 }, { .ttl = 1 }, { .id = 5 }, { .df = true },
		{ .seq = 1 }, { .ack = 1 }, { .flags = TCPHDR_ECE },
		{ .flags = TCPHDR_CWR }, { .flags = TCPHDR_URG },
		{ .flags = TCPHDR_SYN }, { .flags = TCPHDR_RST },
		{ .options = 4 }, { .timestamp = 1 }, { .payload = 1 },
		{ .broken = true },
	};
	struct segment seg, base = {
		.ttl = 64, .flags = TCPHDR_ACK, .options = 12, .payload = 1000,
	};
	struct stream *stream;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(differs); i++) {
		const struct segment *d = &differs[i];

		stream = stream_new(test);
		stream_add(stream, &base);
		seg = base;
		seg.seq += base.payload + d->seq;
		seg.id += 1 + d->id;
		seg.tos += d->tos;
		seg.ttl += d->ttl;
		seg.df ^= d->df;
		seg.ack += d->ack;
		seg.flags ^= d->flags;
		seg.options += d->options;
		seg.timestamp += d->timestamp;
		seg.payload += d->payload;
		seg.broken = d->broken;
		stream_add(stream, &seg);
		stream_run(stream, NULL);
		KUNIT_EXPECT_EQ_MSG(test, stream->skbs, 2, "case %u", i);
		stream_free(stream);
	}
}

/* Anything that a peer may send, most of it nearly mergeable. */
static void merge_test_random(struct kunit *test)
{
	struct segment seg = {};
	struct rnd_state rnd;
	struct stream *stream;
	unsigned int round, n, what;
	u32 seed;

	seed = nf_ovpn_kunit_seed(&rnd);
	for (round = 0; round < ROUNDS; round++) {
		stream = stream_new(test);
		stream->seed = seed;
		stream->front = prandom_u32_state(&rnd) % 2;
		seg = (struct segment) {
			.ip6 = prandom_u32_state(&rnd) % 2, .ttl = 64,
			.df = prandom_u32_state(&rnd) % 2, .ack = 1,
			.seq = prandom_u32_state(&rnd),
			.id = prandom_u32_state(&rnd), .flags = TCPHDR_ACK,
			.options = prandom_u32_state(&rnd) % 11 * 4,
			.payload = 1 + prandom_u32_state(&rnd) % 1400,
		};
		for (n = 0; n < PACKETS; n++) {
			u16 payload = seg.payload;
			struct segment odd = seg;

			what = prandom_u32_state(&rnd) % 24;
			if (what == 0)
				odd.payload = prandom_u32_state(&rnd) % 1400;
			else if (what == 1)
				odd.flags |= TCPHDR_PSH;
			else if (what == 2)
				odd.flags |= prandom_u32_state(&rnd);
			else if (what == 3)
				seg.timestamp++;
			else if (what == 4)
				seg.options = prandom_u32_state(&rnd) % 11 * 4;
			else if (what == 5)
				odd.broken = true;
			else if (what == 6)
				seg.ip6 = !seg.ip6;
			else if (what == 7)
				seg.id = prandom_u32_state(&rnd);
			stream_add(stream, &odd);
			payload = odd.payload;
			seg.seq += payload;
			seg.id++;
		}
		stream_run(stream, &rnd);
		stream_free(stream);
		cond_resched();
	}
}

/* What is no IP packet at all comes out as it went in. */
static void merge_test_garbage(struct kunit *test)
{
	struct stream *stream;
	struct rnd_state rnd;
	unsigned int round, n;
	u32 seed;

	seed = nf_ovpn_kunit_seed(&rnd);
	for (round = 0; round < ROUNDS; round++) {
		stream = stream_new(test);
		stream->seed = seed;
		for (n = 0; n < PACKETS; n++) {
			unsigned int len = prandom_u32_state(&rnd) % PACKET_MAX;

			prandom_bytes_state(&rnd, stream->data[n], len);
			if (len && prandom_u32_state(&rnd) % 2)
				*stream->data[n] =
					prandom_u32_state(&rnd) % 2 ? 0x45 :
								      0x60;
			stream->len[n] = len;
		}
		stream->num = PACKETS;
		stream_run(stream, &rnd);
		stream_free(stream);
		cond_resched();
	}
}

static struct kunit_case merge_cases[] = {
	KUNIT_CASE(merge_test_bulk),
	KUNIT_CASE(merge_test_off),
	KUNIT_CASE(merge_test_differs),
	KUNIT_CASE_SLOW(merge_test_random),
	KUNIT_CASE_SLOW(merge_test_garbage),
	{}
};

/* The copy of a module has pages of its own. */
static void merge_suite_exit(struct kunit_suite *suite)
{
	if (IS_MODULE(CONFIG_NF_OVPN_KUNIT_TEST))
		nf_ovpn_pages_drain();
}

static struct kunit_suite merge_suite = {
	.name		= "nf_ovpn_merge",
	.suite_exit	= merge_suite_exit,
	.test_cases	= merge_cases,
};

kunit_test_suite(merge_suite);
