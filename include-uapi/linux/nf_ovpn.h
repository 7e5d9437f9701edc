/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/nf_ovpn.yaml */
/* YNL-GEN uapi header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _UAPI_LINUX_NF_OVPN_H
#define _UAPI_LINUX_NF_OVPN_H

#define NF_OVPN_FAMILY_NAME	"nf-ovpn"
#define NF_OVPN_FAMILY_VERSION	1

#define NF_OVPN_NONCE_TAIL_SIZE	8
#define NF_OVPN_MAX_LISTENERS	64
#define NF_OVPN_MAX_NETWORKS	4096

/**
 * enum nf_ovpn_mode - How peers are told apart
 * @NF_OVPN_MODE_P2P: A single peer, which owns every address behind the device
 * @NF_OVPN_MODE_MP: Many peers, each of which owns its VPN addresses
 */
enum nf_ovpn_mode {
	NF_OVPN_MODE_P2P,
	NF_OVPN_MODE_MP,
};

/**
 * enum nf_ovpn_fastpath - When a flow inside the tunnel may leave the normal
 *   path
 * @NF_OVPN_FASTPATH_OFF: Never, every packet is routed to the device
 * @NF_OVPN_FASTPATH_ACCEPTED: After a packet of that direction has passed
 *   every rule
 * @NF_OVPN_FASTPATH_EAGER: As accepted, and the direction towards a peer
 *   already when the peer opens the flow
 * @NF_OVPN_FASTPATH_MARKED: As accepted, but only flows whose conntrack mark
 *   is fastpath-mark in the bits of fastpath-mask
 */
enum nf_ovpn_fastpath {
	NF_OVPN_FASTPATH_OFF,
	NF_OVPN_FASTPATH_ACCEPTED,
	NF_OVPN_FASTPATH_EAGER,
	NF_OVPN_FASTPATH_MARKED,
};

/**
 * enum nf_ovpn_unarmed - Why the next packet of a flow asks the rules. The
 *   numbers are those of the counters in unarmed-packets.
 * @NF_OVPN_UNARMED_NONE: No packet of that direction has come to the end of
 *   its way yet
 * @NF_OVPN_UNARMED_RULE: A rule or hook was asked whose answer holds for that
 *   packet only, or that does something to it
 * @NF_OVPN_UNARMED_CHANGED: Rules, routes, links or the instance have changed
 * @NF_OVPN_UNARMED_PATH: The packet did not come to its end on the processor
 *   where it began
 * @NF_OVPN_UNARMED_MARK: The conntrack mark is not what fastpath-mark says
 * @NF_OVPN_UNARMED_PACKET_MARK: The packet has a mark that is not the
 *   conntrack mark
 * @NF_OVPN_UNARMED_HELPER: The connection has a helper, or its sequence
 *   numbers are adjusted
 * @NF_OVPN_UNARMED_TCP: The segment opens or closes the connection, or is
 *   urgent
 * @NF_OVPN_UNARMED_HEADER: A fragment, or IP options or extension headers
 * @NF_OVPN_UNARMED_GROUP: The destination is multicast or broadcast
 * @NF_OVPN_UNARMED_ROUTE: The route has an MTU of its own, or expires
 * @NF_OVPN_UNARMED_IPSEC: IPsec has a part in the packet
 * @NF_OVPN_UNARMED_BPF: The sender's control group has BPF programs for what
 *   it sends
 * @NF_OVPN_UNARMED_DEVICE: A qdisc, tc or a chain at egress is attached to the
 *   tun device
 */
enum nf_ovpn_unarmed {
	NF_OVPN_UNARMED_NONE,
	NF_OVPN_UNARMED_RULE,
	NF_OVPN_UNARMED_CHANGED,
	NF_OVPN_UNARMED_PATH,
	NF_OVPN_UNARMED_MARK,
	NF_OVPN_UNARMED_PACKET_MARK,
	NF_OVPN_UNARMED_HELPER,
	NF_OVPN_UNARMED_TCP,
	NF_OVPN_UNARMED_HEADER,
	NF_OVPN_UNARMED_GROUP,
	NF_OVPN_UNARMED_ROUTE,
	NF_OVPN_UNARMED_IPSEC,
	NF_OVPN_UNARMED_BPF,
	NF_OVPN_UNARMED_DEVICE,
};

/**
 * enum nf_ovpn_dscp - DSCP of outer packets
 * @NF_OVPN_DSCP_ZERO: Best effort for all
 * @NF_OVPN_DSCP_INHERIT: That of the inner packet
 */
enum nf_ovpn_dscp {
	NF_OVPN_DSCP_ZERO,
	NF_OVPN_DSCP_INHERIT,
};

/**
 * enum nf_ovpn_df - The "don't fragment" bit of outer packets. Where it is
 *   set, an inner packet that is too large for the path, and must not be
 *   fragmented itself, is answered by ICMP.
 * @NF_OVPN_DF_UNSET: Never set, outer packets may be fragmented
 * @NF_OVPN_DF_SET: Set but for inner packets that are too large and may be
 *   fragmented
 * @NF_OVPN_DF_INHERIT: That of the inner packet, set for IPv6
 */
enum nf_ovpn_df {
	NF_OVPN_DF_UNSET,
	NF_OVPN_DF_SET,
	NF_OVPN_DF_INHERIT,
};

/**
 * enum nf_ovpn_cipher_alg - Cipher of a key
 * @NF_OVPN_CIPHER_ALG_NONE: Packets are not encrypted
 * @NF_OVPN_CIPHER_ALG_AES_GCM: AES-GCM (NIST SP 800-38D), with 128, 192 or 256
 *   bits
 * @NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305: ChaCha20-Poly1305 (RFC 8439)
 * @NF_OVPN_CIPHER_ALG_AES_CBC: For peers that know nothing newer; needs an
 *   auth-alg
 */
enum nf_ovpn_cipher_alg {
	NF_OVPN_CIPHER_ALG_NONE,
	NF_OVPN_CIPHER_ALG_AES_GCM,
	NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305,
	NF_OVPN_CIPHER_ALG_AES_CBC,
};

/*
 * What authenticates packets whose cipher does not; the others have none
 */
enum nf_ovpn_auth_alg {
	NF_OVPN_AUTH_ALG_NONE,
	NF_OVPN_AUTH_ALG_HMAC_SHA1,
	NF_OVPN_AUTH_ALG_HMAC_SHA256,
};

/**
 * enum nf_ovpn_framing - What compression leaves in packets though nothing is
 *   compressed. A packet that says that it is compressed is dropped.
 * @NF_OVPN_FRAMING_NONE: Nothing
 * @NF_OVPN_FRAMING_STUB: A byte 0xfa before the packet, "comp-lzo no"
 * @NF_OVPN_FRAMING_STUB_SWAP: A byte 0xfb in place of the first, which goes to
 *   the end; "compress", "compress stub"
 * @NF_OVPN_FRAMING_STUB_V2: None, but for what begins with 0x50; "compress
 *   stub-v2"
 */
enum nf_ovpn_framing {
	NF_OVPN_FRAMING_NONE,
	NF_OVPN_FRAMING_STUB,
	NF_OVPN_FRAMING_STUB_SWAP,
	NF_OVPN_FRAMING_STUB_V2,
};

enum nf_ovpn_del_peer_reason {
	NF_OVPN_DEL_PEER_REASON_TEARDOWN,
	NF_OVPN_DEL_PEER_REASON_USERSPACE,
	NF_OVPN_DEL_PEER_REASON_EXPIRED,
};

/**
 * enum nf_ovpn_del_instance_reason - Why an instance is gone
 * @NF_OVPN_DEL_INSTANCE_REASON_USERSPACE: By a request
 * @NF_OVPN_DEL_INSTANCE_REASON_DEVICE: Its device was deleted
 * @NF_OVPN_DEL_INSTANCE_REASON_MOVED: Its device has gone to another network
 *   namespace
 * @NF_OVPN_DEL_INSTANCE_REASON_MODULE: The module is unloaded
 */
enum nf_ovpn_del_instance_reason {
	NF_OVPN_DEL_INSTANCE_REASON_USERSPACE,
	NF_OVPN_DEL_INSTANCE_REASON_DEVICE,
	NF_OVPN_DEL_INSTANCE_REASON_MOVED,
	NF_OVPN_DEL_INSTANCE_REASON_MODULE,
};

enum nf_ovpn_key_slot {
	NF_OVPN_KEY_SLOT_PRIMARY,
	NF_OVPN_KEY_SLOT_SECONDARY,
};

enum {
	NF_OVPN_A_DROPS_MALFORMED = 1,
	NF_OVPN_A_DROPS_CHECKSUM,
	NF_OVPN_A_DROPS_AUTH,
	NF_OVPN_A_DROPS_REPLAY,
	NF_OVPN_A_DROPS_INNER,
	NF_OVPN_A_DROPS_SOURCE,
	NF_OVPN_A_DROPS_ECN,
	NF_OVPN_A_DROPS_NO_KEY,
	NF_OVPN_A_DROPS_KEY_LIMIT,
	NF_OVPN_A_DROPS_NO_ROUTE,
	NF_OVPN_A_DROPS_LOOP,
	NF_OVPN_A_DROPS_NO_MEMORY,
	NF_OVPN_A_DROPS_CONNTRACK,
	NF_OVPN_A_DROPS_TOO_BIG,
	NF_OVPN_A_DROPS_FRAMING,
	NF_OVPN_A_DROPS_OFFLOAD,

	__NF_OVPN_A_DROPS_MAX,
	NF_OVPN_A_DROPS_MAX = (__NF_OVPN_A_DROPS_MAX - 1)
};

enum {
	NF_OVPN_A_UNARMED_PACKETS_RULE = 1,
	NF_OVPN_A_UNARMED_PACKETS_CHANGED,
	NF_OVPN_A_UNARMED_PACKETS_PATH,
	NF_OVPN_A_UNARMED_PACKETS_MARK,
	NF_OVPN_A_UNARMED_PACKETS_PACKET_MARK,
	NF_OVPN_A_UNARMED_PACKETS_HELPER,
	NF_OVPN_A_UNARMED_PACKETS_TCP,
	NF_OVPN_A_UNARMED_PACKETS_HEADER,
	NF_OVPN_A_UNARMED_PACKETS_GROUP,
	NF_OVPN_A_UNARMED_PACKETS_ROUTE,
	NF_OVPN_A_UNARMED_PACKETS_IPSEC,
	NF_OVPN_A_UNARMED_PACKETS_BPF,
	NF_OVPN_A_UNARMED_PACKETS_DEVICE,

	__NF_OVPN_A_UNARMED_PACKETS_MAX,
	NF_OVPN_A_UNARMED_PACKETS_MAX = (__NF_OVPN_A_UNARMED_PACKETS_MAX - 1)
};

enum {
	NF_OVPN_A_STATS_VPN_RX_BYTES = 1,
	NF_OVPN_A_STATS_VPN_TX_BYTES,
	NF_OVPN_A_STATS_VPN_RX_PACKETS,
	NF_OVPN_A_STATS_VPN_TX_PACKETS,
	NF_OVPN_A_STATS_LINK_RX_BYTES,
	NF_OVPN_A_STATS_LINK_TX_BYTES,
	NF_OVPN_A_STATS_LINK_RX_PACKETS,
	NF_OVPN_A_STATS_LINK_TX_PACKETS,
	NF_OVPN_A_STATS_RX_FAST_PACKETS,
	NF_OVPN_A_STATS_RX_SLOW_PACKETS,
	NF_OVPN_A_STATS_RX_USERSPACE_PACKETS,
	NF_OVPN_A_STATS_TX_FAST_PACKETS,
	NF_OVPN_A_STATS_TX_EGRESS_PACKETS,
	NF_OVPN_A_STATS_TX_USERSPACE_PACKETS,
	NF_OVPN_A_STATS_DROPS,
	NF_OVPN_A_STATS_UNARMED,

	__NF_OVPN_A_STATS_MAX,
	NF_OVPN_A_STATS_MAX = (__NF_OVPN_A_STATS_MAX - 1)
};

enum {
	NF_OVPN_A_LISTENER_LOCAL_IPV4 = 1,
	NF_OVPN_A_LISTENER_LOCAL_IPV6,
	NF_OVPN_A_LISTENER_LOCAL_PORT,

	__NF_OVPN_A_LISTENER_MAX,
	NF_OVPN_A_LISTENER_MAX = (__NF_OVPN_A_LISTENER_MAX - 1)
};

enum {
	NF_OVPN_A_INSTANCE_MODE = 1,
	NF_OVPN_A_INSTANCE_FASTPATH,
	NF_OVPN_A_INSTANCE_LISTENER,
	NF_OVPN_A_INSTANCE_DSCP,
	NF_OVPN_A_INSTANCE_DF,
	NF_OVPN_A_INSTANCE_MARK,
	NF_OVPN_A_INSTANCE_FASTPATH_MARK,
	NF_OVPN_A_INSTANCE_FASTPATH_MASK,
	NF_OVPN_A_INSTANCE_PEERS,
	NF_OVPN_A_INSTANCE_STATS,
	NF_OVPN_A_INSTANCE_DEL_REASON,
	NF_OVPN_A_INSTANCE_BIND_DEV,

	__NF_OVPN_A_INSTANCE_MAX,
	NF_OVPN_A_INSTANCE_MAX = (__NF_OVPN_A_INSTANCE_MAX - 1)
};

enum {
	NF_OVPN_A_NETWORK_IPV4 = 1,
	NF_OVPN_A_NETWORK_IPV6,
	NF_OVPN_A_NETWORK_PREFIX_LEN,

	__NF_OVPN_A_NETWORK_MAX,
	NF_OVPN_A_NETWORK_MAX = (__NF_OVPN_A_NETWORK_MAX - 1)
};

enum {
	NF_OVPN_A_PEER_ID = 1,
	NF_OVPN_A_PEER_TX_ID,
	NF_OVPN_A_PEER_REMOTE_IPV4,
	NF_OVPN_A_PEER_REMOTE_IPV6,
	NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID,
	NF_OVPN_A_PEER_REMOTE_PORT,
	NF_OVPN_A_PEER_LOCAL_IPV4,
	NF_OVPN_A_PEER_LOCAL_IPV6,
	NF_OVPN_A_PEER_LOCAL_PORT,
	NF_OVPN_A_PEER_VPN_IPV4,
	NF_OVPN_A_PEER_VPN_IPV6,
	NF_OVPN_A_PEER_KEEPALIVE_INTERVAL,
	NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT,
	NF_OVPN_A_PEER_NETWORK,
	NF_OVPN_A_PEER_NO_NETWORKS,
	NF_OVPN_A_PEER_ADD_NETWORKS,
	NF_OVPN_A_PEER_MARK,
	NF_OVPN_A_PEER_TCP_MSS,
	NF_OVPN_A_PEER_FRAMING,
	NF_OVPN_A_PEER_DATA_V1,
	NF_OVPN_A_PEER_DEL_REASON,
	NF_OVPN_A_PEER_MORE_NETWORKS,
	NF_OVPN_A_PEER_STATS,

	__NF_OVPN_A_PEER_MAX,
	NF_OVPN_A_PEER_MAX = (__NF_OVPN_A_PEER_MAX - 1)
};

enum {
	NF_OVPN_A_KEYDIR_CIPHER_KEY = 1,
	NF_OVPN_A_KEYDIR_NONCE_TAIL,
	NF_OVPN_A_KEYDIR_AUTH_KEY,

	__NF_OVPN_A_KEYDIR_MAX,
	NF_OVPN_A_KEYDIR_MAX = (__NF_OVPN_A_KEYDIR_MAX - 1)
};

enum {
	NF_OVPN_A_KEYCONF_PEER_ID = 1,
	NF_OVPN_A_KEYCONF_SLOT,
	NF_OVPN_A_KEYCONF_KEY_ID,
	NF_OVPN_A_KEYCONF_CIPHER_ALG,
	NF_OVPN_A_KEYCONF_ENCRYPT_DIR,
	NF_OVPN_A_KEYCONF_DECRYPT_DIR,
	NF_OVPN_A_KEYCONF_KEY_BITS,
	NF_OVPN_A_KEYCONF_TX_PACKET_ID,
	NF_OVPN_A_KEYCONF_RX_PACKET_ID,
	NF_OVPN_A_KEYCONF_RX_WINDOW,
	NF_OVPN_A_KEYCONF_PACKETS,
	NF_OVPN_A_KEYCONF_AUTH_ALG,
	NF_OVPN_A_KEYCONF_TX_BLOCKS,
	NF_OVPN_A_KEYCONF_EPOCHS,
	NF_OVPN_A_KEYCONF_INSECURE,

	__NF_OVPN_A_KEYCONF_MAX,
	NF_OVPN_A_KEYCONF_MAX = (__NF_OVPN_A_KEYCONF_MAX - 1)
};

enum {
	NF_OVPN_A_FLOW_DIR_PEER_ID = 1,
	NF_OVPN_A_FLOW_DIR_ARMED,
	NF_OVPN_A_FLOW_DIR_UNARMED,

	__NF_OVPN_A_FLOW_DIR_MAX,
	NF_OVPN_A_FLOW_DIR_MAX = (__NF_OVPN_A_FLOW_DIR_MAX - 1)
};

enum {
	NF_OVPN_A_FLOW_OUTER = 1,
	NF_OVPN_A_FLOW_PROTOCOL,
	NF_OVPN_A_FLOW_SRC_IPV4,
	NF_OVPN_A_FLOW_SRC_IPV6,
	NF_OVPN_A_FLOW_DST_IPV4,
	NF_OVPN_A_FLOW_DST_IPV6,
	NF_OVPN_A_FLOW_SRC_PORT,
	NF_OVPN_A_FLOW_DST_PORT,
	NF_OVPN_A_FLOW_ZONE,
	NF_OVPN_A_FLOW_ORIGINAL,
	NF_OVPN_A_FLOW_REPLY,

	__NF_OVPN_A_FLOW_MAX,
	NF_OVPN_A_FLOW_MAX = (__NF_OVPN_A_FLOW_MAX - 1)
};

enum {
	NF_OVPN_A_IFINDEX = 1,
	NF_OVPN_A_INSTANCE,
	NF_OVPN_A_PEER,
	NF_OVPN_A_KEYCONF,
	NF_OVPN_A_FLOW,

	__NF_OVPN_A_MAX,
	NF_OVPN_A_MAX = (__NF_OVPN_A_MAX - 1)
};

enum {
	NF_OVPN_CMD_INSTANCE_NEW = 1,
	NF_OVPN_CMD_INSTANCE_SET,
	NF_OVPN_CMD_INSTANCE_GET,
	NF_OVPN_CMD_INSTANCE_DEL,
	NF_OVPN_CMD_PEER_NEW,
	NF_OVPN_CMD_PEER_SET,
	NF_OVPN_CMD_PEER_GET,
	NF_OVPN_CMD_PEER_DEL,
	NF_OVPN_CMD_PEER_DEL_NTF,
	NF_OVPN_CMD_PEER_FLOAT_NTF,
	NF_OVPN_CMD_KEY_NEW,
	NF_OVPN_CMD_KEY_GET,
	NF_OVPN_CMD_KEY_SWAP,
	NF_OVPN_CMD_KEY_DEL,
	NF_OVPN_CMD_KEY_RELEASE,
	NF_OVPN_CMD_KEY_RESERVE,
	NF_OVPN_CMD_KEY_ACCEPT,
	NF_OVPN_CMD_FLOW_GET,
	NF_OVPN_CMD_FLOW_FLUSH,
	NF_OVPN_CMD_PEER_FLUSH,
	NF_OVPN_CMD_KEY_LIMIT_NTF,
	NF_OVPN_CMD_INSTANCE_DEL_NTF,

	__NF_OVPN_CMD_MAX,
	NF_OVPN_CMD_MAX = (__NF_OVPN_CMD_MAX - 1)
};

#define NF_OVPN_MCGRP_PEERS	"peers"

#endif /* _UAPI_LINUX_NF_OVPN_H */
