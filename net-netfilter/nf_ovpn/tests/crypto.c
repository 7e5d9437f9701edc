// SPDX-License-Identifier: GPL-2.0
/* The ciphers: known answers, and that what was sealed opens again and nothing
 * else does.
 */
#include <kunit/test.h>

#include "kunit.h"
#ifdef MODULE
#include "../crypto.c"
#include "../gcm.c"
#else
#include "../crypto.h"
#endif

#define LEN_MAX	300
#define AD_LEN	8	/* opcode, peer ID and packet ID of P_DATA_V2 */

/* Nonces are packet ID and tail in a row, so any vector with 96 bits will do. */
struct answer {
	const char	*name;
	enum nf_ovpn_cipher_alg	alg;
	const u8	*key;
	size_t		key_len;
	u32		packet_id;
	const u8	*tail;
	const u8	*ad;
	size_t		ad_len;
	const u8	*plain;
	const u8	*sealed;
	size_t		len;
	const u8	*tag;
};

#define GCM_KEY	\
	"\xfe\xff\xe9\x92\x86\x65\x73\x1c\x6d\x6a\x8f\x94\x67\x30\x83\x08"
static const u8 gcm_tail[] = "\xfa\xce\xdb\xad\xde\xca\xf8\x88";
static const u8 gcm_ad[20] = "\xfe\xed\xfa\xce\xde\xad\xbe\xef"
			     "\xfe\xed\xfa\xce\xde\xad\xbe\xef"
			     "\xab\xad\xda\xd2";
static const u8 gcm_plain[60] = "\xd9\x31\x32\x25\xf8\x84\x06\xe5"
				"\xa5\x59\x09\xc5\xaf\xf5\x26\x9a"
				"\x86\xa7\xa9\x53\x15\x34\xf7\xda"
				"\x2e\x4c\x30\x3d\x8a\x31\x8a\x72"
				"\x1c\x3c\x0c\x95\x95\x68\x09\x53"
				"\x2f\xcf\x0e\x24\x49\xa6\xb5\x25"
				"\xb1\x6a\xed\xf5\xaa\x0d\xe6\x57"
				"\xba\x63\x7b\x39";

static const struct answer answers[] = {
	{
		.name		= "AES-128-GCM, McGrew and Viega, 4",
		.alg		= NF_OVPN_CIPHER_ALG_AES_GCM,
		.key		= GCM_KEY,
		.key_len	= 16,
		.packet_id	= 0xcafebabe,
		.tail		= gcm_tail,
		.ad		= gcm_ad,
		.ad_len		= sizeof(gcm_ad),
		.plain		= gcm_plain,
		.len		= sizeof(gcm_plain),
		.sealed		= "\x42\x83\x1e\xc2\x21\x77\x74\x24"
				  "\x4b\x72\x21\xb7\x84\xd0\xd4\x9c"
				  "\xe3\xaa\x21\x2f\x2c\x02\xa4\xe0"
				  "\x35\xc1\x7e\x23\x29\xac\xa1\x2e"
				  "\x21\xd5\x14\xb2\x54\x66\x93\x1c"
				  "\x7d\x8f\x6a\x5a\xac\x84\xaa\x05"
				  "\x1b\xa3\x0b\x39\x6a\x0a\xac\x97"
				  "\x3d\x58\xe0\x91",
		.tag		= "\x5b\xc9\x4f\xbc\x32\x21\xa5\xdb"
				  "\x94\xfa\xe9\x5a\xe7\x12\x1a\x47",
	},
	{
		.name		= "AES-192-GCM, McGrew and Viega, 10",
		.alg		= NF_OVPN_CIPHER_ALG_AES_GCM,
		.key		= GCM_KEY GCM_KEY,
		.key_len	= 24,
		.packet_id	= 0xcafebabe,
		.tail		= gcm_tail,
		.ad		= gcm_ad,
		.ad_len		= sizeof(gcm_ad),
		.plain		= gcm_plain,
		.len		= sizeof(gcm_plain),
		.sealed		= "\x39\x80\xca\x0b\x3c\x00\xe8\x41"
				  "\xeb\x06\xfa\xc4\x87\x2a\x27\x57"
				  "\x85\x9e\x1c\xea\xa6\xef\xd9\x84"
				  "\x62\x85\x93\xb4\x0c\xa1\xe1\x9c"
				  "\x7d\x77\x3d\x00\xc1\x44\xc5\x25"
				  "\xac\x61\x9d\x18\xc8\x4a\x3f\x47"
				  "\x18\xe2\x44\x8b\x2f\xe3\x24\xd9"
				  "\xcc\xda\x27\x10",
		.tag		= "\x25\x19\x49\x8e\x80\xf1\x47\x8f"
				  "\x37\xba\x55\xbd\x6d\x27\x61\x8c",
	},
	{
		.name		= "AES-256-GCM, McGrew and Viega, 16",
		.alg		= NF_OVPN_CIPHER_ALG_AES_GCM,
		.key		= GCM_KEY GCM_KEY,
		.key_len	= 32,
		.packet_id	= 0xcafebabe,
		.tail		= gcm_tail,
		.ad		= gcm_ad,
		.ad_len		= sizeof(gcm_ad),
		.plain		= gcm_plain,
		.len		= sizeof(gcm_plain),
		.sealed		= "\x52\x2d\xc1\xf0\x99\x56\x7d\x07"
				  "\xf4\x7f\x37\xa3\x2a\x84\x42\x7d"
				  "\x64\x3a\x8c\xdc\xbf\xe5\xc0\xc9"
				  "\x75\x98\xa2\xbd\x25\x55\xd1\xaa"
				  "\x8c\xb0\x8e\x48\x59\x0d\xbb\x3d"
				  "\xa7\xb0\x8b\x10\x56\x82\x88\x38"
				  "\xc5\xf6\x1e\x63\x93\xba\x7a\x0a"
				  "\xbc\xc9\xf6\x62",
		.tag		= "\x76\xfc\x6e\xce\x0f\x4e\x17\x68"
				  "\xcd\xdf\x88\x53\xbb\x2d\x55\x1b",
	},
	{
		.name		= "ChaCha20-Poly1305, RFC 8439, 2.8.2",
		.alg		= NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305,
		.key		= "\x80\x81\x82\x83\x84\x85\x86\x87"
				  "\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f"
				  "\x90\x91\x92\x93\x94\x95\x96\x97"
				  "\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f",
		.key_len	= 32,
		.packet_id	= 0x07000000,
		.tail		= "\x40\x41\x42\x43\x44\x45\x46\x47",
		.ad		= "\x50\x51\x52\x53\xc0\xc1\xc2\xc3"
				  "\xc4\xc5\xc6\xc7",
		.ad_len		= 12,
		.plain		=
"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
		.sealed		= "\xd3\x1a\x8d\x34\x64\x8e\x60\xdb"
				  "\x7b\x86\xaf\xbc\x53\xef\x7e\xc2"
				  "\xa4\xad\xed\x51\x29\x6e\x08\xfe"
				  "\xa9\xe2\xb5\xa7\x36\xee\x62\xd6"
				  "\x3d\xbe\xa4\x5e\x8c\xa9\x67\x12"
				  "\x82\xfa\xfb\x69\xda\x92\x72\x8b"
				  "\x1a\x71\xde\x0a\x9e\x06\x0b\x29"
				  "\x05\xd6\xa5\xb6\x7e\xcd\x3b\x36"
				  "\x92\xdd\xbd\x7f\x2d\x77\x8b\x8c"
				  "\x98\x03\xae\xe3\x28\x09\x1b\x58"
				  "\xfa\xb3\x24\xe4\xfa\xd6\x75\x94"
				  "\x55\x85\x80\x8b\x48\x31\xd7\xbc"
				  "\x3f\xf4\xde\xf0\x8e\x4b\x7a\x9d"
				  "\xe5\x76\xd2\x65\x86\xce\xc6\x4b"
				  "\x61\x16",
		.len		= 114,
		.tag		= "\x1a\xe1\x0b\x59\x4f\x09\xe2\x6a"
				  "\x7e\x90\x2e\xcb\xd0\x60\x06\x91",
	},
};

KUNIT_ARRAY_PARAM_DESC(answer, answers, name);

static struct nf_ovpn_cipher *cipher_new(struct kunit *test,
					 const struct answer *a)
{
	u8 iv[NF_OVPN_NONCE_SIZE] = {};
	const struct nf_ovpn_secret secret = {
		.key = a->key, .key_len = a->key_len, .iv = iv,
	};
	struct nf_ovpn_cipher *cipher;

	memcpy(iv + 4, a->tail, NF_OVPN_NONCE_TAIL_SIZE);
	cipher = kunit_kmalloc(test, sizeof(*cipher), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cipher);
	KUNIT_ASSERT_EQ(test, 0, nf_ovpn_cipher_init(cipher, a->alg,
						     NF_OVPN_AUTH_ALG_NONE,
						     &secret));
	return cipher;
}

static u8 *buffer(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, LEN_MAX + 1, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	return buf;
}

static void seal(const struct nf_ovpn_cipher *cipher, u8 *dst, const u8 *src,
		 size_t len, u8 *tag, const u8 *ad, size_t ad_len, __be32 id)
{
	struct nf_ovpn_text text = { .body = src, .body_len = len };

	nf_ovpn_cipher_seal(cipher, dst, &text, tag, ad, ad_len,
			    (const u8 *)&id, sizeof(id));
}

static bool open(const struct nf_ovpn_cipher *cipher, u8 *dst, const u8 *src,
		 size_t len, const u8 *tag, const u8 *ad, size_t ad_len,
		 __be32 id)
{
	return nf_ovpn_cipher_open(cipher, dst, src, len, tag, ad, ad_len,
				   (const u8 *)&id, sizeof(id));
}

static void crypto_test_answer(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	__be32 id = cpu_to_be32(a->packet_id);
	u8 tag[NF_OVPN_TAG_SIZE];
	u8 *buf = buffer(test);

	seal(cipher, buf, a->plain, a->len, tag, a->ad, a->ad_len, id);
	KUNIT_EXPECT_MEMEQ(test, buf, a->sealed, a->len);
	KUNIT_EXPECT_MEMEQ(test, tag, a->tag, sizeof(tag));

	memset(buf, 0, LEN_MAX);
	KUNIT_EXPECT_TRUE(test, open(cipher, buf, a->sealed,
				     a->len, a->tag, a->ad,
				     a->ad_len, id));
	KUNIT_EXPECT_MEMEQ(test, buf, a->plain, a->len);
}

/* Every length, in place and apart, at an address that is not aligned. What
 * lies behind the text is not touched.
 */
static void crypto_test_lengths(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	u8 *plain = buffer(test), *apart = buffer(test);
	u8 tag[NF_OVPN_TAG_SIZE], tag2[NF_OVPN_TAG_SIZE];
	u8 *place = buffer(test) + 1;
	__be32 id;
	int len;

	for (len = 0; len < LEN_MAX; len++)
		plain[len] = len * 7 + len / 256;

	for (len = 0; len <= LEN_MAX; len++) {
		id = cpu_to_be32(len + 1);
		memset(apart, 0x5a, LEN_MAX + 1);
		seal(cipher, apart, plain, len, tag, a->ad, AD_LEN, id);
		KUNIT_EXPECT_EQ_MSG(test, apart[len], 0x5a, "length %d", len);

		memcpy(place, plain, len);
		seal(cipher, place, place, len, tag2, a->ad, AD_LEN, id);
		KUNIT_EXPECT_MEMEQ_MSG(test, place, apart, len, "length %d",
				       len);
		KUNIT_EXPECT_MEMEQ_MSG(test, tag2, tag, sizeof(tag),
				       "length %d", len);
		/* this many bytes are not left as they were by chance */
		if (len >= 8)
			KUNIT_EXPECT_MEMNEQ_MSG(test, place, plain, len,
						"length %d", len);

		KUNIT_EXPECT_TRUE_MSG(test,
				      open(cipher, place, place,
					   len, tag, a->ad,
					   AD_LEN, id),
				      "length %d", len);
		KUNIT_EXPECT_MEMEQ_MSG(test, place, plain, len, "length %d",
				       len);

		memset(place, 0xa5, LEN_MAX);
		KUNIT_EXPECT_TRUE_MSG(test,
				      open(cipher, place, apart,
					   len, tag, a->ad,
					   AD_LEN, id),
				      "length %d", len);
		KUNIT_EXPECT_MEMEQ_MSG(test, place, plain, len, "length %d",
				       len);
		if (len < LEN_MAX)
			KUNIT_EXPECT_EQ_MSG(test, place[len], 0xa5,
					    "length %d", len);
	}
}

/* A text in two places gives what the same text in one place gives, wherever
 * it is parted, with its second part in place and apart.
 */
static void crypto_test_parts(struct kunit *test)
{
	static const int lengths[] = { 0, 1, 127, 128, 129, 191, 192, 193, 300 };
	const struct answer *a = test->param_value;
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	u8 *plain = buffer(test), *whole = buffer(test), *out = buffer(test);
	u8 tag[NF_OVPN_TAG_SIZE], tag2[NF_OVPN_TAG_SIZE];
	const __be32 first = htonl(1);
	struct nf_ovpn_text text;
	int i, j, len, head;

	for (i = 0; i < LEN_MAX; i++)
		plain[i] = i * 7 + i / 256;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		len = lengths[i];
		seal(cipher, whole, plain, len, tag, a->ad, AD_LEN, first);

		for (j = 0; j <= 2 * min(len, NF_OVPN_TEXT_HEAD_MAX) + 1; j++) {
			head = j / 2;
			memset(out, 0x5a, LEN_MAX + 1);
			text.head = plain;
			text.head_len = head;
			text.body = plain + head;
			text.body_len = len - head;
			if (j & 1) {
				memcpy(out + head, plain + head, len - head);
				text.body = out + head;
			}
			nf_ovpn_cipher_seal(cipher, out, &text, tag2, a->ad,
					    AD_LEN, (const u8 *)&first,
					    sizeof(first));
			KUNIT_EXPECT_MEMEQ_MSG(test, out, whole, len,
					       "length %d, parted at %d, %s",
					       len, head,
					       j & 1 ? "in place" : "apart");
			KUNIT_EXPECT_MEMEQ_MSG(test, tag2, tag, sizeof(tag),
					       "length %d, parted at %d", len,
					       head);
			KUNIT_EXPECT_EQ(test, out[len], 0x5a);
		}
	}
}

struct packet {
	u8	ad[AD_LEN];
	u8	text[100];
	u8	tag[NF_OVPN_TAG_SIZE];
	__be32	id;
};

/* One bit of any byte changed, of the packet ID too, and it does not open. */
static void crypto_test_tamper(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	struct packet *packet;
	u8 *out = buffer(test);
	u8 *byte, bit;
	int i;

	packet = kunit_kzalloc(test, sizeof(*packet), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, packet);
	memcpy(packet->ad, a->ad, AD_LEN);
	packet->id = cpu_to_be32(a->packet_id);
	seal(cipher, packet->text, packet->text, sizeof(packet->text),
	     packet->tag, packet->ad, AD_LEN, packet->id);

	for (i = 0; i < sizeof(*packet); i++) {
		byte = (u8 *)packet + i;
		bit = 1 << i % 8;
		*byte ^= bit;
		KUNIT_EXPECT_FALSE_MSG(test,
				       open(cipher, out,
					    packet->text,
					    sizeof(packet->text),
					    packet->tag,
					    packet->ad, AD_LEN,
					    packet->id),
				       "byte %d", i);
		*byte ^= bit;
	}

	/* nor without its last byte, nor with less to authenticate */
	KUNIT_EXPECT_FALSE(test,
			   open(cipher, out, packet->text,
				sizeof(packet->text) - 1,
				packet->tag, packet->ad, AD_LEN,
				packet->id));
	KUNIT_EXPECT_FALSE(test,
			   open(cipher, out, packet->text,
				sizeof(packet->text),
				packet->tag, packet->ad,
				AD_LEN - 1, packet->id));

	KUNIT_EXPECT_TRUE(test,
			  open(cipher, out, packet->text,
			       sizeof(packet->text), packet->tag,
			       packet->ad, AD_LEN, packet->id));
}

/* What can stand in for the library's AES-GCM: the best there is, and the
 * library itself behind the same interface, which is there always.
 */
static const struct gcm_driver {
	const char *name;
	const char *driver;
} gcms[] = {
	{ "the best", NULL },
	{ "the library", "gcm-aes-lib" },
};

KUNIT_ARRAY_PARAM_DESC(gcm, gcms, name);

static void gcm_release(void *cipher)
{
	nf_ovpn_cipher_destroy(cipher);
}

/* Where @packet has its parts: all in memory of the linear mapping */
#define GCM_AD		0
#define GCM_TAG		(GCM_AD + AD_LEN)
#define GCM_TEXT	(GCM_TAG + NF_OVPN_TAG_SIZE)
#define GCM_LEN_MAX	(LEN_MAX - GCM_TEXT)

/* It gives what the library gives, for every length of both parts of a text, and
 * takes nothing else.
 */
static void crypto_test_gcm(struct kunit *test)
{
	const struct gcm_driver *gcm = test->param_value;
	const struct answer *a = &answers[0];
	struct nf_ovpn_cipher *library = cipher_new(test, a);
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	u8 *plain = buffer(test), *packet = buffer(test);
	u8 *expected = buffer(test), *out = buffer(test);
	struct nf_ovpn_text text;
	size_t head, len;
	__be32 id;

	KUNIT_ASSERT_TRUE(test, a->alg == NF_OVPN_CIPHER_ALG_AES_GCM);
	cipher->aead = nf_ovpn_gcm_new(gcm->driver, a->key, a->key_len);
	if (!cipher->aead)
		kunit_skip(test, "no implementation but the library's");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, gcm_release,
							   cipher));

	for (len = 0; len < GCM_LEN_MAX; len++)
		plain[len] = len * 5 + 1;
	for (len = 0; len <= GCM_LEN_MAX; len++) {
		head = min(len * 7 % (NF_OVPN_TEXT_HEAD_MAX + 1), len);
		text = (struct nf_ovpn_text) {
			.head = plain, .head_len = head,
			.body = plain + head, .body_len = len - head,
		};
		id = cpu_to_be32(len + 1);
		memcpy(expected + GCM_AD, "associat", AD_LEN);
		memcpy(packet + GCM_AD, "associat", AD_LEN);
		memset(packet + GCM_TAG, 0x5a, LEN_MAX + 1 - GCM_TAG);

		nf_ovpn_cipher_seal(library, expected + GCM_TEXT, &text,
				    expected + GCM_TAG, expected, AD_LEN,
				    (const u8 *)&id, sizeof(id));
		nf_ovpn_cipher_seal(cipher, packet + GCM_TEXT, &text,
				    packet + GCM_TAG, packet, AD_LEN,
				    (const u8 *)&id, sizeof(id));
		KUNIT_EXPECT_MEMEQ_MSG(test, packet, expected, GCM_TEXT + len,
				       "length %zu", len);
		KUNIT_EXPECT_EQ_MSG(test, packet[GCM_TEXT + len], 0x5a,
				    "length %zu", len);

		memset(out, 0x5a, LEN_MAX + 1);
		KUNIT_EXPECT_TRUE_MSG(test,
				      open(cipher, out, packet + GCM_TEXT, len,
					   packet + GCM_TAG, packet, AD_LEN, id),
				      "length %zu", len);
		KUNIT_EXPECT_MEMEQ_MSG(test, out, plain, len, "length %zu", len);
		KUNIT_EXPECT_EQ_MSG(test, out[len], 0x5a, "length %zu", len);

		packet[len * 3 % (GCM_TEXT + len)] ^= 1;
		KUNIT_EXPECT_FALSE_MSG(test,
				       open(cipher, packet + GCM_TEXT,
					    packet + GCM_TEXT, len,
					    packet + GCM_TAG, packet, AD_LEN,
					    id),
				       "length %zu", len);
	}
}

/* What cryptography alone takes: packets of full size, with the headers in a
 * place of their own, both ways.
 */
#define BENCH_LEN	1420
#define BENCH_HEAD	52
#define BENCH_RUNS	20000

static void benchmark(struct kunit *test, const struct nf_ovpn_cipher *cipher,
		      const char *which)
{
	const struct answer *a = test->param_value;
	u8 *plain, *packet, *tag, *out;
	struct nf_ovpn_text text;
	bool ok = true;
	u64 seal, open;
	__be32 id = 0;
	int i;

	plain = kunit_kzalloc(test, 4 * SZ_2K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, plain);
	packet = plain + SZ_2K;
	out = packet + SZ_2K;
	tag = out + SZ_2K;
	text = (struct nf_ovpn_text) {
		.head = plain, .head_len = BENCH_HEAD,
		.body = plain + BENCH_HEAD, .body_len = BENCH_LEN - BENCH_HEAD,
	};

	preempt_disable();
	seal = ktime_get_ns();
	for (i = 0; i < BENCH_RUNS; i++)
		nf_ovpn_cipher_seal(cipher, packet, &text, tag, plain, AD_LEN,
				    (const u8 *)&id, sizeof(id));
	seal = ktime_get_ns() - seal;
	open = ktime_get_ns();
	for (i = 0; i < BENCH_RUNS; i++)
		ok &= nf_ovpn_cipher_open(cipher, out, packet, BENCH_LEN, tag,
					  plain, AD_LEN, (const u8 *)&id,
					  sizeof(id));
	open = ktime_get_ns() - open;
	preempt_enable();

	KUNIT_EXPECT_TRUE(test, ok);
	kunit_info(test, "%s, %s: %u bytes: seal %llu ns, open %llu ns",
		   a->name, which, BENCH_LEN, div_u64(seal, BENCH_RUNS),
		   div_u64(open, BENCH_RUNS));
}

/* What a key uses, and the library where that is something else */
static void crypto_benchmark(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct nf_ovpn_cipher *cipher = cipher_new(test, a);
	const struct nf_ovpn_secret secret = {
		.key = a->key, .key_len = a->key_len,
	};

	if (!nf_ovpn_kunit_benchmark)
		kunit_skip(test, "measures only when the module's parameter says so");

	nf_ovpn_cipher_hasten(cipher, &secret);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, gcm_release,
							   cipher));
	benchmark(test, cipher, "in use");
	if (cipher->aead) {
		nf_ovpn_cipher_destroy(cipher);
		benchmark(test, cipher, "library");
	}
}

static struct kunit_case crypto_cases[] = {
	KUNIT_CASE_PARAM(crypto_test_answer, answer_gen_params),
	KUNIT_CASE_PARAM(crypto_test_lengths, answer_gen_params),
	KUNIT_CASE_PARAM(crypto_test_parts, answer_gen_params),
	KUNIT_CASE_PARAM(crypto_test_tamper, answer_gen_params),
	KUNIT_CASE_PARAM(crypto_test_gcm, gcm_gen_params),
	KUNIT_CASE_PARAM(crypto_benchmark, answer_gen_params),
	{}
};

static struct kunit_suite crypto_suite = {
	.name		= "nf_ovpn_crypto",
	.test_cases	= crypto_cases,
};

kunit_test_suite(crypto_suite);
