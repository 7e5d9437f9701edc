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
 * A direction of a flow is armed when its handle names a peer, its generation
 * is the current one and a packet is of the kind that was accepted. A packet
 * for which that is not so "asks": it takes the normal path, and when it comes
 * out at the other end, accepted, the flow is armed for its kind.
 *
 * The kind is what rules and routes may ask about a packet and what packets of
 * one direction need not have in common:
 *
 *    63   58 57   56   55    54         32 31            0
 *   +------+------+----+-----+------------+---------------+
 *   | DSCP | state|    |mark | interface  | conntrack mark|
 *   +------+------+----+-----+------------+---------------+
 *
 * the interface that it came by, 0 for what this host sends; conntrack's state
 * (new, related, established); and whether the mark of the packet is that of
 * conntrack or 0. Packets with any other mark, or from an interface with a
 * number that does not fit, are never armed. What else there is of packets that
 * differ (TCP segments that open or close, fragments, options ...) does not
 * arm and is not short-cut, see hooks.c; and rules that ask for more are
 * volatile.
 *
 * The generation is a sum of counts that only rise:
 *
 *   what changes                              who moves it on
 *   ----------------------------------------  ---------------------------------
 *   nf_tables: rules, sets, chains, policies  nf_tables_commit(), at its end
 *   x_tables: a table                         __do_replace()
 *   hooks of Netfilter: nf_tables' chains,    __nf_register_net_hook() and
 *   tables, BPF programs, modules             __nf_unregister_net_hook()
 *   IPv4: routes, rules, nexthops, addresses, rt_cache_flush()
 *   forwarding, rp_filter, IPsec policies
 *   IPv6: routes, multipath members, rules,   fib6_new_sernum()
 *   addresses, IPsec policies
 *   devices: name, group, master, state       netdev_event(), core.c
 *   instances: listeners, mode; peers: VPN    nf_ovpn_gen_bump()
 *   addresses; "ip ovpn flow flush"
 *
 * What has no count is looked at for each packet (hooks.c): MTU and state of
 * the device, IPv6 forwarding, IPsec input policies, BPF programs of a control
 * group; or keeps the flow from being armed: a route that expires.
 *
 * A change is made before its count moves on, and a packet reads the counts
 * before it asks the first rule and again when it is to be armed. If the rules
 * were changed in between the counts differ; if a change was seen in part, its
 * count is still to move, and what is armed now ends then.
 *
 * Rules whose answer must not be remembered move nf_verdict_volatile on, which
 * is compared likewise.
 *
 * What a packet has read when it asked is noted per CPU with its address:
 * between the two hooks a packet normally stays on its CPU. Where it does not
 * (nfqueue, a preempted sender) the note does not match and the next packet asks
 * again. There is room for a few notes, as the host may send a packet of its own
 * in between, an ICMP redirect above all.
 */
#include <linux/hash.h>
#include <net/dsfield.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "nf_ovpn.h"
#include "trace.h"

#define HANDLE_INDEX_BITS	NF_OVPN_HANDLE_INDEX
#define HANDLE_SERIAL_BITS	39

/* What each conntrack entry of a host with VPNs pays. */
static_assert(sizeof(struct nf_conn_ovpn) <= 40);

/* The upper half of a kind */
#define KIND_IFINDEX_BITS	23
#define KIND_MARK		BIT(23)
#define KIND_STATE_SHIFT	24
#define KIND_DSCP_SHIFT		26

/**
 * nf_ovpn_gen - current generation of rules, routes and instances
 * @net: network namespace
 *
 * What is read before was so in this generation or an earlier one; what is read
 * behind, in this or a later one.
 *
 * Context: Any context.
 * Return: the generation, never 0, which stands for "not armed".
 */
u32 nf_ovpn_gen(const struct net *net)
{
	u32 gen;

	/* What was asked is older than what is read. */
	smp_rmb();
	gen = atomic_read(&nf_ovpn_pernet(net)->gen) + rt_genid_ipv4(net) +
	      nf_rules_gen(net);
#if IS_ENABLED(CONFIG_IPV6)
	gen += rt_genid_ipv6(net);
#endif
	/* Pairs with the release of those who move the counts on. */
	smp_rmb();
	return gen ?: 1;
}

/**
 * nf_ovpn_gen_bump - something has changed that armed flows rely on
 * @net: network namespace
 *
 * Context: Any context.
 */
void nf_ovpn_gen_bump(const struct net *net)
{
	/* The change is seen by who sees the count, see nf_ovpn_gen(). */
	smp_mb__before_atomic();
	atomic_inc(&nf_ovpn_pernet(net)->gen);
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

/**
 * nf_ovpn_ct_kind - what of a packet an armed direction is for
 * @skb: the packet
 * @pf: its family
 * @ct: its conntrack entry
 * @ctinfo: its state
 * @in: the device that it came by, NULL when this host sends it
 *
 * Return: the kind, or NF_OVPN_KIND_NONE.
 */
u64 nf_ovpn_ct_kind(const struct sk_buff *skb, u8 pf, const struct nf_conn *ct,
		    enum ip_conntrack_info ctinfo, const struct net_device *in)
{
	u32 kind = in ? in->ifindex : 0;
	u32 mark = 0;
	u8 dsfield;

#if IS_ENABLED(CONFIG_NF_CONNTRACK_MARK)
	mark = READ_ONCE(ct->mark);
#endif
	if (kind >> KIND_IFINDEX_BITS)
		return NF_OVPN_KIND_NONE;
	if (skb->mark) {
		if (skb->mark != mark)
			return NF_OVPN_KIND_NONE;
		kind |= KIND_MARK;
	}
	if (ctinfo >= IP_CT_IS_REPLY)
		ctinfo -= IP_CT_IS_REPLY;
	kind |= (u32)ctinfo << KIND_STATE_SHIFT;
	dsfield = pf == NFPROTO_IPV4 ? ipv4_get_dsfield(ip_hdr(skb)) :
				       ipv6_get_dsfield(ipv6_hdr(skb));
	kind |= (u32)(dsfield >> 2) << KIND_DSCP_SHIFT;
	return (u64)kind << 32 | mark;
}

struct asked {
	const void		*skb;
	const struct nf_conn	*ct;
	u64			kind;
	unsigned long		count;
	u32			gen;
};

#define ASKED_BITS	2

static DEFINE_PER_CPU(struct asked [BIT(ASKED_BITS)], asked);

/**
 * nf_ovpn_ct_ask - note that a packet is about to ask the rules
 * @skb: the packet
 * @ct: its conntrack entry
 * @kind: of which kind it is
 * @gen: the generation, read before
 *
 * Context: RCU read side, interrupts enabled.
 */
void nf_ovpn_ct_ask(const struct sk_buff *skb, const struct nf_conn *ct,
		    u64 kind, u32 gen)
{
	struct asked *note;

	local_bh_disable();
	note = this_cpu_ptr(&asked[hash_ptr(skb, ASKED_BITS)]);
	note->skb = skb;
	note->ct = ct;
	note->kind = kind;
	note->gen = gen;
	note->count = this_cpu_read(nf_verdict_volatile);
	local_bh_enable();
}

/**
 * nf_ovpn_ct_asked_forward - whether a packet came by an interface
 * @asked_skb: address of the packet when it asked
 *
 * Context: BH disabled.
 * Return: false when this host sends it, or when that is not known.
 */
bool nf_ovpn_ct_asked_forward(const void *asked_skb)
{
	const struct asked *note;

	note = this_cpu_ptr(&asked[hash_ptr(asked_skb, ASKED_BITS)]);
	return note->skb == asked_skb &&
	       note->kind >> 32 & (BIT(KIND_IFINDEX_BITS) - 1);
}

/* Why the packet of this note must not arm, 0 when it may. */
static enum nf_ovpn_unarmed judge(const struct nf_ovpn_instance *inst,
				  const struct nf_conn *ct,
				  const void *asked_skb,
				  const struct asked *note, bool inner)
{
	if (note->skb != asked_skb || note->ct != ct)
		return NF_OVPN_UNARMED_PATH;
	if (note->kind == NF_OVPN_KIND_NONE)
		return NF_OVPN_UNARMED_PACKET_MARK;
	if (inner && /* pairs with parse_fastpath() */
	    smp_load_acquire(&inst->fastpath) == NF_OVPN_FASTPATH_MARKED &&
	    ((u32)note->kind & READ_ONCE(inst->fastpath_mask)) !=
	     READ_ONCE(inst->fastpath_mark))
		return NF_OVPN_UNARMED_MARK;
	if (note->count != this_cpu_read(nf_verdict_volatile))
		return NF_OVPN_UNARMED_RULE;
	return NF_OVPN_UNARMED_NONE;
}

/* Remember why the direction is not armed, unless it is, for another kind. */
static void refuse(const struct net *net, struct nf_conn *ct,
		   enum ip_conntrack_dir dir, u64 handle,
		   enum nf_ovpn_unarmed reason)
{
	struct nf_conn_ovpn *ext = nf_ct_ovpn_find(ct);
	u32 armed = READ_ONCE(ext->gen[dir]);

	trace_nf_ovpn_refuse(ct, dir, handle, reason);
	if (!armed && atomic64_read(&ext->kind[dir]) == reason &&
	    atomic64_read(&ext->handle[dir]) == handle)
		return;

	spin_lock(&ct->lock);
	armed = ext->gen[dir];
	if (!armed || armed != nf_ovpn_gen(net)) {
		WRITE_ONCE(ext->gen[dir], 0);
		/* Pairs with nf_ovpn_ct_armed(). */
		smp_wmb();
		atomic64_set(&ext->handle[dir], handle);
		atomic64_set(&ext->kind[dir], reason);
	}
	spin_unlock(&ct->lock);
}

/* Under nf_conn::lock */
static void arm(struct nf_conn *ct, enum ip_conntrack_dir dir, u64 handle,
		u64 kind, u32 gen)
{
	struct nf_conn_ovpn *ext = nf_ct_ovpn_find(ct);

	/* A reader finds what belongs together, or 0. */
	WRITE_ONCE(ext->gen[dir], 0);
	/* Pairs with nf_ovpn_ct_armed(). */
	smp_wmb();
	atomic64_set(&ext->handle[dir], handle);
	atomic64_set(&ext->kind[dir], kind);
	/* Pairs with nf_ovpn_ct_armed(). */
	smp_store_release(&ext->gen[dir], gen);
	trace_nf_ovpn_arm(ct, dir, handle, gen);
}

/**
 * nf_ovpn_ct_arm - a packet was accepted: arm its direction of the flow
 * @inst: instance that the packet is of
 * @ct: entry with an extension
 * @dir: direction of the packet
 * @asked_skb: address of the packet when it asked
 * @handle: handle to arm the direction with
 * @reason: why not to, NF_OVPN_UNARMED_NONE if nothing is known against it
 *
 * Does nothing when the rules have changed since the packet asked, or one of
 * them has given an answer that must not be remembered.
 *
 * Context: BH disabled.
 */
void nf_ovpn_ct_arm(struct nf_ovpn_instance *inst, struct nf_conn *ct,
		    enum ip_conntrack_dir dir, const void *asked_skb,
		    u64 handle, enum nf_ovpn_unarmed reason)
{
	struct asked *note;

	note = this_cpu_ptr(&asked[hash_ptr(asked_skb, ASKED_BITS)]);
	if (!reason)
		reason = judge(inst, ct, asked_skb, note,
			       !(handle & NF_OVPN_HANDLE_OUTER));
	if (!reason) {
		/* Under the lock the check and the writes are one step, so that
		 * an older generation never replaces what is of a newer one.
		 */
		spin_lock(&ct->lock);
		if (note->gen == nf_ovpn_gen(inst->net))
			arm(ct, dir, handle, note->kind, note->gen);
		else
			reason = NF_OVPN_UNARMED_CHANGED;
		spin_unlock(&ct->lock);
	}
	/* The address is good for this packet only. */
	if (note->skb == asked_skb)
		note->skb = NULL;

	if (reason) {
		refuse(inst->net, ct, dir, handle, reason);
		nf_ovpn_stats_unarmed(inst, reason);
	}
}

/**
 * nf_ovpn_ct_armed - find the peer of an armed direction
 * @net: network namespace
 * @ct: the flow
 * @ext: its extension
 * @dir: direction of the packet
 * @kind: its kind
 * @gen: current generation
 *
 * Context: RCU read side.
 * Return: the peer, NULL when the direction is not armed (any more), or not for
 * this kind of packet.
 */
struct nf_ovpn_peer *nf_ovpn_ct_armed(const struct net *net,
				      const struct nf_conn *ct,
				      const struct nf_conn_ovpn *ext,
				      enum ip_conntrack_dir dir, u64 kind,
				      u32 gen)
{
	struct nf_ovpn_peer *peer = NULL;
	u64 handle, armed_kind;
	u32 armed;

	/* Pairs with arm() and refuse(): what is between belongs to it. */
	armed = smp_load_acquire(&ext->gen[dir]);
	handle = atomic64_read(&ext->handle[dir]);
	armed_kind = atomic64_read(&ext->kind[dir]);
	/* Pairs with arm() and refuse(). */
	smp_rmb();
	if (likely(armed == gen && armed_kind == kind &&
		   kind != NF_OVPN_KIND_NONE &&
		   READ_ONCE(ext->gen[dir]) == armed))
		peer = nf_ovpn_handle_peer(net, handle);
	if (unlikely(armed && !peer))
		trace_nf_ovpn_disarm(ct, dir, handle, armed);
	return peer;
}

/**
 * nf_ovpn_ct_arm_eager - a peer has opened a flow: arm the way back
 * @net: network namespace
 * @ct: unconfirmed entry
 * @dir: direction of the packet
 * @skb: the packet, at its end
 * @pf: its family
 * @in: device that replies come by, NULL when this host sends them
 *
 * Does nothing unless the instance of the peer wants that. Rules are not asked
 * for replies, routes are: by this, or by the sender on this host.
 *
 * Context: RCU read side.
 */
void nf_ovpn_ct_arm_eager(const struct net *net, struct nf_conn *ct,
			  enum ip_conntrack_dir dir, const struct sk_buff *skb,
			  u8 pf, struct net_device *in)
{
	struct nf_conn_ovpn *ext = nf_ct_ovpn_find(ct);
	struct nf_ovpn_peer *peer;
	u64 handle, kind;
	u32 gen;

	handle = atomic64_read(&ext->handle[!dir]);
	if (!handle || handle & NF_OVPN_HANDLE_OUTER)
		return;
	peer = nf_ovpn_handle_peer(net, handle);
	if (!peer || READ_ONCE(peer->inst->fastpath) != NF_OVPN_FASTPATH_EAGER)
		return;

	/* A reply has the DSCP of what it answers, and no mark. */
	kind = nf_ovpn_ct_kind(skb, pf, ct, IP_CT_ESTABLISHED_REPLY, in);
	if (kind == NF_OVPN_KIND_NONE)
		return;
	kind &= ~((u64)KIND_MARK << 32);

	/* before routes are asked */
	gen = nf_ovpn_gen(net);
	if (in && !nf_ovpn_fib_leads_back(peer->inst, ct, !dir, skb, in))
		return;

	spin_lock_bh(&ct->lock);
	arm(ct, !dir, handle, kind, gen);
	spin_unlock_bh(&ct->lock);
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
 */
void nf_ovpn_ct_attach_inner(struct nf_conn *ct, enum ip_conntrack_dir dir,
			     const struct nf_ovpn_peer *from)
{
	struct nf_conn_ovpn *ext = nf_ct_ovpn_ext_add(ct);

	if (!ext)
		return;
	trace_nf_ovpn_attach(ct, dir, from ? from->handle : 0, 0);
	if (from)
		atomic64_set(&ext->handle[!dir], from->handle);
}
