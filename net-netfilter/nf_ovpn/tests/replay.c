// SPDX-License-Identifier: GPL-2.0
/* The replay window against a model that forgets nothing. */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/xarray.h>

#include "kunit.h"
#ifdef MODULE
#include "../replay.c"
#else
#include "../replay.h"
#endif

#define WINDOW	NF_OVPN_REPLAY_WINDOW
#define STEPS	4000

static bool accept(struct nf_ovpn_replay *replay, u64 id)
{
	bool ret;

	local_bh_disable();
	ret = nf_ovpn_replay_accept(replay, id);
	local_bh_enable();
	return ret;
}

static struct nf_ovpn_replay *replay_new(struct kunit *test)
{
	struct nf_ovpn_replay *replay;

	replay = kunit_kmalloc(test, sizeof(*replay), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, replay);
	/* nf_ovpn_replay_init() must not rely on zeroes */
	memset(replay, 0xa5, sizeof(*replay));
	nf_ovpn_replay_init(replay);
	return replay;
}

static void replay_test_first(struct kunit *test)
{
	struct nf_ovpn_replay *replay = replay_new(test);

	KUNIT_EXPECT_FALSE(test, accept(replay, 0));
	KUNIT_EXPECT_TRUE(test, accept(replay, 1));
	KUNIT_EXPECT_FALSE(test, accept(replay, 1));
	KUNIT_EXPECT_FALSE(test, accept(replay, 0));
	KUNIT_EXPECT_TRUE(test, accept(replay, 2));
}

/* The oldest ID that is still told from a repeated one, for each place that
 * the highest can have in its word.
 */
static void replay_test_edge(struct kunit *test)
{
	struct nf_ovpn_replay *replay;
	u32 i, highest;

	for (i = 0; i <= BITS_PER_LONG; i++) {
		replay = replay_new(test);
		highest = 10 * NF_OVPN_REPLAY_BITS + i;
		KUNIT_EXPECT_TRUE(test, accept(replay, highest));
		KUNIT_EXPECT_FALSE(test, accept(replay, highest - WINDOW));
		KUNIT_EXPECT_TRUE(test, accept(replay, highest - WINDOW + 1));
		KUNIT_EXPECT_FALSE(test, accept(replay, highest - WINDOW + 1));
		KUNIT_EXPECT_TRUE(test, accept(replay, highest + 1));
		KUNIT_EXPECT_FALSE(test, accept(replay, highest - WINDOW + 1));
		KUNIT_EXPECT_TRUE(test, accept(replay, highest - WINDOW + 2));
	}
}

/* All of the window, backwards, and then once more */
static void replay_test_backwards(struct kunit *test)
{
	struct nf_ovpn_replay *replay = replay_new(test);
	u32 highest = 5 * NF_OVPN_REPLAY_BITS + 17, i;

	for (i = 0; i < WINDOW; i++)
		KUNIT_EXPECT_TRUE(test, accept(replay, highest - i));
	for (i = 0; i < WINDOW; i++)
		KUNIT_EXPECT_FALSE(test, accept(replay, highest - i));
}

/* What a ring remembers of an earlier turn must be gone after a jump of any
 * length. Every ID of the first turn is taken, so that nothing is clear by
 * chance.
 */
static void replay_test_jump(struct kunit *test)
{
	static const u32 jumps[] = {
		1, 2, BITS_PER_LONG - 1, BITS_PER_LONG, BITS_PER_LONG + 1,
		WINDOW - 1, WINDOW, WINDOW + 1,
		NF_OVPN_REPLAY_BITS - 1, NF_OVPN_REPLAY_BITS,
		NF_OVPN_REPLAY_BITS + 1, 2 * NF_OVPN_REPLAY_BITS,
		3 * NF_OVPN_REPLAY_BITS + 1, 1U << 31,
		U32_MAX - 2 * NF_OVPN_REPLAY_BITS,
	};
	struct nf_ovpn_replay *replay;
	u32 last, to, id;
	int i;

	for (i = 0; i < ARRAY_SIZE(jumps); i++) {
		replay = replay_new(test);
		last = 2 * NF_OVPN_REPLAY_BITS;
		for (id = 1; id <= last; id++)
			accept(replay, id);

		to = last + jumps[i];
		KUNIT_EXPECT_TRUE_MSG(test, accept(replay, to), "jump %u",
				      jumps[i]);
		for (id = to - WINDOW + 1; id < to; id++)
			KUNIT_EXPECT_EQ_MSG(test, accept(replay, id), id > last,
					    "jump %u, ID %u", jumps[i], id);
	}
}

static void replay_test_end(struct kunit *test)
{
	struct nf_ovpn_replay *replay = replay_new(test);

	KUNIT_EXPECT_TRUE(test, accept(replay, U32_MAX - 1));
	KUNIT_EXPECT_TRUE(test, accept(replay, U32_MAX));
	KUNIT_EXPECT_FALSE(test, accept(replay, U32_MAX));
	KUNIT_EXPECT_FALSE(test, accept(replay, U32_MAX - 1));
	KUNIT_EXPECT_FALSE(test, accept(replay, U32_MAX - WINDOW));
	KUNIT_EXPECT_TRUE(test, accept(replay, U32_MAX - WINDOW + 1));
	/* nothing comes after it */
	KUNIT_EXPECT_FALSE(test, accept(replay, 0));
	KUNIT_EXPECT_FALSE(test, accept(replay, 1));
}

/* An ID as a network might deliver it: mostly near the highest, and now and
 * then anywhere.
 */
static u32 random_id(struct rnd_state *rnd, s64 highest)
{
	u32 r = prandom_u32_state(rnd);
	s64 id;

	switch (prandom_u32_state(rnd) % 64) {
	case 0 ... 29:
		id = highest + 1 + r % 3;
		break;
	case 30 ... 49:
		id = highest - r % WINDOW;
		break;
	case 50 ... 57:
		id = highest - WINDOW - 2 + r % 5;
		break;
	case 58 ... 60:
		id = highest + r % (2 * NF_OVPN_REPLAY_BITS);
		break;
	case 61:
		id = round_up(highest, BITS_PER_LONG) + r % 3 - 1;
		break;
	case 62:
		id = r % 3;
		break;
	default:
		/* rarely far, or the end would be reached at once */
		id = r % 16 ? highest : r;
	}
	return clamp_t(s64, id, 0, U32_MAX);
}

static void destroy(void *accepted)
{
	xa_destroy(accepted);
}

static void replay_test_random(struct kunit *test)
{
	static const u32 begin[] = {
		0, 1, WINDOW, 1U << 31, U32_MAX - 8 * NF_OVPN_REPLAY_BITS,
	};
	u32 highest, step, id, seed, news, i;
	struct nf_ovpn_replay *replay;
	struct xarray *accepted;
	struct rnd_state rnd;
	bool want, got;

	accepted = kunit_kmalloc(test, sizeof(*accepted), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, accepted);
	xa_init(accepted);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, destroy,
							   accepted));

	seed = nf_ovpn_kunit_seed(&rnd);
	for (i = 0; i < ARRAY_SIZE(begin); i++) {
		replay = replay_new(test);
		xa_destroy(accepted);
		highest = 0;
		news = 0;
		for (step = 0; step < STEPS; step++) {
			id = step ? random_id(&rnd, highest) : begin[i];
			want = id && (id > highest || highest - id < WINDOW) &&
			       !xa_load(accepted, id);
			got = accept(replay, id);
			KUNIT_ASSERT_EQ_MSG(test, got, want,
					    "seed %u from %u step %u: ID %u, highest %u",
					    seed, begin[i], step, id, highest);
			if (!want)
				continue;
			KUNIT_ASSERT_EQ(test, 0,
					xa_err(xa_store(accepted, id,
							xa_mk_value(1),
							GFP_KERNEL)));
			highest = max(highest, id);
			news++;
		}
		/* both answers were asked for */
		KUNIT_EXPECT_GT_MSG(test, news, STEPS / 20, "seed %u from %u",
				    seed, begin[i]);
		KUNIT_EXPECT_LT_MSG(test, news, STEPS - STEPS / 20,
				    "seed %u from %u", seed, begin[i]);
	}
}

static struct kunit_case replay_cases[] = {
	KUNIT_CASE(replay_test_first),
	KUNIT_CASE(replay_test_edge),
	KUNIT_CASE(replay_test_backwards),
	KUNIT_CASE(replay_test_jump),
	KUNIT_CASE(replay_test_end),
	KUNIT_CASE(replay_test_random),
	{}
};

static struct kunit_suite replay_suite = {
	.name		= "nf_ovpn_replay",
	.test_cases	= replay_cases,
};

kunit_test_suite(replay_suite);
