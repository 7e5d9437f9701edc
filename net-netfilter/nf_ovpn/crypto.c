// SPDX-License-Identifier: GPL-2.0
/* The AEAD ciphers of the data channel behind one small interface; mac.c has
 * the others.
 *
 * Both are the synchronous library functions, AES-GCM where gcm.c has nothing
 * better: nothing is allocated, nothing completes later. OpenVPN's nonce has 96
 * bits (RFC 5116, RFC 8439): the packet ID, 4 or 8 bytes, and zeroes behind it,
 * XORed with a secret IV. Its first four bytes are not zero, so that the
 * kernel's chacha20poly1305_encrypt(), made for 64-bit nonces, cannot be used:
 * the construction of RFC 8439, 2.8, is made here from its two parts.
 *
 * Vector code makes eight blocks of ChaCha20's key stream in the time of one. So
 * the block that keys Poly1305 comes out of the same call as those of the first
 * of the text, and a packet of full size takes three calls, all for eight.
 */
#include <crypto/poly1305.h>
#include <crypto/utils.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "crypto.h"

/**
 * nf_ovpn_cipher_init - prepare a key for use
 * @cipher: what to fill; it holds secrets from then on
 * @alg: cipher
 * @auth: HMAC, for a cipher that does not authenticate
 * @secret: keys
 *
 * Return: 0, -EINVAL for a length the cipher does not have, -EBADMSG for one
 * that the HMAC does not have or -EOPNOTSUPP for a cipher that is not known.
 */
int nf_ovpn_cipher_init(struct nf_ovpn_cipher *cipher,
			enum nf_ovpn_cipher_alg alg, enum nf_ovpn_auth_alg auth,
			const struct nf_ovpn_secret *secret)
{
	int i;

	cipher->alg = alg;
	cipher->aead = NULL;
	if (nf_ovpn_alg_is_aead(alg))
		memcpy(cipher->iv, secret->iv, sizeof(cipher->iv));

	switch (alg) {
	case NF_OVPN_CIPHER_ALG_AES_GCM:
		return aes_gcm_preparekey(&cipher->gcm, secret->key,
					  secret->key_len, NF_OVPN_TAG_SIZE);
	case NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305:
		if (secret->key_len != CHACHA_KEY_SIZE)
			return -EINVAL;
		for (i = 0; i < CHACHA_KEY_WORDS; i++)
			cipher->chacha[i] =
				get_unaligned_le32(secret->key + 4 * i);
		return 0;
	case NF_OVPN_CIPHER_ALG_NONE:
	case NF_OVPN_CIPHER_ALG_AES_CBC:
		return nf_ovpn_mac_init(cipher, auth, secret);
	default:
		return -EOPNOTSUPP;
	}
}

/**
 * nf_ovpn_cipher_hasten - find what does the work of a cipher fastest
 * @cipher: prepared, not in use yet
 * @secret: keys
 *
 * A cipher does without; what is prepared where one cannot sleep does.
 *
 * Context: Process.
 */
void nf_ovpn_cipher_hasten(struct nf_ovpn_cipher *cipher,
			   const struct nf_ovpn_secret *secret)
{
	if (cipher->alg == NF_OVPN_CIPHER_ALG_AES_GCM)
		cipher->aead = nf_ovpn_gcm_new(NULL, secret->key,
					       secret->key_len);
}

/**
 * nf_ovpn_cipher_destroy - free what a cipher refers to
 * @cipher: prepared or all zeroes; its owner wipes it
 *
 * Context: Any but hardirq.
 */
void nf_ovpn_cipher_destroy(struct nf_ovpn_cipher *cipher)
{
	if (cipher->aead)
		nf_ovpn_gcm_free(cipher->aead);
	cipher->aead = NULL;
}

static void nonce_write(const struct nf_ovpn_cipher *cipher,
			const u8 *packet_id, size_t len,
			u8 nonce[NF_OVPN_NONCE_SIZE])
{
	memcpy(nonce, cipher->iv, NF_OVPN_NONCE_SIZE);
	crypto_xor(nonce, packet_id, len);
}

/* Key stream that comes first: block 0, and seven of the text */
#define CHACHA_TEXT_FIRST	(7 * CHACHA_BLOCK_SIZE)
static_assert(CHACHA_TEXT_FIRST >= NF_OVPN_TEXT_HEAD_MAX);

/* RFC 8439, 2.6 and 2.8: key stream block 0 keys Poly1305, the text follows
 * from block 1. What of the latter @len bytes take, at most CHACHA_TEXT_FIRST,
 * is in @stream behind a block.
 */
static void chachapoly_first(struct chacha_state *state,
			     struct poly1305_desc_ctx *poly,
			     const struct nf_ovpn_cipher *cipher,
			     const u8 *nonce, u8 *stream, size_t len)
{
	static const u8 zeroes[CHACHA_BLOCK_SIZE + CHACHA_TEXT_FIRST];
	u8 iv[CHACHA_IV_SIZE] = {};

	memcpy(iv + sizeof(__le32), nonce, NF_OVPN_NONCE_SIZE);
	chacha_init(state, cipher->chacha, iv);
	chacha20_crypt(state, stream, zeroes, CHACHA_BLOCK_SIZE + len);
	poly1305_init(poly, stream);
	memzero_explicit(stream, CHACHA_BLOCK_SIZE);
}

/* What follows the whole blocks of text goes in one call: vector code takes as
 * long for one block as for two.
 */
static void chachapoly_tag(struct poly1305_desc_ctx *poly, const u8 *text,
			   size_t len, const u8 *ad, size_t ad_len, u8 *tag)
{
	size_t whole = round_down(len, POLY1305_BLOCK_SIZE), n = len - whole;
	u8 end[2 * POLY1305_BLOCK_SIZE] = {};

	poly1305_update(poly, ad, ad_len);
	poly1305_update(poly, end, -ad_len % POLY1305_BLOCK_SIZE);
	poly1305_update(poly, text, whole);
	memcpy(end, text + whole, n);
	n = ALIGN(n, POLY1305_BLOCK_SIZE);
	put_unaligned_le64(ad_len, end + n);
	put_unaligned_le64(len, end + n + sizeof(__le64));
	poly1305_update(poly, end, n + POLY1305_BLOCK_SIZE);
	poly1305_final(poly, tag);
}

static void chachapoly_seal(const struct nf_ovpn_cipher *cipher, u8 *dst,
			    const struct nf_ovpn_text *text, u8 *tag,
			    const u8 *ad, size_t ad_len, const u8 *nonce)
{
	u8 stream[CHACHA_BLOCK_SIZE + CHACHA_TEXT_FIRST];
	size_t n, head = text->head_len, len = head + text->body_len;
	const u8 *xor = stream + CHACHA_BLOCK_SIZE;
	struct poly1305_desc_ctx poly;
	struct chacha_state state;

	n = min(len, CHACHA_TEXT_FIRST);
	chachapoly_first(&state, &poly, cipher, nonce, stream, n);
	crypto_xor_cpy(dst, text->head, xor, head);
	crypto_xor_cpy(dst + head, text->body, xor + head, n - head);
	if (len > n)
		chacha20_crypt(&state, dst + n, text->body + (n - head),
			       len - n);
	chachapoly_tag(&poly, dst, len, ad, ad_len, tag);
	chacha_zeroize_state(&state);
}

static bool chachapoly_open(const struct nf_ovpn_cipher *cipher, u8 *dst,
			    const u8 *src, size_t len, const u8 *tag,
			    const u8 *ad, size_t ad_len, const u8 *nonce)
{
	u8 stream[CHACHA_BLOCK_SIZE + CHACHA_TEXT_FIRST];
	size_t n = min_t(size_t, len, CHACHA_TEXT_FIRST);
	u8 expected[NF_OVPN_TAG_SIZE];
	struct poly1305_desc_ctx poly;
	struct chacha_state state;
	bool ok;

	chachapoly_first(&state, &poly, cipher, nonce, stream, n);
	chachapoly_tag(&poly, src, len, ad, ad_len, expected);
	ok = !crypto_memneq(expected, tag, sizeof(expected));
	if (ok) {
		crypto_xor_cpy(dst, src, stream + CHACHA_BLOCK_SIZE, n);
		if (len > n)
			chacha20_crypt(&state, dst + n, src + n, len - n);
	}
	chacha_zeroize_state(&state);
	return ok;
}

#define GCM_FIRST_SIZE		ALIGN(NF_OVPN_TEXT_HEAD_MAX, AES_BLOCK_SIZE)

/* Copy so much of what comes first of a text; what is left of it is in @text
 * after.
 */
static size_t text_first(u8 *first, struct nf_ovpn_text *text, size_t size)
{
	size_t n = min(size - text->head_len, text->body_len);

	memcpy(first, text->head, text->head_len);
	memcpy(first + text->head_len, text->body, n);
	text->body += n;
	text->body_len -= n;
	return text->head_len + n;
}

static void gcm_seal(const struct nf_ovpn_cipher *cipher, u8 *dst,
		     struct nf_ovpn_text text, u8 *tag, const u8 *ad,
		     size_t ad_len, const u8 *nonce)
{
	struct aes_gcm_ctx ctx;
	u8 first[GCM_FIRST_SIZE];
	size_t n = 0;

	aes_gcm_init(&ctx, nonce, &cipher->gcm);
	aes_gcm_auth_update(&ctx, ad, ad_len);
	if (text.head_len) {
		n = text_first(first, &text,
			       ALIGN(text.head_len, AES_BLOCK_SIZE));
		aes_gcm_encrypt_update(&ctx, dst, first, n);
	}
	aes_gcm_encrypt_update(&ctx, dst + n, text.body, text.body_len);
	aes_gcm_encrypt_final(&ctx, tag);
}

/**
 * nf_ovpn_cipher_seal - encrypt and authenticate one packet
 * @cipher: key of the transmit direction
 * @dst: where the ciphertext goes; the body of the text may be where its own
 *	 ciphertext is going to be, else it is apart from that
 * @text: plaintext
 * @tag: NF_OVPN_TAG_SIZE bytes, written
 * @ad: associated data
 * @ad_len: its length in bytes
 * @packet_id: never used with this key before, network byte order
 * @packet_id_len: its length in bytes
 *
 * Context: Any context.
 */
void nf_ovpn_cipher_seal(const struct nf_ovpn_cipher *cipher, u8 *dst,
			 const struct nf_ovpn_text *text, u8 *tag,
			 const u8 *ad, size_t ad_len, const u8 *packet_id,
			 size_t packet_id_len)
{
	u8 nonce[NF_OVPN_NONCE_SIZE];

	nonce_write(cipher, packet_id, packet_id_len, nonce);
	if (cipher->aead &&
	    nf_ovpn_gcm_seal(cipher->aead, dst, text, tag, ad, ad_len, nonce))
		return;
	if (cipher->alg == NF_OVPN_CIPHER_ALG_AES_GCM)
		gcm_seal(cipher, dst, *text, tag, ad, ad_len, nonce);
	else
		chachapoly_seal(cipher, dst, text, tag, ad, ad_len, nonce);
}

/**
 * nf_ovpn_cipher_open - verify and decrypt one packet
 * @cipher: key of the receive direction
 * @dst: where the plaintext goes, @src or a buffer apart from it
 * @src: ciphertext
 * @len: its length in bytes
 * @tag: NF_OVPN_TAG_SIZE bytes as received
 * @ad: associated data
 * @ad_len: its length in bytes
 * @packet_id: network byte order
 * @packet_id_len: its length in bytes
 *
 * Context: Any context.
 * Return: true when the packet is authentic; else @dst must not be used.
 */
bool nf_ovpn_cipher_open(const struct nf_ovpn_cipher *cipher, u8 *dst,
			 const u8 *src, size_t len, const u8 *tag,
			 const u8 *ad, size_t ad_len, const u8 *packet_id,
			 size_t packet_id_len)
{
	u8 nonce[NF_OVPN_NONCE_SIZE];
	int err;

	nonce_write(cipher, packet_id, packet_id_len, nonce);
	if (cipher->aead) {
		err = nf_ovpn_gcm_open(cipher->aead, dst, src, len, tag, ad,
				       ad_len, nonce);
		if (err != -EOPNOTSUPP)
			return !err;
	}
	if (cipher->alg != NF_OVPN_CIPHER_ALG_AES_GCM)
		return chachapoly_open(cipher, dst, src, len, tag, ad, ad_len,
				       nonce);
	return !aes_gcm_decrypt(dst, src, len, tag, ad, ad_len, nonce,
				&cipher->gcm);
}
