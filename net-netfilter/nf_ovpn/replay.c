// SPDX-License-Identifier: GPL-2.0
/* Replay protection: each packet ID is accepted once.
 *
 * A ring of bits remembers the last NF_OVPN_REPLAY_WINDOW packet IDs. As in
 * RFC 6479 the ring is moved by whole words: the words between the old and
 * the new highest ID are cleared, nothing is ever shifted.
 */
#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "replay.h"

#define REPLAY_WORDS	(NF_OVPN_REPLAY_BITS / BITS_PER_LONG)

/**
 * nf_ovpn_replay_init - start with no packet ID received
 * @replay: the window
 */
void nf_ovpn_replay_init(struct nf_ovpn_replay *replay)
{
	memset(replay, 0, sizeof(*replay));
	spin_lock_init(&replay->lock);
}

/**
 * nf_ovpn_replay_accept - check a packet ID and remember it
 * @replay: the window
 * @id: packet ID of a packet that has been authenticated, host byte order
 *
 * Context: Softirq, or BH disabled.
 * Return: true when the ID is new, false for 0, a repeated one and one that
 * is too old to tell.
 */
bool nf_ovpn_replay_accept(struct nf_ovpn_replay *replay, u32 id)
{
	u32 word = id / BITS_PER_LONG;
	bool accept = false;
	u32 old, i, n;

	if (unlikely(!id))
		return false;

	spin_lock(&replay->lock);

	if (id > replay->highest) {
		old = replay->highest / BITS_PER_LONG;
		n = min_t(u32, word - old, REPLAY_WORDS);
		for (i = 1; i <= n; i++)
			replay->map[(old + i) % REPLAY_WORDS] = 0;
		WRITE_ONCE(replay->highest, id);
	} else if (replay->highest - id >= NF_OVPN_REPLAY_WINDOW) {
		goto out;
	}

	accept = !__test_and_set_bit(id % BITS_PER_LONG,
				     &replay->map[word % REPLAY_WORDS]);
out:
	spin_unlock(&replay->lock);
	return accept;
}
