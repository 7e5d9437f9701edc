// SPDX-License-Identifier: GPL-2.0
/* Ciphers that do not authenticate: AES-CBC with an HMAC, for peers that know
 * nothing newer, and none at all. A datagram, behind its opcode:
 *
 *	HMAC	IV	packet ID	text	padding
 *			----------- encrypted ---------		AES-CBC
 *		------- authenticated -----------------
 *
 *	HMAC	packet ID	text				none
 *		----- authenticated --
 *
 * The HMAC is verified before anything else is looked at, the padding too.
 * Everything is done in place.
 */
#include <crypto/utils.h>
#include <linux/random.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "crypto.h"

#define PACKET_ID_SIZE	sizeof(__be32)

static size_t iv_len(const struct nf_ovpn_cipher *cipher)
{
	return cipher->alg == NF_OVPN_CIPHER_ALG_AES_CBC ? AES_BLOCK_SIZE : 0;
}

/**
 * nf_ovpn_mac_init - prepare a key for use
 * @cipher: what to fill, its alg set; it holds secrets from then on
 * @auth: HMAC
 * @secret: keys
 *
 * Return: 0, -EINVAL for a length that the cipher does not have or -EBADMSG for
 * one that the HMAC does not have.
 */
int nf_ovpn_mac_init(struct nf_ovpn_cipher *cipher, enum nf_ovpn_auth_alg auth,
		     const struct nf_ovpn_secret *secret)
{
	struct nf_ovpn_mac_key *mac = &cipher->mac;

	mac->auth = auth;
	switch (auth) {
	case NF_OVPN_AUTH_ALG_HMAC_SHA1:
		mac->mac_len = SHA1_DIGEST_SIZE;
		hmac_sha1_preparekey(&mac->sha1, secret->auth,
				     secret->auth_len);
		break;
	case NF_OVPN_AUTH_ALG_HMAC_SHA256:
		mac->mac_len = SHA256_DIGEST_SIZE;
		hmac_sha256_preparekey(&mac->sha256, secret->auth,
				       secret->auth_len);
		break;
	default:
		mac->mac_len = 0;
	}
	if (secret->auth_len != mac->mac_len)
		return -EBADMSG;

	if (cipher->alg == NF_OVPN_CIPHER_ALG_AES_CBC)
		return aes_preparekey(&mac->aes, secret->key, secret->key_len);
	return secret->key_len ? -EINVAL : 0;
}

/**
 * nf_ovpn_mac_head - bytes between the opcode and the text
 * @cipher: the key
 *
 * Return: how many.
 */
size_t nf_ovpn_mac_head(const struct nf_ovpn_cipher *cipher)
{
	return cipher->mac.mac_len + iv_len(cipher) + PACKET_ID_SIZE;
}

/**
 * nf_ovpn_mac_tail - bytes behind the text
 * @cipher: the key
 * @len: length of the text
 *
 * Return: how many.
 */
size_t nf_ovpn_mac_tail(const struct nf_ovpn_cipher *cipher, size_t len)
{
	if (cipher->alg != NF_OVPN_CIPHER_ALG_AES_CBC)
		return 0;
	return AES_BLOCK_SIZE - (PACKET_ID_SIZE + len) % AES_BLOCK_SIZE;
}

/**
 * nf_ovpn_mac_fit - the longest text for which there is room
 * @cipher: the key
 * @room: bytes behind the opcode
 *
 * Return: its length.
 */
size_t nf_ovpn_mac_fit(const struct nf_ovpn_cipher *cipher, size_t room)
{
	size_t outside = cipher->mac.mac_len + iv_len(cipher);

	room -= min(room, outside);
	if (cipher->alg == NF_OVPN_CIPHER_ALG_AES_CBC)
		room = max(round_down(room, AES_BLOCK_SIZE), 1) - 1;
	return room - min(room, PACKET_ID_SIZE);
}

static void mac_make(const struct nf_ovpn_mac_key *mac, const u8 *data,
		     size_t len, u8 *out)
{
	if (mac->auth == NF_OVPN_AUTH_ALG_HMAC_SHA1)
		hmac_sha1(&mac->sha1, data, len, out);
	else if (mac->auth == NF_OVPN_AUTH_ALG_HMAC_SHA256)
		hmac_sha256(&mac->sha256, data, len, out);
}

/**
 * nf_ovpn_mac_seal - encrypt and authenticate one packet in place
 * @cipher: key of the transmit direction
 * @data: what follows the opcode: room for nf_ovpn_mac_head(), the text, room
 *	  for nf_ovpn_mac_tail()
 * @len: length of the text
 * @packet_id: never used with this key before, host byte order
 *
 * Context: Any context.
 */
void nf_ovpn_mac_seal(const struct nf_ovpn_cipher *cipher, u8 *data, size_t len,
		      u32 packet_id)
{
	const struct nf_ovpn_mac_key *mac = &cipher->mac;
	u8 *iv = data + mac->mac_len, *text = iv + iv_len(cipher);
	size_t pad = nf_ovpn_mac_tail(cipher, len);
	u8 chain[AES_BLOCK_SIZE];

	put_unaligned_be32(packet_id, text);
	len += PACKET_ID_SIZE;
	if (pad) {
		/* RFC 5652, 6.3 */
		memset(text + len, pad, pad);
		len += pad;
		get_random_bytes(iv, AES_BLOCK_SIZE);
		memcpy(chain, iv, sizeof(chain));
		aes_cbc_encrypt(text, text, len, chain, &mac->aes);
	}
	mac_make(mac, iv, text + len - iv, data);
}

/**
 * nf_ovpn_mac_open - verify and decrypt one packet in place
 * @cipher: key of the receive direction
 * @data: what follows the opcode; the text is nf_ovpn_mac_head() behind it
 * @len: length of that, of the text when this succeeds
 * @packet_id: written, host byte order
 *
 * Context: Any context.
 * Return: true when the packet is authentic; else @data must not be used.
 */
bool nf_ovpn_mac_open(const struct nf_ovpn_cipher *cipher, u8 *data,
		      size_t *len, u32 *packet_id)
{
	const struct nf_ovpn_mac_key *mac = &cipher->mac;
	u8 *iv = data + mac->mac_len, *text = iv + iv_len(cipher);
	u8 expected[SHA256_DIGEST_SIZE];
	u8 chain[AES_BLOCK_SIZE];
	size_t left, pad;

	if (*len < nf_ovpn_mac_head(cipher))
		return false;
	left = *len - (text - data);

	mac_make(mac, iv, *len - mac->mac_len, expected);
	if (crypto_memneq(expected, data, mac->mac_len))
		return false;

	if (cipher->alg == NF_OVPN_CIPHER_ALG_AES_CBC) {
		if (left % AES_BLOCK_SIZE)
			return false;
		memcpy(chain, iv, sizeof(chain));
		aes_cbc_decrypt(text, text, left, chain, &mac->aes);
		pad = text[left - 1];
		if (!pad || pad > AES_BLOCK_SIZE ||
		    memchr_inv(text + left - pad, pad, pad) ||
		    left - pad < PACKET_ID_SIZE)
			return false;
		left -= pad;
	}
	*packet_id = get_unaligned_be32(text);
	*len = left - PACKET_ID_SIZE;
	return true;
}
