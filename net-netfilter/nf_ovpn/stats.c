// SPDX-License-Identifier: GPL-2.0
/* Counters, per CPU and without a lock. Their numbers are netlink's
 * attribute numbers, so that nothing is translated.
 */
#include "nf_ovpn.h"

#define S(name)		NF_OVPN_A_STATS_##name

static void add(u64_stats_t *count, int packets_at, int bytes_at, u32 packets,
		u32 bytes)
{
	u64_stats_add(&count[packets_at], packets);
	u64_stats_add(&count[bytes_at], bytes);
}

/**
 * nf_ovpn_stats_rx - count an authenticated data packet
 * @peer: whose packet
 * @path: NF_OVPN_A_STATS_RX_FAST_PACKETS or _SLOW_
 * @vpn_bytes: length of the inner packet, 0 for a ping
 * @link_bytes: length of the UDP payload
 *
 * Context: BH disabled.
 */
void nf_ovpn_stats_rx(struct nf_ovpn_peer *peer, int path,
		      u32 vpn_bytes, u32 link_bytes)
{
	struct nf_ovpn_inst_stats *is = this_cpu_ptr(peer->inst->stats);
	struct nf_ovpn_peer_stats *ps = this_cpu_ptr(peer->stats);

	u64_stats_update_begin(&ps->syncp);
	add(ps->count, S(LINK_RX_PACKETS), S(LINK_RX_BYTES), 1, link_bytes);
	add(ps->count, S(VPN_RX_PACKETS), S(VPN_RX_BYTES), !!vpn_bytes,
	    vpn_bytes);
	u64_stats_update_end(&ps->syncp);

	u64_stats_update_begin(&is->syncp);
	add(is->count, S(LINK_RX_PACKETS), S(LINK_RX_BYTES), 1, link_bytes);
	add(is->count, S(VPN_RX_PACKETS), S(VPN_RX_BYTES), !!vpn_bytes,
	    vpn_bytes);
	u64_stats_inc(&is->count[path]);
	u64_stats_update_end(&is->syncp);
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
	struct nf_ovpn_inst_stats *is = this_cpu_ptr(peer->inst->stats);
	struct nf_ovpn_peer_stats *ps = this_cpu_ptr(peer->stats);
	u32 vpn_packets = path ? tally->packets : 0;

	u64_stats_update_begin(&ps->syncp);
	add(ps->count, S(LINK_TX_PACKETS), S(LINK_TX_BYTES), tally->packets,
	    tally->link_bytes);
	add(ps->count, S(VPN_TX_PACKETS), S(VPN_TX_BYTES), vpn_packets,
	    tally->vpn_bytes);
	u64_stats_update_end(&ps->syncp);

	u64_stats_update_begin(&is->syncp);
	add(is->count, S(LINK_TX_PACKETS), S(LINK_TX_BYTES), tally->packets,
	    tally->link_bytes);
	add(is->count, S(VPN_TX_PACKETS), S(VPN_TX_BYTES), vpn_packets,
	    tally->vpn_bytes);
	if (path)
		u64_stats_add(&is->count[path], tally->packets);
	u64_stats_update_end(&is->syncp);
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
 * nf_ovpn_stats_drop - count a packet that is dropped
 * @inst: the instance
 * @reason: one of NF_OVPN_A_DROPS_*
 *
 * Context: BH disabled.
 */
void nf_ovpn_stats_drop(struct nf_ovpn_instance *inst, int reason)
{
	struct nf_ovpn_inst_stats *is = this_cpu_ptr(inst->stats);

	u64_stats_update_begin(&is->syncp);
	u64_stats_inc(&is->drops[reason]);
	u64_stats_update_end(&is->syncp);
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
 */
void nf_ovpn_stats_inst_sum(const struct nf_ovpn_instance *inst, u64 *count,
			    u64 *drops)
{
	u64 part[NF_OVPN_INST_STATS + 1], dpart[NF_OVPN_INST_DROPS + 1];
	unsigned int start;
	int cpu, i;

	memset(count, 0, sizeof(part));
	memset(drops, 0, sizeof(dpart));
	for_each_possible_cpu(cpu) {
		const struct nf_ovpn_inst_stats *is;

		is = per_cpu_ptr(inst->stats, cpu);
		do {
			start = u64_stats_fetch_begin(&is->syncp);
			for (i = 1; i <= NF_OVPN_INST_STATS; i++)
				part[i] = u64_stats_read(&is->count[i]);
			for (i = 1; i <= NF_OVPN_INST_DROPS; i++)
				dpart[i] = u64_stats_read(&is->drops[i]);
		} while (u64_stats_fetch_retry(&is->syncp, start));
		for (i = 1; i <= NF_OVPN_INST_STATS; i++)
			count[i] += part[i];
		for (i = 1; i <= NF_OVPN_INST_DROPS; i++)
			drops[i] += dpart[i];
	}
}
