/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/nf_ovpn.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_NF_OVPN_GEN_H
#define _LINUX_NF_OVPN_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/nf_ovpn.h>

/* Common nested types */
extern const struct nla_policy nf_ovpn_drops_nl_policy[NF_OVPN_A_DROPS_OFFLOAD + 1];
extern const struct nla_policy nf_ovpn_instance_new_input_nl_policy[NF_OVPN_A_INSTANCE_BIND_DEV + 1];
extern const struct nla_policy nf_ovpn_instance_set_input_nl_policy[NF_OVPN_A_INSTANCE_BIND_DEV + 1];
extern const struct nla_policy nf_ovpn_keyconf_nl_policy[NF_OVPN_A_KEYCONF_INSECURE + 1];
extern const struct nla_policy nf_ovpn_keyconf_accept_input_nl_policy[NF_OVPN_A_KEYCONF_RX_PACKET_ID + 1];
extern const struct nla_policy nf_ovpn_keyconf_new_input_nl_policy[NF_OVPN_A_KEYCONF_INSECURE + 1];
extern const struct nla_policy nf_ovpn_keyconf_peer_input_nl_policy[NF_OVPN_A_KEYCONF_PEER_ID + 1];
extern const struct nla_policy nf_ovpn_keyconf_reserve_input_nl_policy[NF_OVPN_A_KEYCONF_PACKETS + 1];
extern const struct nla_policy nf_ovpn_keyconf_slot_input_nl_policy[NF_OVPN_A_KEYCONF_SLOT + 1];
extern const struct nla_policy nf_ovpn_keydir_nl_policy[NF_OVPN_A_KEYDIR_AUTH_KEY + 1];
extern const struct nla_policy nf_ovpn_listener_nl_policy[NF_OVPN_A_LISTENER_LOCAL_PORT + 1];
extern const struct nla_policy nf_ovpn_network_nl_policy[NF_OVPN_A_NETWORK_PREFIX_LEN + 1];
extern const struct nla_policy nf_ovpn_peer_nl_policy[NF_OVPN_A_PEER_STATS + 1];
extern const struct nla_policy nf_ovpn_peer_id_input_nl_policy[NF_OVPN_A_PEER_ID + 1];
extern const struct nla_policy nf_ovpn_peer_input_nl_policy[NF_OVPN_A_PEER_DATA_V1 + 1];
extern const struct nla_policy nf_ovpn_stats_nl_policy[NF_OVPN_A_STATS_UNARMED + 1];
extern const struct nla_policy nf_ovpn_unarmed_packets_nl_policy[NF_OVPN_A_UNARMED_PACKETS_DEVICE + 1];

int nf_ovpn_nl_instance_new_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_instance_set_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_instance_get_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_instance_get_dumpit(struct sk_buff *skb,
				   struct netlink_callback *cb);
int nf_ovpn_nl_instance_del_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_peer_new_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_peer_set_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_peer_get_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_peer_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int nf_ovpn_nl_peer_del_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_key_new_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_key_get_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_key_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int nf_ovpn_nl_key_swap_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_key_del_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_key_release_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_key_reserve_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_key_accept_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_flow_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int nf_ovpn_nl_flow_flush_doit(struct sk_buff *skb, struct genl_info *info);
int nf_ovpn_nl_peer_flush_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	NF_OVPN_NLGRP_PEERS,
};

extern struct genl_family nf_ovpn_nl_family;

#endif /* _LINUX_NF_OVPN_GEN_H */
