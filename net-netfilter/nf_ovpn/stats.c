// SPDX-License-Identifier: GPL-2.0
/* Counters, per CPU and without a lock. Their numbers are netlink's
 * attribute numbers, so that nothing is translated.
 */
#include <linux/skbuff.h>
#include <net/dropreason.h>

#include "nf_ovpn.h"

#define S(name)		NF_OVPN_A_STATS_##name

/* The numbers of what is sent follow those of what is received. */
static_assert(S(VPN_TX_BYTES) == S(VPN_RX_BYTES) + 1);
static_assert(S(VPN_TX_PACKETS) == S(VPN_RX_PACKETS) + 1);
static_assert(S(LINK_TX_BYTES) == S(LINK_RX_BYTES) + 1);
static_assert(S(LINK_TX_PACKETS) == S(LINK_RX_PACKETS) + 1);

/* The reasons are counted by their numbers. */
static_assert((int)NF_OVPN_UNARMED_RULE == NF_OVPN_A_UNARMED_PACKETS_RULE);
static_assert((int)NF_OVPN_UNARMED_BPF == NF_OVPN_A_UNARMED_PACKETS_BPF);
static_assert((int)NF_OVPN_UNARMED_DEVICE ==
	      NF_OVPN_A_UNARMED_PACKETS_DEVICE);

static void add_tally(u64_stats_t *count, int tx,
		      const struct nf_ovpn_tally *tally)
{
	u64_stats_add(&count[S(VPN_RX_BYTES) + tx], tally->vpn_bytes);
	u64_stats_add(&count[S(VPN_RX_PACKETS) + tx], tally->vpn_packets);
	u64_stats_add(&count[S(LINK_RX_BYTES) + tx], tally->link_bytes);
	u64_stats_add(&count[S(LINK_RX_PACKETS) + tx], tally->link_packets);
}

static void count_tally(struct nf_ovpn_peer *peer, int tx, int path,
			const struct nf_ovpn_tally *tally)
{
	struct nf_ovpn_inst_stats *is = this_cpu_ptr(peer->inst->stats);
	struct nf_ovpn_peer_stats *ps = this_cpu_ptr(peer->stats);

	u64_stats_update_begin(&ps->syncp);
	add_tally(ps->count, tx, tally);
	u64_stats_update_end(&ps->syncp);

	u64_stats_update_begin(&is->syncp);
	add_tally(is->count, tx, tally);
	if (path)
		u64_stats_add(&is->count[path], tally->link_packets);
	u64_stats_update_end(&is->syncp);
}

/**
 * nf_ovpn_stats_rx - count authenticated data packets, the device's own too
 * @peer: whose packets
 * @path: NF_OVPN_A_STATS_RX_FAST_PACKETS or _SLOW_
 * @tally: how much
 *
 * Context: BH disabled.
 */
void nf_ovpn_stats_rx(struct nf_ovpn_peer *peer, int path,
		      const struct nf_ovpn_tally *tally)
{
	struct pcpu_sw_netstats *dev = this_cpu_ptr(peer->inst->dev->tstats);

	count_tally(peer, 0, path, tally);

	/* dev_sw_netstats_rx_add() has one packet only. */
	u64_stats_update_begin(&dev->syncp);
	u64_stats_add(&dev->rx_packets, tally->dev_packets);
	u64_stats_add(&dev->rx_bytes, tally->dev_bytes);
	u64_stats_update_end(&dev->syncp);
}

/**
 * nf_ovpn_stats_tx - count what was sent
 * @peer: to whom
 * @path: NF_OVPN_A_STATS_TX_FAST_PACKETS or _EGRESS_, or 0 for a ping
 * @tally: how much
 *
 * Context: BH disabled.
 */
void nf_ovpn_stats_tx(struct nf_ovpn_peer *peer, int path,
		      const struct nf_ovpn_tally *tally)
{
	count_tally(peer, 1, path, tally);
}

/**
 * nf_ovpn_stats_path - count a packet that is left to userspace
 * @inst: the instance
 * @path: one of NF_OVPN_A_STATS_*
 *
 * Context: BH disabled.
 */
void nf_ovpn_stats_path(struct nf_ovpn_instance *inst, int path)
{
	struct nf_ovpn_inst_stats *is = this_cpu_ptr(inst->stats);

	u64_stats_update_begin(&is->syncp);
	u64_stats_inc(&is->count[path]);
	u64_stats_update_end(&is->syncp);
}

/**
 * nf_ovpn_stats_drop - count packets that are dropped
 * @inst: the instance
 * @reason: one of NF_OVPN_A_DROPS_*
 * @packets: how many
 *
 * Context: BH disabled.
 */
void nf_ovpn_stats_drop(struct nf_ovpn_instance *inst, int reason,
			unsigned int packets)
{
	struct nf_ovpn_inst_stats *is = this_cpu_ptr(inst->stats);

	u64_stats_update_begin(&is->syncp);
	u64_stats_add(&is->drops[reason], packets);
	u64_stats_update_end(&is->syncp);
}

/**
 * nf_ovpn_stats_unarmed - count a packet that does not arm its flow
 * @inst: the instance
 * @reason: one of NF_OVPN_UNARMED_*
 *
 * Context: BH disabled.
 */
void nf_ovpn_stats_unarmed(struct nf_ovpn_instance *inst, int reason)
{
	struct nf_ovpn_inst_stats *is = this_cpu_ptr(inst->stats);

	u64_stats_update_begin(&is->syncp);
	u64_stats_inc(&is->unarmed[reason]);
	u64_stats_update_end(&is->syncp);
}

/* As drop monitoring shows them */
static const char * const drop_reasons[] = {
	[NF_OVPN_A_DROPS_MALFORMED]	= "NF_OVPN_DROP_MALFORMED",
	[NF_OVPN_A_DROPS_CHECKSUM]	= "NF_OVPN_DROP_CHECKSUM",
	[NF_OVPN_A_DROPS_AUTH]		= "NF_OVPN_DROP_AUTH",
	[NF_OVPN_A_DROPS_REPLAY]	= "NF_OVPN_DROP_REPLAY",
	[NF_OVPN_A_DROPS_INNER]		= "NF_OVPN_DROP_INNER",
	[NF_OVPN_A_DROPS_SOURCE]	= "NF_OVPN_DROP_SOURCE",
	[NF_OVPN_A_DROPS_ECN]		= "NF_OVPN_DROP_ECN",
	[NF_OVPN_A_DROPS_NO_KEY]	= "NF_OVPN_DROP_NO_KEY",
	[NF_OVPN_A_DROPS_KEY_LIMIT]	= "NF_OVPN_DROP_KEY_LIMIT",
	[NF_OVPN_A_DROPS_NO_ROUTE]	= "NF_OVPN_DROP_NO_ROUTE",
	[NF_OVPN_A_DROPS_LOOP]		= "NF_OVPN_DROP_LOOP",
	[NF_OVPN_A_DROPS_NO_MEMORY]	= "NF_OVPN_DROP_NO_MEMORY",
	[NF_OVPN_A_DROPS_CONNTRACK]	= "NF_OVPN_DROP_CONNTRACK",
	[NF_OVPN_A_DROPS_TOO_BIG]	= "NF_OVPN_DROP_TOO_BIG",
	[NF_OVPN_A_DROPS_FRAMING]	= "NF_OVPN_DROP_FRAMING",
	[NF_OVPN_A_DROPS_OFFLOAD]	= "NF_OVPN_DROP_OFFLOAD",
};

static_assert(ARRAY_SIZE(drop_reasons) == NF_OVPN_INST_DROPS + 1);

static const struct drop_reason_list drop_reason_list = {
	.reasons	= drop_reasons,
	.n_reasons	= ARRAY_SIZE(drop_reasons),
};

/**
 * nf_ovpn_drop_reasons_register - give our reasons to drop monitoring
 */
void nf_ovpn_drop_reasons_register(void)
{
	drop_reasons_register_subsys(SKB_DROP_REASON_SUBSYS_NF_OVPN,
				     &drop_reason_list);
}

/**
 * nf_ovpn_drop_reasons_unregister - take them away
 *
 * Context: Process. Waits for an RCU grace period.
 */
void nf_ovpn_drop_reasons_unregister(void)
{
	drop_reasons_unregister_subsys(SKB_DROP_REASON_SUBSYS_NF_OVPN);
}

/**
 * nf_ovpn_free - free a packet that was dropped
 * @skb: the packet
 * @reason: one of NF_OVPN_A_DROPS_*
 */
void nf_ovpn_free(struct sk_buff *skb, int reason)
{
	kfree_skb_reason(skb, (u32)(SKB_DROP_REASON_SUBSYS_NF_OVPN <<
				    SKB_DROP_REASON_SUBSYS_SHIFT | reason));
}

/**
 * nf_ovpn_drop - drop a packet and count it
 * @inst: the instance
 * @skb: the packet
 * @reason: one of NF_OVPN_A_DROPS_*
 *
 * Context: BH disabled.
 */
void nf_ovpn_drop(struct nf_ovpn_instance *inst, struct sk_buff *skb,
		  int reason)
{
	nf_ovpn_stats_drop(inst, reason, 1);
	nf_ovpn_free(skb, reason);
}

/**
 * nf_ovpn_stats_peer_sum - add up the counters of a peer
 * @peer: the peer
 * @count: NF_OVPN_PEER_STATS + 1 sums, written
 */
void nf_ovpn_stats_peer_sum(const struct nf_ovpn_peer *peer, u64 *count)
{
	u64 part[NF_OVPN_PEER_STATS + 1];
	unsigned int start;
	int cpu, i;

	memset(count, 0, sizeof(part));
	for_each_possible_cpu(cpu) {
		const struct nf_ovpn_peer_stats *ps;

		ps = per_cpu_ptr(peer->stats, cpu);
		do {
			start = u64_stats_fetch_begin(&ps->syncp);
			for (i = 1; i <= NF_OVPN_PEER_STATS; i++)
				part[i] = u64_stats_read(&ps->count[i]);
		} while (u64_stats_fetch_retry(&ps->syncp, start));
		for (i = 1; i <= NF_OVPN_PEER_STATS; i++)
			count[i] += part[i];
	}
}

/**
 * nf_ovpn_stats_inst_sum - add up the counters of an instance
 * @inst: the instance
 * @count: NF_OVPN_INST_STATS + 1 sums, written
 * @drops: NF_OVPN_INST_DROPS + 1 sums, written
 * @unarmed: NF_OVPN_INST_UNARMED + 1 sums, written
 */
void nf_ovpn_stats_inst_sum(const struct nf_ovpn_instance *inst, u64 *count,
			    u64 *drops, u64 *unarmed)
{
	u64 part[NF_OVPN_INST_STATS + 1], dpart[NF_OVPN_INST_DROPS + 1];
	u64 upart[NF_OVPN_INST_UNARMED + 1];
	unsigned int start;
	int cpu, i;

	memset(count, 0, sizeof(part));
	memset(drops, 0, sizeof(dpart));
	memset(unarmed, 0, sizeof(upart));
	for_each_possible_cpu(cpu) {
		const struct nf_ovpn_inst_stats *is;

		is = per_cpu_ptr(inst->stats, cpu);
		do {
			start = u64_stats_fetch_begin(&is->syncp);
			for (i = 1; i <= NF_OVPN_INST_STATS; i++)
				part[i] = u64_stats_read(&is->count[i]);
			for (i = 1; i <= NF_OVPN_INST_DROPS; i++)
				dpart[i] = u64_stats_read(&is->drops[i]);
			for (i = 1; i <= NF_OVPN_INST_UNARMED; i++)
				upart[i] = u64_stats_read(&is->unarmed[i]);
		} while (u64_stats_fetch_retry(&is->syncp, start));
		for (i = 1; i <= NF_OVPN_INST_STATS; i++)
			count[i] += part[i];
		for (i = 1; i <= NF_OVPN_INST_DROPS; i++)
			drops[i] += dpart[i];
		for (i = 1; i <= NF_OVPN_INST_UNARMED; i++)
			unarmed[i] += upart[i];
	}
}
