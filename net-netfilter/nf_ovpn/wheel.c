// SPDX-License-Identifier: GPL-2.0
/* A timer wheel: entries are put where time will come by.
 *
 *   level 0	64 slots of 1 tick	what is due within 64 ticks
 *   level 1	64 slots of 64		within 4096
 *   level 2	64 slots of 4096	within 262144
 *
 * Each tick empties the next slot of level 0, every 64th one of level 1 too,
 * and every 4096th one of level 2. What comes out of a higher level is early: its
 * owner finds out how much time is left and puts it back, on a lower level now.
 * So an entry is never late and is touched at most once for each level, and a
 * tick costs nothing for what is not in its slots, however much that is.
 *
 * Nothing is cascaded here because the owner has to look at the clock anyway:
 * for keepalive, time begins anew with each packet, and packets do not touch
 * the wheel.
 */
#include <linux/minmax.h>

#include "wheel.h"

static struct list_head *slot_at(struct nf_ovpn_wheel *wheel,
				 unsigned int level, unsigned long tick)
{
	return &wheel->slots[level][tick >> level * NF_OVPN_WHEEL_BITS &
				    (NF_OVPN_WHEEL_SLOTS - 1)];
}

/**
 * nf_ovpn_wheel_init - start without an entry
 * @wheel: the wheel
 */
void nf_ovpn_wheel_init(struct nf_ovpn_wheel *wheel)
{
	unsigned int level, slot;

	wheel->tick = 0;
	for (level = 0; level < NF_OVPN_WHEEL_LEVELS; level++) {
		for (slot = 0; slot < NF_OVPN_WHEEL_SLOTS; slot++)
			INIT_LIST_HEAD(&wheel->slots[level][slot]);
	}
}

/**
 * nf_ovpn_wheel_add - put an entry into the wheel
 * @wheel: the wheel
 * @entry: the entry, which is in no list; list_del() takes it out again
 * @ticks: when it is due, counted from the current tick. It is not due before
 *	   the next one; after NF_OVPN_WHEEL_MAX it is at the latest
 */
void nf_ovpn_wheel_add(struct nf_ovpn_wheel *wheel, struct list_head *entry,
		       unsigned long ticks)
{
	unsigned int level = 0;
	unsigned long at;

	ticks = clamp(ticks, 1UL, NF_OVPN_WHEEL_MAX);
	at = wheel->tick + ticks;
	while (ticks >>= NF_OVPN_WHEEL_BITS)
		level++;
	list_add_tail(entry, slot_at(wheel, level, at));
}

/**
 * nf_ovpn_wheel_turn - the next tick
 * @wheel: the wheel
 * @due: all that is in its slots, written. The caller takes each entry out
 *	 before it looks at it, and puts it back if it is early
 */
void nf_ovpn_wheel_turn(struct nf_ovpn_wheel *wheel, struct list_head *due)
{
	unsigned long tick = ++wheel->tick;
	unsigned int level;

	INIT_LIST_HEAD(due);
	for (level = 0; level < NF_OVPN_WHEEL_LEVELS; level++) {
		list_splice_tail_init(slot_at(wheel, level, tick), due);
		if (tick & (BIT((level + 1) * NF_OVPN_WHEEL_BITS) - 1))
			break;
	}
}
