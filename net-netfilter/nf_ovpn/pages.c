// SPDX-License-Identifier: GPL-2.0
/* Memory for datagrams that lie one behind the other in the pages of a packet.
 *
 * Each processor has a page, of a high order where there is one, from which
 * pieces for as many datagrams as possible are cut. napi_alloc_frag() does not
 * make a piece that is longer than PAGE_SIZE.
 */
#include <linux/gfp.h>
#include <linux/local_lock.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <net/sock.h>

#include "pages.h"

struct pages {
	local_lock_t		bh_lock;
	struct page_frag	frag;
};

static DEFINE_PER_CPU(struct pages, pages) = {
	.bh_lock = INIT_LOCAL_LOCK(bh_lock),
};

/**
 * nf_ovpn_pages_get - get a piece of memory
 * @min: so many bytes are needed
 * @len: so many are wanted, at least @min; how many there are, written
 * @page: the page that they are in, with a reference for the caller, written
 *
 * Context: BH disabled.
 * Return: where they are, aligned for a cipher; NULL when there is no memory.
 */
u8 *nf_ovpn_pages_get(unsigned int min, unsigned int *len, struct page **page)
{
	struct page_frag *frag;
	u8 *data = NULL;

	local_lock_nested_bh(&pages.bh_lock);
	frag = this_cpu_ptr(&pages.frag);
	if (skb_page_frag_refill(min, frag, GFP_ATOMIC) &&
	    frag->offset + min <= frag->size) {
		*len = min_t(unsigned int, *len, frag->size - frag->offset);
		*page = frag->page;
		get_page(frag->page);
		data = page_address(frag->page) + frag->offset;
		frag->offset = ALIGN(frag->offset + *len, SMP_CACHE_BYTES);
	}
	local_unlock_nested_bh(&pages.bh_lock);
	return data;
}

/**
 * nf_ovpn_pages_drain - give back what no packet has got
 *
 * Context: Process, when no packet comes any more.
 */
void nf_ovpn_pages_drain(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct page_frag *frag = &per_cpu_ptr(&pages, cpu)->frag;

		if (frag->page)
			put_page(frag->page);
		frag->page = NULL;
	}
}
