/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_CRYPTO_H
#define _NF_OVPN_CRYPTO_H

#include <crypto/aes-gcm.h>
#include <crypto/chacha.h>

#include <uapi/linux/nf_ovpn.h>

#define NF_OVPN_TAG_SIZE	16
#define NF_OVPN_NONCE_SIZE	12

/**
 * struct nf_ovpn_cipher - one direction of a data channel key
 * @alg: which member of the union holds the key
 * @nonce_tail: last 8 bytes of each nonce, the packet ID being the first 4
 * @gcm: prepared key of AES-GCM
 * @chacha: key of ChaCha20-Poly1305 as words
 */
struct nf_ovpn_cipher {
	enum nf_ovpn_cipher_alg	alg;
	u8			nonce_tail[NF_OVPN_NONCE_TAIL_SIZE];
	union {
		struct aes_gcm_key	gcm;
		u32			chacha[CHACHA_KEY_WORDS];
	};
};

/**
 * struct nf_ovpn_text - plaintext that lies in one or two places
 * @head: first part, NULL when all is in @body
 * @head_len: its length, at most NF_OVPN_TEXT_HEAD_MAX
 * @body: the rest
 * @body_len: its length
 */
struct nf_ovpn_text {
	const u8	*head;
	size_t		head_len;
	const u8	*body;
	size_t		body_len;
};

#define NF_OVPN_TEXT_HEAD_MAX	128

int nf_ovpn_cipher_init(struct nf_ovpn_cipher *cipher,
			enum nf_ovpn_cipher_alg alg, const u8 *key,
			size_t key_len, const u8 *nonce_tail);
void nf_ovpn_cipher_seal(const struct nf_ovpn_cipher *cipher, u8 *dst,
			 const struct nf_ovpn_text *text, u8 *tag,
			 const u8 *ad, size_t ad_len, __be32 packet_id);
bool nf_ovpn_cipher_open(const struct nf_ovpn_cipher *cipher, u8 *dst,
			 const u8 *src, size_t len, const u8 *tag,
			 const u8 *ad, size_t ad_len, __be32 packet_id);

#endif /* _NF_OVPN_CRYPTO_H */
