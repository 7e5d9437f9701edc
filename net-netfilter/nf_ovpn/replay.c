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
bool nf_ovpn_replay_accept(struct nf_ovpn_replay *replay, u64 id)
{
	u64 word = id / BITS_PER_LONG, old;
	bool accept = false;
	unsigned int i, n;

	if (unlikely(!id))
		return false;

	spin_lock(&replay->lock);

	if (id > replay->highest) {
		old = replay->highest / BITS_PER_LONG;
		n = min_t(u64, word - old, REPLAY_WORDS);
		for (i = 1; i <= n; i++)
			replay->map[(old + i) % REPLAY_WORDS] = 0;
		replay->highest = id;
	} else if (replay->highest - id >= NF_OVPN_REPLAY_WINDOW) {
		goto out;
	}

	accept = !__test_and_set_bit(id % BITS_PER_LONG,
				     &replay->map[word % REPLAY_WORDS]);
out:
	spin_unlock(&replay->lock);
	return accept;
}

/**
 * nf_ovpn_replay_highest - tell the highest packet ID received
 * @replay: the window
 *
 * Context: Any but hardirq.
 * Return: that, 0 when none was.
 */
u64 nf_ovpn_replay_highest(struct nf_ovpn_replay *replay)
{
	u64 highest;

	spin_lock_bh(&replay->lock);
	highest = replay->highest;
	spin_unlock_bh(&replay->lock);
	return highest;
}

static bool window_bit(const u8 *window, size_t len, u32 back)
{
	return back / BITS_PER_BYTE >= len ||
	       window[back / BITS_PER_BYTE] & BIT(back % BITS_PER_BYTE);
}

/**
 * nf_ovpn_replay_save - say which packet IDs were received
 * @replay: the window
 * @window: bit n, counted from the lowest of the first byte, is that of the
 *	    highest packet ID less n; written
 *
 * Context: Process, BH enabled.
 * Return: the highest packet ID received, 0 when none was.
 */
u64 nf_ovpn_replay_save(struct nf_ovpn_replay *replay,
			u8 window[NF_OVPN_REPLAY_BYTES])
{
	u64 highest, id;
	u32 back;

	memset(window, 0, NF_OVPN_REPLAY_BYTES);
	spin_lock_bh(&replay->lock);
	highest = replay->highest;
	for (back = 0; back < NF_OVPN_REPLAY_WINDOW && back < highest; back++) {
		id = highest - back;
		if (test_bit(id % BITS_PER_LONG,
			     &replay->map[id / BITS_PER_LONG % REPLAY_WORDS]))
			window[back / BITS_PER_BYTE] |=
				BIT(back % BITS_PER_BYTE);
	}
	spin_unlock_bh(&replay->lock);
	return highest;
}

/**
 * nf_ovpn_replay_restore - go on where another has left off
 * @replay: the window, which no packet sees yet
 * @highest: highest packet ID received
 * @window: as nf_ovpn_replay_save() writes it
 * @len: its length; what is behind it counts as received
 */
void nf_ovpn_replay_restore(struct nf_ovpn_replay *replay, u64 highest,
			    const u8 *window, size_t len)
{
	u32 back;
	u64 id;

	nf_ovpn_replay_init(replay);
	replay->highest = highest;
	for (back = 0; back < NF_OVPN_REPLAY_WINDOW && back < highest; back++) {
		id = highest - back;
		if (window_bit(window, len, back))
			__set_bit(id % BITS_PER_LONG,
				  &replay->map[id / BITS_PER_LONG %
					       REPLAY_WORDS]);
	}
}
