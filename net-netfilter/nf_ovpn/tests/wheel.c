// SPDX-License-Identifier: GPL-2.0
/* The timer wheel against a list of times: nothing is late, nothing is lost, and
 * nothing is touched more often than there are levels.
 */
#include <kunit/test.h>

#include "kunit.h"
#ifdef MODULE
#include "../wheel.c"
#else
#include "../wheel.h"
#endif

#define ENTRIES	500
#define STEPS	300000

struct entry {
	struct list_head	list;
	unsigned long		at;
	unsigned int		touched;
};

struct clock {
	struct nf_ovpn_wheel	wheel;
	unsigned long		now;
	struct entry		entries[ENTRIES];
};

static struct clock *clock_new(struct kunit *test, unsigned long tick)
{
	struct clock *clock = kunit_kzalloc(test, sizeof(*clock), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, clock);
	nf_ovpn_wheel_init(&clock->wheel);
	/* as if it had run for so long */
	clock->wheel.tick = tick;
	clock->now = tick;
	return clock;
}

static void set(struct clock *clock, struct entry *entry, unsigned long ticks)
{
	entry->at = clock->now + ticks;
	entry->touched = 0;
	nf_ovpn_wheel_add(&clock->wheel, &entry->list, ticks);
}

/* One tick. What is early is put back; what is due is set anew to one of a
 * @spread of times. Returns how many entries were touched.
 */
static unsigned int turn(struct kunit *test, struct clock *clock,
			 struct rnd_state *rnd, u32 seed, u32 spread,
			 unsigned int *due_num)
{
	unsigned int touched = 0;
	struct entry *entry;
	LIST_HEAD(due);

	nf_ovpn_wheel_turn(&clock->wheel, &due);
	clock->now++;
	while (!list_empty(&due)) {
		entry = list_first_entry(&due, struct entry, list);
		list_del(&entry->list);
		touched++;
		entry->touched++;
		KUNIT_ASSERT_LE_MSG(test, clock->now, entry->at,
				    "seed %u: late", seed);
		KUNIT_ASSERT_LE_MSG(test, entry->touched, NF_OVPN_WHEEL_LEVELS,
				    "seed %u: touched too often", seed);
		if (entry->at > clock->now) {
			nf_ovpn_wheel_add(&clock->wheel, &entry->list,
					  entry->at - clock->now);
			continue;
		}
		(*due_num)++;
		set(clock, entry, 1 + prandom_u32_state(rnd) % spread);
	}
	return touched;
}

/* Every distance around the limits of the levels, from every place in them */
static void wheel_test_limits(struct kunit *test)
{
	static const unsigned long places[] = {
		0, 1, 62, 63, 64, 4031, 4032, 4095, 4096, 262079, 262143,
		ULONG_MAX - 100,
	};
	static const unsigned long ticks[] = {
		1, 2, 62, 63, 64, 65, 127, 128, 4031, 4032, 4095, 4096, 4097,
		8191, 86400, NF_OVPN_WHEEL_MAX - 1, NF_OVPN_WHEEL_MAX,
	};
	struct nf_ovpn_wheel *wheel;
	unsigned int i, j, touched;
	unsigned long left;
	LIST_HEAD(entry);
	LIST_HEAD(due);

	wheel = kunit_kzalloc(test, sizeof(*wheel), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, wheel);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		for (j = 0; j < ARRAY_SIZE(ticks); j++) {
			nf_ovpn_wheel_init(wheel);
			wheel->tick = places[i];
			nf_ovpn_wheel_add(wheel, &entry, ticks[j]);
			touched = 0;
			for (left = ticks[j]; left; ) {
				nf_ovpn_wheel_turn(wheel, &due);
				left--;
				if (list_empty(&due))
					continue;
				list_del_init(&entry);
				KUNIT_ASSERT_TRUE(test, list_empty(&due));
				touched++;
				if (left)
					nf_ovpn_wheel_add(wheel, &entry, left);
			}
			/* It is out at its time, for good. */
			KUNIT_EXPECT_TRUE_MSG(test, list_empty(&entry),
					      "%lu ticks from %lu", ticks[j],
					      places[i]);
			KUNIT_EXPECT_LE_MSG(test, touched, NF_OVPN_WHEEL_LEVELS,
					    "%lu ticks from %lu", ticks[j],
					    places[i]);
			list_del_init(&entry);
		}
	}
}

/* Not before the next tick, and not after the longest time */
static void wheel_test_clamp(struct kunit *test)
{
	struct clock *clock = clock_new(test, 0);
	unsigned long n;
	LIST_HEAD(due);

	nf_ovpn_wheel_add(&clock->wheel, &clock->entries[0].list, 0);
	nf_ovpn_wheel_turn(&clock->wheel, &due);
	KUNIT_EXPECT_FALSE(test, list_empty(&due));

	nf_ovpn_wheel_add(&clock->wheel, &clock->entries[1].list, ULONG_MAX);
	for (n = 1; n <= NF_OVPN_WHEEL_MAX; n++) {
		nf_ovpn_wheel_turn(&clock->wheel, &due);
		if (!list_empty(&due))
			break;
	}
	KUNIT_EXPECT_LE(test, n, NF_OVPN_WHEEL_MAX);
}

/* What was taken out does not come out any more. */
static void wheel_test_removed(struct kunit *test)
{
	struct clock *clock = clock_new(test, 60);
	unsigned int i, n = 0;
	struct entry *entry;
	LIST_HEAD(due);

	for (i = 0; i < ENTRIES; i++)
		set(clock, &clock->entries[i], 1 + i);
	for (i = 0; i < ENTRIES; i += 2)
		list_del(&clock->entries[i].list);
	for (i = 0; i < ENTRIES + NF_OVPN_WHEEL_SLOTS; i++) {
		nf_ovpn_wheel_turn(&clock->wheel, &due);
		clock->now++;
		while (!list_empty(&due)) {
			entry = list_first_entry(&due, struct entry, list);
			list_del(&entry->list);
			KUNIT_ASSERT_EQ(test, (entry - clock->entries) % 2, 1);
			if (entry->at > clock->now)
				nf_ovpn_wheel_add(&clock->wheel, &entry->list,
						  entry->at - clock->now);
			else
				n++;
		}
	}
	KUNIT_EXPECT_EQ(test, n, ENTRIES / 2);
}

/* Many entries for a long time: none is late, which turn() finds out, and the
 * work is what is due, on each level once, and not more because there are many.
 */
static void wheel_test_random(struct kunit *test)
{
	static const u32 spreads[] = { 3, 70, 5000, 86400 };
	unsigned int i, j, touched, due;
	struct clock *clock;
	struct rnd_state rnd;
	u32 seed;

	seed = nf_ovpn_kunit_seed(&rnd);
	for (i = 0; i < ARRAY_SIZE(spreads); i++) {
		clock = clock_new(test, ULONG_MAX - STEPS / 2);
		/* until the tick wraps, everything is compared by difference */
		clock->now = 0;
		for (j = 0; j < ENTRIES; j++)
			set(clock, &clock->entries[j],
			    1 + prandom_u32_state(&rnd) % spreads[i]);
		touched = 0;
		due = 0;
		for (j = 0; j < STEPS; j++) {
			touched += turn(test, clock, &rnd, seed, spreads[i],
					&due);
			if (due > 100 * ENTRIES)
				break;
		}
		KUNIT_EXPECT_GT_MSG(test, due, ENTRIES, "seed %u spread %u",
				    seed, spreads[i]);
		KUNIT_EXPECT_LE_MSG(test, touched, NF_OVPN_WHEEL_LEVELS *
				    (due + ENTRIES), "seed %u spread %u", seed,
				    spreads[i]);
	}
}

static struct kunit_case wheel_cases[] = {
	KUNIT_CASE(wheel_test_limits),
	KUNIT_CASE(wheel_test_clamp),
	KUNIT_CASE(wheel_test_removed),
	KUNIT_CASE(wheel_test_random),
	{}
};

static struct kunit_suite wheel_suite = {
	.name		= "nf_ovpn_wheel",
	.test_cases	= wheel_cases,
};

kunit_test_suite(wheel_suite);
