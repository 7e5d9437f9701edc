/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_STATS_H
#define _NF_OVPN_STATS_H

#include <linux/percpu.h>
#include <linux/u64_stats_sync.h>

#include <uapi/linux/nf_ovpn.h>

/* Counters of a peer and of an instance, numbered as netlink does. */
#define NF_OVPN_PEER_STATS	NF_OVPN_A_STATS_LINK_TX_PACKETS
/* More counters of an instance: the paths, then the reasons for a drop. */
#define NF_OVPN_INST_STATS	NF_OVPN_A_STATS_TX_USERSPACE_PACKETS
#define NF_OVPN_INST_DROPS	NF_OVPN_A_DROPS_MAX
/* Why packets have not armed their flow: enum nf_ovpn_unarmed */
#define NF_OVPN_INST_UNARMED	NF_OVPN_A_UNARMED_PACKETS_MAX

struct nf_ovpn_peer_stats {
	u64_stats_t		count[NF_OVPN_PEER_STATS + 1];
	struct u64_stats_sync	syncp;
};

struct nf_ovpn_inst_stats {
	u64_stats_t		count[NF_OVPN_INST_STATS + 1];
	u64_stats_t		drops[NF_OVPN_INST_DROPS + 1];
	u64_stats_t		unarmed[NF_OVPN_INST_UNARMED + 1];
	struct u64_stats_sync	syncp;
};

/**
 * struct nf_ovpn_tally - packets of one peer that were sent or received together
 * @vpn_packets: inner packets
 * @vpn_bytes: their bytes
 * @link_packets: datagrams, those of pings among them
 * @link_bytes: bytes of UDP payload
 * @dev_packets: inner packets that the device has received
 * @dev_bytes: their bytes
 */
struct nf_ovpn_tally {
	u32	vpn_packets;
	u32	vpn_bytes;
	u32	link_packets;
	u32	link_bytes;
	u32	dev_packets;
	u32	dev_bytes;
};

struct nf_ovpn_instance;
struct nf_ovpn_peer;
struct sk_buff;

void nf_ovpn_stats_rx(struct nf_ovpn_peer *peer, int path,
		      const struct nf_ovpn_tally *tally);
void nf_ovpn_stats_tx(struct nf_ovpn_peer *peer, int path,
		      const struct nf_ovpn_tally *tally);
void nf_ovpn_stats_path(struct nf_ovpn_instance *inst, int path);
void nf_ovpn_stats_drop(struct nf_ovpn_instance *inst, int reason,
			unsigned int packets);
void nf_ovpn_stats_unarmed(struct nf_ovpn_instance *inst, int reason);
void nf_ovpn_free(struct sk_buff *skb, int reason);
void nf_ovpn_drop(struct nf_ovpn_instance *inst, struct sk_buff *skb,
		  int reason);
void nf_ovpn_drop_reasons_register(void);
void nf_ovpn_drop_reasons_unregister(void);
void nf_ovpn_stats_peer_sum(const struct nf_ovpn_peer *peer, u64 *count);
void nf_ovpn_stats_inst_sum(const struct nf_ovpn_instance *inst, u64 *count,
			    u64 *drops, u64 *unarmed);

#endif /* _NF_OVPN_STATS_H */
