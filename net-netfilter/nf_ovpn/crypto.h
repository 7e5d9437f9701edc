/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_CRYPTO_H
#define _NF_OVPN_CRYPTO_H

#include <crypto/aes-cbc.h>
#include <crypto/aes-gcm.h>
#include <crypto/chacha.h>
#include <crypto/sha1.h>
#include <crypto/sha2.h>

#include <uapi/linux/nf_ovpn.h>

struct crypto_aead;

#define NF_OVPN_TAG_SIZE	16
#define NF_OVPN_NONCE_SIZE	12

/**
 * struct nf_ovpn_secret - key material of one direction
 * @key: raw cipher key
 * @key_len: its length in bytes
 * @iv: NF_OVPN_NONCE_SIZE bytes that go into each nonce, of AEAD ciphers
 * @auth: key of the HMAC, of the others
 * @auth_len: its length in bytes
 */
struct nf_ovpn_secret {
	const u8	*key;
	size_t		key_len;
	const u8	*iv;
	const u8	*auth;
	size_t		auth_len;
};

/**
 * struct nf_ovpn_mac_key - a cipher that does not authenticate, and its HMAC
 * @auth: which HMAC
 * @mac_len: length of its result, 0 without
 * @aes: prepared key of AES-CBC
 * @sha1: prepared key of HMAC-SHA1
 * @sha256: prepared key of HMAC-SHA256
 */
struct nf_ovpn_mac_key {
	enum nf_ovpn_auth_alg	auth;
	u8			mac_len;
	struct aes_key		aes;
	union {
		struct hmac_sha1_key	sha1;
		struct hmac_sha256_key	sha256;
	};
};

/**
 * struct nf_ovpn_cipher - one direction of a data channel key
 * @alg: which member of the union holds the key
 * @iv: goes into each nonce
 * @aead: what does AES-GCM faster than the library, NULL when nothing does
 * @gcm: prepared key of AES-GCM
 * @chacha: key of ChaCha20-Poly1305 as words
 * @mac: what the other ciphers need
 */
struct nf_ovpn_cipher {
	enum nf_ovpn_cipher_alg	alg;
	u8			iv[NF_OVPN_NONCE_SIZE];
	struct crypto_aead	*aead;
	union {
		struct aes_gcm_key	gcm;
		u32			chacha[CHACHA_KEY_WORDS];
		struct nf_ovpn_mac_key	mac;
	};
};

/* Whether the cipher authenticates what it encrypts. */
static inline bool nf_ovpn_alg_is_aead(enum nf_ovpn_cipher_alg alg)
{
	return alg == NF_OVPN_CIPHER_ALG_AES_GCM ||
	       alg == NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305;
}

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

#define NF_OVPN_TEXT_HEAD_MAX	132

int nf_ovpn_cipher_init(struct nf_ovpn_cipher *cipher,
			enum nf_ovpn_cipher_alg alg, enum nf_ovpn_auth_alg auth,
			const struct nf_ovpn_secret *secret);
void nf_ovpn_cipher_hasten(struct nf_ovpn_cipher *cipher,
			   const struct nf_ovpn_secret *secret);
void nf_ovpn_cipher_destroy(struct nf_ovpn_cipher *cipher);
void nf_ovpn_cipher_seal(const struct nf_ovpn_cipher *cipher, u8 *dst,
			 const struct nf_ovpn_text *text, u8 *tag,
			 const u8 *ad, size_t ad_len, const u8 *packet_id,
			 size_t packet_id_len);
bool nf_ovpn_cipher_open(const struct nf_ovpn_cipher *cipher, u8 *dst,
			 const u8 *src, size_t len, const u8 *tag,
			 const u8 *ad, size_t ad_len, const u8 *packet_id,
			 size_t packet_id_len);

/* gcm.c */
struct crypto_aead *nf_ovpn_gcm_new(const char *driver, const u8 *key,
				    size_t key_len);
void nf_ovpn_gcm_free(struct crypto_aead *aead);
bool nf_ovpn_gcm_seal(struct crypto_aead *aead, u8 *dst,
		      const struct nf_ovpn_text *text, u8 *tag, const u8 *ad,
		      size_t ad_len, const u8 *nonce);
int nf_ovpn_gcm_open(struct crypto_aead *aead, u8 *dst, const u8 *src,
		     size_t len, const u8 *tag, const u8 *ad, size_t ad_len,
		     const u8 *nonce);

/* mac.c */
int nf_ovpn_mac_init(struct nf_ovpn_cipher *cipher, enum nf_ovpn_auth_alg auth,
		     const struct nf_ovpn_secret *secret);
size_t nf_ovpn_mac_head(const struct nf_ovpn_cipher *cipher);
size_t nf_ovpn_mac_tail(const struct nf_ovpn_cipher *cipher, size_t len);
size_t nf_ovpn_mac_fit(const struct nf_ovpn_cipher *cipher, size_t room);
void nf_ovpn_mac_seal(const struct nf_ovpn_cipher *cipher, u8 *data, size_t len,
		      u32 packet_id);
bool nf_ovpn_mac_open(const struct nf_ovpn_cipher *cipher, u8 *data,
		      size_t *len, u32 *packet_id);

#endif /* _NF_OVPN_CRYPTO_H */
