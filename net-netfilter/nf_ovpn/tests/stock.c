// SPDX-License-Identifier: GPL-2.0
/* Known answers of stock OpenVPN: packets that it has sent, whole. They open,
 * and what is sealed with the same key and packet ID is the same packet.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/rcupdate.h>
#include <linux/unaligned.h>

#include "../key.h"

#define OP_LEN	4	/* opcode, key ID and peer ID of P_DATA_V2 */

struct stock_answer {
	const char		*name;
	enum nf_ovpn_cipher_alg	alg;
	enum nf_ovpn_auth_alg	auth;
	bool			epochs;
	u16			key_bits;
	const u8		*key;
	size_t			key_len;
	const u8		*auth_key;
	size_t			auth_key_len;
	const u8		*tail;
	const u8		*packet;
	size_t			packet_len;
};

#include "stock.h"

KUNIT_ARRAY_PARAM_DESC(stock, stock_answers, name);

static const u8 ping[] = {
	0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
	0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48
};

static void stock_key_free(void *key)
{
	nf_ovpn_key_free(key);
}

/* The client's key in both directions. */
static struct nf_ovpn_key *key_of(struct kunit *test,
				  const struct stock_answer *a)
{
	const struct nf_ovpn_key_dir dir = {
		.key		= a->key,
		.key_len	= a->key_len,
		.nonce_tail	= a->tail,
		.auth		= a->auth_key,
		.auth_len	= a->auth_key_len,
	};
	const struct nf_ovpn_key_conf conf = {
		.alg		= a->alg,
		.auth		= a->auth,
		.epochs		= a->epochs,
		.key_bits	= a->key_bits,
		.tx		= dir,
		.rx		= dir,
	};
	struct nf_ovpn_key *key = nf_ovpn_key_new(&conf);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, key);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stock_key_free,
							   key));
	return key;
}

static void check_aead(struct kunit *test, const struct stock_answer *a,
		       struct nf_ovpn_key *key)
{
	struct nf_ovpn_text text = { .body = ping, .body_len = sizeof(ping) };
	const u8 *id = a->packet + OP_LEN, *tag, *sealed;
	u8 plain[sizeof(ping)], again[sizeof(ping)], tag2[NF_OVPN_TAG_SIZE];
	struct nf_ovpn_rx_key *rx;
	struct nf_ovpn_tx_key *tx;
	size_t id_len = nf_ovpn_key_id_len(key);
	size_t ad_len = OP_LEN + id_len;
	u64 packet_id;

	KUNIT_ASSERT_EQ(test, a->packet_len, OP_LEN +
			nf_ovpn_key_head(key, NULL) + sizeof(ping) +
			nf_ovpn_key_tail(key, NULL, sizeof(ping)));
	sealed = id + nf_ovpn_key_head(key, NULL);
	tag = a->epochs ? sealed + sizeof(ping) : id + id_len;
	packet_id = a->epochs ? get_unaligned_be64(id) : get_unaligned_be32(id);

	rcu_read_lock();
	rx = nf_ovpn_key_rx(key, nf_ovpn_key_epoch(key, packet_id));
	tx = rcu_dereference(key->tx);
	if (rx) {
		KUNIT_EXPECT_TRUE(test, nf_ovpn_cipher_open(&rx->cipher, plain,
							    sealed,
							    sizeof(ping), tag,
							    a->packet, ad_len,
							    id, id_len));
		KUNIT_EXPECT_MEMEQ(test, plain, ping, sizeof(ping));
	}
	nf_ovpn_cipher_seal(&tx->cipher, again, &text, tag2, a->packet, ad_len,
			    id, id_len);
	rcu_read_unlock();

	KUNIT_EXPECT_NOT_NULL(test, rx);
	KUNIT_EXPECT_MEMEQ(test, again, sealed, sizeof(ping));
	KUNIT_EXPECT_MEMEQ(test, tag2, tag, sizeof(tag2));
}

/* The IV of a packet is random, so no other is like it. */
static void check_mac(struct kunit *test, const struct stock_answer *a,
		      struct nf_ovpn_key *key)
{
	size_t len = a->packet_len - OP_LEN;
	struct nf_ovpn_rx_key *rx;
	u8 *buf, *text = NULL;
	u32 packet_id = 0;

	buf = kunit_kmalloc(test, len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	memcpy(buf, a->packet + OP_LEN, len);

	rcu_read_lock();
	rx = nf_ovpn_key_rx(key, 0);
	if (rx && nf_ovpn_mac_open(&rx->cipher, buf, &len, &packet_id))
		text = buf + nf_ovpn_mac_head(&rx->cipher);
	rcu_read_unlock();

	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_EXPECT_NE(test, packet_id, 0);
	KUNIT_ASSERT_EQ(test, len, sizeof(ping));
	KUNIT_EXPECT_MEMEQ(test, text, ping, sizeof(ping));
}

static void stock_test_packet(struct kunit *test)
{
	const struct stock_answer *a = test->param_value;
	struct nf_ovpn_key *key = key_of(test, a);

	if (nf_ovpn_alg_is_aead(a->alg))
		check_aead(test, a, key);
	else
		check_mac(test, a, key);
}

static struct kunit_case stock_cases[] = {
	KUNIT_CASE_PARAM(stock_test_packet, stock_gen_params),
	{}
};

static struct kunit_suite stock_suite = {
	.name		= "nf_ovpn_stock",
	.test_cases	= stock_cases,
};

kunit_test_suite(stock_suite);
