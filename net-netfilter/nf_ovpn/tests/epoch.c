// SPDX-License-Identifier: GPL-2.0
/* Epochs: known answers, and which epochs are accepted when. */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/rcupdate.h>

#ifdef MODULE
#include "../epoch.c"
#else
#include <linux/err.h>
#include "../key.h"
#endif

/* Those of OpenVPN's own unit tests, test_crypto.c */
static void epoch_test_expand(struct kunit *test)
{
	static const u8 secret[32] =
		"\x07\x77\x09\x36\x2c\x2e\x32\xdf\x0d\xdc\x3f\x0d\xc4\x7b\xba"
		"\x63\x90\xb6\xc7\x3b\xb5\x0f\x9c\x31\x22\xec\x84\x4a\xd7\xc2"
		"\xb3\xe5";
	static const u8 expected[16] =
		"\x18\x5e\xaa\x1c\x7f\x22\x8a\xb8"
		"\xeb\x29\x77\x32\x14\xd9\x20\x46";
	u8 out[16];

	KUNIT_EXPECT_EQ(test, 0, nf_ovpn_epoch_expand(secret, "unit test", out,
						      sizeof(out)));
	KUNIT_EXPECT_MEMEQ(test, out, expected, sizeof(out));
}

static const u8 key_up[32] = { 19, 12 };
static const u8 key_down[32] = { 0x55 };

static void epoch_key_free(void *key)
{
	nf_ovpn_key_free(key);
}

/* One end of a tunnel, which has sent and received up to these packet IDs */
static struct nf_ovpn_key *key_of(struct kunit *test,
				  enum nf_ovpn_cipher_alg alg, u16 key_bits,
				  bool client, u64 tx_id, u64 rx_id)
{
	const struct nf_ovpn_key_dir u = { .key = key_up, .key_len = 32 };
	const struct nf_ovpn_key_dir d = { .key = key_down, .key_len = 32 };
	const struct nf_ovpn_key_conf conf = {
		.alg		= alg,
		.epochs		= true,
		.key_bits	= key_bits,
		.tx		= client ? u : d,
		.rx		= client ? d : u,
		.tx_packet_id	= tx_id,
		.rx_packet_id	= rx_id,
	};
	struct nf_ovpn_key *key = nf_ovpn_key_new(&conf);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, key);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, epoch_key_free,
							   key));
	return key;
}

/* With this cipher nothing but packet IDs runs out. */
static struct nf_ovpn_key *end_new(struct kunit *test, bool client, u64 tx_id,
				   u64 rx_id)
{
	return key_of(test, NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305, 256, client,
		      tx_id, rx_id);
}

static struct nf_ovpn_key *gcm_new(struct kunit *test)
{
	return key_of(test, NF_OVPN_CIPHER_ALG_AES_GCM, 192, true, 0, 0);
}

#define ID(epoch, counter)	((u64)(epoch) << NF_OVPN_EPOCH_SHIFT | (counter))

/* Data key and IV of OpenVPN's unit tests */
static void epoch_test_derive(struct kunit *test)
{
	static const u8 raw[24] = "\xed\x85\x33\xdb\x1c\x28\xac\xe4"
				  "\x18\xe9\x00\x6a\xb2\x9c\x17\x41"
				  "\x7d\x60\xeb\xe6\xcd\x90\xbf\x0a";
	static const u8 iv[NF_OVPN_NONCE_SIZE] =
		"\x86\x89\x0a\xab\xf0\x32\xcb\x59\xf4\xcf\xa3\x4e";
	struct nf_ovpn_secret secret = {
		.key = raw, .key_len = sizeof(raw), .iv = iv,
	};
	struct nf_ovpn_key *key = gcm_new(test);
	struct nf_ovpn_tx_key *tx = rcu_dereference_raw(key->tx);
	struct nf_ovpn_text text = { .body = key_up, .body_len = sizeof(key_up) };
	u8 id[8] = { 0, 1, 0, 0, 0, 0, 0, 1 };
	u8 ours[32], theirs[32], tag[16], tag2[16];
	struct nf_ovpn_cipher *cipher;

	cipher = kunit_kzalloc(test, sizeof(*cipher), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cipher);
	KUNIT_ASSERT_EQ(test, 0,
			nf_ovpn_cipher_init(cipher, NF_OVPN_CIPHER_ALG_AES_GCM,
					    NF_OVPN_AUTH_ALG_NONE, &secret));
	nf_ovpn_cipher_seal(cipher, theirs, &text, tag2, id, 8, id, 8);
	nf_ovpn_cipher_seal(&tx->cipher, ours, &text, tag, id, 8, id, 8);
	KUNIT_EXPECT_MEMEQ(test, ours, theirs, sizeof(ours));
	KUNIT_EXPECT_MEMEQ(test, tag, tag2, sizeof(tag));
}

/* Take one packet ID, or the reason why there is none. */
static u64 take(struct nf_ovpn_key *key, u32 n)
{
	bool warn = false;
	u64 first = 0;

	rcu_read_lock();
	local_bh_disable();
	if (!nf_ovpn_key_reserve(key, n, 0, &first, &warn))
		first = 0;
	local_bh_enable();
	rcu_read_unlock();
	return first;
}

static bool accept(struct nf_ovpn_key *key, u64 id)
{
	bool ret;

	rcu_read_lock();
	local_bh_disable();
	ret = nf_ovpn_key_accept(key, id);
	local_bh_enable();
	rcu_read_unlock();
	return ret;
}

/* Whether what one end encrypts with, the other decrypts. */
static bool fits(struct nf_ovpn_key *from, struct nf_ovpn_key *to, u64 id)
{
	struct nf_ovpn_text text = { .body = key_up, .body_len = sizeof(key_up) };
	const struct nf_ovpn_tx_key *tx;
	const struct nf_ovpn_rx_key *rx;
	__be64 wire = cpu_to_be64(id);
	u8 tag[16], buf[32];
	bool ret = false;

	rcu_read_lock();
	tx = rcu_dereference(from->tx);
	rx = nf_ovpn_key_rx(to, id >> NF_OVPN_EPOCH_SHIFT);
	nf_ovpn_cipher_seal(&tx->cipher, buf, &text, tag, (u8 *)&wire, 8,
			    (u8 *)&wire, 8);
	if (rx)
		ret = nf_ovpn_cipher_open(&rx->cipher, buf, buf, sizeof(buf),
					  tag, (u8 *)&wire, 8, (u8 *)&wire, 8);
	rcu_read_unlock();
	return ret && !memcmp(buf, key_up, sizeof(buf));
}

/* The sender goes on, the receiver follows, in both directions. */
static void epoch_test_advance(struct kunit *test)
{
	struct nf_ovpn_key *client = end_new(test, true, 0, 0);
	struct nf_ovpn_key *server = end_new(test, false, 0, 0);
	u64 id;
	int i;

	for (i = 1; i < 40; i++) {
		id = take(client, 1);
		KUNIT_EXPECT_EQ(test, id, ID(i, 1));
		KUNIT_EXPECT_TRUE(test, fits(client, server, id));
		KUNIT_EXPECT_TRUE(test, accept(server, id));
		KUNIT_EXPECT_FALSE(test, accept(server, id));

		/* it sends in the same epoch from now on */
		id = take(server, 1);
		KUNIT_EXPECT_EQ(test, id, ID(i, 1));
		KUNIT_EXPECT_TRUE(test, fits(server, client, id));
		KUNIT_EXPECT_TRUE(test, accept(client, id));

		/* the counter of this epoch ends */
		atomic64_set(&rcu_dereference_raw(client->tx)->packet_id,
			     NF_OVPN_COUNTER_MAX);
	}
}

/* Four epochs ahead there is a key, and for the one before the current. */
static void epoch_test_window(struct kunit *test)
{
	struct nf_ovpn_key *key = end_new(test, true, 0, 0);

	KUNIT_EXPECT_FALSE(test, accept(key, ID(0, 1)));
	KUNIT_EXPECT_FALSE(test, accept(key, ID(6, 1)));
	KUNIT_EXPECT_TRUE(test, accept(key, ID(5, 1)));
	KUNIT_EXPECT_TRUE(test, accept(key, ID(1, 1)));
	KUNIT_EXPECT_FALSE(test, accept(key, ID(1, 1)));
	/* what was passed over is gone */
	KUNIT_EXPECT_FALSE(test, accept(key, ID(3, 1)));
	KUNIT_EXPECT_TRUE(test, accept(key, ID(9, 1)));
	KUNIT_EXPECT_TRUE(test, accept(key, ID(5, 2)));
	KUNIT_EXPECT_FALSE(test, accept(key, ID(1, 2)));
	KUNIT_EXPECT_FALSE(test, accept(key, ID(14, 1)));
	KUNIT_EXPECT_TRUE(test, accept(key, ID(9, NF_OVPN_COUNTER_MAX)));
	KUNIT_EXPECT_FALSE(test, accept(key, ID(9, NF_OVPN_COUNTER_MAX)));
}

/* A key goes on where another has left off, sender and receiver. */
static void epoch_test_restore(struct kunit *test)
{
	struct nf_ovpn_key *client = end_new(test, true, ID(300, 7), ID(299, 5));
	struct nf_ovpn_key *server = end_new(test, false, 0, ID(300, 0));
	u64 id = take(client, 3);

	KUNIT_EXPECT_EQ(test, id, ID(300, 8));
	KUNIT_EXPECT_TRUE(test, fits(client, server, id));
	KUNIT_EXPECT_FALSE(test, accept(client, ID(299, 5)));
	KUNIT_EXPECT_TRUE(test, accept(client, ID(299, 6)));
	/* what is sent is not of an older epoch than what is received */
	KUNIT_EXPECT_EQ(test, take(server, 1), ID(300, 1));
}

/* The last epoch ends, and nothing begins again. */
static void epoch_test_end(struct kunit *test)
{
	struct nf_ovpn_key *key = end_new(test, true,
					  ID(0xfffe, NF_OVPN_COUNTER_MAX - 1),
					  ID(0xfffe, 1));
	int i;

	KUNIT_EXPECT_EQ(test, take(key, 1), ID(0xfffe, NF_OVPN_COUNTER_MAX));
	KUNIT_EXPECT_EQ(test, take(key, 1), ID(0xffff, 1));
	KUNIT_EXPECT_TRUE(test, accept(key, ID(0xffff, 1)));
	atomic64_set(&rcu_dereference_raw(key->tx)->packet_id,
		     NF_OVPN_COUNTER_MAX);
	for (i = 1; i < 100; i++)
		KUNIT_EXPECT_EQ(test, take(key, i), 0);
}

/* Each epoch may be used for so much; a batch is all of one. */
static void epoch_test_usage(struct kunit *test)
{
	struct nf_ovpn_key *key = gcm_new(test);

	KUNIT_EXPECT_EQ(test, take(key, 5), ID(1, 1));
	atomic64_set(&rcu_dereference_raw(key->tx)->blocks, BIT_ULL(36));
	KUNIT_EXPECT_EQ(test, take(key, 5), ID(2, 1));
	KUNIT_EXPECT_EQ(test, take(key, 5), ID(2, 6));
	key = end_new(test, true, 0, 0);
	atomic64_set(&rcu_dereference_raw(key->tx)->packet_id,
		     NF_OVPN_COUNTER_MAX - 4);
	KUNIT_EXPECT_EQ(test, take(key, 5), ID(2, 1));
}

static void epoch_suite_exit(struct kunit_suite *suite)
{
	/* the callbacks of what was freed are in this module */
	rcu_barrier();
}

static struct kunit_case epoch_cases[] = {
	KUNIT_CASE(epoch_test_expand),
	KUNIT_CASE(epoch_test_derive),
	KUNIT_CASE(epoch_test_advance),
	KUNIT_CASE(epoch_test_window),
	KUNIT_CASE(epoch_test_restore),
	KUNIT_CASE(epoch_test_end),
	KUNIT_CASE(epoch_test_usage),
	{}
};

static struct kunit_suite epoch_suite = {
	.name		= "nf_ovpn_epoch",
	.suite_exit	= epoch_suite_exit,
	.test_cases	= epoch_cases,
};

kunit_test_suite(epoch_suite);
