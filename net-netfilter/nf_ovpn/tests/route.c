// SPDX-License-Identifier: GPL-2.0
/* The table of VPN addresses against a list that is searched from end to end. */
#include <kunit/test.h>

#include "kunit.h"
#ifdef MODULE
#include "../route.c"
#else
#include "../route.h"
#endif

#define PREFIXES	100
#define PEERS		5
#define STEPS		5000

/* Peers are never looked into, they only have to differ. */
static char peers[PEERS];

static struct nf_ovpn_peer *peer_of(unsigned int i)
{
	return (struct nf_ovpn_peer *)&peers[i % PEERS];
}

static int peer_index(const struct nf_ovpn_peer *peer)
{
	return peer ? (const char *)peer - peers : -1;
}

static void destroy(void *routes)
{
	nf_ovpn_routes_destroy(routes);
}

static struct nf_ovpn_routes *routes_new(struct kunit *test)
{
	struct nf_ovpn_routes *routes;

	routes = kunit_kzalloc(test, sizeof(*routes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, routes);
	KUNIT_ASSERT_EQ(test, 0, nf_ovpn_routes_init(routes));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, destroy,
							   routes));
	return routes;
}

static int lookup(struct nf_ovpn_routes *routes, u8 family,
		  const union nf_inet_addr *addr)
{
	struct nf_ovpn_peer *peer;

	rcu_read_lock();
	peer = nf_ovpn_route_lookup(routes, family, addr);
	rcu_read_unlock();
	return peer_index(peer);
}

static union nf_inet_addr v4(u32 addr)
{
	return (union nf_inet_addr){ .ip = htonl(addr) };
}

static union nf_inet_addr v6(u32 a, u32 b, u32 c, u32 d)
{
	return (union nf_inet_addr){
		.ip6 = { htonl(a), htonl(b), htonl(c), htonl(d) },
	};
}

static void route_test_v4(struct kunit *test)
{
	struct nf_ovpn_routes *routes = routes_new(test);
	union nf_inet_addr any = v4(0), host = v4(0x0a080002);
	union nf_inet_addr neighbour = v4(0x0a080003);
	union nf_inet_addr outside = v4(0xc0000201);

	KUNIT_EXPECT_EQ(test, -1, lookup(routes, NFPROTO_IPV4, &host));

	/* from the shortest to the longest, each takes over what it covers */
	KUNIT_EXPECT_EQ(test, 0, nf_ovpn_route_add(routes, peer_of(0),
						   NFPROTO_IPV4, &any, 0));
	KUNIT_EXPECT_EQ(test, 0, lookup(routes, NFPROTO_IPV4, &host));
	KUNIT_EXPECT_EQ(test, 0, lookup(routes, NFPROTO_IPV4, &outside));
	/* bits behind the prefix are ignored: 10.8.0.2/24 is 10.8.0.0/24 */
	KUNIT_EXPECT_EQ(test, 0, nf_ovpn_route_add(routes, peer_of(1),
						   NFPROTO_IPV4, &host, 24));
	KUNIT_EXPECT_EQ(test, -EEXIST,
			nf_ovpn_route_add(routes, peer_of(2), NFPROTO_IPV4,
					  &neighbour, 24));
	KUNIT_EXPECT_EQ(test, 1, lookup(routes, NFPROTO_IPV4, &neighbour));
	KUNIT_EXPECT_EQ(test, 0, nf_ovpn_route_add(routes, peer_of(2),
						   NFPROTO_IPV4, &host, 32));
	KUNIT_EXPECT_EQ(test, 2, lookup(routes, NFPROTO_IPV4, &host));
	KUNIT_EXPECT_EQ(test, 1, lookup(routes, NFPROTO_IPV4, &neighbour));
	KUNIT_EXPECT_EQ(test, 0, lookup(routes, NFPROTO_IPV4, &outside));

	/* and gives it back */
	KUNIT_EXPECT_FALSE(test, nf_ovpn_route_del(routes, peer_of(1),
						   NFPROTO_IPV4, &host, 32));
	KUNIT_EXPECT_EQ(test, 2, lookup(routes, NFPROTO_IPV4, &host));
	KUNIT_EXPECT_TRUE(test, nf_ovpn_route_del(routes, peer_of(2),
						  NFPROTO_IPV4, &host, 32));
	KUNIT_EXPECT_FALSE(test, nf_ovpn_route_del(routes, peer_of(2),
						   NFPROTO_IPV4, &host, 32));
	KUNIT_EXPECT_EQ(test, 1, lookup(routes, NFPROTO_IPV4, &host));
	KUNIT_EXPECT_TRUE(test, nf_ovpn_route_del(routes, peer_of(0),
						  NFPROTO_IPV4, &any, 0));
	KUNIT_EXPECT_EQ(test, -1, lookup(routes, NFPROTO_IPV4, &outside));
	KUNIT_EXPECT_EQ(test, 1, lookup(routes, NFPROTO_IPV4, &host));
}

static u8 family_max(u8 family)
{
	return family == NFPROTO_IPV4 ? 32 : 128;
}

static void all_lengths(struct kunit *test, u8 family,
			const union nf_inet_addr *addr)
{
	struct nf_ovpn_routes *routes = routes_new(test);
	struct nf_ovpn_peer *peer = peer_of(3);
	union nf_inet_addr other;
	int len, bit;

	for (len = 0; len <= family_max(family); len++) {
		KUNIT_EXPECT_EQ(test, 0, nf_ovpn_route_add(routes, peer, family,
							   addr, len));
		KUNIT_EXPECT_EQ(test, 3, lookup(routes, family, addr));
		for (bit = 0; bit < family_max(family); bit++) {
			other = *addr;
			((u8 *)&other)[bit / 8] ^= 0x80 >> bit % 8;
			KUNIT_EXPECT_EQ_MSG(test, bit < len ? -1 : 3,
					    lookup(routes, family, &other),
					    "length %d, bit %d", len, bit);
		}
		KUNIT_EXPECT_TRUE(test, nf_ovpn_route_del(routes, peer, family,
							  addr, len));
		KUNIT_EXPECT_EQ(test, -1, lookup(routes, family, addr));
	}
}

/* Each length on its own: an address that differs in one bit is inside if that
 * bit lies behind the prefix, and outside if it does not.
 */
static void route_test_lengths(struct kunit *test)
{
	union nf_inet_addr addr4 = v4(0x0a080002);
	union nf_inet_addr addr6 = v6(0x20010db8, 0x12345678, 0x9abcdef0, 1);

	all_lengths(test, NFPROTO_IPV4, &addr4);
	all_lengths(test, NFPROTO_IPV6, &addr6);
}

/* 0.0.0.0/0 is not ::/0, and 10.8.0.2 not an IPv6 address that begins so. */
static void route_test_families(struct kunit *test)
{
	struct nf_ovpn_routes *routes = routes_new(test);
	union nf_inet_addr host4 = v4(0x0a080002);
	union nf_inet_addr host6 = v6(0x0a080002, 0, 0, 0);

	KUNIT_EXPECT_EQ(test, 0, nf_ovpn_route_add(routes, peer_of(0),
						   NFPROTO_IPV4, &host4, 0));
	KUNIT_EXPECT_EQ(test, -1, lookup(routes, NFPROTO_IPV6, &host6));
	KUNIT_EXPECT_EQ(test, 0, nf_ovpn_route_add(routes, peer_of(1),
						   NFPROTO_IPV6, &host6, 0));
	KUNIT_EXPECT_EQ(test, 0, nf_ovpn_route_add(routes, peer_of(2),
						   NFPROTO_IPV6, &host6, 32));
	KUNIT_EXPECT_EQ(test, 0, lookup(routes, NFPROTO_IPV4, &host4));
	KUNIT_EXPECT_EQ(test, 2, lookup(routes, NFPROTO_IPV6, &host6));
}

struct prefix {
	union nf_inet_addr	addr;
	u8			family;
	u8			len;
	int			peer;	/* -1: not in the table */
};

static bool covers(const struct prefix *p, u8 family,
		   const union nf_inet_addr *addr)
{
	const u8 *a = (const u8 *)&p->addr, *b = (const u8 *)addr;
	int bit;

	if (p->family != family)
		return false;
	for (bit = 0; bit < p->len; bit++)
		if ((a[bit / 8] ^ b[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static int model_lookup(const struct prefix *list, u8 family,
			const union nf_inet_addr *addr)
{
	const struct prefix *best = NULL;
	int i;

	for (i = 0; i < PREFIXES; i++)
		if (list[i].peer >= 0 && covers(&list[i], family, addr) &&
		    (!best || list[i].len > best->len))
			best = &list[i];
	return best ? best->peer : -1;
}

/* Addresses that differ in few places, and mostly long prefixes: so prefixes
 * lie in one another, and do not cover everything.
 */
static void random_prefix(struct rnd_state *rnd, struct prefix *p)
{
	u32 r = prandom_u32_state(rnd);
	u8 max;

	p->family = prandom_u32_state(rnd) & 1 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	if (p->family == NFPROTO_IPV4)
		p->addr = v4(0x0a080000 | (r & 0xc0000c0f));
	else
		p->addr = v6(0x20010db8, r & 0xc000000f, r & 0x0c0000f0,
			     r & 0x00c00f00);

	max = family_max(p->family);
	r = prandom_u32_state(rnd);
	p->len = r % 16 ? max - r % (max / 2) : r / 16 % (max + 1);
	p->peer = -1;
}

static void route_test_random(struct kunit *test)
{
	struct nf_ovpn_routes *routes = routes_new(test);
	int i, j, bit, err, twin, want, found = 0, missed = 0;
	struct prefix *list, *p;
	union nf_inet_addr addr;
	struct rnd_state rnd;
	u32 step, seed;
	bool deleted;

	list = kunit_kcalloc(test, PREFIXES, sizeof(*list), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, list);

	seed = nf_ovpn_kunit_seed(&rnd);
	for (i = 0; i < PREFIXES; i++)
		random_prefix(&rnd, &list[i]);

	for (step = 0; step < STEPS; step++) {
		p = &list[prandom_u32_state(&rnd) % PREFIXES];

		/* the list may have the same prefix twice */
		twin = -1;
		for (i = 0; i < PREFIXES; i++)
			if (list[i].peer >= 0 && list[i].len == p->len &&
			    covers(&list[i], p->family, &p->addr))
				twin = i;

		j = prandom_u32_state(&rnd) % PEERS;
		if (prandom_u32_state(&rnd) % 3 == 0) {
			err = nf_ovpn_route_add(routes, peer_of(j), p->family,
						&p->addr, p->len);
			KUNIT_ASSERT_EQ_MSG(test, err, twin < 0 ? 0 : -EEXIST,
					    "seed %u step %u", seed, step);
			if (!err)
				p->peer = j;
		} else {
			/* mostly from the peer that has it */
			if (twin >= 0 && prandom_u32_state(&rnd) % 4)
				j = list[twin].peer;
			deleted = nf_ovpn_route_del(routes, peer_of(j),
						    p->family, &p->addr,
						    p->len);
			KUNIT_ASSERT_EQ_MSG(test, deleted,
					    twin >= 0 && list[twin].peer == j,
					    "seed %u step %u", seed, step);
			if (deleted)
				list[twin].peer = -1;
		}

		/* an address of the list, or one that differs in one bit */
		for (i = 0; i < 4; i++) {
			p = &list[prandom_u32_state(&rnd) % PREFIXES];
			addr = p->addr;
			bit = prandom_u32_state(&rnd) % family_max(p->family);
			if (i & 1)
				((u8 *)&addr)[bit / 8] ^= 0x80 >> bit % 8;
			want = model_lookup(list, p->family, &addr);
			KUNIT_ASSERT_EQ_MSG(test,
					    lookup(routes, p->family, &addr),
					    want, "seed %u step %u: %16ph",
					    seed, step, &addr);
			if (want < 0)
				missed++;
			else
				found++;
		}
	}
	/* both answers were asked for */
	KUNIT_EXPECT_GT_MSG(test, found, STEPS / 5, "seed %u", seed);
	KUNIT_EXPECT_GT_MSG(test, missed, STEPS / 5, "seed %u", seed);
}

static struct kunit_case route_cases[] = {
	KUNIT_CASE(route_test_v4),
	KUNIT_CASE(route_test_lengths),
	KUNIT_CASE(route_test_families),
	KUNIT_CASE(route_test_random),
	{}
};

static struct kunit_suite route_suite = {
	.name		= "nf_ovpn_route",
	.test_cases	= route_cases,
};

kunit_test_suite(route_suite);
