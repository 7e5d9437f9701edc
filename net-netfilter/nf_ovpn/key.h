/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_KEY_H
#define _NF_OVPN_KEY_H

#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "crypto.h"
#include "replay.h"

/* Packet IDs above this are for what is under way while a new key is
 * negotiated. OpenVPN starts to renegotiate at the same number.
 */
#define NF_OVPN_PACKET_ID_WARN	0xff000000U

/* A packet ID with an epoch: 16 bits and 48 bits. */
#define NF_OVPN_EPOCH_SHIFT	48
#define NF_OVPN_COUNTER_MAX	(BIT_ULL(NF_OVPN_EPOCH_SHIFT) - 1)

/* Epochs behind this are for what is under way while a new key is negotiated;
 * OpenVPN starts at the same.
 */
#define NF_OVPN_EPOCH_WARN	0xf000

/* Epochs for which a key is ready before a packet has come of them, as many as
 * OpenVPN has.
 */
#define NF_OVPN_EPOCHS_AHEAD	4

/* Room for them, the current epoch, that before it, and what is between both. */
#define NF_OVPN_EPOCHS		16

#define NF_OVPN_EPOCH_KEY_SIZE	32

/**
 * struct nf_ovpn_tx_key - key of what we send, of one epoch if there are any
 * @cipher: the key
 * @epoch: epoch, 0 without
 * @packet_id: last packet ID given out; wider than a packet ID, so that it
 *	       cannot wrap
 * @blocks: blocks encrypted, where there is a limit to them
 * @rcu: frees it
 */
struct nf_ovpn_tx_key {
	struct nf_ovpn_cipher	cipher;
	u16			epoch;
	atomic64_t		packet_id;
	atomic64_t		blocks;
	struct rcu_head		rcu;
};

/**
 * struct nf_ovpn_rx_key - key of what we receive, likewise
 * @cipher: the key
 * @epoch: epoch, 0 without
 * @failed: packets that were not authentic
 * @replay: packet IDs received
 * @rcu: frees it
 */
struct nf_ovpn_rx_key {
	struct nf_ovpn_cipher	cipher;
	u16			epoch;
	atomic64_t		failed;
	struct nf_ovpn_replay	replay;
	struct rcu_head		rcu;
};

/**
 * struct nf_ovpn_key - a data channel key, both directions
 * @alg: cipher
 * @auth: HMAC, for a cipher that does not authenticate
 * @key_id: names the key in packets, 0 to 7
 * @epochs: the key has epochs
 * @key_bits: length of the cipher key
 * @warned: userspace was told that the key is near its end
 * @tx: what encrypts, changed under @lock
 * @rx: what decrypts, by epoch; changed under @lock
 * @lock: protects the rest
 * @tx_secret: what the keys of the epoch of @tx are derived from
 * @rx_secret: the same for the last epoch in @rx
 * @rx_epoch: the newest epoch of which a packet came
 * @rx_last: the newest epoch in @rx
 * @rcu: frees the key when no packet can be using it
 *
 * Without epochs @tx and the first of @rx never change.
 */
struct nf_ovpn_key {
	enum nf_ovpn_cipher_alg		alg;
	enum nf_ovpn_auth_alg		auth;
	u8				key_id;
	bool				epochs;
	u16				key_bits;
	unsigned long			warned;
	struct nf_ovpn_tx_key __rcu	*tx;
	struct nf_ovpn_rx_key __rcu	*rx[NF_OVPN_EPOCHS];

	spinlock_t			lock;	/* for epochs */
	u8				tx_secret[NF_OVPN_EPOCH_KEY_SIZE];
	u8				rx_secret[NF_OVPN_EPOCH_KEY_SIZE];
	u16				rx_epoch;
	u16				rx_last;
	struct rcu_head			rcu;
};

/**
 * struct nf_ovpn_key_dir - key material of one direction as userspace gave it
 * @key: raw cipher key, with epochs that of the first, NF_OVPN_EPOCH_KEY_SIZE
 *	 bytes
 * @key_len: its length in bytes
 * @nonce_tail: NF_OVPN_NONCE_TAIL_SIZE bytes, for AEAD ciphers without epochs
 * @auth: key of the HMAC
 * @auth_len: its length in bytes
 */
struct nf_ovpn_key_dir {
	const u8	*key;
	size_t		key_len;
	const u8	*nonce_tail;
	const u8	*auth;
	size_t		auth_len;
};

/**
 * struct nf_ovpn_key_conf - what a key is made of
 * @alg: cipher
 * @auth: HMAC, for a cipher that does not authenticate
 * @key_id: 0 to 7
 * @epochs: the key has epochs
 * @key_bits: length of the cipher key, with epochs
 * @tx: material for what we send
 * @rx: material for what we receive
 * @tx_packet_id: the last that was sent, with its epoch
 * @tx_blocks: blocks encrypted, of that epoch
 * @rx_packet_id: the highest that was received, with its epoch
 * @rx_window: as nf_ovpn_replay_save() writes it
 * @rx_window_len: its length; what is behind it counts as received
 */
struct nf_ovpn_key_conf {
	enum nf_ovpn_cipher_alg	alg;
	enum nf_ovpn_auth_alg	auth;
	u8			key_id;
	bool			epochs;
	u16			key_bits;
	struct nf_ovpn_key_dir	tx;
	struct nf_ovpn_key_dir	rx;
	u64			tx_packet_id;
	u64			tx_blocks;
	u64			rx_packet_id;
	const u8		*rx_window;
	size_t			rx_window_len;
};

struct nf_ovpn_key *nf_ovpn_key_new(const struct nf_ovpn_key_conf *conf);
void nf_ovpn_tx_key_free(struct nf_ovpn_tx_key *tx);
void nf_ovpn_rx_key_free(struct nf_ovpn_rx_key *rx);
void nf_ovpn_key_free(struct nf_ovpn_key *key);
void nf_ovpn_key_free_now(struct nf_ovpn_key *key);
struct nf_ovpn_tx_key *nf_ovpn_key_reserve(struct nf_ovpn_key *key, u32 n,
					   u64 bytes, u64 *first, bool *warn);
bool nf_ovpn_key_accept(struct nf_ovpn_key *key, u64 packet_id);

/**
 * struct nf_ovpn_key_state - how far a key is used
 * @tx: packet ID given out last, with its epoch
 * @tx_blocks: blocks encrypted, of that epoch
 * @rx: highest packet ID received, with its epoch
 */
struct nf_ovpn_key_state {
	u64	tx;
	u64	tx_blocks;
	u64	rx;
};

void nf_ovpn_key_state(struct nf_ovpn_key *key, struct nf_ovpn_key_state *state,
		       u8 *window);
size_t nf_ovpn_key_fit(const struct nf_ovpn_key *key, size_t room);

/* Length of a packet ID that is not encrypted */
static inline size_t nf_ovpn_key_id_len(const struct nf_ovpn_key *key)
{
	return key->epochs ? sizeof(__be64) : sizeof(__be32);
}

/* Bytes between the opcode and the text of a datagram */
static inline size_t nf_ovpn_key_head(const struct nf_ovpn_key *key,
				      const struct nf_ovpn_cipher *cipher)
{
	if (!nf_ovpn_alg_is_aead(key->alg))
		return nf_ovpn_mac_head(cipher);
	return nf_ovpn_key_id_len(key) + (key->epochs ? 0 : NF_OVPN_TAG_SIZE);
}

/* Bytes behind a text of this length */
static inline size_t nf_ovpn_key_tail(const struct nf_ovpn_key *key,
				      const struct nf_ovpn_cipher *cipher,
				      size_t len)
{
	if (!nf_ovpn_alg_is_aead(key->alg))
		return nf_ovpn_mac_tail(cipher, len);
	return key->epochs ? NF_OVPN_TAG_SIZE : 0;
}

/* The part of a packet ID that names an epoch, 0 when there are none */
static inline u16 nf_ovpn_key_epoch(const struct nf_ovpn_key *key,
				    u64 packet_id)
{
	return key->epochs ? packet_id >> NF_OVPN_EPOCH_SHIFT : 0;
}

/* epoch.c */
int nf_ovpn_epoch_start(struct nf_ovpn_key *key,
			const struct nf_ovpn_key_conf *conf);
struct nf_ovpn_tx_key *nf_ovpn_epoch_next(struct nf_ovpn_key *key,
					  struct nf_ovpn_tx_key *old);
void nf_ovpn_epoch_received(struct nf_ovpn_key *key, u16 epoch);
void nf_ovpn_epoch_fill(struct nf_ovpn_key *key);
int nf_ovpn_epoch_expand(const u8 *secret, const char *label, u8 *out,
			 size_t len);

/* The key that decrypts packets of an epoch, NULL when there is none. RCU read
 * side.
 */
static inline struct nf_ovpn_rx_key *
nf_ovpn_key_rx(struct nf_ovpn_key *key, u16 epoch)
{
	struct nf_ovpn_rx_key *rx;

	rx = rcu_dereference(key->rx[epoch % NF_OVPN_EPOCHS]);
	return likely(rx && rx->epoch == epoch) ? rx : NULL;
}

/* More packets that are not authentic than that, and a key is not trusted any
 * more (RFC 9147, 4.5.3, and OpenVPN).
 */
#define NF_OVPN_KEY_FAILED_MAX	BIT_ULL(36)

#endif /* _NF_OVPN_KEY_H */
