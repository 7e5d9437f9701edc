/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_PAGES_H
#define _NF_OVPN_PAGES_H

#include <linux/types.h>

struct page;

u8 *nf_ovpn_pages_get(unsigned int min, unsigned int *len, struct page **page);
void nf_ovpn_pages_drain(void);

#endif /* _NF_OVPN_PAGES_H */
