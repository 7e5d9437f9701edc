// SPDX-License-Identifier: GPL-2.0
/* AES-GCM by crypto_aead.
 *
 * The library's AES-GCM goes without the vector code that processors have for
 * it (VAES, AVX-512); as long as that is reached by crypto_aead alone, a key
 * has one, where there is a synchronous implementation that is not the library
 * itself. It needs scatterlists, hence memory in the linear mapping. What it is
 * not made for the library does: both give the same.
 */
#include <crypto/aead.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>

#include "crypto.h"

/* Nothing is allocated for a packet: who needs more than that in a request is
 * not used.
 */
#define GCM_CTX_MAX	64

struct gcm_request {
	struct aead_request	req;
	u8			ctx[GCM_CTX_MAX] CRYPTO_MINALIGN_ATTR;
};

/**
 * nf_ovpn_gcm_new - find an implementation of AES-GCM that beats the library
 * @driver: name of an implementation, NULL for the best
 * @key: raw key
 * @key_len: its length in bytes
 *
 * Context: Process.
 * Return: it, with the key; NULL when there is none.
 */
struct crypto_aead *nf_ovpn_gcm_new(const char *driver, const u8 *key,
				    size_t key_len)
{
	struct crypto_aead *aead;

	aead = crypto_alloc_aead(driver ?: "gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(aead))
		return NULL;
	if ((!driver && !strcmp(crypto_aead_driver_name(aead),
				"gcm-aes-lib")) ||
	    crypto_aead_reqsize(aead) > GCM_CTX_MAX ||
	    crypto_aead_setkey(aead, key, key_len) ||
	    crypto_aead_setauthsize(aead, NF_OVPN_TAG_SIZE)) {
		crypto_free_aead(aead);
		return NULL;
	}
	return aead;
}

/**
 * nf_ovpn_gcm_free - wipe and free it
 * @aead: of nf_ovpn_gcm_new()
 *
 * Context: Any but hardirq.
 */
void nf_ovpn_gcm_free(struct crypto_aead *aead)
{
	crypto_free_aead(aead);
}

static bool mapped(const void *p)
{
	return !is_vmalloc_or_module_addr(p);
}

static void request(struct gcm_request *r, struct crypto_aead *aead,
		    const u8 *nonce, size_t ad_len)
{
	aead_request_set_tfm(&r->req, aead);
	aead_request_set_callback(&r->req, 0, NULL, NULL);
	aead_request_set_ad(&r->req, ad_len);
	/* nobody writes to it */
	r->req.iv = (u8 *)nonce;
}

/**
 * nf_ovpn_gcm_seal - encrypt and authenticate one packet
 * @aead: of nf_ovpn_gcm_new()
 * @dst: where the ciphertext goes
 * @text: plaintext; of its body so much may go to @dst as fills a block with
 *	  the head
 * @tag: NF_OVPN_TAG_SIZE bytes, written
 * @ad: associated data
 * @ad_len: its length in bytes
 * @nonce: NF_OVPN_NONCE_SIZE bytes
 *
 * Context: Softirq, or BH disabled.
 * Return: false when nothing was done, as the memory is not of the right kind.
 */
bool nf_ovpn_gcm_seal(struct crypto_aead *aead, u8 *dst,
		      const struct nf_ovpn_text *text, u8 *tag, const u8 *ad,
		      size_t ad_len, const u8 *nonce)
{
	size_t len = text->head_len + text->body_len, n = 0;
	struct scatterlist in[3], out[3];
	struct gcm_request r;
	unsigned int i = 1;

	if (!len || !mapped(dst) || !mapped(text->body) || !mapped(tag) ||
	    !mapped(ad))
		return false;

	/* In whole blocks, which are not taken apart. */
	if (text->head_len) {
		n = min(ALIGN(text->head_len, AES_BLOCK_SIZE), len);
		memcpy(dst, text->head, text->head_len);
		memcpy(dst + text->head_len, text->body, n - text->head_len);
	}

	sg_init_table(in, 1 + (n > 0) + (n < len));
	sg_set_buf(&in[0], ad, ad_len);
	if (n)
		sg_set_buf(&in[i++], dst, n);
	if (n < len)
		sg_set_buf(&in[i], text->body + (n - text->head_len), len - n);
	sg_init_table(out, ARRAY_SIZE(out));
	sg_set_buf(&out[0], ad, ad_len);
	sg_set_buf(&out[1], dst, len);
	sg_set_buf(&out[2], tag, NF_OVPN_TAG_SIZE);

	request(&r, aead, nonce, ad_len);
	aead_request_set_crypt(&r.req, in, out, len, r.req.iv);
	/* Whole blocks need no memory, so that this does not fail. Would it, the
	 * packet is lost, and nothing that can be read leaves.
	 */
	if (WARN_ON_ONCE(crypto_aead_encrypt(&r.req)))
		memset(dst, 0, len);
	return true;
}

/**
 * nf_ovpn_gcm_open - verify and decrypt one packet
 * @aead: of nf_ovpn_gcm_new()
 * @dst: where the plaintext goes, @src or a buffer apart from it
 * @src: ciphertext
 * @len: its length in bytes
 * @tag: NF_OVPN_TAG_SIZE bytes as received
 * @ad: associated data
 * @ad_len: its length in bytes
 * @nonce: NF_OVPN_NONCE_SIZE bytes
 *
 * Context: Softirq, or BH disabled.
 * Return: 0 when the packet is authentic, -EOPNOTSUPP when nothing was done, as
 * the memory is not of the right kind, anything else when it is not authentic.
 */
int nf_ovpn_gcm_open(struct crypto_aead *aead, u8 *dst, const u8 *src,
		     size_t len, const u8 *tag, const u8 *ad, size_t ad_len,
		     const u8 *nonce)
{
	struct scatterlist in[3], out[2];
	struct gcm_request r;

	if (!len || !mapped(dst) || !mapped(src) || !mapped(tag) ||
	    !mapped(ad))
		return -EOPNOTSUPP;

	sg_init_table(in, ARRAY_SIZE(in));
	sg_set_buf(&in[0], ad, ad_len);
	sg_set_buf(&in[1], src, len);
	sg_set_buf(&in[2], tag, NF_OVPN_TAG_SIZE);
	sg_init_table(out, ARRAY_SIZE(out));
	sg_set_buf(&out[0], ad, ad_len);
	sg_set_buf(&out[1], dst, len);

	request(&r, aead, nonce, ad_len);
	aead_request_set_crypt(&r.req, in, out, len + NF_OVPN_TAG_SIZE,
			       r.req.iv);
	return crypto_aead_decrypt(&r.req);
}
