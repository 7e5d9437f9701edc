// SPDX-License-Identifier: GPL-2.0
/* AES-CBC with an HMAC, and none: known answers, and that what was sealed opens
 * again and nothing else does.
 *
 * The answers are those of OpenSSL 3:
 *	printf '\1\2\3\4%s' "$text" | openssl enc -aes-128-cbc -K $key -iv $iv
 *	openssl dgst -sha1 -mac HMAC -macopt hexkey:$auth
 */
#include <kunit/test.h>

#ifdef MODULE
#include "../mac.c"
#else
#include "../crypto.h"
#include <linux/string.h>
#endif

#define TEXT	"the payload of a packet, 35 bytes.."
#define IV	"\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"
#define LEN_MAX	200

static const u8 cipher_key[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
};

static const u8 auth_key[] = {
	0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47,
	0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f,
	0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57,
	0x58, 0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f
};

struct mac_answer {
	const char		*name;
	enum nf_ovpn_cipher_alg	alg;
	enum nf_ovpn_auth_alg	auth;
	size_t			key_len;
	size_t			auth_len;
	const u8		*sealed;
	size_t			len;
};

static const struct mac_answer answers[] = {
	{
		.name		= "AES-128-CBC, HMAC-SHA1",
		.alg		= NF_OVPN_CIPHER_ALG_AES_CBC,
		.auth		= NF_OVPN_AUTH_ALG_HMAC_SHA1,
		.key_len	= 16,
		.auth_len	= 20,
		.sealed		= "\xf9\xc6\x49\x77\x20\x9d\x20\xcf"
				  "\x0d\xe2\x3f\xac\x3e\x40\x0b\xeb"
				  "\x41\x86\x47\xe0" IV
				  "\x04\x73\x2c\x08\x92\x22\x29\x80"
				  "\x03\x38\x6a\xc6\x44\x1a\xfc\x4b"
				  "\xec\xce\xc6\xab\x18\x7b\x72\xf6"
				  "\xfd\x6b\x6c\x47\x13\x7f\xbe\x5e"
				  "\x8f\xc2\xf3\x6c\x50\x0f\x38\xa7"
				  "\xf1\xeb\x92\xae\x24\xd2\x32\xec",
		.len		= 20 + 16 + 48,
	},
	{
		.name		= "AES-256-CBC, HMAC-SHA256",
		.alg		= NF_OVPN_CIPHER_ALG_AES_CBC,
		.auth		= NF_OVPN_AUTH_ALG_HMAC_SHA256,
		.key_len	= 32,
		.auth_len	= 32,
		.sealed		= "\x94\x46\x91\xa6\x6d\x28\x65\xd4"
				  "\x24\x47\x31\xe7\x6c\x47\xea\x5f"
				  "\x0b\x7d\x70\xc4\x8f\xbd\x54\xa1"
				  "\x19\x63\xbc\x6e\xe6\x9d\x16\x3a" IV
				  "\x55\x5e\x14\x43\xf0\xbc\xf8\xc2"
				  "\x3c\x27\xb8\xef\x15\xcb\xb9\xe7"
				  "\x56\x0e\x73\x5b\xaf\xcc\x0a\x3b"
				  "\xa6\xea\xb1\xfc\xe2\x0a\xb1\x48"
				  "\xfe\xf4\x36\x62\x9f\x11\x71\xed"
				  "\x51\x2f\x44\x4d\xac\xd5\xfc\x3b",
		.len		= 32 + 16 + 48,
	},
	{
		.name		= "none, HMAC-SHA256",
		.alg		= NF_OVPN_CIPHER_ALG_NONE,
		.auth		= NF_OVPN_AUTH_ALG_HMAC_SHA256,
		.auth_len	= 32,
		.sealed		= "\x7f\xbd\x25\xe2\x94\x5f\xac\xf5"
				  "\x63\x27\x42\x8b\x42\x4d\x92\xd9"
				  "\x2c\xc0\x78\x81\xc1\x2f\x50\x2d"
				  "\x46\xbd\xaf\x60\x87\x8d\x4d\x94"
				  "\x01\x02\x03\x04" TEXT,
		.len		= 32 + 4 + sizeof(TEXT) - 1,
	},
	{
		.name		= "none at all",
		.alg		= NF_OVPN_CIPHER_ALG_NONE,
		.sealed		= "\x01\x02\x03\x04" TEXT,
		.len		= 4 + sizeof(TEXT) - 1,
	},
};

KUNIT_ARRAY_PARAM_DESC(answer, answers, name);

static struct nf_ovpn_cipher *cipher_new(struct kunit *test,
					 const struct mac_answer *a)
{
	const struct nf_ovpn_secret secret = {
		.key		= cipher_key,
		.key_len	= a->key_len,
		.auth		= auth_key,
		.auth_len	= a->auth_len,
	};
	struct nf_ovpn_cipher *cipher;

	cipher = kunit_kzalloc(test, sizeof(*cipher), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cipher);
	cipher->alg = a->alg;
	KUNIT_ASSERT_EQ(test, 0, nf_ovpn_mac_init(cipher, a->auth, &secret));
	return cipher;
}

static u8 *buffer(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, LEN_MAX + 100, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	return buf;
}

static void mac_test_answer(struct kunit *test)
{
	const struct mac_answer *a = test->param_value;
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	u8 *buf = buffer(test);
	size_t len = a->len;
	u32 id = 0;

	memcpy(buf, a->sealed, a->len);
	KUNIT_EXPECT_TRUE(test, nf_ovpn_mac_open(cipher, buf, &len, &id));
	KUNIT_EXPECT_EQ(test, id, 0x01020304);
	KUNIT_ASSERT_EQ(test, len, sizeof(TEXT) - 1);
	KUNIT_EXPECT_MEMEQ(test, buf + nf_ovpn_mac_head(cipher), TEXT, len);
}

/* Every length opens again; nothing behind it is touched; the longest text that
 * is said to fit does, and none longer.
 */
static void mac_test_lengths(struct kunit *test)
{
	const struct mac_answer *a = test->param_value;
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	size_t head = nf_ovpn_mac_head(cipher), len, all, back;
	u8 *buf = buffer(test), *plain = buffer(test);
	u32 id;
	int i;

	for (i = 0; i < LEN_MAX; i++)
		plain[i] = i * 7;

	for (len = 0; len <= LEN_MAX; len++) {
		all = head + len + nf_ovpn_mac_tail(cipher, len);
		memset(buf, 0x5a, LEN_MAX + 100);
		memcpy(buf + head, plain, len);
		nf_ovpn_mac_seal(cipher, buf, len, len + 1);
		KUNIT_EXPECT_EQ_MSG(test, buf[all], 0x5a, "length %zu", len);

		KUNIT_EXPECT_GE(test, nf_ovpn_mac_fit(cipher, all), len);
		if (len)
			KUNIT_EXPECT_LT(test, nf_ovpn_mac_fit(cipher, head +
							      len - 1), len);

		back = all;
		KUNIT_EXPECT_TRUE_MSG(test,
				      nf_ovpn_mac_open(cipher, buf, &back, &id),
				      "length %zu", len);
		KUNIT_EXPECT_EQ(test, back, len);
		KUNIT_EXPECT_EQ(test, id, len + 1);
		KUNIT_EXPECT_MEMEQ_MSG(test, buf + head, plain, len,
				       "length %zu", len);
	}
}

/* One bit of any byte changed, or any byte less, and it does not open. */
static void mac_test_tamper(struct kunit *test)
{
	const struct mac_answer *a = test->param_value;
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	u8 *buf = buffer(test);
	size_t i, len;
	u32 id;

	if (!a->auth_len)
		kunit_skip(test, "nothing authenticates");
	for (i = 0; i < a->len; i++) {
		memcpy(buf, a->sealed, a->len);
		buf[i] ^= 1 << i % 8;
		len = a->len;
		KUNIT_EXPECT_FALSE_MSG(test,
				       nf_ovpn_mac_open(cipher, buf, &len, &id),
				       "byte %zu", i);
		memcpy(buf, a->sealed, a->len);
		len = i;
		KUNIT_EXPECT_FALSE_MSG(test,
				       nf_ovpn_mac_open(cipher, buf, &len, &id),
				       "length %zu", i);
	}
}

/* What a peer with the key can do: padding that is none. The last byte of the
 * IV or of a block of ciphertext changes that of the next block alone.
 */
static void mac_test_padding(struct kunit *test)
{
	struct nf_ovpn_cipher *cipher = cipher_new(test, &answers[0]);
	size_t head = 20 + 16, len;
	u8 *buf = buffer(test);
	int i, opened = 0;
	u32 id;

	for (i = 0; i < 256; i++) {
		/* a text of 11 bytes fills the block up to one of padding */
		memset(buf + head + 4, 0, 11);
		nf_ovpn_mac_seal(cipher, buf, 11, 1);
		buf[head - 1] ^= i;
		hmac_sha1_usingrawkey(auth_key, 20, buf + 20, 32, buf);
		len = head + 16;
		opened += nf_ovpn_mac_open(cipher, buf, &len, &id);
	}
	/* one byte with 1, and none other: the text before it is zero */
	KUNIT_EXPECT_EQ(test, opened, 1);
}

static void mac_test_lengths_of_keys(struct kunit *test)
{
	struct nf_ovpn_secret secret = {
		.key = cipher_key, .key_len = 16, .auth = auth_key,
	};
	struct nf_ovpn_cipher *cipher = cipher_new(test, &answers[0]);

	for (secret.auth_len = 0; secret.auth_len <= 32; secret.auth_len++) {
		KUNIT_EXPECT_EQ(test, secret.auth_len == 20 ? 0 : -EBADMSG,
				nf_ovpn_mac_init(cipher,
						 NF_OVPN_AUTH_ALG_HMAC_SHA1,
						 &secret));
		KUNIT_EXPECT_EQ(test, secret.auth_len == 32 ? 0 : -EBADMSG,
				nf_ovpn_mac_init(cipher,
						 NF_OVPN_AUTH_ALG_HMAC_SHA256,
						 &secret));
	}
	secret.auth_len = 20;
	for (secret.key_len = 0; secret.key_len <= 32; secret.key_len++)
		KUNIT_EXPECT_EQ(test,
				secret.key_len && secret.key_len % 8 == 0 &&
				secret.key_len != 8 ? 0 : -EINVAL,
				nf_ovpn_mac_init(cipher,
						 NF_OVPN_AUTH_ALG_HMAC_SHA1,
						 &secret));
}

static struct kunit_case mac_cases[] = {
	KUNIT_CASE_PARAM(mac_test_answer, answer_gen_params),
	KUNIT_CASE_PARAM(mac_test_lengths, answer_gen_params),
	KUNIT_CASE_PARAM(mac_test_tamper, answer_gen_params),
	KUNIT_CASE(mac_test_padding),
	KUNIT_CASE(mac_test_lengths_of_keys),
	{}
};

static struct kunit_suite mac_suite = {
	.name		= "nf_ovpn_mac",
	.test_cases	= mac_cases,
};

kunit_test_suite(mac_suite);
