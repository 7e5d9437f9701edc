// SPDX-License-Identifier: GPL-2.0
/* Data channel keys: their lifetime, their packet IDs and how much they may be
 * used.
 *
 * A key belongs to a slot of its peer and is replaced whole. Packets find it
 * by RCU and hold no reference; it is wiped after a grace period. What belongs
 * to a direction is a piece of its own, which a key with epochs replaces as
 * they pass (epoch.c).
 */
#include <linux/err.h>
#include <linux/slab.h>

#include "key.h"

/* With AES-GCM an attacker has a chance of 2^-57 when that many packets and
 * blocks of 16 bytes were encrypted with one key (draft-irtf-cfrg-aead-limits,
 * and OpenVPN). With ChaCha20-Poly1305 packet IDs end before.
 */
#define USAGE_MAX	(BIT_ULL(36) - 1)
#define USAGE_WARN	(USAGE_MAX / 8 * 7)
#define USAGE_BLOCK	16

static int dir_init(struct nf_ovpn_cipher *cipher,
		    const struct nf_ovpn_key_conf *conf,
		    const struct nf_ovpn_key_dir *dir)
{
	u8 iv[NF_OVPN_NONCE_SIZE] = {};
	const struct nf_ovpn_secret secret = {
		.key		= dir->key,
		.key_len	= dir->key_len,
		.iv		= iv,
		.auth		= dir->auth,
		.auth_len	= dir->auth_len,
	};
	int err;

	if (dir->nonce_tail)
		memcpy(iv + sizeof(iv) - NF_OVPN_NONCE_TAIL_SIZE,
		       dir->nonce_tail, NF_OVPN_NONCE_TAIL_SIZE);
	err = nf_ovpn_cipher_init(cipher, conf->alg, conf->auth, &secret);
	if (!err)
		nf_ovpn_cipher_hasten(cipher, &secret);
	memzero_explicit(iv, sizeof(iv));
	return err;
}

static int dirs_new(struct nf_ovpn_key *key,
		    const struct nf_ovpn_key_conf *conf)
{
	struct nf_ovpn_tx_key *tx;
	struct nf_ovpn_rx_key *rx;

	tx = kzalloc_obj(*tx, GFP_KERNEL_ACCOUNT);
	RCU_INIT_POINTER(key->tx, tx);
	rx = kzalloc_obj(*rx, GFP_KERNEL_ACCOUNT);
	RCU_INIT_POINTER(key->rx[0], rx);
	if (!tx || !rx)
		return -ENOMEM;

	atomic64_set(&tx->packet_id, conf->tx_packet_id);
	atomic64_set(&tx->blocks, conf->tx_blocks);
	nf_ovpn_replay_restore(&rx->replay, conf->rx_packet_id,
			       conf->rx_window, conf->rx_window_len);
	return dir_init(&tx->cipher, conf, &conf->tx) ?:
	       dir_init(&rx->cipher, conf, &conf->rx);
}

/**
 * nf_ovpn_key_new - make a key from its material
 * @conf: what it is made of
 *
 * Context: Process.
 * Return: the key, or an error pointer: -EINVAL for a key length that the
 * cipher does not have, -EBADMSG for one that the HMAC does not have,
 * -EOPNOTSUPP for a cipher that is not known, -ENOMEM.
 */
struct nf_ovpn_key *nf_ovpn_key_new(const struct nf_ovpn_key_conf *conf)
{
	struct nf_ovpn_key *key;
	int err;

	key = kzalloc_obj(*key, GFP_KERNEL_ACCOUNT);
	if (!key)
		return ERR_PTR(-ENOMEM);

	key->alg = conf->alg;
	key->auth = conf->auth;
	key->key_id = conf->key_id;
	key->epochs = conf->epochs;
	key->key_bits = conf->epochs ? conf->key_bits :
			conf->tx.key_len * BITS_PER_BYTE;
	spin_lock_init(&key->lock);

	err = conf->epochs ? nf_ovpn_epoch_start(key, conf) :
			     dirs_new(key, conf);
	if (err) {
		nf_ovpn_key_free_now(key);
		return ERR_PTR(err);
	}
	return key;
}

/**
 * nf_ovpn_tx_key_free - wipe and free a key of what we send
 * @tx: the key, which no packet can see, or NULL
 */
void nf_ovpn_tx_key_free(struct nf_ovpn_tx_key *tx)
{
	if (tx)
		nf_ovpn_cipher_destroy(&tx->cipher);
	kfree_sensitive(tx);
}

/**
 * nf_ovpn_rx_key_free - wipe and free a key of what we receive
 * @rx: the key, which no packet can see, or NULL
 */
void nf_ovpn_rx_key_free(struct nf_ovpn_rx_key *rx)
{
	if (rx)
		nf_ovpn_cipher_destroy(&rx->cipher);
	kfree_sensitive(rx);
}

/**
 * nf_ovpn_key_free_now - wipe and free a key that no packet can see
 * @key: the key, or NULL
 */
void nf_ovpn_key_free_now(struct nf_ovpn_key *key)
{
	int i;

	if (!key)
		return;
	nf_ovpn_tx_key_free(rcu_dereference_raw(key->tx));
	for (i = 0; i < ARRAY_SIZE(key->rx); i++)
		nf_ovpn_rx_key_free(rcu_dereference_raw(key->rx[i]));
	kfree_sensitive(key);
}

static void key_free_rcu(struct rcu_head *rcu)
{
	nf_ovpn_key_free_now(container_of(rcu, struct nf_ovpn_key, rcu));
}

/**
 * nf_ovpn_key_free - wipe and free a key that is in no slot any more
 * @key: the key, or NULL
 *
 * Packets may go on to use it until the end of the current RCU grace period.
 */
void nf_ovpn_key_free(struct nf_ovpn_key *key)
{
	if (key)
		call_rcu(&key->rcu, key_free_rcu);
}

/* What is used of a key when packet IDs up to @last are, and so many bytes in
 * @n packets more. The last block of each counts as a whole.
 */
static u64 usage(struct nf_ovpn_tx_key *tx, u64 last, u32 n, u64 bytes)
{
	if (tx->cipher.alg != NF_OVPN_CIPHER_ALG_AES_GCM)
		return 0;
	return last + atomic64_add_return(bytes / USAGE_BLOCK + n, &tx->blocks);
}

/* Time to tell userspace that the key is near its end. */
static bool warn_once(struct nf_ovpn_key *key)
{
	return !test_and_set_bit(0, &key->warned);
}

static struct nf_ovpn_tx_key *epoch_reserve(struct nf_ovpn_key *key, u32 n,
					    u64 bytes, u64 *first, bool *warn)
{
	struct nf_ovpn_tx_key *tx = rcu_dereference(key->tx);
	u64 last;

	/* The next epoch when the limit is reached: not exact, as it need not
	 * be. But packet IDs do end.
	 */
	do {
		if (unlikely(usage(tx, atomic64_read(&tx->packet_id), n,
				   bytes) > USAGE_MAX))
			tx = nf_ovpn_epoch_next(key, tx);
		last = atomic64_add_return(n, &tx->packet_id);
		if (likely(last <= NF_OVPN_COUNTER_MAX)) {
			if (unlikely(tx->epoch >= NF_OVPN_EPOCH_WARN))
				*warn = warn_once(key);
			*first = (u64)tx->epoch << NF_OVPN_EPOCH_SHIFT |
				 (last - n + 1);
			return tx;
		}
		tx = nf_ovpn_epoch_next(key, tx);
	} while (atomic64_read(&tx->packet_id) < NF_OVPN_COUNTER_MAX);
	return NULL;
}

/**
 * nf_ovpn_key_reserve - take packet IDs for a batch
 * @key: the key
 * @n: how many, at least 1
 * @bytes: length of what is going to be encrypted
 * @first: the first of them, host byte order; the others follow it
 * @warn: set when userspace is to be told that the key is near its end, which
 *	  happens once for a key
 *
 * IDs are given out once, also those of a batch that is not sent in the end.
 *
 * Context: RCU read side, BH disabled.
 * Return: what to encrypt with, or NULL when the key has not that many left. It
 * never has again.
 */
struct nf_ovpn_tx_key *nf_ovpn_key_reserve(struct nf_ovpn_key *key, u32 n,
					   u64 bytes, u64 *first, bool *warn)
{
	struct nf_ovpn_tx_key *tx;
	u64 last, used;

	if (key->epochs)
		return epoch_reserve(key, n, bytes, first, warn);

	tx = rcu_dereference(key->tx);
	last = atomic64_add_return(n, &tx->packet_id);
	used = usage(tx, last, n, bytes);

	if (unlikely(last >= NF_OVPN_PACKET_ID_WARN || used > USAGE_WARN))
		*warn = warn_once(key);
	if (unlikely(last > U32_MAX || used > USAGE_MAX))
		return NULL;

	*first = last - n + 1;
	return tx;
}

/**
 * nf_ovpn_key_accept - check the packet ID of an authentic packet
 * @key: the key
 * @packet_id: the packet ID, with its epoch
 *
 * The first packet of a new epoch begins it.
 *
 * Context: RCU read side, BH disabled.
 * Return: true when the ID is new.
 */
bool nf_ovpn_key_accept(struct nf_ovpn_key *key, u64 packet_id)
{
	u16 epoch = nf_ovpn_key_epoch(key, packet_id);
	struct nf_ovpn_rx_key *rx = nf_ovpn_key_rx(key, epoch);

	if (unlikely(!rx || (!key->epochs && packet_id > U32_MAX)))
		return false;
	if (unlikely(epoch > READ_ONCE(key->rx_epoch)))
		nf_ovpn_epoch_received(key, epoch);
	return nf_ovpn_replay_accept(&rx->replay,
				     key->epochs ?
				     packet_id & NF_OVPN_COUNTER_MAX :
				     packet_id);
}

/**
 * nf_ovpn_key_state - tell how far a key is used
 * @key: the key
 * @state: written
 * @window: NULL, or NF_OVPN_REPLAY_BYTES that nf_ovpn_replay_save() writes
 *
 * Context: Process.
 */
void nf_ovpn_key_state(struct nf_ovpn_key *key, struct nf_ovpn_key_state *state,
		       u8 *window)
{
	u64 max = key->epochs ? NF_OVPN_COUNTER_MAX : U32_MAX;
	const struct nf_ovpn_tx_key *tx;
	struct nf_ovpn_rx_key *rx;

	rcu_read_lock();
	tx = rcu_dereference(key->tx);
	state->tx = (u64)tx->epoch << NF_OVPN_EPOCH_SHIFT |
		    min_t(u64, atomic64_read(&tx->packet_id), max);
	state->tx_blocks = atomic64_read(&tx->blocks);
	/* An epoch has its key before it is the current one. */
	do {
		rx = nf_ovpn_key_rx(key, READ_ONCE(key->rx_epoch));
	} while (!rx);
	state->rx = (u64)rx->epoch << NF_OVPN_EPOCH_SHIFT |
		    (window ? nf_ovpn_replay_save(&rx->replay, window) :
			      nf_ovpn_replay_highest(&rx->replay));
	rcu_read_unlock();
}

/**
 * nf_ovpn_key_fit - the longest text for which there is room
 * @key: the key
 * @room: bytes behind the opcode
 *
 * Context: RCU read side.
 * Return: its length.
 */
size_t nf_ovpn_key_fit(const struct nf_ovpn_key *key, size_t room)
{
	if (!nf_ovpn_alg_is_aead(key->alg))
		return nf_ovpn_mac_fit(&rcu_dereference(key->tx)->cipher, room);
	return room - min(room, nf_ovpn_key_id_len(key) + NF_OVPN_TAG_SIZE);
}
