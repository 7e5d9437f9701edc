// SPDX-License-Identifier: GPL-2.0
/* The conntrack extension: handles, and when a flow is armed.
 *
 * A conntrack entry outlives the peer that it leads to, and extensions have
 * no destructor. So it holds a handle, the index of the peer in a table and a
 * serial number that is never used again:
 *
 *    63    62             24 23           0
 *   +-----+-----------------+--------------+
 *   |outer| serial          | index        |
 *   +-----+-----------------+--------------+
 *
 * The serial is part of the comparison, so that an old handle finds nothing
 * and no entry has to be looked for when a peer goes.
 *
 * A direction of a flow is armed when its handle names a peer and its
 * generation is the current one. The generation moves on with every change
 * of the rules (nf_tables), of the routes and of our own objects. A packet
 * whose flow is not armed "asks": it takes the normal path, and when it comes
 * out at the other end, accepted, the flow is armed with the generation that
 * was current before the first rule was asked. Which one that was is noted per
 * CPU with the packet's address: between the two hooks a packet normally
 * stays on its CPU. Where it does not (nfqueue, a preempted sender) the note
 * does not match and the next packet asks again. There is room for a few notes,
 * as the host may send a packet of its own in between, an ICMP redirect above
 * all.
 */
#include <linux/hash.h>
#include <net/netfilter/nf_conntrack.h>

#include "nf_ovpn.h"
#include "trace.h"

#define HANDLE_INDEX_BITS	NF_OVPN_HANDLE_INDEX
#define HANDLE_SERIAL_BITS	39

/* What each conntrack entry of a host with VPNs pays. */
static_assert(sizeof(struct nf_conn_ovpn) <= 24);

/**
 * nf_ovpn_gen - current generation of rules, routes and instances
 * @net: network namespace
 *
 * Context: Any context.
 * Return: the generation, never 0, which stands for "not armed".
 */
u32 nf_ovpn_gen(const struct net *net)
{
	u32 gen = atomic_read(&nf_ovpn_pernet(net)->gen);

	gen += rt_genid_ipv4(net);
#if IS_ENABLED(CONFIG_IPV6)
	gen += rt_genid_ipv6(net);
#endif
#if IS_ENABLED(CONFIG_NF_TABLES)
	gen += READ_ONCE(net->nft.base_seq);
#endif
	return gen ?: 1;
}

/**
 * nf_ovpn_handle_new - give a peer its handle
 * @peer: the peer
 *
 * From then on conntrack entries may lead to the peer.
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: 0, -ENOSPC when no handle is left, -ENOMEM.
 */
int nf_ovpn_handle_new(struct nf_ovpn_peer *peer)
{
	u64 serial = atomic64_inc_return(&nf_ct_ovpn_serial);
	u32 index;
	int err;

	if (serial >> HANDLE_SERIAL_BITS)
		return -ENOSPC;

	err = xa_alloc(&nf_ovpn_pernet(peer->inst->net)->handles, &index, NULL,
		       XA_LIMIT(0, BIT(HANDLE_INDEX_BITS) - 1),
		       GFP_KERNEL_ACCOUNT);
	if (err)
		return err == -EBUSY ? -ENOSPC : err;

	peer->handle = serial << HANDLE_INDEX_BITS | index;
	/* The slot is reserved, so that this needs no memory. */
	xa_store(&nf_ovpn_pernet(peer->inst->net)->handles, index, peer,
		 GFP_KERNEL_ACCOUNT);
	return 0;
}

static unsigned long handle_index(u64 handle)
{
	return handle & (BIT(HANDLE_INDEX_BITS) - 1);
}

/**
 * nf_ovpn_handle_del - no flow finds the peer any more
 * @peer: the peer
 *
 * Packets on their way may use it until the end of the RCU grace period.
 */
void nf_ovpn_handle_del(struct nf_ovpn_peer *peer)
{
	xa_erase(&nf_ovpn_pernet(peer->inst->net)->handles,
		 handle_index(peer->handle));
}

/**
 * nf_ovpn_handle_peer - find the peer that a handle names
 * @net: network namespace
 * @handle: the handle, of an outer or an inner flow
 *
 * Context: RCU read side.
 * Return: the peer, NULL when it is gone or there was none.
 */
struct nf_ovpn_peer *nf_ovpn_handle_peer(const struct net *net, u64 handle)
{
	struct nf_ovpn_peer *peer;

	handle &= ~NF_OVPN_HANDLE_OUTER;
	if (!handle)
		return NULL;
	peer = xa_load(&nf_ovpn_pernet(net)->handles, handle_index(handle));
	return peer && peer->handle == handle ? peer : NULL;
}

struct asked {
	const void	*skb;
	u32		gen;
};

#define ASKED_BITS	2

static DEFINE_PER_CPU(struct asked [BIT(ASKED_BITS)], asked);

/**
 * nf_ovpn_ct_ask - note that a packet is about to ask the rules
 * @skb: the packet
 * @gen: the generation, read before
 *
 * The generation is written first: whatever interrupts this leaves a note
 * that is true or does not match.
 */
void nf_ovpn_ct_ask(const struct sk_buff *skb, u32 gen)
{
	u32 note = hash_ptr(skb, ASKED_BITS);

	this_cpu_write(asked[note].skb, NULL);
	this_cpu_write(asked[note].gen, gen);
	this_cpu_write(asked[note].skb, skb);
}

/**
 * nf_ovpn_ct_arm - a packet was accepted: arm its direction of the flow
 * @net: network namespace
 * @ct: entry with an extension
 * @dir: direction of the packet
 * @asked_skb: address of the packet when it asked
 * @handle: handle to arm the direction with
 *
 * Does nothing when the rules have changed since the packet asked.
 *
 * Context: BH disabled.
 */
void nf_ovpn_ct_arm(const struct net *net, struct nf_conn *ct,
		    enum ip_conntrack_dir dir, const void *asked_skb,
		    u64 handle)
{
	struct nf_conn_ovpn *ext = nf_ct_ovpn_find(ct);
	u32 note = hash_ptr(asked_skb, ASKED_BITS);
	u32 gen = this_cpu_read(asked[note].gen);

	if (this_cpu_read(asked[note].skb) != asked_skb)
		return;
	/* The address is good for this packet only. */
	this_cpu_write(asked[note].skb, NULL);

	/* Under the lock the check and both writes are one step, so that an
	 * older generation never replaces the handle of a newer one.
	 */
	spin_lock(&ct->lock);
	if (gen == nf_ovpn_gen(net)) {
		atomic64_set(&ext->handle[dir], handle);
		/* Pairs with nf_ovpn_ct_armed(). */
		smp_store_release(&ext->gen[dir], gen);
		trace_nf_ovpn_arm(ct, dir, handle, gen);
	}
	spin_unlock(&ct->lock);
}

/**
 * nf_ovpn_ct_armed - find the peer of an armed direction
 * @net: network namespace
 * @ct: the flow
 * @ext: its extension
 * @dir: direction of the packet
 * @gen: current generation
 *
 * Context: RCU read side.
 * Return: the peer, NULL when the direction is not armed (any more).
 */
struct nf_ovpn_peer *nf_ovpn_ct_armed(const struct net *net,
				      const struct nf_conn *ct,
				      const struct nf_conn_ovpn *ext,
				      enum ip_conntrack_dir dir, u32 gen)
{
	struct nf_ovpn_peer *peer = NULL;
	u32 armed;
	u64 handle;

	/* Pairs with the writers below and above: the handle is as new. */
	armed = smp_load_acquire(&ext->gen[dir]);
	handle = atomic64_read(&ext->handle[dir]);
	if (likely(armed == gen))
		peer = nf_ovpn_handle_peer(net, handle);
	if (unlikely(armed && !peer))
		trace_nf_ovpn_disarm(ct, dir, handle, armed);
	return peer;
}

/**
 * nf_ovpn_ct_attach_outer - mark a flow as one that carries OpenVPN
 * @ct: unconfirmed entry
 *
 * No peer is known yet; the first data packet that authenticates tells.
 */
void nf_ovpn_ct_attach_outer(struct nf_conn *ct)
{
	struct nf_conn_ovpn *ext = nf_ct_ovpn_ext_add(ct);
	int dir;

	if (!ext)
		return;
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		atomic64_set(&ext->handle[dir], NF_OVPN_HANDLE_OUTER);
	trace_nf_ovpn_attach(ct, IP_CT_DIR_ORIGINAL, NF_OVPN_HANDLE_OUTER, 0);
}

/**
 * nf_ovpn_ct_attach_inner - mark a flow as one inside a tunnel
 * @ct: unconfirmed entry
 * @dir: direction of the packet
 * @from: peer that the packet came from, NULL when it did not come from one
 * @gen: arm the direction towards @from with this generation, 0 to leave it
 */
void nf_ovpn_ct_attach_inner(struct nf_conn *ct, enum ip_conntrack_dir dir,
			     const struct nf_ovpn_peer *from, u32 gen)
{
	struct nf_conn_ovpn *ext = nf_ct_ovpn_ext_add(ct);

	if (!ext)
		return;
	trace_nf_ovpn_attach(ct, dir, from ? from->handle : 0, gen);
	if (!from)
		return;
	atomic64_set(&ext->handle[!dir], from->handle);
	/* Pairs with nf_ovpn_ct_armed(). */
	smp_store_release(&ext->gen[!dir], gen);
}
