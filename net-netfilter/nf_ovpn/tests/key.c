// SPDX-License-Identifier: GPL-2.0
/* Packet IDs of a key: in a row, told of once, and never again after the last. */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>

#ifdef MODULE
#include "../key.c"
#else
#include <linux/err.h>
#include "../key.h"
#endif

static const u8 material[32];

static const struct nf_ovpn_key_dir dir = {
	.key		= material,
	.key_len	= sizeof(material),
	.nonce_tail	= material,
};

static void key_free(void *key)
{
	nf_ovpn_key_free(key);
}

static struct nf_ovpn_key *key_new(struct kunit *test)
{
	struct nf_ovpn_key *key;

	key = nf_ovpn_key_new(NF_OVPN_CIPHER_ALG_AES_GCM, 5, &dir, &dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, key);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, key_free,
							   key));
	return key;
}

static void key_test_new(struct kunit *test)
{
	static const u8 lengths[] = { 0, 15, 16, 17, 23, 24, 31, 32 };
	static const struct nf_ovpn_key_dir bad = {
		.key = material, .key_len = 15, .nonce_tail = material,
	};
	struct nf_ovpn_key_dir good = dir;
	struct nf_ovpn_key *key;
	int i, err;

	key = key_new(test);
	KUNIT_EXPECT_EQ(test, key->key_id, 5);
	KUNIT_EXPECT_EQ(test, key->key_bits, 256);

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		good.key_len = lengths[i];
		err = lengths[i] && lengths[i] % 8 == 0 ? 0 : -EINVAL;
		key = nf_ovpn_key_new(NF_OVPN_CIPHER_ALG_AES_GCM, 0, &good,
				      &good);
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(key), err,
				    "AES, %u bytes", lengths[i]);
		if (!IS_ERR(key))
			nf_ovpn_key_free(key);

		err = lengths[i] == 32 ? 0 : -EINVAL;
		key = nf_ovpn_key_new(NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305, 0,
				      &good, &good);
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(key), err,
				    "ChaCha20, %u bytes", lengths[i]);
		if (!IS_ERR(key))
			nf_ovpn_key_free(key);
	}

	/* each direction is looked at */
	key = nf_ovpn_key_new(NF_OVPN_CIPHER_ALG_AES_GCM, 0, &dir, &bad);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(key), -EINVAL);
	key = nf_ovpn_key_new(NF_OVPN_CIPHER_ALG_AES_GCM, 0, &bad, &dir);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(key), -EINVAL);

	key = nf_ovpn_key_new((enum nf_ovpn_cipher_alg)99, 0, &dir, &dir);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(key), -EOPNOTSUPP);

	nf_ovpn_key_free(NULL);
}

static void key_test_batches(struct kunit *test)
{
	static const u32 batches[] = { 1, 1, 2, 64, 1, 1000, 3 };
	struct nf_ovpn_key *key = key_new(test);
	u32 next = 1, first;
	bool warn = false;
	int i;

	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		KUNIT_EXPECT_TRUE(test, nf_ovpn_key_reserve(key, batches[i],
							    &first, &warn));
		KUNIT_EXPECT_EQ(test, first, next);
		next += batches[i];
	}
	KUNIT_EXPECT_FALSE(test, warn);
}

static void key_test_warning(struct kunit *test)
{
	struct nf_ovpn_key *key = key_new(test);
	bool warn = false;
	u32 first;

	atomic64_set(&key->tx_packet_id, NF_OVPN_PACKET_ID_WARN - 2);
	KUNIT_EXPECT_TRUE(test, nf_ovpn_key_reserve(key, 1, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, NF_OVPN_PACKET_ID_WARN - 1);
	KUNIT_EXPECT_FALSE(test, warn);
	KUNIT_EXPECT_TRUE(test, nf_ovpn_key_reserve(key, 1, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, NF_OVPN_PACKET_ID_WARN);
	KUNIT_EXPECT_TRUE(test, warn);

	warn = false;
	KUNIT_EXPECT_TRUE(test, nf_ovpn_key_reserve(key, 1, &first, &warn));
	KUNIT_EXPECT_FALSE(test, warn);
	KUNIT_EXPECT_TRUE(test, nf_ovpn_key_reserve(key, 9, &first, &warn));
	KUNIT_EXPECT_FALSE(test, warn);

	/* a batch that begins before the number and ends behind it */
	key = key_new(test);
	atomic64_set(&key->tx_packet_id, NF_OVPN_PACKET_ID_WARN - 3);
	KUNIT_EXPECT_TRUE(test, nf_ovpn_key_reserve(key, 8, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, NF_OVPN_PACKET_ID_WARN - 2);
	KUNIT_EXPECT_TRUE(test, warn);
}

static void key_test_limit(struct kunit *test)
{
	struct nf_ovpn_key *key = key_new(test);
	bool warn = false;
	u32 first = 0;
	int i;

	/* up to the last ID there is */
	atomic64_set(&key->tx_packet_id, U32_MAX - 3ULL);
	KUNIT_EXPECT_TRUE(test, nf_ovpn_key_reserve(key, 2, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, U32_MAX - 2);
	KUNIT_EXPECT_TRUE(test, nf_ovpn_key_reserve(key, 1, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, U32_MAX);

	for (i = 0; i < 1000; i++)
		KUNIT_EXPECT_FALSE(test, nf_ovpn_key_reserve(key, 1 + i % 64,
							     &first, &warn));

	/* a batch that does not fit is the end, even if a smaller one would */
	key = key_new(test);
	atomic64_set(&key->tx_packet_id, U32_MAX - 1ULL);
	KUNIT_EXPECT_FALSE(test, nf_ovpn_key_reserve(key, 2, &first, &warn));
	KUNIT_EXPECT_FALSE(test, nf_ovpn_key_reserve(key, 1, &first, &warn));

	/* as often as 32 bits would need to come round */
	key = key_new(test);
	atomic64_set(&key->tx_packet_id, U32_MAX - 1ULL);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_FALSE(test, nf_ovpn_key_reserve(key, U32_MAX,
							     &first, &warn));
	KUNIT_EXPECT_FALSE(test, nf_ovpn_key_reserve(key, 1, &first, &warn));
}

#define THREADS	4
#define ROUNDS	100000	/* enough for them to meet */
#define BATCH	3
#define BEGIN	(NF_OVPN_PACKET_ID_WARN - THREADS * ROUNDS)

struct taker {
	struct nf_ovpn_key	*key;
	unsigned long		*seen;
	struct completion	*start;
	struct completion	done;
	int			refused, repeated, warned;
};

static int take(void *data)
{
	struct taker *taker = data;
	u32 first, batch;
	bool warn;
	int i;

	wait_for_completion(taker->start);
	for (i = 0; i < ROUNDS; i++) {
		warn = false;
		if (!nf_ovpn_key_reserve(taker->key, BATCH, &first, &warn)) {
			taker->refused++;
			continue;
		}
		taker->warned += warn;
		batch = (first - BEGIN) / BATCH;
		if (batch >= THREADS * ROUNDS || (first - BEGIN) % BATCH ||
		    test_and_set_bit(batch, taker->seen))
			taker->repeated++;
	}
	kthread_complete_and_exit(&taker->done, 0);
}

/* Several at once: no ID is given to two of them, none is left out, and one is
 * told that the end is near.
 */
static void key_test_parallel(struct kunit *test)
{
	struct nf_ovpn_key *key = key_new(test);
	struct completion *start;
	struct taker *takers;
	unsigned long *seen;
	int i, warned = 0;
	unsigned int cpu;

	takers = kunit_kcalloc(test, THREADS, sizeof(*takers), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, takers);
	start = kunit_kmalloc(test, sizeof(*start), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, start);
	seen = kunit_kcalloc(test, BITS_TO_LONGS(THREADS * ROUNDS),
			     sizeof(*seen), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);

	atomic64_set(&key->tx_packet_id, BEGIN - 1);
	init_completion(start);
	for (i = 0; i < THREADS; i++) {
		takers[i].key = key;
		takers[i].seen = seen;
		takers[i].start = start;
		init_completion(&takers[i].done);
		cpu = cpumask_nth(i % num_online_cpus(), cpu_online_mask);
		if (IS_ERR(kthread_run_on_cpu(take, &takers[i], cpu,
					      "nf_ovpn_kunit/%u"))) {
			complete(&takers[i].done);
			KUNIT_FAIL(test, "no thread %d", i);
		}
	}
	complete_all(start);
	for (i = 0; i < THREADS; i++)
		wait_for_completion(&takers[i].done);

	for (i = 0; i < THREADS; i++) {
		KUNIT_EXPECT_EQ(test, takers[i].refused, 0);
		KUNIT_EXPECT_EQ(test, takers[i].repeated, 0);
		warned += takers[i].warned;
	}
	KUNIT_EXPECT_EQ(test, bitmap_weight(seen, THREADS * ROUNDS),
			THREADS * ROUNDS);
	KUNIT_EXPECT_EQ(test, warned, 1);
}

static void key_suite_exit(struct kunit_suite *suite)
{
	/* the callbacks of nf_ovpn_key_free() are in this module */
	rcu_barrier();
}

static struct kunit_case key_cases[] = {
	KUNIT_CASE(key_test_new),
	KUNIT_CASE(key_test_batches),
	KUNIT_CASE(key_test_warning),
	KUNIT_CASE(key_test_limit),
	KUNIT_CASE(key_test_parallel),
	{}
};

static struct kunit_suite key_suite = {
	.name		= "nf_ovpn_key",
	.suite_exit	= key_suite_exit,
	.test_cases	= key_cases,
};

kunit_test_suite(key_suite);
