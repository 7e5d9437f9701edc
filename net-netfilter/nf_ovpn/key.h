/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_KEY_H
#define _NF_OVPN_KEY_H

#include <linux/atomic.h>
#include <linux/rcupdate.h>

#include "crypto.h"
#include "replay.h"

/* Packet IDs above this are for what is under way while a new key is
 * negotiated. OpenVPN starts to renegotiate at the same number.
 */
#define NF_OVPN_PACKET_ID_WARN	0xff000000U

/**
 * struct nf_ovpn_key - a data channel key, both directions
 * @tx: for what we send
 * @tx_packet_id: last packet ID given out; wider than a packet ID, so that it
 *		  cannot wrap
 * @warned: userspace was told that the key is near its end
 * @key_id: names the key in packets, 0 to 7
 * @key_bits: length of the cipher key, for netlink
 * @rx: for what we receive
 * @replay: packet IDs received
 * @rcu: frees the key when no packet can be using it
 */
struct nf_ovpn_key {
	struct nf_ovpn_cipher	tx;
	atomic64_t		tx_packet_id;
	unsigned long		warned;
	u8			key_id;
	u16			key_bits;

	struct nf_ovpn_cipher	rx ____cacheline_aligned_in_smp;
	struct nf_ovpn_replay	replay;
	struct rcu_head		rcu;
};

/**
 * struct nf_ovpn_key_dir - key material of one direction as userspace gave it
 * @key: raw cipher key
 * @key_len: its length in bytes
 * @nonce_tail: NF_OVPN_NONCE_TAIL_SIZE bytes
 */
struct nf_ovpn_key_dir {
	const u8	*key;
	size_t		key_len;
	const u8	*nonce_tail;
};

struct nf_ovpn_key *nf_ovpn_key_new(enum nf_ovpn_cipher_alg alg, u8 key_id,
				    const struct nf_ovpn_key_dir *tx,
				    const struct nf_ovpn_key_dir *rx);
void nf_ovpn_key_free(struct nf_ovpn_key *key);
bool nf_ovpn_key_reserve(struct nf_ovpn_key *key, u32 n, u32 *first,
			 bool *warn);

#endif /* _NF_OVPN_KEY_H */
