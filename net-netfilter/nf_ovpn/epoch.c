// SPDX-License-Identifier: GPL-2.0
/* Epochs: keys that are derived one from the other, so that a key which was
 * used enough is replaced without a negotiation (OpenVPN 2.7, "epoch data
 * format"). Each direction begins with a secret of 32 bytes for epoch 1:
 *
 *	key of epoch n		Expand(secret n, "data_key", length of the key)
 *	IV of epoch n		Expand(secret n, "data_iv", 12)
 *	secret n + 1		Expand(secret n, "datakey upd", 32)
 *
 * The sender goes on to the next epoch when it likes. The receiver has the keys
 * of the next few epochs ready; when a packet of one of them is authentic, it
 * keeps the epoch before for what is late, forgets those before that one, and
 * sends in the new epoch itself if it was behind.
 *
 * An epoch lasts for about a terabyte. So all of this is done where it comes
 * up, in softirq: a few microseconds, and a few allocations that may fail and
 * are tried again. What only a process can have, an AES-GCM that is faster than
 * the library's (gcm.c), the keys of the first epochs have.
 */
#include <crypto/sha2.h>
#include <linux/bug.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "key.h"

#define LABEL_PREFIX	"ovpn "
#define LABEL_MAX	32

/**
 * nf_ovpn_epoch_expand - derive from a secret
 * @secret: NF_OVPN_EPOCH_KEY_SIZE bytes
 * @label: what for
 * @out: written
 * @len: how many bytes, at most SHA256_DIGEST_SIZE
 *
 * HKDF-Expand-Label of RFC 8446, 7.1, with OpenVPN's prefix and no context. For
 * that many bytes it is one HMAC; crypto/hkdf.c needs an allocated transform,
 * which softirq cannot have.
 *
 * Context: Any context.
 * Return: 0, or -EINVAL.
 */
int nf_ovpn_epoch_expand(const u8 *secret, const char *label, u8 *out,
			 size_t len)
{
	size_t label_len = strlen(LABEL_PREFIX) + strlen(label);
	u8 info[2 + 1 + LABEL_MAX + 1 + 1], *p = info;
	u8 mac[SHA256_DIGEST_SIZE];

	if (WARN_ON_ONCE(len > sizeof(mac) || label_len > LABEL_MAX))
		return -EINVAL;

	put_unaligned_be16(len, p);
	p += 2;
	*p++ = label_len;
	memcpy(p, LABEL_PREFIX, strlen(LABEL_PREFIX));
	memcpy(p + strlen(LABEL_PREFIX), label, strlen(label));
	p += label_len;
	*p++ = 0;	/* length of the context */
	*p++ = 1;	/* first block of RFC 5869, 2.3 */

	hmac_sha256_usingrawkey(secret, NF_OVPN_EPOCH_KEY_SIZE, info, p - info,
				mac);
	memcpy(out, mac, len);
	memzero_explicit(mac, sizeof(mac));
	return 0;
}

static void secret_next(u8 *secret)
{
	u8 next[NF_OVPN_EPOCH_KEY_SIZE];

	nf_ovpn_epoch_expand(secret, "datakey upd", next, sizeof(next));
	memcpy(secret, next, sizeof(next));
	memzero_explicit(next, sizeof(next));
}

static int cipher_derive(const struct nf_ovpn_key *key, const u8 *secret,
			 struct nf_ovpn_cipher *cipher, gfp_t gfp)
{
	u8 raw[SHA256_DIGEST_SIZE], iv[NF_OVPN_NONCE_SIZE];
	struct nf_ovpn_secret material = {
		.key		= raw,
		.key_len	= key->key_bits / BITS_PER_BYTE,
		.iv		= iv,
	};
	int err;

	if (material.key_len > sizeof(raw))
		return -EINVAL;
	nf_ovpn_epoch_expand(secret, "data_key", raw, material.key_len);
	nf_ovpn_epoch_expand(secret, "data_iv", iv, sizeof(iv));
	err = nf_ovpn_cipher_init(cipher, key->alg, NF_OVPN_AUTH_ALG_NONE,
				  &material);
	if (!err && gfpflags_allow_blocking(gfp))
		nf_ovpn_cipher_hasten(cipher, &material);
	memzero_explicit(raw, sizeof(raw));
	memzero_explicit(iv, sizeof(iv));
	return err;
}

static struct nf_ovpn_tx_key *tx_new(const struct nf_ovpn_key *key, u16 epoch,
				     gfp_t gfp)
{
	struct nf_ovpn_tx_key *tx = kzalloc_obj(*tx, gfp);
	int err;

	if (!tx)
		return ERR_PTR(-ENOMEM);
	tx->epoch = epoch;
	err = cipher_derive(key, key->tx_secret, &tx->cipher, gfp);
	if (err) {
		nf_ovpn_tx_key_free(tx);
		return ERR_PTR(err);
	}
	return tx;
}

static void tx_free_rcu(struct rcu_head *rcu)
{
	nf_ovpn_tx_key_free(container_of(rcu, struct nf_ovpn_tx_key, rcu));
}

static void rx_free_rcu(struct rcu_head *rcu)
{
	nf_ovpn_rx_key_free(container_of(rcu, struct nf_ovpn_rx_key, rcu));
}

/* Go on to send in this epoch, under the lock. What we send with stays when
 * there is no memory.
 */
static void tx_advance(struct nf_ovpn_key *key, u16 epoch)
{
	struct nf_ovpn_tx_key *old, *tx;
	u8 secret[NF_OVPN_EPOCH_KEY_SIZE];
	u16 i;

	old = rcu_dereference_protected(key->tx, lockdep_is_held(&key->lock));
	memcpy(secret, key->tx_secret, sizeof(secret));
	for (i = old->epoch; i < epoch; i++)
		secret_next(key->tx_secret);
	tx = tx_new(key, epoch, GFP_ATOMIC);
	if (IS_ERR(tx)) {
		memcpy(key->tx_secret, secret, sizeof(secret));
	} else {
		rcu_assign_pointer(key->tx, tx);
		call_rcu(&old->rcu, tx_free_rcu);
	}
	memzero_explicit(secret, sizeof(secret));
}

/* Make what is missing of the keys for epochs to come, under the lock, or before
 * anybody sees the key.
 */
static int rx_fill(struct nf_ovpn_key *key, gfp_t gfp)
{
	u32 last = min(key->rx_epoch + NF_OVPN_EPOCHS_AHEAD, U16_MAX);
	u8 secret[NF_OVPN_EPOCH_KEY_SIZE];
	struct nf_ovpn_rx_key *rx;
	int err = 0;

	while (key->rx_last < last) {
		rx = kzalloc_obj(*rx, gfp);
		if (!rx) {
			err = -ENOMEM;
			break;
		}
		memcpy(secret, key->rx_secret, sizeof(secret));
		if (key->rx_last)
			secret_next(secret);
		rx->epoch = key->rx_last + 1;
		nf_ovpn_replay_init(&rx->replay);
		err = cipher_derive(key, secret, &rx->cipher, gfp);
		if (err) {
			nf_ovpn_rx_key_free(rx);
			break;
		}
		memcpy(key->rx_secret, secret, sizeof(secret));
		WRITE_ONCE(key->rx_last, rx->epoch);
		rcu_assign_pointer(key->rx[rx->epoch % NF_OVPN_EPOCHS], rx);
	}
	memzero_explicit(secret, sizeof(secret));
	return err;
}

/**
 * nf_ovpn_epoch_start - prepare a key that has epochs
 * @key: the key, which no packet sees
 * @conf: what it is made of
 *
 * Context: Process.
 * Return: 0, -EINVAL for a length the cipher does not have, -ENOMEM.
 */
int nf_ovpn_epoch_start(struct nf_ovpn_key *key,
			const struct nf_ovpn_key_conf *conf)
{
	u16 rx_epoch = max(conf->rx_packet_id >> NF_OVPN_EPOCH_SHIFT, 1);
	u16 tx_epoch = max(conf->tx_packet_id >> NF_OVPN_EPOCH_SHIFT, 1);
	struct nf_ovpn_tx_key *tx;
	struct nf_ovpn_rx_key *rx;
	u16 i;
	int err;

	if (conf->tx.key_len != NF_OVPN_EPOCH_KEY_SIZE ||
	    conf->rx.key_len != NF_OVPN_EPOCH_KEY_SIZE)
		return -EINVAL;

	memcpy(key->tx_secret, conf->tx.key, sizeof(key->tx_secret));
	for (i = 1; i < max(tx_epoch, rx_epoch); i++)
		secret_next(key->tx_secret);
	tx = tx_new(key, i, GFP_KERNEL_ACCOUNT);
	if (IS_ERR(tx))
		return PTR_ERR(tx);
	/* What is sent is never of an older epoch than what is received. */
	if (tx_epoch == i) {
		atomic64_set(&tx->packet_id,
			     conf->tx_packet_id & NF_OVPN_COUNTER_MAX);
		atomic64_set(&tx->blocks, conf->tx_blocks);
	}
	RCU_INIT_POINTER(key->tx, tx);

	memcpy(key->rx_secret, conf->rx.key, sizeof(key->rx_secret));
	for (i = 2; i < rx_epoch; i++)
		secret_next(key->rx_secret);
	key->rx_last = rx_epoch - 1;
	key->rx_epoch = rx_epoch;
	err = rx_fill(key, GFP_KERNEL_ACCOUNT);
	if (err)
		return err;

	rx = rcu_dereference_protected(key->rx[rx_epoch % NF_OVPN_EPOCHS], true);
	nf_ovpn_replay_restore(&rx->replay,
			       conf->rx_packet_id & NF_OVPN_COUNTER_MAX,
			       conf->rx_window, conf->rx_window_len);
	return 0;
}

/**
 * nf_ovpn_epoch_next - send in the next epoch
 * @key: the key
 * @old: what was used up
 *
 * Context: RCU read side, BH disabled.
 * Return: what to send with: of the next epoch, or still the same when there is
 * none or no memory.
 */
struct nf_ovpn_tx_key *nf_ovpn_epoch_next(struct nf_ovpn_key *key,
					  struct nf_ovpn_tx_key *old)
{
	struct nf_ovpn_tx_key *tx;

	spin_lock(&key->lock);
	/* Another processor may have been here. */
	tx = rcu_dereference_protected(key->tx, lockdep_is_held(&key->lock));
	if (tx == old && tx->epoch < U16_MAX)
		tx_advance(key, tx->epoch + 1);
	tx = rcu_dereference_protected(key->tx, lockdep_is_held(&key->lock));
	spin_unlock(&key->lock);
	return tx;
}

/**
 * nf_ovpn_epoch_received - an authentic packet came of a new epoch
 * @key: the key
 * @epoch: the epoch
 *
 * Context: RCU read side, BH disabled.
 */
void nf_ovpn_epoch_received(struct nf_ovpn_key *key, u16 epoch)
{
	struct nf_ovpn_rx_key *rx;
	u16 before;
	int i;

	spin_lock(&key->lock);
	before = key->rx_epoch;
	if (epoch <= before)
		goto out;
	WRITE_ONCE(key->rx_epoch, epoch);

	for (i = 0; i < ARRAY_SIZE(key->rx); i++) {
		rx = rcu_dereference_protected(key->rx[i],
					       lockdep_is_held(&key->lock));
		if (!rx || rx->epoch >= epoch || rx->epoch == before)
			continue;
		RCU_INIT_POINTER(key->rx[i], NULL);
		call_rcu(&rx->rcu, rx_free_rcu);
	}
	rx_fill(key, GFP_ATOMIC);

	if (rcu_dereference_protected(key->tx,
				      lockdep_is_held(&key->lock))->epoch <
	    epoch)
		tx_advance(key, epoch);
out:
	spin_unlock(&key->lock);
}

/**
 * nf_ovpn_epoch_fill - make keys for which there was no memory before
 * @key: the key
 *
 * Context: RCU read side, BH disabled.
 */
void nf_ovpn_epoch_fill(struct nf_ovpn_key *key)
{
	spin_lock(&key->lock);
	rx_fill(key, GFP_ATOMIC);
	spin_unlock(&key->lock);
}
