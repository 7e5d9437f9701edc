/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_REPLAY_H
#define _NF_OVPN_REPLAY_H

#include <linux/spinlock.h>
#include <linux/types.h>

/* One word of the bitmap is always being cleared, see RFC 6479. */
#define NF_OVPN_REPLAY_BITS	2048
#define NF_OVPN_REPLAY_WINDOW	(NF_OVPN_REPLAY_BITS - BITS_PER_LONG)

/**
 * struct nf_ovpn_replay - which packet IDs of a key were received
 * @lock: protects the rest
 * @highest: highest packet ID received, 0 when none was
 * @map: ring of bits, one a packet ID
 */
struct nf_ovpn_replay {
	spinlock_t	lock;	/* for the rest */
	u64		highest;
	unsigned long	map[NF_OVPN_REPLAY_BITS / BITS_PER_LONG];
};

void nf_ovpn_replay_init(struct nf_ovpn_replay *replay);
bool nf_ovpn_replay_accept(struct nf_ovpn_replay *replay, u64 id);
u64 nf_ovpn_replay_highest(struct nf_ovpn_replay *replay);

/* Bytes of the window as userspace sees it */
#define NF_OVPN_REPLAY_BYTES	(NF_OVPN_REPLAY_WINDOW / BITS_PER_BYTE)

u64 nf_ovpn_replay_save(struct nf_ovpn_replay *replay,
			u8 window[NF_OVPN_REPLAY_BYTES]);
void nf_ovpn_replay_restore(struct nf_ovpn_replay *replay, u64 highest,
			    const u8 *window, size_t len);

#endif /* _NF_OVPN_REPLAY_H */
