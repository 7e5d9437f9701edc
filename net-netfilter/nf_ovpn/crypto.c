// SPDX-License-Identifier: GPL-2.0
/* The ciphers of the data channel behind one small interface.
 *
 * Both are the synchronous library functions: nothing is allocated, nothing
 * completes later. OpenVPN's nonce has 96 bits (RFC 5116, RFC 8439) and its
 * first four bytes, the packet ID, are never zero, so that the kernel's
 * chacha20poly1305_encrypt(), made for 64-bit nonces, cannot be used: the
 * construction of RFC 8439, 2.8, is made here from its two parts.
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
 * @key: raw key
 * @key_len: its length in bytes
 * @nonce_tail: NF_OVPN_NONCE_TAIL_SIZE bytes
 *
 * Return: 0, -EINVAL for a length the cipher does not have or -EOPNOTSUPP for
 * a cipher that is not known.
 */
int nf_ovpn_cipher_init(struct nf_ovpn_cipher *cipher,
			enum nf_ovpn_cipher_alg alg, const u8 *key,
			size_t key_len, const u8 *nonce_tail)
{
	int i;

	cipher->alg = alg;
	memcpy(cipher->nonce_tail, nonce_tail, NF_OVPN_NONCE_TAIL_SIZE);

	switch (alg) {
	case NF_OVPN_CIPHER_ALG_AES_GCM:
		return aes_gcm_preparekey(&cipher->gcm, key, key_len,
					  NF_OVPN_TAG_SIZE);
	case NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305:
		if (key_len != CHACHA_KEY_SIZE)
			return -EINVAL;
		for (i = 0; i < CHACHA_KEY_WORDS; i++)
			cipher->chacha[i] = get_unaligned_le32(key + 4 * i);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static void nonce_write(const struct nf_ovpn_cipher *cipher, __be32 packet_id,
			u8 nonce[NF_OVPN_NONCE_SIZE])
{
	memcpy(nonce, &packet_id, sizeof(packet_id));
	memcpy(nonce + sizeof(packet_id), cipher->nonce_tail,
	       NF_OVPN_NONCE_TAIL_SIZE);
}

/* RFC 8439, 2.6 and 2.8: key stream block 0 keys Poly1305, the text follows
 * from block 1.
 */
static void chachapoly_init(struct chacha_state *state,
			    struct poly1305_desc_ctx *poly,
			    const u32 *key, const u8 *nonce)
{
	u8 block[POLY1305_KEY_SIZE] = {};
	u8 iv[CHACHA_IV_SIZE] = {};

	memcpy(iv + sizeof(__le32), nonce, NF_OVPN_NONCE_SIZE);
	chacha_init(state, key, iv);
	chacha20_crypt(state, block, block, sizeof(block));
	poly1305_init(poly, block);
	memzero_explicit(block, sizeof(block));
}

static void chachapoly_tag(struct poly1305_desc_ctx *poly, const u8 *text,
			   size_t len, const u8 *ad, size_t ad_len, u8 *tag)
{
	static const u8 pad[POLY1305_BLOCK_SIZE];
	__le64 lens[2] = { cpu_to_le64(ad_len), cpu_to_le64(len) };

	poly1305_update(poly, ad, ad_len);
	poly1305_update(poly, pad, -ad_len % POLY1305_BLOCK_SIZE);
	poly1305_update(poly, text, len);
	poly1305_update(poly, pad, -len % POLY1305_BLOCK_SIZE);
	poly1305_update(poly, (const u8 *)lens, sizeof(lens));
	poly1305_final(poly, tag);
}

/**
 * nf_ovpn_cipher_seal - encrypt and authenticate one packet
 * @cipher: key of the transmit direction
 * @dst: where the ciphertext goes, @src or a buffer apart from it
 * @src: plaintext
 * @len: its length in bytes
 * @tag: NF_OVPN_TAG_SIZE bytes, written
 * @ad: associated data
 * @ad_len: its length in bytes
 * @packet_id: never used with this key before, network byte order
 *
 * Context: Any context.
 */
void nf_ovpn_cipher_seal(const struct nf_ovpn_cipher *cipher, u8 *dst,
			 const u8 *src, size_t len, u8 *tag, const u8 *ad,
			 size_t ad_len, __be32 packet_id)
{
	u8 nonce[NF_OVPN_NONCE_SIZE];
	struct poly1305_desc_ctx poly;
	struct chacha_state state;

	nonce_write(cipher, packet_id, nonce);

	if (cipher->alg == NF_OVPN_CIPHER_ALG_AES_GCM) {
		aes_gcm_encrypt(dst, src, len, tag, ad, ad_len, nonce,
				&cipher->gcm);
		return;
	}

	chachapoly_init(&state, &poly, cipher->chacha, nonce);
	chacha20_crypt(&state, dst, src, len);
	chachapoly_tag(&poly, dst, len, ad, ad_len, tag);
	chacha_zeroize_state(&state);
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
 *
 * Context: Any context.
 * Return: true when the packet is authentic; else @dst must not be used.
 */
bool nf_ovpn_cipher_open(const struct nf_ovpn_cipher *cipher, u8 *dst,
			 const u8 *src, size_t len, const u8 *tag,
			 const u8 *ad, size_t ad_len, __be32 packet_id)
{
	u8 expected[NF_OVPN_TAG_SIZE];
	u8 nonce[NF_OVPN_NONCE_SIZE];
	struct poly1305_desc_ctx poly;
	struct chacha_state state;
	bool ok;

	nonce_write(cipher, packet_id, nonce);

	if (cipher->alg == NF_OVPN_CIPHER_ALG_AES_GCM)
		return !aes_gcm_decrypt(dst, src, len, tag, ad, ad_len, nonce,
					&cipher->gcm);

	chachapoly_init(&state, &poly, cipher->chacha, nonce);
	chachapoly_tag(&poly, src, len, ad, ad_len, expected);
	ok = !crypto_memneq(expected, tag, sizeof(expected));
	if (ok)
		chacha20_crypt(&state, dst, src, len);
	chacha_zeroize_state(&state);
	return ok;
}
