// SPDX-License-Identifier: GPL-2.0
/* Data channel keys: their lifetime and their packet IDs.
 *
 * A key belongs to a slot of its peer and is replaced whole. Packets find it
 * by RCU and hold no reference; it is wiped after a grace period.
 */
#include <linux/err.h>
#include <linux/slab.h>

#include "key.h"

/**
 * nf_ovpn_key_new - make a key from its material
 * @alg: cipher
 * @key_id: 0 to 7
 * @tx: material for what we send
 * @rx: material for what we receive
 *
 * Return: the key, or an error pointer: -EINVAL for a key length that the
 * cipher does not have, -EOPNOTSUPP for a cipher that is not known, -ENOMEM.
 */
struct nf_ovpn_key *nf_ovpn_key_new(enum nf_ovpn_cipher_alg alg, u8 key_id,
				    const struct nf_ovpn_key_dir *tx,
				    const struct nf_ovpn_key_dir *rx)
{
	struct nf_ovpn_key *key;
	int err;

	key = kzalloc_obj(*key, GFP_KERNEL_ACCOUNT);
	if (!key)
		return ERR_PTR(-ENOMEM);

	key->key_id = key_id;
	key->key_bits = tx->key_len * BITS_PER_BYTE;
	atomic64_set(&key->tx_packet_id, 0);
	nf_ovpn_replay_init(&key->replay);

	err = nf_ovpn_cipher_init(&key->tx, alg, tx->key, tx->key_len,
				  tx->nonce_tail);
	if (!err)
		err = nf_ovpn_cipher_init(&key->rx, alg, rx->key, rx->key_len,
					  rx->nonce_tail);
	if (err) {
		kfree_sensitive(key);
		return ERR_PTR(err);
	}

	return key;
}

static void key_free_rcu(struct rcu_head *rcu)
{
	kfree_sensitive(container_of(rcu, struct nf_ovpn_key, rcu));
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

/**
 * nf_ovpn_key_reserve - take packet IDs for a batch
 * @key: the key
 * @n: how many, at least 1
 * @first: the first of them, host byte order; the others follow it
 * @warn: set when userspace is to be told that the key is near its end, which
 *	  happens once for a key
 *
 * IDs are given out once, also those of a batch that is not sent in the end.
 *
 * Context: Any context.
 * Return: false when the key has not that many left. It never has again.
 */
bool nf_ovpn_key_reserve(struct nf_ovpn_key *key, u32 n, u32 *first,
			 bool *warn)
{
	u64 last = atomic64_add_return(n, &key->tx_packet_id);

	if (unlikely(last >= NF_OVPN_PACKET_ID_WARN))
		*warn = !test_and_set_bit(0, &key->warned);
	if (unlikely(last > U32_MAX))
		return false;

	*first = last - n + 1;
	return true;
}
