// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/nf_ovpn.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "genl-gen.h"

#include <uapi/linux/nf_ovpn.h>

/* Integer value ranges */
static const struct netlink_range_validation nf_ovpn_a_peer_id_range = {
	.max	= 16777215ULL,
};

static const struct netlink_range_validation nf_ovpn_a_peer_tx_id_range = {
	.max	= 16777215ULL,
};

static const struct netlink_range_validation nf_ovpn_a_peer_remote_ipv6_scope_id_range = {
	.min	= 1ULL,
	.max	= S32_MAX,
};

static const struct netlink_range_validation nf_ovpn_a_peer_keepalive_interval_range = {
	.max	= 86400ULL,
};

static const struct netlink_range_validation nf_ovpn_a_peer_keepalive_timeout_range = {
	.max	= 86400ULL,
};

static const struct netlink_range_validation nf_ovpn_a_keyconf_peer_id_range = {
	.max	= 16777215ULL,
};

static const struct netlink_range_validation nf_ovpn_a_keyconf_packets_range = {
	.min	= 1ULL,
	.max	= 65536ULL,
};

static const struct netlink_range_validation nf_ovpn_a_ifindex_range = {
	.min	= 1ULL,
	.max	= S32_MAX,
};

/* Common nested types */
const struct nla_policy nf_ovpn_drops_nl_policy[NF_OVPN_A_DROPS_OFFLOAD + 1] = {
	[NF_OVPN_A_DROPS_MALFORMED] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_CHECKSUM] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_AUTH] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_REPLAY] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_INNER] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_SOURCE] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_ECN] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_NO_KEY] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_KEY_LIMIT] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_NO_ROUTE] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_LOOP] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_NO_MEMORY] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_CONNTRACK] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_TOO_BIG] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_FRAMING] = { .type = NLA_UINT, },
	[NF_OVPN_A_DROPS_OFFLOAD] = { .type = NLA_UINT, },
};

const struct nla_policy nf_ovpn_instance_new_input_nl_policy[NF_OVPN_A_INSTANCE_BIND_DEV + 1] = {
	[NF_OVPN_A_INSTANCE_MODE] = NLA_POLICY_MAX(NLA_U32, 1),
	[NF_OVPN_A_INSTANCE_FASTPATH] = NLA_POLICY_MAX(NLA_U32, 3),
	[NF_OVPN_A_INSTANCE_LISTENER] = NLA_POLICY_NESTED(nf_ovpn_listener_nl_policy),
	[NF_OVPN_A_INSTANCE_DSCP] = NLA_POLICY_MAX(NLA_U32, 1),
	[NF_OVPN_A_INSTANCE_DF] = NLA_POLICY_MAX(NLA_U32, 2),
	[NF_OVPN_A_INSTANCE_MARK] = { .type = NLA_U32, },
	[NF_OVPN_A_INSTANCE_BIND_DEV] = { .type = NLA_U32, },
	[NF_OVPN_A_INSTANCE_FASTPATH_MARK] = { .type = NLA_U32, },
	[NF_OVPN_A_INSTANCE_FASTPATH_MASK] = { .type = NLA_U32, },
};

const struct nla_policy nf_ovpn_instance_set_input_nl_policy[NF_OVPN_A_INSTANCE_BIND_DEV + 1] = {
	[NF_OVPN_A_INSTANCE_FASTPATH] = NLA_POLICY_MAX(NLA_U32, 3),
	[NF_OVPN_A_INSTANCE_LISTENER] = NLA_POLICY_NESTED(nf_ovpn_listener_nl_policy),
	[NF_OVPN_A_INSTANCE_DSCP] = NLA_POLICY_MAX(NLA_U32, 1),
	[NF_OVPN_A_INSTANCE_DF] = NLA_POLICY_MAX(NLA_U32, 2),
	[NF_OVPN_A_INSTANCE_MARK] = { .type = NLA_U32, },
	[NF_OVPN_A_INSTANCE_BIND_DEV] = { .type = NLA_U32, },
	[NF_OVPN_A_INSTANCE_FASTPATH_MARK] = { .type = NLA_U32, },
	[NF_OVPN_A_INSTANCE_FASTPATH_MASK] = { .type = NLA_U32, },
};

const struct nla_policy nf_ovpn_keyconf_nl_policy[NF_OVPN_A_KEYCONF_INSECURE + 1] = {
	[NF_OVPN_A_KEYCONF_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_keyconf_peer_id_range),
	[NF_OVPN_A_KEYCONF_SLOT] = NLA_POLICY_MAX(NLA_U32, 1),
	[NF_OVPN_A_KEYCONF_KEY_ID] = NLA_POLICY_MAX(NLA_U32, 7),
	[NF_OVPN_A_KEYCONF_CIPHER_ALG] = NLA_POLICY_MAX(NLA_U32, 3),
	[NF_OVPN_A_KEYCONF_ENCRYPT_DIR] = NLA_POLICY_NESTED(nf_ovpn_keydir_nl_policy),
	[NF_OVPN_A_KEYCONF_DECRYPT_DIR] = NLA_POLICY_NESTED(nf_ovpn_keydir_nl_policy),
	[NF_OVPN_A_KEYCONF_KEY_BITS] = { .type = NLA_U32, },
	[NF_OVPN_A_KEYCONF_TX_PACKET_ID] = { .type = NLA_UINT, },
	[NF_OVPN_A_KEYCONF_RX_PACKET_ID] = { .type = NLA_UINT, },
	[NF_OVPN_A_KEYCONF_RX_WINDOW] = NLA_POLICY_MAX_LEN(256),
	[NF_OVPN_A_KEYCONF_PACKETS] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_keyconf_packets_range),
	[NF_OVPN_A_KEYCONF_AUTH_ALG] = NLA_POLICY_MAX(NLA_U32, 2),
	[NF_OVPN_A_KEYCONF_TX_BLOCKS] = { .type = NLA_UINT, },
	[NF_OVPN_A_KEYCONF_EPOCHS] = { .type = NLA_FLAG, },
	[NF_OVPN_A_KEYCONF_INSECURE] = { .type = NLA_FLAG, },
};

const struct nla_policy nf_ovpn_keyconf_accept_input_nl_policy[NF_OVPN_A_KEYCONF_RX_PACKET_ID + 1] = {
	[NF_OVPN_A_KEYCONF_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_keyconf_peer_id_range),
	[NF_OVPN_A_KEYCONF_SLOT] = NLA_POLICY_MAX(NLA_U32, 1),
	[NF_OVPN_A_KEYCONF_RX_PACKET_ID] = { .type = NLA_UINT, },
};

const struct nla_policy nf_ovpn_keyconf_new_input_nl_policy[NF_OVPN_A_KEYCONF_INSECURE + 1] = {
	[NF_OVPN_A_KEYCONF_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_keyconf_peer_id_range),
	[NF_OVPN_A_KEYCONF_SLOT] = NLA_POLICY_MAX(NLA_U32, 1),
	[NF_OVPN_A_KEYCONF_KEY_ID] = NLA_POLICY_MAX(NLA_U32, 7),
	[NF_OVPN_A_KEYCONF_CIPHER_ALG] = NLA_POLICY_MAX(NLA_U32, 3),
	[NF_OVPN_A_KEYCONF_ENCRYPT_DIR] = NLA_POLICY_NESTED(nf_ovpn_keydir_nl_policy),
	[NF_OVPN_A_KEYCONF_DECRYPT_DIR] = NLA_POLICY_NESTED(nf_ovpn_keydir_nl_policy),
	[NF_OVPN_A_KEYCONF_TX_PACKET_ID] = { .type = NLA_UINT, },
	[NF_OVPN_A_KEYCONF_RX_PACKET_ID] = { .type = NLA_UINT, },
	[NF_OVPN_A_KEYCONF_RX_WINDOW] = NLA_POLICY_MAX_LEN(256),
	[NF_OVPN_A_KEYCONF_KEY_BITS] = { .type = NLA_U32, },
	[NF_OVPN_A_KEYCONF_AUTH_ALG] = NLA_POLICY_MAX(NLA_U32, 2),
	[NF_OVPN_A_KEYCONF_TX_BLOCKS] = { .type = NLA_UINT, },
	[NF_OVPN_A_KEYCONF_EPOCHS] = { .type = NLA_FLAG, },
	[NF_OVPN_A_KEYCONF_INSECURE] = { .type = NLA_FLAG, },
};

const struct nla_policy nf_ovpn_keyconf_peer_input_nl_policy[NF_OVPN_A_KEYCONF_PEER_ID + 1] = {
	[NF_OVPN_A_KEYCONF_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_keyconf_peer_id_range),
};

const struct nla_policy nf_ovpn_keyconf_reserve_input_nl_policy[NF_OVPN_A_KEYCONF_PACKETS + 1] = {
	[NF_OVPN_A_KEYCONF_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_keyconf_peer_id_range),
	[NF_OVPN_A_KEYCONF_SLOT] = NLA_POLICY_MAX(NLA_U32, 1),
	[NF_OVPN_A_KEYCONF_PACKETS] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_keyconf_packets_range),
};

const struct nla_policy nf_ovpn_keyconf_slot_input_nl_policy[NF_OVPN_A_KEYCONF_SLOT + 1] = {
	[NF_OVPN_A_KEYCONF_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_keyconf_peer_id_range),
	[NF_OVPN_A_KEYCONF_SLOT] = NLA_POLICY_MAX(NLA_U32, 1),
};

const struct nla_policy nf_ovpn_keydir_nl_policy[NF_OVPN_A_KEYDIR_AUTH_KEY + 1] = {
	[NF_OVPN_A_KEYDIR_CIPHER_KEY] = NLA_POLICY_MAX_LEN(32),
	[NF_OVPN_A_KEYDIR_NONCE_TAIL] = NLA_POLICY_EXACT_LEN(NF_OVPN_NONCE_TAIL_SIZE),
	[NF_OVPN_A_KEYDIR_AUTH_KEY] = NLA_POLICY_MAX_LEN(32),
};

const struct nla_policy nf_ovpn_listener_nl_policy[NF_OVPN_A_LISTENER_LOCAL_PORT + 1] = {
	[NF_OVPN_A_LISTENER_LOCAL_IPV4] = { .type = NLA_BE32, },
	[NF_OVPN_A_LISTENER_LOCAL_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[NF_OVPN_A_LISTENER_LOCAL_PORT] = NLA_POLICY_MIN(NLA_BE16, 1),
};

const struct nla_policy nf_ovpn_network_nl_policy[NF_OVPN_A_NETWORK_PREFIX_LEN + 1] = {
	[NF_OVPN_A_NETWORK_IPV4] = { .type = NLA_BE32, },
	[NF_OVPN_A_NETWORK_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[NF_OVPN_A_NETWORK_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
};

const struct nla_policy nf_ovpn_peer_nl_policy[NF_OVPN_A_PEER_STATS + 1] = {
	[NF_OVPN_A_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_id_range),
	[NF_OVPN_A_PEER_TX_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_tx_id_range),
	[NF_OVPN_A_PEER_REMOTE_IPV4] = { .type = NLA_BE32, },
	[NF_OVPN_A_PEER_REMOTE_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_remote_ipv6_scope_id_range),
	[NF_OVPN_A_PEER_REMOTE_PORT] = NLA_POLICY_MIN(NLA_BE16, 1),
	[NF_OVPN_A_PEER_LOCAL_IPV4] = { .type = NLA_BE32, },
	[NF_OVPN_A_PEER_LOCAL_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[NF_OVPN_A_PEER_LOCAL_PORT] = NLA_POLICY_MIN(NLA_BE16, 1),
	[NF_OVPN_A_PEER_VPN_IPV4] = { .type = NLA_BE32, },
	[NF_OVPN_A_PEER_VPN_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[NF_OVPN_A_PEER_KEEPALIVE_INTERVAL] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_keepalive_interval_range),
	[NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_keepalive_timeout_range),
	[NF_OVPN_A_PEER_NETWORK] = NLA_POLICY_NESTED(nf_ovpn_network_nl_policy),
	[NF_OVPN_A_PEER_NO_NETWORKS] = { .type = NLA_FLAG, },
	[NF_OVPN_A_PEER_ADD_NETWORKS] = { .type = NLA_FLAG, },
	[NF_OVPN_A_PEER_MARK] = { .type = NLA_U32, },
	[NF_OVPN_A_PEER_TCP_MSS] = { .type = NLA_U16, },
	[NF_OVPN_A_PEER_FRAMING] = NLA_POLICY_MAX(NLA_U32, 3),
	[NF_OVPN_A_PEER_DATA_V1] = { .type = NLA_FLAG, },
	[NF_OVPN_A_PEER_DEL_REASON] = NLA_POLICY_MAX(NLA_U32, 2),
	[NF_OVPN_A_PEER_MORE_NETWORKS] = { .type = NLA_FLAG, },
	[NF_OVPN_A_PEER_STATS] = NLA_POLICY_NESTED(nf_ovpn_stats_nl_policy),
};

const struct nla_policy nf_ovpn_peer_id_input_nl_policy[NF_OVPN_A_PEER_ID + 1] = {
	[NF_OVPN_A_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_id_range),
};

const struct nla_policy nf_ovpn_peer_input_nl_policy[NF_OVPN_A_PEER_DATA_V1 + 1] = {
	[NF_OVPN_A_PEER_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_id_range),
	[NF_OVPN_A_PEER_TX_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_tx_id_range),
	[NF_OVPN_A_PEER_REMOTE_IPV4] = { .type = NLA_BE32, },
	[NF_OVPN_A_PEER_REMOTE_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_remote_ipv6_scope_id_range),
	[NF_OVPN_A_PEER_REMOTE_PORT] = NLA_POLICY_MIN(NLA_BE16, 1),
	[NF_OVPN_A_PEER_LOCAL_IPV4] = { .type = NLA_BE32, },
	[NF_OVPN_A_PEER_LOCAL_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[NF_OVPN_A_PEER_LOCAL_PORT] = NLA_POLICY_MIN(NLA_BE16, 1),
	[NF_OVPN_A_PEER_VPN_IPV4] = { .type = NLA_BE32, },
	[NF_OVPN_A_PEER_VPN_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[NF_OVPN_A_PEER_KEEPALIVE_INTERVAL] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_keepalive_interval_range),
	[NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_peer_keepalive_timeout_range),
	[NF_OVPN_A_PEER_NETWORK] = NLA_POLICY_NESTED(nf_ovpn_network_nl_policy),
	[NF_OVPN_A_PEER_NO_NETWORKS] = { .type = NLA_FLAG, },
	[NF_OVPN_A_PEER_ADD_NETWORKS] = { .type = NLA_FLAG, },
	[NF_OVPN_A_PEER_MARK] = { .type = NLA_U32, },
	[NF_OVPN_A_PEER_TCP_MSS] = { .type = NLA_U16, },
	[NF_OVPN_A_PEER_FRAMING] = NLA_POLICY_MAX(NLA_U32, 3),
	[NF_OVPN_A_PEER_DATA_V1] = { .type = NLA_FLAG, },
};

const struct nla_policy nf_ovpn_stats_nl_policy[NF_OVPN_A_STATS_UNARMED + 1] = {
	[NF_OVPN_A_STATS_VPN_RX_BYTES] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_VPN_TX_BYTES] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_VPN_RX_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_VPN_TX_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_LINK_RX_BYTES] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_LINK_TX_BYTES] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_LINK_RX_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_LINK_TX_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_RX_FAST_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_RX_SLOW_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_RX_USERSPACE_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_TX_FAST_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_TX_EGRESS_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_TX_USERSPACE_PACKETS] = { .type = NLA_UINT, },
	[NF_OVPN_A_STATS_DROPS] = NLA_POLICY_NESTED(nf_ovpn_drops_nl_policy),
	[NF_OVPN_A_STATS_UNARMED] = NLA_POLICY_NESTED(nf_ovpn_unarmed_packets_nl_policy),
};

const struct nla_policy nf_ovpn_unarmed_packets_nl_policy[NF_OVPN_A_UNARMED_PACKETS_DEVICE + 1] = {
	[NF_OVPN_A_UNARMED_PACKETS_RULE] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_CHANGED] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_PATH] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_MARK] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_PACKET_MARK] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_HELPER] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_TCP] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_HEADER] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_GROUP] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_ROUTE] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_IPSEC] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_BPF] = { .type = NLA_UINT, },
	[NF_OVPN_A_UNARMED_PACKETS_DEVICE] = { .type = NLA_UINT, },
};

/* NF_OVPN_CMD_INSTANCE_NEW - do */
static const struct nla_policy nf_ovpn_instance_new_nl_policy[NF_OVPN_A_INSTANCE + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_INSTANCE] = NLA_POLICY_NESTED(nf_ovpn_instance_new_input_nl_policy),
};

/* NF_OVPN_CMD_INSTANCE_SET - do */
static const struct nla_policy nf_ovpn_instance_set_nl_policy[NF_OVPN_A_INSTANCE + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_INSTANCE] = NLA_POLICY_NESTED(nf_ovpn_instance_set_input_nl_policy),
};

/* NF_OVPN_CMD_INSTANCE_GET - do */
static const struct nla_policy nf_ovpn_instance_get_nl_policy[NF_OVPN_A_IFINDEX + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
};

/* NF_OVPN_CMD_INSTANCE_DEL - do */
static const struct nla_policy nf_ovpn_instance_del_nl_policy[NF_OVPN_A_IFINDEX + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
};

/* NF_OVPN_CMD_PEER_NEW - do */
static const struct nla_policy nf_ovpn_peer_new_nl_policy[NF_OVPN_A_PEER + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_PEER] = NLA_POLICY_NESTED(nf_ovpn_peer_input_nl_policy),
};

/* NF_OVPN_CMD_PEER_SET - do */
static const struct nla_policy nf_ovpn_peer_set_nl_policy[NF_OVPN_A_PEER + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_PEER] = NLA_POLICY_NESTED(nf_ovpn_peer_input_nl_policy),
};

/* NF_OVPN_CMD_PEER_GET - do */
static const struct nla_policy nf_ovpn_peer_get_do_nl_policy[NF_OVPN_A_PEER + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_PEER] = NLA_POLICY_NESTED(nf_ovpn_peer_nl_policy),
};

/* NF_OVPN_CMD_PEER_GET - dump */
static const struct nla_policy nf_ovpn_peer_get_dump_nl_policy[NF_OVPN_A_IFINDEX + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
};

/* NF_OVPN_CMD_PEER_DEL - do */
static const struct nla_policy nf_ovpn_peer_del_nl_policy[NF_OVPN_A_PEER + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_PEER] = NLA_POLICY_NESTED(nf_ovpn_peer_id_input_nl_policy),
};

/* NF_OVPN_CMD_KEY_NEW - do */
static const struct nla_policy nf_ovpn_key_new_nl_policy[NF_OVPN_A_KEYCONF + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_KEYCONF] = NLA_POLICY_NESTED(nf_ovpn_keyconf_new_input_nl_policy),
};

/* NF_OVPN_CMD_KEY_GET - do */
static const struct nla_policy nf_ovpn_key_get_do_nl_policy[NF_OVPN_A_KEYCONF + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_KEYCONF] = NLA_POLICY_NESTED(nf_ovpn_keyconf_nl_policy),
};

/* NF_OVPN_CMD_KEY_GET - dump */
static const struct nla_policy nf_ovpn_key_get_dump_nl_policy[NF_OVPN_A_KEYCONF + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_KEYCONF] = NLA_POLICY_NESTED(nf_ovpn_keyconf_nl_policy),
};

/* NF_OVPN_CMD_KEY_SWAP - do */
static const struct nla_policy nf_ovpn_key_swap_nl_policy[NF_OVPN_A_KEYCONF + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_KEYCONF] = NLA_POLICY_NESTED(nf_ovpn_keyconf_peer_input_nl_policy),
};

/* NF_OVPN_CMD_KEY_DEL - do */
static const struct nla_policy nf_ovpn_key_del_nl_policy[NF_OVPN_A_KEYCONF + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_KEYCONF] = NLA_POLICY_NESTED(nf_ovpn_keyconf_slot_input_nl_policy),
};

/* NF_OVPN_CMD_KEY_RELEASE - do */
static const struct nla_policy nf_ovpn_key_release_nl_policy[NF_OVPN_A_KEYCONF + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_KEYCONF] = NLA_POLICY_NESTED(nf_ovpn_keyconf_slot_input_nl_policy),
};

/* NF_OVPN_CMD_KEY_RESERVE - do */
static const struct nla_policy nf_ovpn_key_reserve_nl_policy[NF_OVPN_A_KEYCONF + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_KEYCONF] = NLA_POLICY_NESTED(nf_ovpn_keyconf_reserve_input_nl_policy),
};

/* NF_OVPN_CMD_KEY_ACCEPT - do */
static const struct nla_policy nf_ovpn_key_accept_nl_policy[NF_OVPN_A_KEYCONF + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
	[NF_OVPN_A_KEYCONF] = NLA_POLICY_NESTED(nf_ovpn_keyconf_accept_input_nl_policy),
};

/* NF_OVPN_CMD_FLOW_GET - dump */
static const struct nla_policy nf_ovpn_flow_get_nl_policy[NF_OVPN_A_IFINDEX + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
};

/* NF_OVPN_CMD_FLOW_FLUSH - do */
static const struct nla_policy nf_ovpn_flow_flush_nl_policy[NF_OVPN_A_IFINDEX + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
};

/* NF_OVPN_CMD_PEER_FLUSH - do */
static const struct nla_policy nf_ovpn_peer_flush_nl_policy[NF_OVPN_A_IFINDEX + 1] = {
	[NF_OVPN_A_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &nf_ovpn_a_ifindex_range),
};

/* Ops table for nf_ovpn */
static const struct genl_split_ops nf_ovpn_nl_ops[] = {
	{
		.cmd		= NF_OVPN_CMD_INSTANCE_NEW,
		.doit		= nf_ovpn_nl_instance_new_doit,
		.policy		= nf_ovpn_instance_new_nl_policy,
		.maxattr	= NF_OVPN_A_INSTANCE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_INSTANCE_SET,
		.doit		= nf_ovpn_nl_instance_set_doit,
		.policy		= nf_ovpn_instance_set_nl_policy,
		.maxattr	= NF_OVPN_A_INSTANCE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_INSTANCE_GET,
		.doit		= nf_ovpn_nl_instance_get_doit,
		.policy		= nf_ovpn_instance_get_nl_policy,
		.maxattr	= NF_OVPN_A_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= NF_OVPN_CMD_INSTANCE_GET,
		.dumpit	= nf_ovpn_nl_instance_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= NF_OVPN_CMD_INSTANCE_DEL,
		.doit		= nf_ovpn_nl_instance_del_doit,
		.policy		= nf_ovpn_instance_del_nl_policy,
		.maxattr	= NF_OVPN_A_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_PEER_NEW,
		.doit		= nf_ovpn_nl_peer_new_doit,
		.policy		= nf_ovpn_peer_new_nl_policy,
		.maxattr	= NF_OVPN_A_PEER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_PEER_SET,
		.doit		= nf_ovpn_nl_peer_set_doit,
		.policy		= nf_ovpn_peer_set_nl_policy,
		.maxattr	= NF_OVPN_A_PEER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_PEER_GET,
		.doit		= nf_ovpn_nl_peer_get_doit,
		.policy		= nf_ovpn_peer_get_do_nl_policy,
		.maxattr	= NF_OVPN_A_PEER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_PEER_GET,
		.dumpit		= nf_ovpn_nl_peer_get_dumpit,
		.policy		= nf_ovpn_peer_get_dump_nl_policy,
		.maxattr	= NF_OVPN_A_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= NF_OVPN_CMD_PEER_DEL,
		.doit		= nf_ovpn_nl_peer_del_doit,
		.policy		= nf_ovpn_peer_del_nl_policy,
		.maxattr	= NF_OVPN_A_PEER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_KEY_NEW,
		.doit		= nf_ovpn_nl_key_new_doit,
		.policy		= nf_ovpn_key_new_nl_policy,
		.maxattr	= NF_OVPN_A_KEYCONF,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_KEY_GET,
		.doit		= nf_ovpn_nl_key_get_doit,
		.policy		= nf_ovpn_key_get_do_nl_policy,
		.maxattr	= NF_OVPN_A_KEYCONF,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_KEY_GET,
		.dumpit		= nf_ovpn_nl_key_get_dumpit,
		.policy		= nf_ovpn_key_get_dump_nl_policy,
		.maxattr	= NF_OVPN_A_KEYCONF,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= NF_OVPN_CMD_KEY_SWAP,
		.doit		= nf_ovpn_nl_key_swap_doit,
		.policy		= nf_ovpn_key_swap_nl_policy,
		.maxattr	= NF_OVPN_A_KEYCONF,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_KEY_DEL,
		.doit		= nf_ovpn_nl_key_del_doit,
		.policy		= nf_ovpn_key_del_nl_policy,
		.maxattr	= NF_OVPN_A_KEYCONF,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_KEY_RELEASE,
		.doit		= nf_ovpn_nl_key_release_doit,
		.policy		= nf_ovpn_key_release_nl_policy,
		.maxattr	= NF_OVPN_A_KEYCONF,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_KEY_RESERVE,
		.doit		= nf_ovpn_nl_key_reserve_doit,
		.policy		= nf_ovpn_key_reserve_nl_policy,
		.maxattr	= NF_OVPN_A_KEYCONF,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_KEY_ACCEPT,
		.doit		= nf_ovpn_nl_key_accept_doit,
		.policy		= nf_ovpn_key_accept_nl_policy,
		.maxattr	= NF_OVPN_A_KEYCONF,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_FLOW_GET,
		.dumpit		= nf_ovpn_nl_flow_get_dumpit,
		.policy		= nf_ovpn_flow_get_nl_policy,
		.maxattr	= NF_OVPN_A_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= NF_OVPN_CMD_FLOW_FLUSH,
		.doit		= nf_ovpn_nl_flow_flush_doit,
		.policy		= nf_ovpn_flow_flush_nl_policy,
		.maxattr	= NF_OVPN_A_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= NF_OVPN_CMD_PEER_FLUSH,
		.doit		= nf_ovpn_nl_peer_flush_doit,
		.policy		= nf_ovpn_peer_flush_nl_policy,
		.maxattr	= NF_OVPN_A_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group nf_ovpn_nl_mcgrps[] = {
	[NF_OVPN_NLGRP_PEERS] = { "peers", },
};

struct genl_family nf_ovpn_nl_family __ro_after_init = {
	.name		= NF_OVPN_FAMILY_NAME,
	.version	= NF_OVPN_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= nf_ovpn_nl_ops,
	.n_split_ops	= ARRAY_SIZE(nf_ovpn_nl_ops),
	.mcgrps		= nf_ovpn_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(nf_ovpn_nl_mcgrps),
};
