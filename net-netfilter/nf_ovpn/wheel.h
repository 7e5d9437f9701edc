/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_WHEEL_H
#define _NF_OVPN_WHEEL_H

#include <linux/bits.h>
#include <linux/list.h>

#define NF_OVPN_WHEEL_BITS	6
#define NF_OVPN_WHEEL_SLOTS	BIT(NF_OVPN_WHEEL_BITS)
#define NF_OVPN_WHEEL_LEVELS	3

/* The longest time that an entry is left alone, in ticks */
#define NF_OVPN_WHEEL_MAX \
	((1UL << NF_OVPN_WHEEL_BITS * NF_OVPN_WHEEL_LEVELS) - 1)

/**
 * struct nf_ovpn_wheel - entries, by when they are due
 * @tick: the current tick
 * @slots: what is due, of each level; the first has one tick to a slot
 *
 * The caller serialises everything.
 */
struct nf_ovpn_wheel {
	unsigned long		tick;
	struct list_head	slots[NF_OVPN_WHEEL_LEVELS][NF_OVPN_WHEEL_SLOTS];
};

void nf_ovpn_wheel_init(struct nf_ovpn_wheel *wheel);
void nf_ovpn_wheel_add(struct nf_ovpn_wheel *wheel, struct list_head *entry,
		       unsigned long ticks);
void nf_ovpn_wheel_turn(struct nf_ovpn_wheel *wheel, struct list_head *due);

#endif /* _NF_OVPN_WHEEL_H */
