// SPDX-License-Identifier: GPL-2.0
/* Packet IDs of a key: in a row, told of once, and never again after the last. */
#include <kunit/test.h>
#include <linux/bottom_half.h>
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

static const struct nf_ovpn_key_conf conf = {
	.alg	= NF_OVPN_CIPHER_ALG_AES_GCM,
	.key_id	= 5,
	.tx	= { .key = material, .key_len = 32, .nonce_tail = material },
	.rx	= { .key = material, .key_len = 32, .nonce_tail = material },
};

static void key_free(void *key)
{
	nf_ovpn_key_free(key);
}

static struct nf_ovpn_key *key_new(struct kunit *test)
{
	struct nf_ovpn_key *key = nf_ovpn_key_new(&conf);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, key);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, key_free,
							   key));
	return key;
}

/* Make a key and forget it. */
static int try(enum nf_ovpn_cipher_alg alg, size_t tx_len, size_t rx_len)
{
	struct nf_ovpn_key_conf c = conf;
	struct nf_ovpn_key *key;

	c.alg = alg;
	c.tx.key_len = tx_len;
	c.rx.key_len = rx_len;
	key = nf_ovpn_key_new(&c);
	if (IS_ERR(key))
		return PTR_ERR(key);
	nf_ovpn_key_free(key);
	return 0;
}

static void key_test_new(struct kunit *test)
{
	static const u8 lengths[] = { 0, 15, 16, 17, 23, 24, 31, 32 };
	struct nf_ovpn_key *key = key_new(test);
	int i, len, err;

	KUNIT_EXPECT_EQ(test, key->key_id, 5);
	KUNIT_EXPECT_EQ(test, key->key_bits, 256);

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		len = lengths[i];
		err = len && len % 8 == 0 ? 0 : -EINVAL;
		KUNIT_EXPECT_EQ_MSG(test, try(NF_OVPN_CIPHER_ALG_AES_GCM, len,
					      len), err,
				    "AES, %u bytes", len);
		err = len == 32 ? 0 : -EINVAL;
		KUNIT_EXPECT_EQ_MSG(test,
				    try(NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305,
					len, len), err,
				    "ChaCha20, %u bytes", len);
	}

	/* each direction is looked at */
	KUNIT_EXPECT_EQ(test, try(NF_OVPN_CIPHER_ALG_AES_GCM, 32, 15), -EINVAL);
	KUNIT_EXPECT_EQ(test, try(NF_OVPN_CIPHER_ALG_AES_GCM, 15, 32), -EINVAL);

	KUNIT_EXPECT_EQ(test, try((enum nf_ovpn_cipher_alg)99, 32, 32),
			-EOPNOTSUPP);

	nf_ovpn_key_free(NULL);
}

/* Take packet IDs as the transmit path does. */
static bool reserve(struct nf_ovpn_key *key, u32 n, u64 bytes, u64 *first,
		    bool *warn)
{
	bool ret;

	rcu_read_lock();
	local_bh_disable();
	ret = nf_ovpn_key_reserve(key, n, bytes, first, warn);
	local_bh_enable();
	rcu_read_unlock();
	return ret;
}

/* The counter that packet IDs come from */
static atomic64_t *counter(struct nf_ovpn_key *key)
{
	return &rcu_dereference_raw(key->tx)->packet_id;
}

static void key_test_batches(struct kunit *test)
{
	static const u32 batches[] = { 1, 1, 2, 64, 1, 1000, 3 };
	struct nf_ovpn_key *key = key_new(test);
	u64 next = 1, first;
	bool warn = false;
	int i;

	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		KUNIT_EXPECT_TRUE(test, reserve(key, batches[i], 0, &first, &warn));
		KUNIT_EXPECT_EQ(test, first, next);
		next += batches[i];
	}
	KUNIT_EXPECT_FALSE(test, warn);
}

static void key_test_warning(struct kunit *test)
{
	struct nf_ovpn_key *key = key_new(test);
	bool warn = false;
	u64 first;

	atomic64_set(counter(key), NF_OVPN_PACKET_ID_WARN - 2);
	KUNIT_EXPECT_TRUE(test, reserve(key, 1, 0, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, NF_OVPN_PACKET_ID_WARN - 1);
	KUNIT_EXPECT_FALSE(test, warn);
	KUNIT_EXPECT_TRUE(test, reserve(key, 1, 0, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, NF_OVPN_PACKET_ID_WARN);
	KUNIT_EXPECT_TRUE(test, warn);

	warn = false;
	KUNIT_EXPECT_TRUE(test, reserve(key, 1, 0, &first, &warn));
	KUNIT_EXPECT_FALSE(test, warn);
	KUNIT_EXPECT_TRUE(test, reserve(key, 9, 0, &first, &warn));
	KUNIT_EXPECT_FALSE(test, warn);

	/* a batch that begins before the number and ends behind it */
	key = key_new(test);
	atomic64_set(counter(key), NF_OVPN_PACKET_ID_WARN - 3);
	KUNIT_EXPECT_TRUE(test, reserve(key, 8, 0, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, NF_OVPN_PACKET_ID_WARN - 2);
	KUNIT_EXPECT_TRUE(test, warn);
}

static void key_test_limit(struct kunit *test)
{
	struct nf_ovpn_key *key = key_new(test);
	bool warn = false;
	u64 first = 0;
	int i;

	/* up to the last ID there is */
	atomic64_set(counter(key), U32_MAX - 3ULL);
	KUNIT_EXPECT_TRUE(test, reserve(key, 2, 0, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, U32_MAX - 2);
	KUNIT_EXPECT_TRUE(test, reserve(key, 1, 0, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, U32_MAX);

	for (i = 0; i < 1000; i++)
		KUNIT_EXPECT_FALSE(test, reserve(key, 1 + i % 64, 0, &first, &warn));

	/* a batch that does not fit is the end, even if a smaller one would */
	key = key_new(test);
	atomic64_set(counter(key), U32_MAX - 1ULL);
	KUNIT_EXPECT_FALSE(test, reserve(key, 2, 0, &first, &warn));
	KUNIT_EXPECT_FALSE(test, reserve(key, 1, 0, &first, &warn));

	/* as often as 32 bits would need to come round */
	key = key_new(test);
	atomic64_set(counter(key), U32_MAX - 1ULL);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_FALSE(test, reserve(key, U32_MAX, 0, &first, &warn));
	KUNIT_EXPECT_FALSE(test, reserve(key, 1, 0, &first, &warn));
}

/* Bytes count with AES-GCM, where they are the first to run out. */
static void key_test_usage(struct kunit *test)
{
	const u64 blocks = BIT_ULL(36) / 8 * 7 - 2000;
	struct nf_ovpn_key_conf chacha = conf;
	struct nf_ovpn_key *key = key_new(test);
	bool warn = false;
	u64 first;

	KUNIT_EXPECT_TRUE(test, reserve(key, 1, blocks * 16, &first, &warn));
	KUNIT_EXPECT_FALSE(test, warn);
	KUNIT_EXPECT_TRUE(test, reserve(key, 2, 3000 * 16, &first, &warn));
	KUNIT_EXPECT_EQ(test, first, 2);
	KUNIT_EXPECT_TRUE(test, warn);
	warn = false;
	KUNIT_EXPECT_FALSE(test, reserve(key, 1, BIT_ULL(36) / 8 * 16, &first,
					 &warn));
	KUNIT_EXPECT_FALSE(test, warn);
	KUNIT_EXPECT_FALSE(test, reserve(key, 1, 1, &first, &warn));

	chacha.alg = NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305;
	key = nf_ovpn_key_new(&chacha);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, key);
	KUNIT_EXPECT_TRUE(test, reserve(key, 1, BIT_ULL(50), &first, &warn));
	KUNIT_EXPECT_TRUE(test, reserve(key, 1, BIT_ULL(50), &first, &warn));
	KUNIT_EXPECT_FALSE(test, warn);
	nf_ovpn_key_free(key);
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
	u64 first, batch;
	bool warn;
	int i;

	wait_for_completion(taker->start);
	for (i = 0; i < ROUNDS; i++) {
		warn = false;
		if (!reserve(taker->key, BATCH, 0, &first, &warn)) {
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

	atomic64_set(counter(key), BEGIN - 1);
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
	KUNIT_CASE(key_test_usage),
	KUNIT_CASE(key_test_parallel),
	{}
};

static struct kunit_suite key_suite = {
	.name		= "nf_ovpn_key",
	.suite_exit	= key_suite_exit,
	.test_cases	= key_cases,
};

kunit_test_suite(key_suite);
