// SPDX-License-Identifier: GPL-2.0
/* What the tests of nf_ovpn need and no other program gives: requests to the
 * netlink families of nf_ovpn and of the ovpn driver, right and wrong ones;
 * a process that holds a tun device or the UDP socket of an ovpn peer open;
 * one that has a key by turns with the kernel; and datagrams made by hand.
 *
 * Attributes are written as words, nests between "NAME{" and "}":
 *
 *	ovpn_tool nl nf-ovpn peer-del ifindex=tun0 "peer{" id=1 "}"
 *
 * "NAME:hex=00ff" gives the bytes of an attribute, "NUMBER:hex=" those of one
 * that the family does not have. Answers are printed one to a line:
 *
 *	ifindex=3 peer.id=1 peer.remote-ipv4=10.0.0.2 peer.stats.vpn-rx-packets=7
 *
 * A refusal is printed as its errno, the attribute and the kernel's message:
 *
 *	ENOENT peer.id: no peer with this ID
 *	EINVAL peer.id missing
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_alg.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/net_dropmon.h>
#include <linux/netlink.h>
#include <linux/nf_ovpn.h>
#include <linux/ovpn.h>
#include <linux/rtnetlink.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define DATAGRAM_MAX	65536

/* --- the families --- */

enum type { U8, U16, U32, FLAG, ENUM, IFINDEX, PORT, IP4, IP6, UINT, BYTES, NEST };

struct attr {
	const char		*name;
	int			id;
	enum type		type;
	const struct attr	*nest;
	const char *const	*names;
};

static const char *const mode_names[] = { "p2p", "mp", NULL };
static const char *const fastpath_names[] = { "off", "accepted", "eager",
					      "marked", NULL };
static const char *const unarmed_names[] = { "none", "rule", "changed", "path",
					     "mark", "packet-mark", "helper",
					     "tcp", "header", "group", "route",
					     "ipsec", "bpf", "device", NULL };
static const char *const dscp_names[] = { "zero", "inherit", NULL };
static const char *const df_names[] = { "unset", "set", "inherit", NULL };
static const char *const cipher_names[] = { "none", "aes-gcm",
					    "chacha20-poly1305", "aes-cbc",
					    NULL };
static const char *const auth_names[] = { "none", "hmac-sha1", "hmac-sha256",
					  NULL };
static const char *const framing_names[] = { "none", "stub", "stub-swap",
					     "stub-v2", NULL };
static const char *const slot_names[] = { "primary", "secondary", NULL };
static const char *const instance_reason_names[] = { "userspace", "device",
						     "moved", "module", NULL };
static const char *const reason_names[] = { "teardown", "userspace", "expired",
					    "transport-error",
					    "transport-disconnect", NULL };

static const struct attr nf_drops[] = {
	{ "malformed", NF_OVPN_A_DROPS_MALFORMED, UINT },
	{ "checksum", NF_OVPN_A_DROPS_CHECKSUM, UINT },
	{ "auth", NF_OVPN_A_DROPS_AUTH, UINT },
	{ "replay", NF_OVPN_A_DROPS_REPLAY, UINT },
	{ "inner", NF_OVPN_A_DROPS_INNER, UINT },
	{ "source", NF_OVPN_A_DROPS_SOURCE, UINT },
	{ "ecn", NF_OVPN_A_DROPS_ECN, UINT },
	{ "no-key", NF_OVPN_A_DROPS_NO_KEY, UINT },
	{ "key-limit", NF_OVPN_A_DROPS_KEY_LIMIT, UINT },
	{ "no-route", NF_OVPN_A_DROPS_NO_ROUTE, UINT },
	{ "loop", NF_OVPN_A_DROPS_LOOP, UINT },
	{ "no-memory", NF_OVPN_A_DROPS_NO_MEMORY, UINT },
	{ "conntrack", NF_OVPN_A_DROPS_CONNTRACK, UINT },
	{ "too-big", NF_OVPN_A_DROPS_TOO_BIG, UINT },
	{ "framing", NF_OVPN_A_DROPS_FRAMING, UINT },
	{ "offload", NF_OVPN_A_DROPS_OFFLOAD, UINT },
	{ }
};

static const struct attr nf_unarmed[] = {
	{ "rule", NF_OVPN_A_UNARMED_PACKETS_RULE, UINT },
	{ "changed", NF_OVPN_A_UNARMED_PACKETS_CHANGED, UINT },
	{ "path", NF_OVPN_A_UNARMED_PACKETS_PATH, UINT },
	{ "mark", NF_OVPN_A_UNARMED_PACKETS_MARK, UINT },
	{ "packet-mark", NF_OVPN_A_UNARMED_PACKETS_PACKET_MARK, UINT },
	{ "helper", NF_OVPN_A_UNARMED_PACKETS_HELPER, UINT },
	{ "tcp", NF_OVPN_A_UNARMED_PACKETS_TCP, UINT },
	{ "header", NF_OVPN_A_UNARMED_PACKETS_HEADER, UINT },
	{ "group", NF_OVPN_A_UNARMED_PACKETS_GROUP, UINT },
	{ "route", NF_OVPN_A_UNARMED_PACKETS_ROUTE, UINT },
	{ "ipsec", NF_OVPN_A_UNARMED_PACKETS_IPSEC, UINT },
	{ "bpf", NF_OVPN_A_UNARMED_PACKETS_BPF, UINT },
	{ "device", NF_OVPN_A_UNARMED_PACKETS_DEVICE, UINT },
	{ }
};

static const struct attr nf_stats[] = {
	{ "vpn-rx-bytes", NF_OVPN_A_STATS_VPN_RX_BYTES, UINT },
	{ "vpn-tx-bytes", NF_OVPN_A_STATS_VPN_TX_BYTES, UINT },
	{ "vpn-rx-packets", NF_OVPN_A_STATS_VPN_RX_PACKETS, UINT },
	{ "vpn-tx-packets", NF_OVPN_A_STATS_VPN_TX_PACKETS, UINT },
	{ "link-rx-bytes", NF_OVPN_A_STATS_LINK_RX_BYTES, UINT },
	{ "link-tx-bytes", NF_OVPN_A_STATS_LINK_TX_BYTES, UINT },
	{ "link-rx-packets", NF_OVPN_A_STATS_LINK_RX_PACKETS, UINT },
	{ "link-tx-packets", NF_OVPN_A_STATS_LINK_TX_PACKETS, UINT },
	{ "rx-fast-packets", NF_OVPN_A_STATS_RX_FAST_PACKETS, UINT },
	{ "rx-slow-packets", NF_OVPN_A_STATS_RX_SLOW_PACKETS, UINT },
	{ "rx-userspace-packets", NF_OVPN_A_STATS_RX_USERSPACE_PACKETS, UINT },
	{ "tx-fast-packets", NF_OVPN_A_STATS_TX_FAST_PACKETS, UINT },
	{ "tx-egress-packets", NF_OVPN_A_STATS_TX_EGRESS_PACKETS, UINT },
	{ "tx-userspace-packets", NF_OVPN_A_STATS_TX_USERSPACE_PACKETS, UINT },
	{ "drops", NF_OVPN_A_STATS_DROPS, NEST, nf_drops },
	{ "unarmed", NF_OVPN_A_STATS_UNARMED, NEST, nf_unarmed },
	{ }
};

static const struct attr nf_listener[] = {
	{ "local-ipv4", NF_OVPN_A_LISTENER_LOCAL_IPV4, IP4 },
	{ "local-ipv6", NF_OVPN_A_LISTENER_LOCAL_IPV6, IP6 },
	{ "local-port", NF_OVPN_A_LISTENER_LOCAL_PORT, PORT },
	{ }
};

static const struct attr nf_instance[] = {
	{ "mode", NF_OVPN_A_INSTANCE_MODE, ENUM, .names = mode_names },
	{ "fastpath", NF_OVPN_A_INSTANCE_FASTPATH, ENUM,
	  .names = fastpath_names },
	{ "listener", NF_OVPN_A_INSTANCE_LISTENER, NEST, nf_listener },
	{ "dscp", NF_OVPN_A_INSTANCE_DSCP, ENUM, .names = dscp_names },
	{ "df", NF_OVPN_A_INSTANCE_DF, ENUM, .names = df_names },
	{ "mark", NF_OVPN_A_INSTANCE_MARK, U32 },
	{ "fastpath-mark", NF_OVPN_A_INSTANCE_FASTPATH_MARK, U32 },
	{ "fastpath-mask", NF_OVPN_A_INSTANCE_FASTPATH_MASK, U32 },
	{ "peers", NF_OVPN_A_INSTANCE_PEERS, U32 },
	{ "stats", NF_OVPN_A_INSTANCE_STATS, NEST, nf_stats },
	{ "bind-dev", NF_OVPN_A_INSTANCE_BIND_DEV, IFINDEX },
	{ "del-reason", NF_OVPN_A_INSTANCE_DEL_REASON, ENUM,
	  .names = instance_reason_names },
	{ }
};

static const struct attr nf_network[] = {
	{ "ipv4", NF_OVPN_A_NETWORK_IPV4, IP4 },
	{ "ipv6", NF_OVPN_A_NETWORK_IPV6, IP6 },
	{ "prefix-len", NF_OVPN_A_NETWORK_PREFIX_LEN, U8 },
	{ }
};

static const struct attr nf_peer[] = {
	{ "id", NF_OVPN_A_PEER_ID, U32 },
	{ "tx-id", NF_OVPN_A_PEER_TX_ID, U32 },
	{ "remote-ipv4", NF_OVPN_A_PEER_REMOTE_IPV4, IP4 },
	{ "remote-ipv6", NF_OVPN_A_PEER_REMOTE_IPV6, IP6 },
	{ "remote-ipv6-scope-id", NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID, U32 },
	{ "remote-port", NF_OVPN_A_PEER_REMOTE_PORT, PORT },
	{ "local-ipv4", NF_OVPN_A_PEER_LOCAL_IPV4, IP4 },
	{ "local-ipv6", NF_OVPN_A_PEER_LOCAL_IPV6, IP6 },
	{ "local-port", NF_OVPN_A_PEER_LOCAL_PORT, PORT },
	{ "vpn-ipv4", NF_OVPN_A_PEER_VPN_IPV4, IP4 },
	{ "vpn-ipv6", NF_OVPN_A_PEER_VPN_IPV6, IP6 },
	{ "keepalive-interval", NF_OVPN_A_PEER_KEEPALIVE_INTERVAL, U32 },
	{ "keepalive-timeout", NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT, U32 },
	{ "network", NF_OVPN_A_PEER_NETWORK, NEST, nf_network },
	{ "no-networks", NF_OVPN_A_PEER_NO_NETWORKS, FLAG },
	{ "add-networks", NF_OVPN_A_PEER_ADD_NETWORKS, FLAG },
	{ "more-networks", NF_OVPN_A_PEER_MORE_NETWORKS, FLAG },
	{ "mark", NF_OVPN_A_PEER_MARK, U32 },
	{ "tcp-mss", NF_OVPN_A_PEER_TCP_MSS, U16 },
	{ "framing", NF_OVPN_A_PEER_FRAMING, ENUM, .names = framing_names },
	{ "data-v1", NF_OVPN_A_PEER_DATA_V1, FLAG },
	{ "del-reason", NF_OVPN_A_PEER_DEL_REASON, ENUM,
	  .names = reason_names },
	{ "stats", NF_OVPN_A_PEER_STATS, NEST, nf_stats },
	{ }
};

static const struct attr nf_keydir[] = {
	{ "cipher-key", NF_OVPN_A_KEYDIR_CIPHER_KEY, BYTES },
	{ "nonce-tail", NF_OVPN_A_KEYDIR_NONCE_TAIL, BYTES },
	{ "auth-key", NF_OVPN_A_KEYDIR_AUTH_KEY, BYTES },
	{ }
};

static const struct attr nf_keyconf[] = {
	{ "peer-id", NF_OVPN_A_KEYCONF_PEER_ID, U32 },
	{ "slot", NF_OVPN_A_KEYCONF_SLOT, ENUM, .names = slot_names },
	{ "key-id", NF_OVPN_A_KEYCONF_KEY_ID, U32 },
	{ "cipher-alg", NF_OVPN_A_KEYCONF_CIPHER_ALG, ENUM,
	  .names = cipher_names },
	{ "encrypt-dir", NF_OVPN_A_KEYCONF_ENCRYPT_DIR, NEST, nf_keydir },
	{ "decrypt-dir", NF_OVPN_A_KEYCONF_DECRYPT_DIR, NEST, nf_keydir },
	{ "key-bits", NF_OVPN_A_KEYCONF_KEY_BITS, U32 },
	{ "tx-packet-id", NF_OVPN_A_KEYCONF_TX_PACKET_ID, UINT },
	{ "tx-blocks", NF_OVPN_A_KEYCONF_TX_BLOCKS, UINT },
	{ "rx-packet-id", NF_OVPN_A_KEYCONF_RX_PACKET_ID, UINT },
	{ "rx-window", NF_OVPN_A_KEYCONF_RX_WINDOW, BYTES },
	{ "packets", NF_OVPN_A_KEYCONF_PACKETS, U32 },
	{ "auth-alg", NF_OVPN_A_KEYCONF_AUTH_ALG, ENUM, .names = auth_names },
	{ "epochs", NF_OVPN_A_KEYCONF_EPOCHS, FLAG },
	{ "insecure", NF_OVPN_A_KEYCONF_INSECURE, FLAG },
	{ }
};

static const struct attr nf_flow_dir[] = {
	{ "peer-id", NF_OVPN_A_FLOW_DIR_PEER_ID, U32 },
	{ "armed", NF_OVPN_A_FLOW_DIR_ARMED, FLAG },
	{ "unarmed", NF_OVPN_A_FLOW_DIR_UNARMED, ENUM,
	  .names = unarmed_names },
	{ }
};

static const struct attr nf_flow[] = {
	{ "outer", NF_OVPN_A_FLOW_OUTER, FLAG },
	{ "protocol", NF_OVPN_A_FLOW_PROTOCOL, U8 },
	{ "src-ipv4", NF_OVPN_A_FLOW_SRC_IPV4, IP4 },
	{ "src-ipv6", NF_OVPN_A_FLOW_SRC_IPV6, IP6 },
	{ "dst-ipv4", NF_OVPN_A_FLOW_DST_IPV4, IP4 },
	{ "dst-ipv6", NF_OVPN_A_FLOW_DST_IPV6, IP6 },
	{ "src-port", NF_OVPN_A_FLOW_SRC_PORT, PORT },
	{ "dst-port", NF_OVPN_A_FLOW_DST_PORT, PORT },
	{ "zone", NF_OVPN_A_FLOW_ZONE, U16 },
	{ "original", NF_OVPN_A_FLOW_ORIGINAL, NEST, nf_flow_dir },
	{ "reply", NF_OVPN_A_FLOW_REPLY, NEST, nf_flow_dir },
	{ }
};

static const struct attr nf_top[] = {
	{ "ifindex", NF_OVPN_A_IFINDEX, IFINDEX },
	{ "instance", NF_OVPN_A_INSTANCE, NEST, nf_instance },
	{ "peer", NF_OVPN_A_PEER, NEST, nf_peer },
	{ "keyconf", NF_OVPN_A_KEYCONF, NEST, nf_keyconf },
	{ "flow", NF_OVPN_A_FLOW, NEST, nf_flow },
	{ }
};

static const struct attr ovpn_peer[] = {
	{ "id", OVPN_A_PEER_ID, U32 },
	{ "remote-ipv4", OVPN_A_PEER_REMOTE_IPV4, IP4 },
	{ "remote-ipv6", OVPN_A_PEER_REMOTE_IPV6, IP6 },
	{ "remote-port", OVPN_A_PEER_REMOTE_PORT, PORT },
	{ "socket", OVPN_A_PEER_SOCKET, U32 },
	{ "vpn-ipv4", OVPN_A_PEER_VPN_IPV4, IP4 },
	{ "vpn-ipv6", OVPN_A_PEER_VPN_IPV6, IP6 },
	{ "local-ipv4", OVPN_A_PEER_LOCAL_IPV4, IP4 },
	{ "local-ipv6", OVPN_A_PEER_LOCAL_IPV6, IP6 },
	{ "local-port", OVPN_A_PEER_LOCAL_PORT, PORT },
	{ "keepalive-interval", OVPN_A_PEER_KEEPALIVE_INTERVAL, U32 },
	{ "keepalive-timeout", OVPN_A_PEER_KEEPALIVE_TIMEOUT, U32 },
	{ "del-reason", OVPN_A_PEER_DEL_REASON, ENUM, .names = reason_names },
	{ "vpn-rx-packets", OVPN_A_PEER_VPN_RX_PACKETS, UINT },
	{ "vpn-tx-packets", OVPN_A_PEER_VPN_TX_PACKETS, UINT },
	{ "link-rx-packets", OVPN_A_PEER_LINK_RX_PACKETS, UINT },
	{ "link-tx-packets", OVPN_A_PEER_LINK_TX_PACKETS, UINT },
	{ "tx-id", OVPN_A_PEER_TX_ID, U32 },
	{ }
};

static const struct attr ovpn_keydir[] = {
	{ "cipher-key", OVPN_A_KEYDIR_CIPHER_KEY, BYTES },
	{ "nonce-tail", OVPN_A_KEYDIR_NONCE_TAIL, BYTES },
	{ }
};

static const struct attr ovpn_keyconf[] = {
	{ "peer-id", OVPN_A_KEYCONF_PEER_ID, U32 },
	{ "slot", OVPN_A_KEYCONF_SLOT, ENUM, .names = slot_names },
	{ "key-id", OVPN_A_KEYCONF_KEY_ID, U32 },
	{ "cipher-alg", OVPN_A_KEYCONF_CIPHER_ALG, ENUM,
	  .names = cipher_names },
	{ "encrypt-dir", OVPN_A_KEYCONF_ENCRYPT_DIR, NEST, ovpn_keydir },
	{ "decrypt-dir", OVPN_A_KEYCONF_DECRYPT_DIR, NEST, ovpn_keydir },
	{ }
};

static const struct attr ovpn_top[] = {
	{ "ifindex", OVPN_A_IFINDEX, IFINDEX },
	{ "peer", OVPN_A_PEER, NEST, ovpn_peer },
	{ "keyconf", OVPN_A_KEYCONF, NEST, ovpn_keyconf },
	{ }
};

struct command {
	const char	*name;
	int		id;
};

struct family {
	const char		*name;
	const struct attr	*attrs;
	const struct command	*commands;
};

static const struct family families[] = {
	{
		NF_OVPN_FAMILY_NAME, nf_top,
		(const struct command[]) {
			{ "instance-new", NF_OVPN_CMD_INSTANCE_NEW },
			{ "instance-set", NF_OVPN_CMD_INSTANCE_SET },
			{ "instance-get", NF_OVPN_CMD_INSTANCE_GET },
			{ "instance-del", NF_OVPN_CMD_INSTANCE_DEL },
			{ "peer-new", NF_OVPN_CMD_PEER_NEW },
			{ "peer-set", NF_OVPN_CMD_PEER_SET },
			{ "peer-get", NF_OVPN_CMD_PEER_GET },
			{ "peer-del", NF_OVPN_CMD_PEER_DEL },
			{ "peer-del-ntf", NF_OVPN_CMD_PEER_DEL_NTF },
			{ "peer-float-ntf", NF_OVPN_CMD_PEER_FLOAT_NTF },
			{ "key-new", NF_OVPN_CMD_KEY_NEW },
			{ "key-get", NF_OVPN_CMD_KEY_GET },
			{ "key-swap", NF_OVPN_CMD_KEY_SWAP },
			{ "key-del", NF_OVPN_CMD_KEY_DEL },
			{ "key-release", NF_OVPN_CMD_KEY_RELEASE },
			{ "key-reserve", NF_OVPN_CMD_KEY_RESERVE },
			{ "key-accept", NF_OVPN_CMD_KEY_ACCEPT },
			{ "flow-get", NF_OVPN_CMD_FLOW_GET },
			{ "flow-flush", NF_OVPN_CMD_FLOW_FLUSH },
			{ "peer-flush", NF_OVPN_CMD_PEER_FLUSH },
			{ "key-limit-ntf", NF_OVPN_CMD_KEY_LIMIT_NTF },
			{ "instance-del-ntf", NF_OVPN_CMD_INSTANCE_DEL_NTF },
			{ }
		}
	},
	{
		OVPN_FAMILY_NAME, ovpn_top,
		(const struct command[]) {
			{ "peer-new", OVPN_CMD_PEER_NEW },
			{ "peer-set", OVPN_CMD_PEER_SET },
			{ "peer-get", OVPN_CMD_PEER_GET },
			{ "peer-del", OVPN_CMD_PEER_DEL },
			{ "key-new", OVPN_CMD_KEY_NEW },
			{ "key-get", OVPN_CMD_KEY_GET },
			{ "key-swap", OVPN_CMD_KEY_SWAP },
			{ "key-del", OVPN_CMD_KEY_DEL },
			{ }
		}
	}
};

static const struct family *family_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		if (!strcmp(families[i].name, name))
			return &families[i];
	errx(2, "no family %s", name);
}

static int command_by_name(const struct family *family, const char *name)
{
	const struct command *c;

	for (c = family->commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c->id;
	/* The kernel is to refuse one that it does not have. */
	if (*name >= '0' && *name <= '9')
		return atoi(name);
	errx(2, "family %s has no command %s", family->name, name);
}

static const char *command_name(const struct family *family, int id)
{
	const struct command *c;

	for (c = family->commands; c->name; c++)
		if (c->id == id)
			return c->name;
	return "?";
}

static const struct attr *attr_by_name(const struct attr *set, const char *name,
				       size_t len)
{
	for (; set && set->name; set++)
		if (strlen(set->name) == len && !memcmp(set->name, name, len))
			return set;
	return NULL;
}

static const struct attr *attr_by_id(const struct attr *set, int id)
{
	for (; set && set->name; set++)
		if (set->id == id)
			return set;
	return NULL;
}

/* --- bytes --- */

static size_t hex_decode(const char *hex, uint8_t *out, size_t size)
{
	size_t n = strlen(hex) / 2, i;

	if (strlen(hex) % 2 || n > size)
		errx(2, "bad hex string");
	for (i = 0; i < n; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &out[i]) != 1)
			errx(2, "bad hex string");
	return n;
}

static void hex_print(const uint8_t *data, size_t len)
{
	while (len--)
		printf("%02x", *data++);
}

/* --- netlink messages --- */

struct request {
	union {
		struct nlmsghdr	nlh;
		uint8_t		buf[8192];
	};
};

static void put(struct request *req, int type, const void *data, size_t len)
{
	struct nlattr *nla;

	if (req->nlh.nlmsg_len + NLA_HDRLEN + NLA_ALIGN(len) > sizeof(req->buf))
		errx(2, "request too long");
	nla = (struct nlattr *)(req->buf + req->nlh.nlmsg_len);
	nla->nla_type = type;
	nla->nla_len = NLA_HDRLEN + len;
	memcpy((uint8_t *)nla + NLA_HDRLEN, data, len);
	req->nlh.nlmsg_len += NLA_ALIGN(nla->nla_len);
}

static uint64_t parse_number(const char *text, const char *const *names)
{
	char *end;
	uint64_t n;

	for (n = 0; names && names[n]; n++)
		if (!strcmp(names[n], text))
			return n;
	n = strtoull(text, &end, 0);
	if (!*text || *end)
		errx(2, "bad number %s", text);
	return n;
}

static void put_value(struct request *req, const struct attr *attr,
		      const char *text)
{
	uint8_t buf[1024];
	uint16_t port, n16;
	uint64_t n64;
	uint32_t n;
	uint8_t n8;

	switch (attr->type) {
	case UINT:
		n64 = parse_number(text, NULL);
		n = n64;
		if (n == n64)
			put(req, attr->id, &n, sizeof(n));
		else
			put(req, attr->id, &n64, sizeof(n64));
		break;
	case U8:
		n8 = parse_number(text, NULL);
		put(req, attr->id, &n8, sizeof(n8));
		break;
	case U16:
		n16 = parse_number(text, NULL);
		put(req, attr->id, &n16, sizeof(n16));
		break;
	case FLAG:
		put(req, attr->id, NULL, 0);
		break;
	case IFINDEX:
		n = if_nametoindex(text) ?: parse_number(text, NULL);
		put(req, attr->id, &n, sizeof(n));
		break;
	case U32:
	case ENUM:
		n = parse_number(text, attr->names);
		put(req, attr->id, &n, sizeof(n));
		break;
	case PORT:
		port = htons(parse_number(text, NULL));
		put(req, attr->id, &port, sizeof(port));
		break;
	case IP4:
		if (inet_pton(AF_INET, text, buf) != 1)
			errx(2, "bad IPv4 address %s", text);
		put(req, attr->id, buf, 4);
		break;
	case IP6:
		if (inet_pton(AF_INET6, text, buf) != 1)
			errx(2, "bad IPv6 address %s", text);
		put(req, attr->id, buf, 16);
		break;
	case BYTES:
		put(req, attr->id, buf, hex_decode(text, buf, sizeof(buf)));
		break;
	default:
		errx(2, "%s cannot be written", attr->name);
	}
}

/* Put words into the request until the "}" that ends the nest, or the end.
 * Returns what is left.
 */
static char **put_words(struct request *req, const struct attr *set,
			char **words)
{
	for (; *words; words++) {
		char *word = *words, *value = strchr(word, '=');
		size_t len = strcspn(word, ":={");
		const struct attr *attr;
		uint8_t buf[4096];

		if (!strcmp(word, "}"))
			return words + 1;

		attr = attr_by_name(set, word, len);
		if (word[len] == ':' && !strncmp(word + len, ":hex=", 5)) {
			put(req, attr ? attr->id : atoi(word), buf,
			    hex_decode(value + 1, buf, sizeof(buf)));
			continue;
		}
		if (!attr)
			errx(2, "no attribute %s", word);
		if (word[len] == '{') {
			size_t at = req->nlh.nlmsg_len;
			struct nlattr *nla;

			put(req, attr->id | NLA_F_NESTED, NULL, 0);
			words = put_words(req, attr->nest, words + 1) - 1;
			nla = (struct nlattr *)(req->buf + at);
			nla->nla_len = req->nlh.nlmsg_len - at;
			continue;
		}
		if (!value)
			errx(2, "%s has no value", word);
		put_value(req, attr, value + 1);
	}
	return words;
}

/* The attribute at @data, NULL when there is no whole one before @end. */
static const struct nlattr *nla_at(const uint8_t *data, const uint8_t *end)
{
	const struct nlattr *nla = (const struct nlattr *)data;

	if (end - data < NLA_HDRLEN || nla->nla_len < NLA_HDRLEN ||
	    nla->nla_len > end - data)
		return NULL;
	return nla;
}

static const struct nlattr *nla_next(const struct nlattr *nla,
				     const uint8_t *end)
{
	return nla_at((const uint8_t *)nla + NLA_ALIGN(nla->nla_len), end);
}

static const uint8_t *nla_data(const struct nlattr *nla)
{
	return (const uint8_t *)nla + NLA_HDRLEN;
}

static int nla_len(const struct nlattr *nla)
{
	return nla->nla_len - NLA_HDRLEN;
}

static void print_attrs(const struct attr *set, const uint8_t *data, size_t len,
			const char *path)
{
	const struct nlattr *nla;

	for (nla = nla_at(data, data + len); nla;
	     nla = nla_next(nla, data + len)) {
		int type = nla->nla_type & NLA_TYPE_MASK;
		const struct attr *attr = attr_by_id(set, type);
		const uint8_t *value = nla_data(nla);
		char name[256], text[64];
		uint64_t u64 = 0;
		uint32_t u32 = 0, n;
		uint16_t u16;

		if (!attr) {
			printf(" %s%d:hex=", path, type);
			hex_print(value, nla_len(nla));
			continue;
		}
		if (attr->type == NEST) {
			snprintf(name, sizeof(name), "%s%s.", path, attr->name);
			print_attrs(attr->nest, value, nla_len(nla), name);
			continue;
		}

		printf(" %s%s=", path, attr->name);
		if (nla_len(nla) >= 4)
			memcpy(&u32, value, sizeof(u32));
		switch (attr->type) {
		case ENUM:
			for (n = 0; n < u32 && attr->names[n]; n++)
				;
			if (attr->names[n])
				printf("%s", attr->names[n]);
			else
				printf("%u", u32);
			break;
		case U8:
			printf("%u", value[0]);
			break;
		case U16:
			memcpy(&u16, value, sizeof(u16));
			printf("%u", u16);
			break;
		case FLAG:
			break;
		case UINT:
			u64 = u32;
			if (nla_len(nla) == 8)
				memcpy(&u64, value, sizeof(u64));
			printf("%llu", (unsigned long long)u64);
			break;
		case PORT:
			printf("%u", value[0] << 8 | value[1]);
			break;
		case IP4:
			printf("%s", inet_ntop(AF_INET, value, text,
					       sizeof(text)));
			break;
		case IP6:
			printf("%s", inet_ntop(AF_INET6, value, text,
					       sizeof(text)));
			break;
		case BYTES:
			hex_print(value, nla_len(nla));
			break;
		default:
			printf("%u", u32);
		}
	}
}

static void print_message(const struct family *family,
			  const struct nlmsghdr *nlh, bool with_name)
{
	const struct genlmsghdr *genl = NLMSG_DATA(nlh);

	if (with_name)
		printf("%s", command_name(family, genl->cmd));
	print_attrs(family->attrs, (const uint8_t *)genl + GENL_HDRLEN,
		    nlh->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, "");
	printf("\n");
	fflush(stdout);
}

/* Print the names down to the attribute at @offset of the message. */
static bool print_path(const struct attr *set, const uint8_t *base,
		       const uint8_t *data, size_t len, size_t offset)
{
	const struct nlattr *nla;

	for (nla = nla_at(data, data + len); nla;
	     nla = nla_next(nla, data + len)) {
		int type = nla->nla_type & NLA_TYPE_MASK;
		const struct attr *attr = attr_by_id(set, type);
		size_t at = (const uint8_t *)nla - base;

		if (offset < at || offset >= at + NLA_ALIGN(nla->nla_len))
			continue;
		if (attr)
			printf("%s", attr->name);
		else
			printf("%d", type);
		if (offset == at)
			return true;
		printf(".");
		return print_path(attr ? attr->nest : NULL, base, nla_data(nla),
				  nla_len(nla), offset);
	}
	return false;
}

static const struct attr *nest_at(const struct attr *set, const uint8_t *base,
				  const uint8_t *data, size_t len,
				  size_t offset)
{
	const struct nlattr *nla;

	for (nla = nla_at(data, data + len); nla;
	     nla = nla_next(nla, data + len)) {
		const struct attr *attr =
			attr_by_id(set, nla->nla_type & NLA_TYPE_MASK);
		size_t at = (const uint8_t *)nla - base;

		if (offset < at || offset >= at + nla->nla_len || !attr)
			continue;
		return offset == at ? attr->nest :
				      nest_at(attr->nest, base, nla_data(nla),
					      nla_len(nla), offset);
	}
	return NULL;
}

static void print_error(const struct family *family, const struct request *req,
			int error, const uint8_t *data, size_t len)
{
	const uint8_t *attrs = req->buf + NLMSG_HDRLEN + GENL_HDRLEN;
	size_t attrs_len = req->nlh.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
	const struct attr *set = family->attrs, *attr;
	const char *msg = NULL;
	const struct nlattr *nla;
	uint32_t u32, nest = 0;
	int miss = -1;

	printf("%s", strerrorname_np(-error));
	for (nla = nla_at(data, data + len); nla;
	     nla = nla_next(nla, data + len)) {
		memcpy(&u32, nla_data(nla), sizeof(u32));
		switch (nla->nla_type & NLA_TYPE_MASK) {
		case NLMSGERR_ATTR_MSG:
			msg = (const char *)nla_data(nla);
			break;
		case NLMSGERR_ATTR_OFFS:
			printf(" ");
			print_path(set, req->buf, attrs, attrs_len, u32);
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			miss = u32;
			break;
		case NLMSGERR_ATTR_MISS_NEST:
			nest = u32;
			break;
		}
	}
	if (miss >= 0) {
		printf(" ");
		if (nest) {
			print_path(set, req->buf, attrs, attrs_len, nest);
			printf(".");
			set = nest_at(set, req->buf, attrs, attrs_len, nest);
		}
		attr = attr_by_id(set, miss);
		if (attr)
			printf("%s missing", attr->name);
		else
			printf("%d missing", miss);
	}
	if (msg)
		printf(": %s", msg);
	printf("\n");
	fflush(stdout);
}

static int netlink_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int one = 1, size = 1 << 20;

	if (fd < 0)
		err(2, "netlink socket");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

static uint32_t group_id(const struct nlattr *grp)
{
	const uint8_t *end = nla_data(grp) + nla_len(grp);
	const struct nlattr *nla;
	uint32_t id = 0;

	for (nla = nla_at(nla_data(grp), end); nla; nla = nla_next(nla, end))
		if ((nla->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_MCAST_GRP_ID)
			memcpy(&id, nla_data(nla), sizeof(id));
	return id;
}

/* The number of a family and, when asked for, of its one multicast group. */
static int family_id(int fd, const char *name, uint32_t *group)
{
	struct request req = { .nlh = {
		.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN,
		.nlmsg_type = GENL_ID_CTRL,
		.nlmsg_flags = NLM_F_REQUEST,
	} };
	struct genlmsghdr *genl = NLMSG_DATA(&req.nlh);
	const struct nlattr *nla, *grp;
	uint64_t buf[2048];
	const struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	const uint8_t *end;
	uint16_t id = 0;
	ssize_t len;

	genl->cmd = CTRL_CMD_GETFAMILY;
	put(&req, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	if (send(fd, req.buf, req.nlh.nlmsg_len, 0) < 0)
		err(2, "netlink send");
	len = recv(fd, buf, sizeof(buf), 0);
	if (len < 0)
		err(2, "netlink receive");
	if (nlh->nlmsg_type == NLMSG_ERROR)
		errx(3, "the kernel has no netlink family %s", name);

	end = (uint8_t *)buf + nlh->nlmsg_len;
	for (nla = nla_at((uint8_t *)buf + NLMSG_HDRLEN + GENL_HDRLEN, end); nla;
	     nla = nla_next(nla, end)) {
		switch (nla->nla_type & NLA_TYPE_MASK) {
		case CTRL_ATTR_FAMILY_ID:
			memcpy(&id, nla_data(nla), sizeof(id));
			break;
		case CTRL_ATTR_MCAST_GROUPS:
			/* of which each family here has one */
			grp = nla_at(nla_data(nla), nla_data(nla) + nla_len(nla));
			if (group && grp)
				*group = group_id(grp);
			break;
		}
	}
	return id;
}

typedef void (*answer_fn)(const struct family *family,
			  const struct nlmsghdr *nlh, void *arg);

static void print_answer(const struct family *family, const struct nlmsghdr *nlh,
			 void *arg)
{
	(void)arg;
	print_message(family, nlh, false);
}

/* One request. Returns 0, or 1 when it is refused, which is printed. */
static int exchange(int fd, const struct family *family, int id, char **words,
		    bool dump, answer_fn answer, void *arg)
{
	static uint64_t buf[8192];
	struct request req = { .nlh = {
		.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN,
		.nlmsg_type = id,
		.nlmsg_flags = NLM_F_REQUEST | (dump ? NLM_F_DUMP : NLM_F_ACK),
	} };
	struct genlmsghdr *genl = NLMSG_DATA(&req.nlh);
	const struct nlmsghdr *nlh;
	const uint8_t *attrs;
	ssize_t len;
	int error;

	genl->cmd = command_by_name(family, words[0]);
	genl->version = 1;
	put_words(&req, family->attrs, words + 1);
	if (send(fd, req.buf, req.nlh.nlmsg_len, 0) < 0)
		err(2, "netlink send");

	for (;;) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			err(2, "netlink receive");
		for (nlh = (struct nlmsghdr *)buf; NLMSG_OK(nlh, len);
		     nlh = NLMSG_NEXT(nlh, len)) {
			if (nlh->nlmsg_type != NLMSG_ERROR &&
			    nlh->nlmsg_type != NLMSG_DONE) {
				answer(family, nlh, arg);
				continue;
			}
			/* both begin with the error; attributes follow it, in
			 * an error after the header of the request
			 */
			memcpy(&error, NLMSG_DATA(nlh), sizeof(error));
			if (!error)
				return 0;
			attrs = (const uint8_t *)NLMSG_DATA(nlh) +
				(nlh->nlmsg_type == NLMSG_ERROR ?
				 sizeof(struct nlmsgerr) : sizeof(error));
			print_error(family, &req, error, attrs,
				    nlh->nlmsg_flags & NLM_F_ACK_TLVS ?
				    (const uint8_t *)nlh + nlh->nlmsg_len -
				    attrs : 0);
			return 1;
		}
	}
}

/* The same; prints what is answered. */
static int transact(int fd, const struct family *family, int id, char **words,
		    bool dump)
{
	return exchange(fd, family, id, words, dump, print_answer, NULL);
}

static int cmd_nl(char **words, bool dump)
{
	const struct family *family = family_by_name(words[0]);
	int fd = netlink_socket(), refused;

	refused = transact(fd, family, family_id(fd, family->name, NULL),
			   words + 1, dump);
	close(fd);
	return refused;
}

/* The whole of a refusal, which has the request in it, in hexadecimal digits */
static int cmd_refusal(char **words)
{
	const struct family *family = family_by_name(words[0]);
	struct request req = { .nlh = {
		.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	} };
	struct genlmsghdr *genl = NLMSG_DATA(&req.nlh);
	int fd = netlink_socket(), zero = 0, error;
	static uint64_t buf[8192];
	ssize_t len;

	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &zero, sizeof(zero));
	req.nlh.nlmsg_type = family_id(fd, family->name, NULL);
	genl->cmd = command_by_name(family, words[1]);
	genl->version = 1;
	put_words(&req, family->attrs, words + 2);
	if (send(fd, req.buf, req.nlh.nlmsg_len, 0) < 0)
		err(2, "netlink send");
	len = recv(fd, buf, sizeof(buf), 0);
	if (len < (ssize_t)(NLMSG_HDRLEN + sizeof(error)))
		err(2, "netlink receive");
	memcpy(&error, NLMSG_DATA((struct nlmsghdr *)buf), sizeof(error));
	if (((struct nlmsghdr *)buf)->nlmsg_type != NLMSG_ERROR || !error)
		errx(1, "not refused");
	hex_print((uint8_t *)buf, len);
	return 0;
}

/* Requests from standard input, one to a line, for many of them in a short
 * time.
 */
static int cmd_batch(char **words)
{
	const struct family *family = family_by_name(words[0]);
	int fd = netlink_socket(), id, n;
	static char line[65536], *argv[4096];

	id = family_id(fd, family->name, NULL);
	while (fgets(line, sizeof(line), stdin)) {
		n = 0;
		for (char *word = strtok(line, "\n "); word && n < 4095;
		     word = strtok(NULL, "\n "))
			argv[n++] = word;
		argv[n] = NULL;
		if (n && transact(fd, family, id, argv, false))
			return 1;
	}
	return 0;
}

/* --- processes in the background --- */

static bool background;
static const char *pid_file;

/* What this process holds is there: let the script go on. */
static void ready(void)
{
	pid_t pid = getpid();
	FILE *f;

	if (background) {
		pid = fork();
		if (pid < 0)
			err(2, "fork");
	}
	if (pid && pid_file) {
		f = fopen(pid_file, "w");
		if (!f || fprintf(f, "%d\n", pid) < 0 || fclose(f))
			err(2, "%s", pid_file);
	}
	if (pid && background)
		_exit(0);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static int cmd_monitor(void)
{
	const struct family *family = &families[0];
	static uint64_t buf[8192];
	const struct nlmsghdr *nlh;
	int fd = netlink_socket(), size = 1 << 28;
	uint32_t group = 0;
	ssize_t len;

	/* 100 000 peers may end in one moment. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	family_id(fd, family->name, &group);
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)))
		err(2, "multicast group");
	ready();
	for (;;) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			err(2, "netlink receive");
		for (nlh = (struct nlmsghdr *)buf; NLMSG_OK(nlh, len);
		     nlh = NLMSG_NEXT(nlh, len))
			print_message(family, nlh, true);
	}
}

/* Names of the reasons for which the kernel drops packets, one to a line. */
static int cmd_drops(void)
{
	struct request req = { .nlh = { .nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN,
					.nlmsg_flags = NLM_F_REQUEST } };
	struct genlmsghdr *genl = NLMSG_DATA(&req.nlh);
	uint8_t mode = NET_DM_ALERT_MODE_PACKET;
	static uint64_t buf[32768];
	const struct nlmsghdr *nlh;
	const struct nlattr *nla;
	int fd = netlink_socket();
	uint32_t group = 0;
	ssize_t len;

	req.nlh.nlmsg_type = family_id(fd, "NET_DM", &group);
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)))
		err(2, "multicast group");
	genl->cmd = NET_DM_CMD_CONFIG;
	put(&req, NET_DM_ATTR_ALERT_MODE, &mode, sizeof(mode));
	if (send(fd, req.buf, req.nlh.nlmsg_len, 0) < 0)
		err(2, "netlink send");
	genl->cmd = NET_DM_CMD_START;
	req.nlh.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	if (send(fd, req.buf, req.nlh.nlmsg_len, 0) < 0)
		err(2, "netlink send");
	ready();
	for (;;) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			err(2, "netlink receive");
		for (nlh = (struct nlmsghdr *)buf; NLMSG_OK(nlh, len);
		     nlh = NLMSG_NEXT(nlh, len)) {
			const uint8_t *data = (uint8_t *)nlh + NLMSG_HDRLEN;
			const uint8_t *end = (uint8_t *)nlh + nlh->nlmsg_len;

			genl = (struct genlmsghdr *)data;
			if (nlh->nlmsg_type == NLMSG_ERROR ||
			    genl->cmd != NET_DM_CMD_PACKET_ALERT)
				continue;
			for (nla = nla_at(data + GENL_HDRLEN, end); nla;
			     nla = nla_next(nla, end))
				if ((nla->nla_type & NLA_TYPE_MASK) ==
				    NET_DM_ATTR_REASON)
					printf("%.*s\n", nla_len(nla),
					       nla_data(nla));
		}
	}
}

static int tun_open(const char *name, int type)
{
	struct ifreq ifr = { .ifr_flags = type | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(2, "/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr))
		err(2, "TUNSETIFF");
	return fd;
}

/* A tun (or tap) device, and what userspace reads from it. */
static int cmd_tun(char **words)
{
	static uint8_t buf[DATAGRAM_MAX];
	bool tap = words[1] && !strcmp(words[1], "tap");
	int fd = tun_open(words[0], tap ? IFF_TAP : IFF_TUN);
	ssize_t len;

	ready();
	for (;;) {
		len = read(fd, buf, sizeof(buf));
		if (len < 0) {
			/* down, or not up yet */
			if (errno == EIO || errno == EBADFD)
				continue;
			err(2, "tun");
		}
		hex_print(buf, len);
		printf("\n");
	}
}

static void sockaddr_set(struct sockaddr_storage *ss, const char *addr,
			 const char *port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, addr, &sin->sin_addr) == 1) {
		ss->ss_family = AF_INET;
		sin->sin_port = htons(parse_number(port, NULL));
	} else if (inet_pton(AF_INET6, addr, &sin6->sin6_addr) == 1) {
		ss->ss_family = AF_INET6;
		sin6->sin6_port = htons(parse_number(port, NULL));
	} else {
		errx(2, "bad address %s", addr);
	}
}

/* ADDRESS PORT [REQUEST...]: a UDP socket, and what userspace reads from it.
 * The request is one to the ovpn driver in which "socket=fd" means the socket.
 * With SOCKET_GRO what the network card merges stays merged, with
 * SOCKET_TRANSPARENT it takes packets for any address.
 */
enum socket_kind { SOCKET_PLAIN, SOCKET_GRO, SOCKET_TRANSPARENT };

static int cmd_socket(char **words, enum socket_kind kind)
{
	static uint8_t buf[DATAGRAM_MAX];
	struct sockaddr_storage ss;
	char socket_word[32];
	int fd, nl, one = 1;
	ssize_t len;
	char **word;

	sockaddr_set(&ss, words[0], words[1]);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(2, "socket");
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (kind == SOCKET_GRO &&
	    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)))
		err(2, "UDP_GRO");
	if (kind == SOCKET_TRANSPARENT &&
	    (ss.ss_family == AF_INET ?
	     setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)) :
	     setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one, sizeof(one))))
		err(2, "IP_TRANSPARENT");
	if (bind(fd, (struct sockaddr *)&ss, sizeof(ss)))
		err(2, "bind %s %s", words[0], words[1]);

	words += 2;
	if (*words) {
		snprintf(socket_word, sizeof(socket_word), "socket=%d", fd);
		for (word = words; *word; word++)
			if (!strcmp(*word, "socket=fd"))
				*word = socket_word;
		nl = netlink_socket();
		if (transact(nl, &families[1],
			     family_id(nl, families[1].name, NULL), words,
			     false))
			return 1;
		close(nl);
	}
	ready();
	for (;;) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			/* ICMP errors */
			continue;
		hex_print(buf, len);
		printf("\n");
	}
}

/* --- a data channel in userspace --- */

#define ID_SIZE		4
#define OP_SIZE		4
#define TAG_SIZE	16
#define AD_SIZE		(OP_SIZE + ID_SIZE)
#define HEAD_SIZE	(AD_SIZE + TAG_SIZE)
#define WINDOW		1984
#define WINDOW_BYTES	256

/* One direction of a key of AES-GCM, by the kernel's cipher for userspace, which
 * is not the one of nf_ovpn
 */
struct aead {
	int	fd;
	uint8_t	tail[8];
};

static void aead_open(struct aead *aead, const char *key, const char *tail)
{
	struct sockaddr_alg alg = {
		.salg_family	= AF_ALG,
		.salg_type	= "aead",
		.salg_name	= "gcm(aes)",
	};
	uint8_t raw[32];
	int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	size_t len = hex_decode(key, raw, sizeof(raw));

	hex_decode(tail, aead->tail, sizeof(aead->tail));
	if (fd < 0 || bind(fd, (struct sockaddr *)&alg, sizeof(alg)) ||
	    setsockopt(fd, SOL_ALG, ALG_SET_KEY, raw, len) ||
	    setsockopt(fd, SOL_ALG, ALG_SET_AEAD_AUTHSIZE, NULL, TAG_SIZE))
		err(2, "AF_ALG gcm(aes)");
	aead->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (aead->fd < 0)
		err(2, "AF_ALG");
	close(fd);
}

/* Text to ciphertext and tag, or back. Returns the length, -1 when it is not
 * authentic. The kernel waits for more where there is room for more.
 */
static ssize_t aead_crypt(const struct aead *aead, int op, uint8_t ad[AD_SIZE],
			  uint8_t *in, size_t len, uint8_t *out)
{
	size_t out_len = op == ALG_OP_ENCRYPT ? len + TAG_SIZE : len - TAG_SIZE;
	union {
		struct cmsghdr	align;
		uint8_t		buf[CMSG_SPACE(sizeof(uint32_t)) * 2 +
				    CMSG_SPACE(sizeof(struct af_alg_iv) + 12)];
	} control = {};
	uint8_t ad_out[AD_SIZE];
	struct iovec from[] = { { ad, AD_SIZE }, { in, len } };
	struct iovec to[] = { { ad_out, AD_SIZE }, { out, out_len } };
	struct msghdr msg = {
		.msg_iov = from, .msg_iovlen = 2,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	uint32_t ad_len = AD_SIZE;
	struct af_alg_iv *iv;
	ssize_t n;

	cmsg->cmsg_level = SOL_ALG;
	cmsg->cmsg_type = ALG_SET_OP;
	cmsg->cmsg_len = CMSG_LEN(sizeof(op));
	memcpy(CMSG_DATA(cmsg), &op, sizeof(op));
	cmsg = CMSG_NXTHDR(&msg, cmsg);
	cmsg->cmsg_level = SOL_ALG;
	cmsg->cmsg_type = ALG_SET_AEAD_ASSOCLEN;
	cmsg->cmsg_len = CMSG_LEN(sizeof(ad_len));
	memcpy(CMSG_DATA(cmsg), &ad_len, sizeof(ad_len));
	cmsg = CMSG_NXTHDR(&msg, cmsg);
	cmsg->cmsg_level = SOL_ALG;
	cmsg->cmsg_type = ALG_SET_IV;
	cmsg->cmsg_len = CMSG_LEN(sizeof(*iv) + 12);
	iv = (struct af_alg_iv *)CMSG_DATA(cmsg);
	iv->ivlen = 12;
	memcpy(iv->iv, ad + OP_SIZE, ID_SIZE);
	memcpy(iv->iv + ID_SIZE, aead->tail, sizeof(aead->tail));

	if (sendmsg(aead->fd, &msg, 0) < 0)
		err(2, "AF_ALG send");
	n = readv(aead->fd, to, 2);
	if (n < 0 && errno != EBADMSG)
		err(2, "AF_ALG read");
	return n < 0 ? -1 : n - AD_SIZE;
}

/* A daemon with one peer, whose key it has by turns with the kernel. */
struct turns {
	const struct family	*family;
	int			nl;
	int			id;
	int			tun;
	int			sock;
	struct sockaddr_storage	remote;
	char			ifindex[64];
	char			**key;		/* words, up to the last "}" */
	uint32_t		op;
	struct aead		encrypt;
	struct aead		decrypt;
	bool			mine;
	uint64_t		tx_id;
	uint64_t		rx_id;		/* the highest */
	uint8_t			window[WINDOW_BYTES];
	unsigned int		sent, received, reserved, accepted;
	unsigned int		replays, bad;
};

static uint64_t uint_of(const struct nlattr *nla)
{
	uint64_t u64 = 0;
	uint32_t u32;

	if (nla_len(nla) == 8) {
		memcpy(&u64, nla_data(nla), sizeof(u64));
		return u64;
	}
	memcpy(&u32, nla_data(nla), sizeof(u32));
	return u32;
}

/* Where the key is used up to, as an answer says */
static void take_state(const struct family *family, const struct nlmsghdr *nlh,
		       void *arg)
{
	const uint8_t *end = (const uint8_t *)nlh + nlh->nlmsg_len;
	const struct nlattr *top, *nla;
	struct turns *turns = arg;

	(void)family;
	for (top = nla_at((const uint8_t *)nlh + NLMSG_HDRLEN + GENL_HDRLEN, end);
	     top; top = nla_next(top, end)) {
		if ((top->nla_type & NLA_TYPE_MASK) != NF_OVPN_A_KEYCONF)
			continue;
		for (nla = nla_at(nla_data(top), nla_data(top) + nla_len(top));
		     nla; nla = nla_next(nla, nla_data(top) + nla_len(top))) {
			switch (nla->nla_type & NLA_TYPE_MASK) {
			case NF_OVPN_A_KEYCONF_TX_PACKET_ID:
				turns->tx_id = uint_of(nla);
				break;
			case NF_OVPN_A_KEYCONF_RX_PACKET_ID:
				turns->rx_id = uint_of(nla);
				break;
			case NF_OVPN_A_KEYCONF_RX_WINDOW:
				memcpy(turns->window, nla_data(nla),
				       sizeof(turns->window));
				break;
			}
		}
	}
}

/* COMMAND WORD: a request about the key. Returns 0, or 1 when it is refused. */
static int key_request(struct turns *turns, char *command, char *word)
{
	char peer_id[32];
	char *words[8] = { command, turns->ifindex, "keyconf{", peer_id,
			   "slot=primary", word ?: "}", word ? "}" : NULL };

	snprintf(peer_id, sizeof(peer_id), "peer-id=%u", turns->op & 0xffffff);
	return exchange(turns->nl, turns->family, turns->id, words, false,
			take_state, turns);
}

/* Give the key to the kernel, with how far it is used up. */
static void key_give(struct turns *turns)
{
	char tx[64], rx[64], window[2 * WINDOW_BYTES + 16];
	char *words[64] = { "key-new", turns->ifindex }, **word = words + 2;
	char *text = window;
	size_t i;

	for (i = 0; turns->key[i + 1]; i++)
		*word++ = turns->key[i];
	snprintf(tx, sizeof(tx), "tx-packet-id=%llu",
		 (unsigned long long)turns->tx_id);
	snprintf(rx, sizeof(rx), "rx-packet-id=%llu",
		 (unsigned long long)turns->rx_id);
	text += sprintf(text, "rx-window=");
	for (i = 0; i < WINDOW_BYTES; i++)
		text += sprintf(text, "%02x", turns->window[i]);
	*word++ = tx;
	*word++ = rx;
	*word++ = window;
	*word++ = "}";
	if (exchange(turns->nl, turns->family, turns->id, words, false,
		     print_answer, NULL))
		exit(1);
	turns->mine = false;
}

/* Whether a packet ID of an authentic packet is new, whoever has the key. */
static bool id_accept(struct turns *turns, uint32_t id)
{
	uint64_t back, i;
	char word[64];

	if (!turns->mine) {
		snprintf(word, sizeof(word), "rx-packet-id=%u", id);
		turns->accepted++;
		return !key_request(turns, "key-accept", word);
	}
	if (id > turns->rx_id) {
		/* The window moves on, a bit at a time. */
		for (i = turns->rx_id; i < id; i++) {
			for (back = WINDOW_BYTES - 1; back; back--)
				turns->window[back] =
					turns->window[back] << 1 |
					turns->window[back - 1] >> 7;
			turns->window[0] <<= 1;
		}
		turns->rx_id = id;
		turns->window[0] |= 1;
		return true;
	}
	back = turns->rx_id - id;
	if (!id || back >= WINDOW ||
	    turns->window[back / 8] & 1 << back % 8)
		return false;
	turns->window[back / 8] |= 1 << back % 8;
	return true;
}

/* One packet of the tun device to the peer. Returns false when there is none. */
static bool send_one(struct turns *turns)
{
	static uint8_t text[DATAGRAM_MAX], out[DATAGRAM_MAX], gram[DATAGRAM_MAX];
	ssize_t len = read(turns->tun, text, sizeof(text));
	uint32_t op, id;

	if (len < 0)
		return false;
	if (turns->mine) {
		turns->tx_id++;
	} else {
		if (key_request(turns, "key-reserve", "packets=1"))
			exit(1);
		turns->reserved++;
	}
	op = htonl(turns->op);
	id = htonl(turns->tx_id);
	memcpy(gram, &op, OP_SIZE);
	memcpy(gram + OP_SIZE, &id, ID_SIZE);
	if (aead_crypt(&turns->encrypt, ALG_OP_ENCRYPT, gram, text, len,
		       out) != len + TAG_SIZE)
		errx(2, "not encrypted");
	memcpy(gram + AD_SIZE, out + len, TAG_SIZE);
	memcpy(gram + HEAD_SIZE, out, len);
	if (sendto(turns->sock, gram, HEAD_SIZE + len, 0,
		   (struct sockaddr *)&turns->remote, sizeof(turns->remote)) < 0)
		err(2, "send");
	turns->sent++;
	return true;
}

/* One datagram of the peer to the tun device, likewise. */
static bool receive_one(struct turns *turns)
{
	static uint8_t gram[DATAGRAM_MAX], in[DATAGRAM_MAX], text[DATAGRAM_MAX];
	ssize_t len = recv(turns->sock, gram, sizeof(gram), MSG_DONTWAIT);
	uint32_t id;

	if (len < 0)
		return false;
	if (len < HEAD_SIZE) {
		turns->bad++;
		return true;
	}
	len -= HEAD_SIZE;
	memcpy(in, gram + HEAD_SIZE, len);
	memcpy(in + len, gram + AD_SIZE, TAG_SIZE);
	len = aead_crypt(&turns->decrypt, ALG_OP_DECRYPT, gram, in,
			 len + TAG_SIZE, text);
	if (len < 0) {
		turns->bad++;
		return true;
	}
	memcpy(&id, gram + OP_SIZE, ID_SIZE);
	if (!id_accept(turns, ntohl(id))) {
		turns->replays++;
		return true;
	}
	if (write(turns->tun, text, len) != len)
		err(2, "tun");
	turns->received++;
	return true;
}

/* Handle what there is, for at least so many packets each way or, when there is
 * nothing for a moment, fewer.
 */
static void handle(struct turns *turns, unsigned int packets)
{
	struct pollfd fds[] = { { turns->tun, POLLIN, 0 },
				{ turns->sock, POLLIN, 0 } };
	unsigned int tx = 0, rx = 0;

	do {
		while (send_one(turns))
			tx++;
		while (receive_one(turns))
			rx++;
	} while ((tx < packets || rx < packets) && poll(fds, 2, 200) > 0);
}

static const char *word_value(char **words, const char *name, int nth)
{
	size_t len = strlen(name);

	for (; *words; words++)
		if (!strncmp(*words, name, len) && (*words)[len] == '=' && !nth--)
			return *words + len + 1;
	errx(2, "the key has no %s", name);
}

/* TUN ADDRESS PORT REMOTE PORT ROUNDS KEYCONF...: hold the device and the socket,
 * and have the key, once the kernel has it, by turns with the kernel; so many
 * rounds.
 */
static int cmd_turns(char **words)
{
	static uint8_t discard[DATAGRAM_MAX];
	static struct turns turns;
	struct sockaddr_storage local;
	unsigned int rounds = parse_number(words[5], NULL);

	turns.family = &families[0];
	turns.nl = netlink_socket();
	turns.id = family_id(turns.nl, turns.family->name, NULL);
	turns.tun = tun_open(words[0], IFF_TUN);
	if (fcntl(turns.tun, F_SETFL, O_NONBLOCK))
		err(2, "tun");
	snprintf(turns.ifindex, sizeof(turns.ifindex), "ifindex=%s", words[0]);
	sockaddr_set(&local, words[1], words[2]);
	sockaddr_set(&turns.remote, words[3], words[4]);
	turns.sock = socket(local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (turns.sock < 0 ||
	    bind(turns.sock, (struct sockaddr *)&local, sizeof(local)))
		err(2, "bind %s %s", words[1], words[2]);

	turns.key = words + 6;
	turns.op = 9u << 27 |
		   parse_number(word_value(turns.key, "key-id", 0), NULL) << 24 |
		   parse_number(word_value(turns.key, "peer-id", 0), NULL);
	aead_open(&turns.encrypt, word_value(turns.key, "cipher-key", 0),
		  word_value(turns.key, "nonce-tail", 0));
	aead_open(&turns.decrypt, word_value(turns.key, "cipher-key", 1),
		  word_value(turns.key, "nonce-tail", 1));
	ready();

	/* Until there is a key, nothing can be done with what comes. */
	while (key_request(&turns, "key-get", NULL)) {
		while (read(turns.tun, discard, sizeof(discard)) > 0 ||
		       recv(turns.sock, discard, sizeof(discard),
			    MSG_DONTWAIT) > 0)
			;
		poll(NULL, 0, 20);
	}
	while (rounds--) {
		if (key_request(&turns, "key-release", NULL))
			return 1;
		turns.mine = true;
		handle(&turns, 10);
		key_give(&turns);
		/* what was on its way to us when the key went, until there has
		 * been nothing for a moment
		 */
		handle(&turns, UINT_MAX);
	}
	printf("sent=%u received=%u reserved=%u accepted=%u replays=%u bad=%u\n",
	       turns.sent, turns.received, turns.reserved, turns.accepted,
	       turns.replays, turns.bad);
	for (;;)
		handle(&turns, 1);
}

/* --- datagrams by hand --- */

static uint32_t checksum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len > 1; len -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	if (len)
		sum += p[0] << 8;
	return sum;
}

static uint16_t checksum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

#define INSN(op, to, from, offset, value)		\
	{ .code = (op), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (value) }
#define MOV_IMM(to, value)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define MOV_REG(to, from)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define ADD_IMM(to, value)	INSN(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value)
#define STACK_IMM(size, offset, value)	\
	INSN(BPF_ST | BPF_MEM | (size), BPF_REG_10, 0, offset, value)
#define SKIP_IF_0(reg, count)	INSN(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, count, 0)
#define CALL(function)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define RETURN()		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int bpf_program(const struct bpf_insn *insns, size_t count, int type,
		       int attach_type)
{
	static char log[16384];
	union bpf_attr load = {
		.prog_type = type,
		.insns = (uintptr_t)insns,
		.insn_cnt = count,
		.license = (uintptr_t)"GPL",
		.expected_attach_type = attach_type,
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));

	if (fd < 0)
		err(1, "BPF program: %s", log);
	return fd;
}

static void bpf_attach(int target, int attach_type, int program)
{
	union bpf_attr attach = {
		.target_fd = target,
		.attach_type = attach_type,
		.attach_bpf_fd = program < 0 ? 0 : program,
	};

	if (syscall(SYS_bpf, program < 0 ? BPF_PROG_DETACH : BPF_PROG_ATTACH,
		    &attach, sizeof(attach)) < 0)
		err(1, "attach");
}

/* DIRECTORY drop|pass: all that the sockets of a control group send is dropped
 * by a BPF program, or passes again
 */
static int cmd_cgroup(char **words)
{
	static const struct bpf_insn drop[] = {
		MOV_IMM(BPF_REG_0, 0),
		RETURN(),
	};
	int program = -1;
	int fd = open(words[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", words[0]);
	if (strcmp(words[1], "pass"))
		program = bpf_program(drop, ARRAY_SIZE(drop),
				      BPF_PROG_TYPE_CGROUP_SKB,
				      BPF_CGROUP_INET_EGRESS);
	bpf_attach(fd, BPF_CGROUP_INET_EGRESS, program);
	return 0;
}

/* DEVICE drop: a program of tcx drops all that the device sends.
 * DEVICE assign ADDRESS PORT: one gives all that the device receives to the
 * UDP socket of that IPv4 address and port.
 * DEVICE drop|assign none: it is taken away.
 */
static int cmd_tcx(char **words)
{
	bool assign = !strcmp(words[1], "assign");
	bool none = words[2] && !strcmp(words[2], "none");
	struct sockaddr_storage ss = {};
	int type = assign ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
	unsigned int ifindex = if_nametoindex(words[0]);
	struct sockaddr_in *sin = (struct sockaddr_in *)&ss;
	int program = -1;

	if (!ifindex)
		err(1, "%s", words[0]);
	if (assign && !none)
		sockaddr_set(&ss, words[2], words[3]);

	const struct bpf_insn drop[] = {
		MOV_IMM(BPF_REG_0, TCX_DROP),
		RETURN(),
	};
	const struct bpf_insn give[] = {
		MOV_REG(BPF_REG_6, BPF_REG_1),
		/* struct bpf_sock_tuple: from anybody to that socket */
		STACK_IMM(BPF_W, -16, 0),
		STACK_IMM(BPF_W, -12, (int)sin->sin_addr.s_addr),
		STACK_IMM(BPF_H, -8, 0),
		STACK_IMM(BPF_H, -6, sin->sin_port),
		MOV_REG(BPF_REG_2, BPF_REG_10),
		ADD_IMM(BPF_REG_2, -16),
		MOV_IMM(BPF_REG_3, 12),
		MOV_IMM(BPF_REG_4, -1),
		MOV_IMM(BPF_REG_5, 0),
		CALL(BPF_FUNC_sk_lookup_udp),
		SKIP_IF_0(BPF_REG_0, 7),
		MOV_REG(BPF_REG_7, BPF_REG_0),
		MOV_REG(BPF_REG_1, BPF_REG_6),
		MOV_REG(BPF_REG_2, BPF_REG_7),
		MOV_IMM(BPF_REG_3, 0),
		CALL(BPF_FUNC_sk_assign),
		MOV_REG(BPF_REG_1, BPF_REG_7),
		CALL(BPF_FUNC_sk_release),
		MOV_IMM(BPF_REG_0, TCX_NEXT),
		RETURN(),
	};

	if (!none && assign)
		program = bpf_program(give, ARRAY_SIZE(give),
				      BPF_PROG_TYPE_SCHED_CLS, type);
	else if (!none)
		program = bpf_program(drop, ARRAY_SIZE(drop),
				      BPF_PROG_TYPE_SCHED_CLS, type);
	bpf_attach(ifindex, type, program);
	return 0;
}

/* An IP packet without options in two fragments, of which the first has @first
 * bytes behind the header.
 */
static int send_fragments(int fd, const uint8_t *pkt, size_t len, size_t first,
			  const struct sockaddr *dst, socklen_t dst_len)
{
	bool v6 = pkt[0] >> 4 == 6;
	size_t head = v6 ? 40 : 20, from = 0, n = first;
	static uint8_t buf[DATAGRAM_MAX];
	uint8_t *data;

	for (; from < len - head; from += n, n = len - head - from) {
		bool last = from + n == len - head;

		memcpy(buf, pkt, head);
		data = buf + head;
		if (v6) {
			memset(data, 0, 8);
			data[0] = pkt[6];
			put16(data + 2, from | !last);
			memcpy(data + 4, pkt + head + 8, 4);	/* ID */
			data += 8;
			buf[6] = IPPROTO_FRAGMENT;
			put16(buf + 4, n + 8);
		} else {
			put16(buf + 2, head + n);
			memcpy(buf + 4, pkt + head + 10, 2);	/* ID */
			put16(buf + 6, from / 8 | (last ? 0 : 0x2000));
		}
		memcpy(data, pkt + head + from, n);
		if (sendto(fd, buf, data + n - buf, 0, dst, dst_len) < 0)
			return -1;
	}
	return 0;
}

/* [checksum=N] [length=N] [tos=N] [label=N] [fragment=N] SRC SPORT DST DPORT [HEX...]:
 * a datagram from any address and port, whoever has them, with a wrong checksum or
 * length when asked for, or in fragments; one for each HEX, or for each line of
 * standard input.
 */
static int cmd_send(char **words)
{
	static uint8_t pkt[DATAGRAM_MAX];
	static char line[2 * DATAGRAM_MAX + 2];
	struct sockaddr_storage src, dst;
	long check = -1, length = -1;
	uint8_t *udp, *payload, tos = 0;
	uint32_t label = 0;
	size_t addr_len, udp_len, n, fragment = 0;
	socklen_t dst_len;
	uint32_t sum;
	int fd, error = 0;
	char **hex;

	for (; strchr(*words, '='); words++) {
		if (!strncmp(*words, "checksum=", 9))
			check = parse_number(*words + 9, NULL);
		else if (!strncmp(*words, "length=", 7))
			length = parse_number(*words + 7, NULL);
		else if (!strncmp(*words, "tos=", 4))
			tos = parse_number(*words + 4, NULL);
		else if (!strncmp(*words, "label=", 6))
			label = parse_number(*words + 6, NULL);
		else if (!strncmp(*words, "fragment=", 9))
			fragment = parse_number(*words + 9, NULL);
		else
			errx(2, "bad option %s", *words);
	}
	sockaddr_set(&src, words[0], words[1]);
	sockaddr_set(&dst, words[2], words[3]);
	addr_len = src.ss_family == AF_INET ? 4 : 16;
	udp = pkt + (addr_len == 4 ? 20 : 40);
	payload = udp + 8;
	fd = socket(src.ss_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		err(2, "raw socket");

	for (hex = words + 4;;) {
		const char *text;

		if (words[4]) {
			text = *hex++;
			if (!text)
				break;
		} else {
			if (!fgets(line, sizeof(line), stdin))
				break;
			line[strcspn(line, "\n")] = 0;
			text = line;
		}

		memset(pkt, 0, payload - pkt);
		n = hex_decode(text, payload, pkt + sizeof(pkt) - payload);
		udp_len = 8 + n;
		if (addr_len == 4) {
			struct sockaddr_in *s = (void *)&src, *d = (void *)&dst;

			pkt[0] = 0x45;
			pkt[1] = tos;
			pkt[8] = 64;
			pkt[9] = IPPROTO_UDP;
			memcpy(pkt + 12, &s->sin_addr, 4);
			memcpy(pkt + 16, &d->sin_addr, 4);
			put16(udp, ntohs(s->sin_port));
			put16(udp + 2, ntohs(d->sin_port));
			sum = checksum_add(IPPROTO_UDP + udp_len, pkt + 12, 8);
			d->sin_port = 0;
			put16(udp + 2, parse_number(words[3], NULL));
		} else {
			struct sockaddr_in6 *s = (void *)&src;
			struct sockaddr_in6 *d = (void *)&dst;

			pkt[0] = 0x60 | tos >> 4;
			pkt[1] = tos << 4 | (label >> 16 & 0x0f);
			put16(pkt + 2, label);
			put16(pkt + 4, udp_len);
			pkt[6] = IPPROTO_UDP;
			pkt[7] = 64;
			memcpy(pkt + 8, &s->sin6_addr, 16);
			memcpy(pkt + 24, &d->sin6_addr, 16);
			put16(udp, ntohs(s->sin6_port));
			sum = checksum_add(IPPROTO_UDP + udp_len, pkt + 8, 32);
			d->sin6_port = 0;
			put16(udp + 2, parse_number(words[3], NULL));
		}
		put16(udp + 4, length >= 0 ? length : (long)udp_len);
		sum = checksum_fold(checksum_add(sum, udp, udp_len)) ?: 0xffff;
		put16(udp + 6, check >= 0 ? check : (long)sum);
		dst_len = addr_len == 4 ? sizeof(struct sockaddr_in) :
					  sizeof(struct sockaddr_in6);
		if (fragment)
			error = send_fragments(fd, pkt, payload + n - pkt,
					       fragment,
					       (struct sockaddr *)&dst, dst_len);
		else
			error = sendto(fd, pkt, payload + n - pkt, 0,
				       (struct sockaddr *)&dst, dst_len);
		if (error < 0) {
			warn("send");
			break;
		}
	}
	close(fd);
	return error < 0;
}

/* add|del ADDRESS LABEL: a routing rule that drops what has this flow label */
static int cmd_label_rule(char **words)
{
	bool add = !strcmp(words[0], "add");
	struct request req = { .nlh = {
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct fib_rule_hdr)),
		.nlmsg_type = add ? RTM_NEWRULE : RTM_DELRULE,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK |
			       (add ? NLM_F_CREATE | NLM_F_EXCL : 0),
	} };
	struct fib_rule_hdr *rule = NLMSG_DATA(&req.nlh);
	uint32_t label = htonl(parse_number(words[2], NULL));
	uint32_t mask = htonl(0xfffff), priority = 1000;
	int fd, error = -EIO;
	uint64_t buf[512];
	struct in6_addr to;

	if (inet_pton(AF_INET6, words[1], &to) != 1)
		errx(2, "bad address %s", words[1]);
	rule->family = AF_INET6;
	rule->dst_len = 128;
	rule->action = FR_ACT_BLACKHOLE;
	put(&req, FRA_DST, &to, sizeof(to));
	put(&req, FRA_PRIORITY, &priority, sizeof(priority));
	put(&req, FRA_FLOWLABEL, &label, sizeof(label));
	put(&req, FRA_FLOWLABEL_MASK, &mask, sizeof(mask));
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || send(fd, req.buf, req.nlh.nlmsg_len, 0) < 0 ||
	    recv(fd, buf, sizeof(buf), 0) < (ssize_t)sizeof(struct nlmsgerr))
		err(2, "rtnetlink");
	close(fd);
	memcpy(&error, NLMSG_DATA((struct nlmsghdr *)buf), sizeof(error));
	if (error)
		warnx("label-rule: %s", strerror(-error));
	return !!error;
}

/* SRC SPORT DST DPORT HEX...: datagrams of one length, the last may be shorter,
 * as one packet with UDP segmentation.
 */
static int cmd_segments(char **words)
{
	static uint8_t buf[DATAGRAM_MAX];
	struct sockaddr_storage src, dst;
	socklen_t addr_len;
	size_t n = 0;
	char **hex;
	int fd, size = 0;

	sockaddr_set(&src, words[0], words[1]);
	sockaddr_set(&dst, words[2], words[3]);
	addr_len = src.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
					      sizeof(struct sockaddr_in6);
	fd = socket(src.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&src, addr_len) ||
	    connect(fd, (struct sockaddr *)&dst, addr_len))
		err(2, "socket");
	for (hex = words + 4; *hex; hex++) {
		n += hex_decode(*hex, buf + n, sizeof(buf) - n);
		size = size ?: (int)n;
	}
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		err(2, "UDP_SEGMENT");
	if (send(fd, buf, n, 0) < 0)
		err(1, "send");
	close(fd);
	return 0;
}

/* The datagram at @out, of @n bytes, in one of many ways not what it was. Most
 * are wrong in a place that a genuine sender could not be wrong in; some are
 * what they were.
 */
static size_t mutate(uint8_t *out, size_t n, const uint8_t *other,
		     size_t other_n)
{
	size_t i, at = random() % n, len = 1 + random() % 64;

	switch (random() % 8) {
	case 0:
		return n;
	case 1:
		return at;
	case 2:
		for (i = 0; i < len; i++)
			out[n + i] = random();
		return n + len;
	case 3:
		/* the beginning of one and the end of the other */
		i = random() % (other_n + 1);
		memcpy(out + at, other + i, other_n - i);
		return at + other_n - i;
	case 4:
		for (i = at; i < n && i < at + len; i++)
			out[i] = random();
		return n;
	case 5:
		/* where all is looked at before it is authenticated */
		out[random() % (n < 8 ? n : 8)] = random();
		return n;
	default:
		for (i = 1 + random() % 8; i; i--)
			out[random() % n] ^= 1 << random() % 8;
		return n;
	}
}

#define GENUINE_MAX	1024

/* SEED COUNT: so many mutations of the datagrams of standard input */
static int cmd_mutate(char **words)
{
	static struct {
		size_t	n;
		uint8_t	data[2048];
	} genuine[GENUINE_MAX], out;
	unsigned long count = parse_number(words[1], NULL);
	static char line[2 * DATAGRAM_MAX + 2];
	size_t num = 0, a, b;

	while (num < GENUINE_MAX && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		/* two of them and what is added fit into one */
		genuine[num].n = hex_decode(line, genuine[num].data, 900);
		if (genuine[num].n)
			num++;
	}
	if (!num)
		errx(2, "nothing to mutate");

	srandom(parse_number(words[0], NULL));
	while (count--) {
		a = random() % num;
		b = random() % num;
		out = genuine[a];
		hex_print(out.data, mutate(out.data, out.n, genuine[b].data,
					   genuine[b].n));
		printf("\n");
	}
	return 0;
}

/* DEVICE DPORT COUNT: print the payload of datagrams that leave by a device. */
static int cmd_capture(char **words)
{
	struct sockaddr_ll from, ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(words[0]),
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int dport = parse_number(words[1], NULL), count = parse_number(words[2], NULL);
	static uint8_t buf[DATAGRAM_MAX];
	socklen_t from_len;
	ssize_t len, off;

	if (fd < 0 || bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		err(2, "packet socket");
	ready();
	while (count) {
		from_len = sizeof(from);
		len = recvfrom(fd, buf, sizeof(buf), 0,
			       (struct sockaddr *)&from, &from_len);
		if (len < 0)
			err(2, "packet socket");
		off = buf[0] >> 4 == 4 ? (buf[0] & 15) * 4 : 40;
		if (from.sll_pkttype != PACKET_OUTGOING || len < off + 8 ||
		    buf[buf[0] >> 4 == 4 ? 9 : 6] != IPPROTO_UDP ||
		    (buf[off + 2] << 8 | buf[off + 3]) != dport)
			continue;
		hex_print(buf + off + 8, len - off - 8);
		printf("\n");
		count--;
	}
	return 0;
}

/* DEVICE PROTOCOL HEX...: packets straight into a device, whatever they are. */
static int cmd_inject(char **words)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(parse_number(words[1], NULL)),
		.sll_ifindex = if_nametoindex(words[0]),
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	static uint8_t buf[DATAGRAM_MAX];
	char **hex;

	if (fd < 0)
		err(2, "packet socket");
	for (hex = words + 2; *hex; hex++)
		if (sendto(fd, buf, hex_decode(*hex, buf, sizeof(buf)), 0,
			   (struct sockaddr *)&ll, sizeof(ll)) < 0)
			err(1, "send");
	return 0;
}

/* DEVICE SECONDS ADDRESS: a router advertisement with a route to one address
 * (RFC 4861 section 4.2, RFC 4191 section 2.3)
 */
static int cmd_advertise(char **words)
{
	struct {
		struct nd_router_advert	head;
		struct {
			uint8_t		type;
			uint8_t		len;	/* in units of 8 bytes */
			uint8_t		prefix_len;
			uint8_t		preference;
			uint32_t	lifetime;
			struct in6_addr	prefix;
		} route;
	} ra = {
		.head.nd_ra_type = ND_ROUTER_ADVERT,
		.route = {
			.type = 24,
			.len = 3,
			.prefix_len = 128,
			.preference = 1 << 3,	/* high */
			.lifetime = htonl(parse_number(words[1], NULL)),
		},
	};
	struct sockaddr_in6 to = {
		.sin6_family = AF_INET6,
		.sin6_scope_id = if_nametoindex(words[0]),
	};
	int hops = 255, ifindex = to.sin6_scope_id;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
	if (fd < 0 || inet_pton(AF_INET6, words[2], &ra.route.prefix) != 1)
		err(2, "%s", words[2]);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof(ifindex)))
		err(2, "multicast");
	if (sendto(fd, &ra, sizeof(ra), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "send");
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
		"ovpn_tool [-n NETNS] [-b] [-p PIDFILE] COMMAND\n"
		"  nl FAMILY REQUEST [ATTRIBUTE...]\n"
		"  dump FAMILY REQUEST [ATTRIBUTE...]\n"
		"  refusal FAMILY REQUEST [ATTRIBUTE...]	as it comes, in hexadecimal\n"
		"  batch FAMILY			requests from standard input\n"
		"  serve FILE			commands from standard input\n"
		"  monitor			notifications of nf-ovpn\n"
		"  drops				reasons of dropped packets\n"
		"  tun NAME [tap]		hold a device, print what is read\n"
		"  socket ADDRESS PORT [REQUEST...]	the same with a UDP socket\n"
		"  gro-socket ADDRESS PORT		the same, with UDP_GRO\n"
		"  transparent-socket ADDRESS PORT	the same, for any address\n"
		"  turns TUN ADDRESS PORT REMOTE PORT ROUNDS KEYCONF...\n"
		"				both, with the key by turns\n"
		"  capture DEVICE DPORT COUNT	print outgoing UDP payloads\n"
		"  cgroup DIRECTORY drop|pass\n"
		"  tcx DEVICE drop|assign [ADDRESS PORT|none]	of what is sent|received\n"
		"  send [checksum=N] [length=N] [tos=N] [label=N]\n"
		"       [fragment=N] SRC SPORT DST DPORT [HEX...]\n"
		"  label-rule add|del ADDRESS LABEL	drop what has this flow label\n"
		"  mutate SEED COUNT		of the datagrams of standard input\n"
		"  segments SRC SPORT DST DPORT HEX...	as one packet\n"
		"  inject DEVICE PROTOCOL HEX...	packets into a device\n"
		"  advertise DEVICE SECONDS ADDRESS	a route, as a router\n"
		"-b: to the background once the device, socket or capture is there\n");
	return 2;
}

static void enter_netns(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(2, "%s", path);
	close(fd);
}

static int serve(const char *file);

static int run(int argc, char **argv)
{
	int need = argc - 1;

	if (!strcmp(argv[0], "nl") && need >= 2)
		return cmd_nl(argv + 1, false);
	if (!strcmp(argv[0], "dump") && need >= 2)
		return cmd_nl(argv + 1, true);
	if (!strcmp(argv[0], "refusal") && need >= 2)
		return cmd_refusal(argv + 1);
	if (!strcmp(argv[0], "batch") && need == 1)
		return cmd_batch(argv + 1);
	if (!strcmp(argv[0], "serve") && need == 1)
		return serve(argv[1]);
	if (!strcmp(argv[0], "monitor") && !need)
		return cmd_monitor();
	if (!strcmp(argv[0], "drops") && !need)
		return cmd_drops();
	if (!strcmp(argv[0], "tun") && need >= 1)
		return cmd_tun(argv + 1);
	if (!strcmp(argv[0], "socket") && need >= 2)
		return cmd_socket(argv + 1, SOCKET_PLAIN);
	if (!strcmp(argv[0], "gro-socket") && need == 2)
		return cmd_socket(argv + 1, SOCKET_GRO);
	if (!strcmp(argv[0], "transparent-socket") && need == 2)
		return cmd_socket(argv + 1, SOCKET_TRANSPARENT);
	if (!strcmp(argv[0], "turns") && need >= 7)
		return cmd_turns(argv + 1);
	if (!strcmp(argv[0], "segments") && need >= 5)
		return cmd_segments(argv + 1);
	if (!strcmp(argv[0], "label-rule") && need == 3)
		return cmd_label_rule(argv + 1);
	if (!strcmp(argv[0], "send") && need >= 4)
		return cmd_send(argv + 1);
	if (!strcmp(argv[0], "mutate") && need == 2)
		return cmd_mutate(argv + 1);
	if (!strcmp(argv[0], "capture") && need == 3)
		return cmd_capture(argv + 1);
	if (!strcmp(argv[0], "cgroup") && need == 2)
		return cmd_cgroup(argv + 1);
	if (!strcmp(argv[0], "tcx") &&
	    (need == 4 || (need >= 2 && !strcmp(argv[need], need == 2 ? "drop" : "none"))))
		return cmd_tcx(argv + 1);
	if (!strcmp(argv[0], "advertise") && need == 3)
		return cmd_advertise(argv + 1);
	if (!strcmp(argv[0], "inject") && need >= 3)
		return cmd_inject(argv + 1);
	return usage();
}

/* FILE: commands from standard input, one to a line, which save the script a
 * process each. What a command prints is in the file when its status is printed.
 */
static int serve(const char *file)
{
	int tell = dup(STDOUT_FILENO);
	size_t room = 0;
	char *line = NULL;

	if (tell < 0 || !freopen(file, "a", stdout) ||
	    dup2(fileno(stdout), STDERR_FILENO) < 0)
		err(2, "%s", file);
	while (getline(&line, &room, stdin) > 0) {
		char **argv = calloc(strlen(line) / 2 + 2, sizeof(*argv));
		int argc = 0, status = 2;

		if (!argv || ftruncate(STDOUT_FILENO, 0))
			err(2, "%s", file);
		for (char *word = strtok(line, "\n "); word;
		     word = strtok(NULL, "\n "))
			argv[argc++] = word;
		if (argc)
			status = run(argc, argv);
		free(argv);
		if (fflush(stdout) || dprintf(tell, "%d\n", status) < 0)
			err(2, "%s", file);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+n:bp:")) != -1) {
		switch (opt) {
		case 'n':
			enter_netns(optarg);
			break;
		case 'b':
			background = true;
			break;
		case 'p':
			pid_file = optarg;
			break;
		default:
			return usage();
		}
	}
	argv += optind;
	argc -= optind;
	if (!argc)
		return usage();
	return run(argc, argv);
}
