// SPDX-License-Identifier: GPL-2.0
/*
 * ipovpn.c	"ip ovpn": instances, peers and keys of nf_ovpn, OpenVPN's data
 *		channel in Netfilter.
 *
 * Each command parses its arguments into one request, sends it and prints what
 * comes back; nothing is kept in between. Secrets come from a file or standard
 * input, never from the command line, and are wiped after use.
 */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/nf_ovpn.h>

#include "utils.h"
#include "ip_common.h"
#include "json_print.h"
#include "libgenl.h"
#include "libnetlink.h"
#include "ll_map.h"
#include "rt_names.h"

static void usage(void)
{
	fprintf(stderr,
		"Usage:	ip ovpn { add | set } dev NAME [ mode { p2p | mp } ]\n"
		"			[ fastpath { off | accepted | eager |\n"
		"				     marked MARK[/MASK] } ]\n"
		"			[ listen [ADDR:]PORT ]... [ mark MARK ]\n"
		"			[ dscp { zero | inherit } ]\n"
		"			[ df { unset | set | inherit } ]\n"
		"			[ bind-dev { NAME | none } ]\n"
		"	ip ovpn del dev NAME\n"
		"	ip ovpn show [ [ dev ] NAME ]\n"
		"	ip ovpn peer { add | set } dev NAME id ID [ PEER-OPTS ]\n"
		"	ip ovpn peer del dev NAME id ID\n"
		"	ip ovpn peer show [ [ dev ] NAME [ id ID ] ]\n"
		"	ip ovpn peer flush [ dev ] NAME\n"
		"	ip ovpn key add dev NAME peer ID slot SLOT key-id { 0..7 }\n"
		"			cipher CIPHER [ auth AUTH ]\n"
		"			[ epochs key-bits { 128 | 192 | 256 } ]\n"
		"			[ insecure ] [ USED ]\n"
		"			[ secret-file { FILE | - } ]\n"
		"	ip ovpn key swap dev NAME peer ID\n"
		"	ip ovpn key del dev NAME peer ID slot SLOT\n"
		"	ip ovpn key show [ [ dev ] NAME [ peer ID [ slot SLOT ] ] ]\n"
		"	ip ovpn flow show [ dev ] NAME\n"
		"	ip ovpn flow flush [ dev ] NAME\n"
		"	ip ovpn monitor\n"
		"PEER-OPTS := [ tx-id ID ] [ remote ADDR:PORT ] [ local ADDR[:PORT] ]\n"
		"	     [ vpn ADDR ]... [ network { PREFIX | none } ]...\n"
		"	     [ keepalive INTERVAL TIMEOUT ] [ mark MARK ] [ mss MSS ]\n"
		"	     [ framing FRAMING ] [ data-v1 ]\n"
		"FRAMING   := { none | stub | stub-swap | stub-v2 }\n"
		"SLOT      := { primary | secondary }\n"
		"CIPHER    := { aes-gcm | chacha20-poly1305 | aes-cbc | none }\n"
		"AUTH      := { none | hmac-sha1 | hmac-sha256 }\n"
		"USED      := [ tx-epoch EPOCH ] [ tx-packet-id ID ] [ tx-blocks BLOCKS ]\n"
		"	     [ rx-epoch EPOCH ] [ rx-packet-id ID ]\n"
		"FILE holds a line for each direction, in hexadecimal:\n"
		"{ encrypt | decrypt } [ KEY ] [ nonce NONCE ] [ auth KEY ]\n");
	exit(-1);
}

/* netlink socket */
static struct rtnl_handle genl_rth = { .fd = -1 };
static int genl_family = -1;

#define OVPN_BUFLEN	4096
#define OVPN_REQUEST(_req, _cmd, _flags)				\
	GENL_REQUEST(_req, OVPN_BUFLEN, genl_family, 0,			\
		     NF_OVPN_FAMILY_VERSION, _cmd, _flags)

/* one with room for networks */
#define OVPN_PEER_REQUEST(_req, _cmd, _flags)				\
	GENL_REQUEST(_req, OVPN_BUFLEN + OVPN_NETWORKS_BUFLEN,		\
		     genl_family, 0, NF_OVPN_FAMILY_VERSION, _cmd, _flags)

#define OVPN_ID_MAX		0xffffff
#define OVPN_KEY_ID_MAX		7
#define OVPN_CIPHER_KEY_MAX	32
#define OVPN_AUTH_KEY_MAX	32
/* with epochs, a packet ID of 64 bits begins with 16 bits of its epoch */
#define OVPN_EPOCH_SHIFT	48
#define OVPN_EPOCH_MAX		0xffff
#define OVPN_PACKET_ID_MAX	((1ULL << OVPN_EPOCH_SHIFT) - 1)
#define OVPN_LISTENERS_MAX	64
/* of a peer, as the kernel has it, and in one message, a nest of which has 64 KB */
#define OVPN_NETWORKS_MAX	4096
#define OVPN_NETWORKS_STEP	1024
/* three headers of 4 bytes, an address of 16 and the length of a prefix */
#define OVPN_NETWORKS_BUFLEN	(OVPN_NETWORKS_STEP * 32)
/* two lines of at most 8 + 64 + 6 + 64 characters, and room for comments */
#define OVPN_SECRET_FILE_MAX	4096

static const char * const mode_names[] = {
	[NF_OVPN_MODE_P2P] = "p2p",
	[NF_OVPN_MODE_MP] = "mp",
};

static const char * const fastpath_names[] = {
	[NF_OVPN_FASTPATH_OFF] = "off",
	[NF_OVPN_FASTPATH_ACCEPTED] = "accepted",
	[NF_OVPN_FASTPATH_EAGER] = "eager",
	[NF_OVPN_FASTPATH_MARKED] = "marked",
};

static const char * const unarmed_names[] = {
	[NF_OVPN_UNARMED_NONE] = "none",
	[NF_OVPN_UNARMED_RULE] = "rule",
	[NF_OVPN_UNARMED_CHANGED] = "changed",
	[NF_OVPN_UNARMED_PATH] = "path",
	[NF_OVPN_UNARMED_MARK] = "mark",
	[NF_OVPN_UNARMED_PACKET_MARK] = "packet-mark",
	[NF_OVPN_UNARMED_HELPER] = "helper",
	[NF_OVPN_UNARMED_TCP] = "tcp",
	[NF_OVPN_UNARMED_HEADER] = "header",
	[NF_OVPN_UNARMED_GROUP] = "group",
	[NF_OVPN_UNARMED_ROUTE] = "route",
	[NF_OVPN_UNARMED_IPSEC] = "ipsec",
	[NF_OVPN_UNARMED_BPF] = "bpf",
	[NF_OVPN_UNARMED_DEVICE] = "device",
};

static const char * const dscp_names[] = {
	[NF_OVPN_DSCP_ZERO] = "zero",
	[NF_OVPN_DSCP_INHERIT] = "inherit",
};

static const char * const df_names[] = {
	[NF_OVPN_DF_UNSET] = "unset",
	[NF_OVPN_DF_SET] = "set",
	[NF_OVPN_DF_INHERIT] = "inherit",
};

static const char * const cipher_names[] = {
	[NF_OVPN_CIPHER_ALG_NONE] = "none",
	[NF_OVPN_CIPHER_ALG_AES_GCM] = "aes-gcm",
	[NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305] = "chacha20-poly1305",
	[NF_OVPN_CIPHER_ALG_AES_CBC] = "aes-cbc",
};

static const char * const auth_names[] = {
	[NF_OVPN_AUTH_ALG_NONE] = "none",
	[NF_OVPN_AUTH_ALG_HMAC_SHA1] = "hmac-sha1",
	[NF_OVPN_AUTH_ALG_HMAC_SHA256] = "hmac-sha256",
};

static const char * const framing_names[] = {
	[NF_OVPN_FRAMING_NONE] = "none",
	[NF_OVPN_FRAMING_STUB] = "stub",
	[NF_OVPN_FRAMING_STUB_SWAP] = "stub-swap",
	[NF_OVPN_FRAMING_STUB_V2] = "stub-v2",
};

static const char * const slot_names[] = {
	[NF_OVPN_KEY_SLOT_PRIMARY] = "primary",
	[NF_OVPN_KEY_SLOT_SECONDARY] = "secondary",
};

static const char * const instance_reason_names[] = {
	[NF_OVPN_DEL_INSTANCE_REASON_USERSPACE] = "userspace",
	[NF_OVPN_DEL_INSTANCE_REASON_DEVICE] = "device",
	[NF_OVPN_DEL_INSTANCE_REASON_MOVED] = "moved",
	[NF_OVPN_DEL_INSTANCE_REASON_MODULE] = "module",
};

static const char * const reason_names[] = {
	[NF_OVPN_DEL_PEER_REASON_TEARDOWN] = "teardown",
	[NF_OVPN_DEL_PEER_REASON_USERSPACE] = "userspace",
	[NF_OVPN_DEL_PEER_REASON_EXPIRED] = "expired",
};

/* a counter's attribute and its names in text and in JSON */
struct counter {
	int attr;
	const char *text;
	const char *json;
};

static const struct counter drop_counters[] = {
	{ NF_OVPN_A_DROPS_MALFORMED,	"malformed",	"malformed" },
	{ NF_OVPN_A_DROPS_CHECKSUM,	"checksum",	"checksum" },
	{ NF_OVPN_A_DROPS_AUTH,		"auth",		"auth" },
	{ NF_OVPN_A_DROPS_REPLAY,	"replay",	"replay" },
	{ NF_OVPN_A_DROPS_INNER,	"inner",	"inner" },
	{ NF_OVPN_A_DROPS_SOURCE,	"source",	"source" },
	{ NF_OVPN_A_DROPS_ECN,		"ecn",		"ecn" },
	{ NF_OVPN_A_DROPS_NO_KEY,	"no-key",	"no_key" },
	{ NF_OVPN_A_DROPS_KEY_LIMIT,	"key-limit",	"key_limit" },
	{ NF_OVPN_A_DROPS_NO_ROUTE,	"no-route",	"no_route" },
	{ NF_OVPN_A_DROPS_LOOP,		"loop",		"loop" },
	{ NF_OVPN_A_DROPS_NO_MEMORY,	"no-memory",	"no_memory" },
	{ NF_OVPN_A_DROPS_CONNTRACK,	"conntrack",	"conntrack" },
	{ NF_OVPN_A_DROPS_TOO_BIG,	"too-big",	"too_big" },
	{ NF_OVPN_A_DROPS_FRAMING,	"framing",	"framing" },
	{ NF_OVPN_A_DROPS_OFFLOAD,	"offload",	"offload" },
};

/* The statistics are printed as a table: one line for each of these. */
static const struct {
	const char *title;
	struct counter counters[4];
} stat_lines[] = {
	{ "vpn", {
		{ NF_OVPN_A_STATS_VPN_RX_BYTES, "rx-bytes", "vpn_rx_bytes" },
		{ NF_OVPN_A_STATS_VPN_RX_PACKETS, "rx-packets", "vpn_rx_packets" },
		{ NF_OVPN_A_STATS_VPN_TX_BYTES, "tx-bytes", "vpn_tx_bytes" },
		{ NF_OVPN_A_STATS_VPN_TX_PACKETS, "tx-packets", "vpn_tx_packets" },
	} }, { "link", {
		{ NF_OVPN_A_STATS_LINK_RX_BYTES, "rx-bytes", "link_rx_bytes" },
		{ NF_OVPN_A_STATS_LINK_RX_PACKETS, "rx-packets", "link_rx_packets" },
		{ NF_OVPN_A_STATS_LINK_TX_BYTES, "tx-bytes", "link_tx_bytes" },
		{ NF_OVPN_A_STATS_LINK_TX_PACKETS, "tx-packets", "link_tx_packets" },
	} }, { "rx", {
		{ NF_OVPN_A_STATS_RX_FAST_PACKETS, "fast", "rx_fast_packets" },
		{ NF_OVPN_A_STATS_RX_SLOW_PACKETS, "slow", "rx_slow_packets" },
		{ NF_OVPN_A_STATS_RX_USERSPACE_PACKETS, "userspace",
		  "rx_userspace_packets" },
	} }, { "tx", {
		{ NF_OVPN_A_STATS_TX_FAST_PACKETS, "fast", "tx_fast_packets" },
		{ NF_OVPN_A_STATS_TX_EGRESS_PACKETS, "egress", "tx_egress_packets" },
		{ NF_OVPN_A_STATS_TX_USERSPACE_PACKETS, "userspace",
		  "tx_userspace_packets" },
	} },
};

/* ---- arguments -------------------------------------------------------- */

/* [ADDR:]PORT, or ADDR[:PORT]; the family is AF_UNSPEC without an address */
struct endpoint {
	int family;
	__u8 addr[sizeof(struct in6_addr)];
	__u32 scope_id;
	bool has_port;
	__u16 port;
};

static int addr_len(int family)
{
	return family == AF_INET6 ? sizeof(struct in6_addr) :
				    sizeof(struct in_addr);
}

/* An IPv4 or IPv6 address, the latter with %SCOPE if @scope_id is given. */
static int parse_addr(const char *arg, int *family, __u8 *addr, __u32 *scope_id)
{
	char buf[INET6_ADDRSTRLEN];
	const char *scope;
	size_t len;

	if (inet_pton(AF_INET, arg, addr) == 1) {
		*family = AF_INET;
		return 0;
	}

	scope = scope_id ? strchr(arg, '%') : NULL;
	len = scope ? (size_t)(scope - arg) : strlen(arg);
	if (len >= sizeof(buf))
		return -1;
	memcpy(buf, arg, len);
	buf[len] = '\0';
	if (inet_pton(AF_INET6, buf, addr) != 1)
		return -1;
	if (scope) {
		*scope_id = ll_name_to_index(scope + 1);
		if (!*scope_id)
			return -1;
	}
	*family = AF_INET6;
	return 0;
}

static int parse_port(const char *arg, struct endpoint *ep)
{
	/* get_u16() would take a sign, blanks and other bases as well */
	if (!*arg || strspn(arg, "0123456789") != strlen(arg) ||
	    get_u16(&ep->port, arg, 10) || !ep->port)
		return -1;
	ep->has_port = true;
	return 0;
}

/*
 * PORT, *:PORT, V4, V4:PORT, V6, [V6] or [V6]:PORT. A colon is ambiguous in
 * a bare IPv6 address: two of them make it an address without a port.
 */
static int parse_endpoint(const char *arg, struct endpoint *ep)
{
	char buf[INET6_ADDRSTRLEN + IFNAMSIZ + 16];
	size_t len = strlen(arg);
	const char *port = NULL;
	char *addr = buf, *end;

	memset(ep, 0, sizeof(*ep));
	if (len >= sizeof(buf))
		return -1;
	memcpy(buf, arg, len + 1);

	if (*buf == '[') {
		addr = buf + 1;
		end = strchr(addr, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -1;
		if (end[1])
			port = end + 2;
		*end = '\0';
		if (!strchr(addr, ':'))
			return -1;
	} else {
		end = strchr(buf, ':');
		if (end && !strchr(end + 1, ':')) {
			*end = '\0';
			port = end + 1;
		} else if (!end && !strchr(buf, '.')) {
			return parse_port(buf, ep);
		}
	}

	if (port && parse_port(port, ep))
		return -1;
	if (port && strcmp(addr, "*") == 0)
		return 0;
	return parse_addr(addr, &ep->family, ep->addr, &ep->scope_id);
}

static int parse_name(const char *arg, const char * const *names, size_t n,
		      __u32 *value)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(arg, names[i]) == 0) {
			*value = i;
			return 0;
		}
	}
	return -1;
}

static int parse_dev(const char *name)
{
	int ifindex;

	if (check_ifname(name))
		invarg("not a valid device name", name);
	ifindex = ll_name_to_index(name);
	if (!ifindex)
		invarg("there is no such device", name);
	return ifindex;
}

/*
 * Whether the argument is @name, which may be given once. If so its value is
 * the argument then.
 */
static bool option(int *argc, char ***argv, const char *name, bool *given)
{
	if (strcmp(**argv, name))
		return false;
	(*argv)++;
	if (--*argc <= 0)
		incomplete_command();
	if (*given)
		duparg(name, **argv);
	*given = true;
	return true;
}

static __u32 parse_id(const char *arg)
{
	__u32 id;

	if (get_u32(&id, arg, 0) || id > OVPN_ID_MAX)
		invarg("a peer's ID is 0..16777215", arg);
	return id;
}

static __u32 parse_slot(const char *arg)
{
	__u32 slot;

	if (parse_name(arg, slot_names, ARRAY_SIZE(slot_names), &slot))
		invarg("slot is \"primary\" or \"secondary\"", arg);
	return slot;
}

static __u32 parse_seconds(const char *arg)
{
	__u32 value;

	if (get_u32(&value, arg, 0) || value > 86400)
		invarg("seconds are 0..86400", arg);
	return value;
}

static __u64 parse_u64(const char *arg, __u64 max, const char *wrong)
{
	__u64 value;

	if (get_u64(&value, arg, 0) || value > max)
		invarg(wrong, arg);
	return value;
}

static __u64 parse_epoch(const char *arg)
{
	return parse_u64(arg, OVPN_EPOCH_MAX, "an epoch is 0..65535");
}

static __u64 parse_packet_id(const char *arg)
{
	return parse_u64(arg, OVPN_PACKET_ID_MAX,
			 "a packet ID has 48 bits at most");
}

/* ---- requests --------------------------------------------------------- */

static struct rtattr *nest(struct nlmsghdr *n, int attr)
{
	return addattr_nest(n, OVPN_BUFLEN, attr | NLA_F_NESTED);
}

static void add_endpoint(struct nlmsghdr *n, const struct endpoint *ep,
			 int attr4, int attr6, int attr_port)
{
	if (ep->family != AF_UNSPEC)
		addattr_l(n, OVPN_BUFLEN,
			  ep->family == AF_INET ? attr4 : attr6,
			  ep->addr, addr_len(ep->family));
	if (ep->has_port)
		addattr16(n, OVPN_BUFLEN, attr_port, htons(ep->port));
}

static int talk(struct nlmsghdr *n)
{
	return rtnl_talk(&genl_rth, n, NULL) < 0 ? -2 : 0;
}

/* ---- output ----------------------------------------------------------- */

/* An attribute of the kernel's type "uint" has 32 or 64 bits as it needs. */
static __u64 getattr_uint(const struct rtattr *attr)
{
	if (RTA_PAYLOAD(attr) >= sizeof(__u64))
		return rta_getattr_u64(attr);
	if (RTA_PAYLOAD(attr) >= sizeof(__u32))
		return rta_getattr_u32(attr);
	return 0;
}

/* An object's end, which is a newline with -oneline as well. */
static void end_line(void)
{
	print_string(PRINT_FP, NULL, "%s", "\n");
}

/* The attributes of a message of ours, or -1. */
static int parse_msg(struct nlmsghdr *n, struct rtattr **tb)
{
	int len = n->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);

	if (n->nlmsg_type != genl_family || len < 0)
		return -1;
	return parse_rtattr_flags(tb, NF_OVPN_A_MAX,
				  NLMSG_DATA(n) + GENL_HDRLEN, len,
				  NLA_F_NESTED);
}

/* A value that this version has no name for is shown as a number. */
static void print_name(const char *key, const char *fmt,
		       const char * const *names, size_t n,
		       const struct rtattr *attr)
{
	SPRINT_BUF(number);
	__u32 value = rta_getattr_u32(attr);

	if (value < n) {
		print_string(PRINT_ANY, key, fmt, names[value]);
		return;
	}
	snprintf(number, sizeof(number), "%u", value);
	print_string(PRINT_ANY, key, fmt, number);
}

#define PRINT_NAME(key, fmt, names, attr) \
	print_name(key, fmt, names, ARRAY_SIZE(names), attr)

static void print_dev(const struct rtattr *attr, const char *fmt)
{
	__u32 ifindex = rta_getattr_u32(attr);

	print_uint(PRINT_JSON, "ifindex", NULL, ifindex);
	print_color_string(PRINT_ANY, COLOR_IFNAME, "ifname", fmt,
			   ll_index_to_name(ifindex));
}

static void print_addr(const char *key, int family, const struct rtattr *attr,
		       const char *fmt)
{
	print_color_string(PRINT_ANY, ifa_family_color(family), key, fmt,
			   rt_addr_n2a_rta(family, attr));
}

/* "KEY ADDR:PORT", with brackets around an IPv6 address */
static void print_endpoint(const char *key, const struct rtattr *addr4,
			   const struct rtattr *addr6,
			   const struct rtattr *scope_id,
			   const struct rtattr *port)
{
	if (!addr4 && !addr6 && !port)
		return;

	open_json_object(key);
	if (key)
		print_string(PRINT_FP, NULL, " %s ", key);
	if (addr4) {
		print_addr("address", AF_INET, addr4, "%s");
	} else if (addr6) {
		print_string(PRINT_FP, NULL, "%s", "[");
		print_addr("address", AF_INET6, addr6, "%s");
		if (scope_id)
			print_string(PRINT_ANY, "scope", "%%%s",
				     ll_index_to_name(rta_getattr_u32(scope_id)));
		print_string(PRINT_FP, NULL, "%s", "]");
	}
	if (port)
		print_uint(PRINT_ANY, "port", addr4 || addr6 ? ":%u" : "%u",
			   rta_getattr_be16(port));
	close_json_object();
}

static void print_drops(const struct rtattr *attr)
{
	struct rtattr *tb[NF_OVPN_A_DROPS_MAX + 1];
	bool any = false;
	unsigned int i;

	parse_rtattr_nested(tb, NF_OVPN_A_DROPS_MAX, attr);
	open_json_object("drops");
	print_string(PRINT_FP, NULL, "%s", _SL_);
	print_string(PRINT_FP, NULL, "    %-6s", "drops:");
	for (i = 0; i < ARRAY_SIZE(drop_counters); i++) {
		const struct counter *c = &drop_counters[i];
		__u64 value;

		if (!tb[c->attr])
			continue;
		value = getattr_uint(tb[c->attr]);
		print_u64(PRINT_JSON, c->json, NULL, value);
		if (!value)
			continue;
		any = true;
		print_string(PRINT_FP, NULL, " %s ", c->text);
		print_u64(PRINT_FP, NULL, "%llu", value);
	}
	if (!any)
		print_string(PRINT_FP, NULL, " %s", "none");
	close_json_object();
}

/* Why packets have not armed their flow: the reasons that there were */
static void print_unarmed(const struct rtattr *attr)
{
	struct rtattr *tb[NF_OVPN_A_UNARMED_PACKETS_MAX + 1];
	bool any = false;
	char key[16], *c;
	unsigned int i;

	parse_rtattr_nested(tb, NF_OVPN_A_UNARMED_PACKETS_MAX, attr);
	open_json_object("unarmed");
	for (i = 1; i < ARRAY_SIZE(unarmed_names); i++) {
		__u64 value;

		if (!tb[i])
			continue;
		value = getattr_uint(tb[i]);
		strlcpy(key, unarmed_names[i], sizeof(key));
		for (c = key; *c; c++) {
			if (*c == '-')
				*c = '_';
		}
		print_u64(PRINT_JSON, key, NULL, value);
		if (!value)
			continue;
		if (!any) {
			print_string(PRINT_FP, NULL, "%s", _SL_);
			print_string(PRINT_FP, NULL, "    %s", "unarmed:");
			any = true;
		}
		print_string(PRINT_FP, NULL, " %s ", unarmed_names[i]);
		print_u64(PRINT_FP, NULL, "%llu", value);
	}
	close_json_object();
}

static void print_stats(const struct rtattr *attr)
{
	struct rtattr *tb[NF_OVPN_A_STATS_MAX + 1];
	unsigned int i, j;

	if (!attr || !show_stats)
		return;

	parse_rtattr_nested(tb, NF_OVPN_A_STATS_MAX, attr);
	open_json_object("stats");
	for (i = 0; i < ARRAY_SIZE(stat_lines); i++) {
		const struct counter *c = stat_lines[i].counters;
		bool any = false;

		for (j = 0; j < ARRAY_SIZE(stat_lines[i].counters); j++) {
			__u64 value;

			if (!c[j].attr || !tb[c[j].attr])
				continue;
			if (!any) {
				print_string(PRINT_FP, NULL, "%s", _SL_);
				print_string(PRINT_FP, NULL, "    %-6s",
					     stat_lines[i].title);
				any = true;
			}
			value = getattr_uint(tb[c[j].attr]);
			print_u64(PRINT_JSON, c[j].json, NULL, value);
			print_string(PRINT_FP, NULL, " %s ", c[j].text);
			print_u64(PRINT_FP, NULL, "%-12llu", value);
		}
	}
	if (tb[NF_OVPN_A_STATS_DROPS])
		print_drops(tb[NF_OVPN_A_STATS_DROPS]);
	if (tb[NF_OVPN_A_STATS_UNARMED])
		print_unarmed(tb[NF_OVPN_A_STATS_UNARMED]);
	close_json_object();
}

static int cmp_attr(const struct rtattr *a, const struct rtattr *b)
{
	if (!a || !b)
		return !!a - !!b;
	return memcmp(RTA_DATA(a), RTA_DATA(b), RTA_PAYLOAD(b));
}

/* Any address, then IPv4, then IPv6; by address, and by port. */
static int cmp_listeners(const void *a, const void *b)
{
	static const int order[] = {
		NF_OVPN_A_LISTENER_LOCAL_IPV6, NF_OVPN_A_LISTENER_LOCAL_IPV4,
		NF_OVPN_A_LISTENER_LOCAL_PORT,
	};
	struct rtattr *la[NF_OVPN_A_LISTENER_MAX + 1];
	struct rtattr *lb[NF_OVPN_A_LISTENER_MAX + 1];
	unsigned int i;
	int cmp = 0;

	parse_rtattr_nested(la, NF_OVPN_A_LISTENER_MAX,
			    *(struct rtattr * const *)a);
	parse_rtattr_nested(lb, NF_OVPN_A_LISTENER_MAX,
			    *(struct rtattr * const *)b);
	for (i = 0; i < ARRAY_SIZE(order) && !cmp; i++)
		cmp = cmp_attr(la[order[i]], lb[order[i]]);
	return cmp;
}

/* The kernel has them in a hash table and tells them in no order. */
static void print_listeners(const struct rtattr *instance)
{
	/* as many as there are attributes will do */
	size_t i, num = RTA_PAYLOAD(instance) / RTA_LENGTH(0);
	const struct rtattr **sorted, *pos;

	sorted = calloc(num, sizeof(*sorted));
	if (!sorted) {
		perror("calloc");
		return;
	}
	num = 0;
	rtattr_for_each_nested(pos, instance) {
		if ((pos->rta_type & NLA_TYPE_MASK) ==
		    NF_OVPN_A_INSTANCE_LISTENER)
			sorted[num++] = pos;
	}
	qsort(sorted, num, sizeof(*sorted), cmp_listeners);

	open_json_array(PRINT_JSON, "listen");
	for (i = 0; i < num; i++) {
		struct rtattr *ln[NF_OVPN_A_LISTENER_MAX + 1];

		parse_rtattr_nested(ln, NF_OVPN_A_LISTENER_MAX, sorted[i]);
		print_string(PRINT_FP, NULL, " %s ", "listen");
		print_endpoint(NULL, ln[NF_OVPN_A_LISTENER_LOCAL_IPV4],
			       ln[NF_OVPN_A_LISTENER_LOCAL_IPV6], NULL,
			       ln[NF_OVPN_A_LISTENER_LOCAL_PORT]);
	}
	close_json_array(PRINT_JSON, NULL);
	free(sorted);
}

static void print_mark(const struct rtattr *attr)
{
	if (attr && rta_getattr_u32(attr))
		print_0xhex(PRINT_ANY, "mark", " mark %#llx",
			    rta_getattr_u32(attr));
}

static int print_instance(struct nlmsghdr *n, void *arg)
{
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	struct rtattr *in[NF_OVPN_A_INSTANCE_MAX + 1];

	if (parse_msg(n, tb) || !tb[NF_OVPN_A_IFINDEX] ||
	    !tb[NF_OVPN_A_INSTANCE])
		return 0;
	parse_rtattr_nested(in, NF_OVPN_A_INSTANCE_MAX, tb[NF_OVPN_A_INSTANCE]);

	open_json_object(NULL);
	print_uint(PRINT_FP, NULL, "%u: ",
		   rta_getattr_u32(tb[NF_OVPN_A_IFINDEX]));
	print_dev(tb[NF_OVPN_A_IFINDEX], "%s:");
	if (in[NF_OVPN_A_INSTANCE_MODE])
		PRINT_NAME("mode", " mode %s", mode_names,
			   in[NF_OVPN_A_INSTANCE_MODE]);
	if (in[NF_OVPN_A_INSTANCE_FASTPATH])
		PRINT_NAME("fastpath", " fastpath %s", fastpath_names,
			   in[NF_OVPN_A_INSTANCE_FASTPATH]);
	if (in[NF_OVPN_A_INSTANCE_FASTPATH_MARK] &&
	    in[NF_OVPN_A_INSTANCE_FASTPATH_MASK]) {
		__u32 mask;

		mask = rta_getattr_u32(in[NF_OVPN_A_INSTANCE_FASTPATH_MASK]);
		print_0xhex(PRINT_ANY, "fastpath_mark", " %#llx",
			    rta_getattr_u32(in[NF_OVPN_A_INSTANCE_FASTPATH_MARK]));
		if (mask != UINT32_MAX || is_json_context())
			print_0xhex(PRINT_ANY, "fastpath_mask", "/%#llx", mask);
	}

	if (in[NF_OVPN_A_INSTANCE_DSCP] &&
	    rta_getattr_u32(in[NF_OVPN_A_INSTANCE_DSCP]))
		PRINT_NAME("dscp", " dscp %s", dscp_names,
			   in[NF_OVPN_A_INSTANCE_DSCP]);
	if (in[NF_OVPN_A_INSTANCE_DF] &&
	    rta_getattr_u32(in[NF_OVPN_A_INSTANCE_DF]))
		PRINT_NAME("df", " df %s", df_names, in[NF_OVPN_A_INSTANCE_DF]);
	print_mark(in[NF_OVPN_A_INSTANCE_MARK]);
	if (in[NF_OVPN_A_INSTANCE_BIND_DEV])
		print_string(PRINT_ANY, "bind_dev", " bind-dev %s",
			     ll_index_to_name(rta_getattr_u32(in[NF_OVPN_A_INSTANCE_BIND_DEV])));
	print_listeners(tb[NF_OVPN_A_INSTANCE]);
	if (in[NF_OVPN_A_INSTANCE_PEERS])
		print_uint(PRINT_ANY, "peers", " peers %u",
			   rta_getattr_u32(in[NF_OVPN_A_INSTANCE_PEERS]));
	print_stats(in[NF_OVPN_A_INSTANCE_STATS]);
	close_json_object();
	end_line();
	return 0;
}

/* Networks of the same peer that came in the messages before: the kernel sends
 * as many as one message holds.
 */
static struct {
	struct nlmsghdr **msgs;
	unsigned int num;
} earlier;

static void hold_message(const struct nlmsghdr *n)
{
	struct nlmsghdr *copy = malloc(n->nlmsg_len);

	earlier.msgs = realloc(earlier.msgs,
			       (earlier.num + 1) * sizeof(*earlier.msgs));
	if (!copy || !earlier.msgs) {
		fprintf(stderr, "Out of memory\n");
		exit(-1);
	}
	memcpy(copy, n, n->nlmsg_len);
	earlier.msgs[earlier.num++] = copy;
}

static void release_messages(void)
{
	while (earlier.num)
		free(earlier.msgs[--earlier.num]);
	free(earlier.msgs);
	earlier.msgs = NULL;
}

static void print_networks_of(const struct rtattr *peer)
{
	struct rtattr *net[NF_OVPN_A_NETWORK_MAX + 1], *addr;
	const struct rtattr *pos;
	char buf[INET6_ADDRSTRLEN + sizeof("/128")];
	int family;

	rtattr_for_each_nested(pos, peer) {
		if ((pos->rta_type & NLA_TYPE_MASK) != NF_OVPN_A_PEER_NETWORK)
			continue;
		parse_rtattr_nested(net, NF_OVPN_A_NETWORK_MAX, pos);
		family = net[NF_OVPN_A_NETWORK_IPV4] ? AF_INET : AF_INET6;
		addr = net[family == AF_INET ? NF_OVPN_A_NETWORK_IPV4 :
					       NF_OVPN_A_NETWORK_IPV6];
		if (!addr || !net[NF_OVPN_A_NETWORK_PREFIX_LEN])
			continue;
		snprintf(buf, sizeof(buf), "%s/%u",
			 format_host_rta(family, addr),
			 rta_getattr_u8(net[NF_OVPN_A_NETWORK_PREFIX_LEN]));
		print_string(PRINT_ANY, NULL, " network %s", buf);
	}
}

static void print_networks(const struct rtattr *peer)
{
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	unsigned int i;

	open_json_array(PRINT_JSON, "networks");
	for (i = 0; i < earlier.num; i++)
		if (!parse_msg(earlier.msgs[i], tb) && tb[NF_OVPN_A_PEER])
			print_networks_of(tb[NF_OVPN_A_PEER]);
	print_networks_of(peer);
	close_json_array(PRINT_JSON, NULL);
}

/* What of a peer is told by a dump and by a notification. */
static void print_peer_attrs(const struct rtattr *peer, struct rtattr **p)
{
	if (p[NF_OVPN_A_PEER_ID])
		print_uint(PRINT_ANY, "id", " id %u",
			   rta_getattr_u32(p[NF_OVPN_A_PEER_ID]));
	if (p[NF_OVPN_A_PEER_DEL_REASON])
		PRINT_NAME("reason", " reason %s", reason_names,
			   p[NF_OVPN_A_PEER_DEL_REASON]);
	if (p[NF_OVPN_A_PEER_TX_ID])
		print_uint(PRINT_ANY, "tx_id", " tx-id %u",
			   rta_getattr_u32(p[NF_OVPN_A_PEER_TX_ID]));
	print_endpoint("remote", p[NF_OVPN_A_PEER_REMOTE_IPV4],
		       p[NF_OVPN_A_PEER_REMOTE_IPV6],
		       p[NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID],
		       p[NF_OVPN_A_PEER_REMOTE_PORT]);
	print_endpoint("local", p[NF_OVPN_A_PEER_LOCAL_IPV4],
		       p[NF_OVPN_A_PEER_LOCAL_IPV6], NULL,
		       p[NF_OVPN_A_PEER_LOCAL_PORT]);
	if (p[NF_OVPN_A_PEER_VPN_IPV4] || p[NF_OVPN_A_PEER_VPN_IPV6]) {
		open_json_array(PRINT_JSON, "vpn");
		if (p[NF_OVPN_A_PEER_VPN_IPV4])
			print_addr(NULL, AF_INET, p[NF_OVPN_A_PEER_VPN_IPV4],
				   " vpn %s");
		if (p[NF_OVPN_A_PEER_VPN_IPV6])
			print_addr(NULL, AF_INET6, p[NF_OVPN_A_PEER_VPN_IPV6],
				   " vpn %s");
		close_json_array(PRINT_JSON, NULL);
	}
	if (p[NF_OVPN_A_PEER_NETWORK])
		print_networks(peer);
	print_mark(p[NF_OVPN_A_PEER_MARK]);
	if (p[NF_OVPN_A_PEER_TCP_MSS] &&
	    rta_getattr_u16(p[NF_OVPN_A_PEER_TCP_MSS]))
		print_uint(PRINT_ANY, "mss", " mss %u",
			   rta_getattr_u16(p[NF_OVPN_A_PEER_TCP_MSS]));
	if (p[NF_OVPN_A_PEER_FRAMING] &&
	    rta_getattr_u32(p[NF_OVPN_A_PEER_FRAMING]))
		PRINT_NAME("framing", " framing %s", framing_names,
			   p[NF_OVPN_A_PEER_FRAMING]);
	if (p[NF_OVPN_A_PEER_DATA_V1])
		print_bool(PRINT_ANY, "data_v1", " data-v1", true);
	if (p[NF_OVPN_A_PEER_KEEPALIVE_INTERVAL] &&
	    p[NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT]) {
		open_json_object("keepalive");
		print_uint(PRINT_ANY, "interval", " keepalive %u",
			   rta_getattr_u32(p[NF_OVPN_A_PEER_KEEPALIVE_INTERVAL]));
		print_uint(PRINT_ANY, "timeout", " %u",
			   rta_getattr_u32(p[NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT]));
		close_json_object();
	}
	print_stats(p[NF_OVPN_A_PEER_STATS]);
}

static int print_peer(struct nlmsghdr *n, void *arg)
{
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	struct rtattr *p[NF_OVPN_A_PEER_MAX + 1];
	const struct rtattr *networks;

	if (parse_msg(n, tb) || !tb[NF_OVPN_A_IFINDEX] || !tb[NF_OVPN_A_PEER])
		return 0;
	parse_rtattr_nested(p, NF_OVPN_A_PEER_MAX, tb[NF_OVPN_A_PEER]);
	if (p[NF_OVPN_A_PEER_MORE_NETWORKS]) {
		hold_message(n);
		return 0;
	}
	networks = tb[NF_OVPN_A_PEER];
	if (earlier.num) {
		/* All but its networks is in the first message. */
		parse_msg(earlier.msgs[0], tb);
		parse_rtattr_nested(p, NF_OVPN_A_PEER_MAX, tb[NF_OVPN_A_PEER]);
	}

	open_json_object(NULL);
	print_dev(tb[NF_OVPN_A_IFINDEX], "dev %s");
	print_peer_attrs(networks, p);
	close_json_object();
	end_line();
	release_messages();
	return 0;
}

static void print_packet_id(const char *epoch_key, const char *epoch_fmt,
			    const char *id_key, const char *id_fmt,
			    const struct rtattr *attr, bool epochs)
{
	__u64 id;

	if (!attr)
		return;
	id = getattr_uint(attr);
	if (epochs)
		print_uint(PRINT_ANY, epoch_key, epoch_fmt,
			   id >> OVPN_EPOCH_SHIFT);
	print_u64(PRINT_ANY, id_key, id_fmt, id & OVPN_PACKET_ID_MAX);
}

#define PRINT_PACKET_ID(dir, attr, epochs)				\
	print_packet_id(dir "_epoch", " " dir "-epoch %u",		\
			dir "_packet_id", " " dir "-packet-id %llu",	\
			attr, epochs)

static void print_key_attrs(struct rtattr **k)
{
	bool epochs = k[NF_OVPN_A_KEYCONF_EPOCHS];

	if (k[NF_OVPN_A_KEYCONF_PEER_ID])
		print_uint(PRINT_ANY, "peer", " peer %u",
			   rta_getattr_u32(k[NF_OVPN_A_KEYCONF_PEER_ID]));
	if (k[NF_OVPN_A_KEYCONF_SLOT])
		PRINT_NAME("slot", " slot %s", slot_names,
			   k[NF_OVPN_A_KEYCONF_SLOT]);
	if (k[NF_OVPN_A_KEYCONF_KEY_ID])
		print_uint(PRINT_ANY, "key_id", " key-id %u",
			   rta_getattr_u32(k[NF_OVPN_A_KEYCONF_KEY_ID]));
	if (k[NF_OVPN_A_KEYCONF_CIPHER_ALG])
		PRINT_NAME("cipher", " cipher %s", cipher_names,
			   k[NF_OVPN_A_KEYCONF_CIPHER_ALG]);
	if (k[NF_OVPN_A_KEYCONF_AUTH_ALG] &&
	    rta_getattr_u32(k[NF_OVPN_A_KEYCONF_AUTH_ALG]))
		PRINT_NAME("auth", " auth %s", auth_names,
			   k[NF_OVPN_A_KEYCONF_AUTH_ALG]);
	if (k[NF_OVPN_A_KEYCONF_KEY_BITS] &&
	    rta_getattr_u32(k[NF_OVPN_A_KEYCONF_KEY_BITS]))
		print_uint(PRINT_ANY, "key_bits", " key-bits %u",
			   rta_getattr_u32(k[NF_OVPN_A_KEYCONF_KEY_BITS]));
	if (epochs)
		print_bool(PRINT_ANY, "epochs", " epochs", true);
	PRINT_PACKET_ID("tx", k[NF_OVPN_A_KEYCONF_TX_PACKET_ID], epochs);
	if (k[NF_OVPN_A_KEYCONF_TX_BLOCKS] &&
	    getattr_uint(k[NF_OVPN_A_KEYCONF_TX_BLOCKS]))
		print_u64(PRINT_ANY, "tx_blocks", " tx-blocks %llu",
			  getattr_uint(k[NF_OVPN_A_KEYCONF_TX_BLOCKS]));
	PRINT_PACKET_ID("rx", k[NF_OVPN_A_KEYCONF_RX_PACKET_ID], epochs);
}

static int print_key(struct nlmsghdr *n, void *arg)
{
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	struct rtattr *k[NF_OVPN_A_KEYCONF_MAX + 1];

	if (parse_msg(n, tb) || !tb[NF_OVPN_A_IFINDEX] ||
	    !tb[NF_OVPN_A_KEYCONF])
		return 0;
	parse_rtattr_nested(k, NF_OVPN_A_KEYCONF_MAX, tb[NF_OVPN_A_KEYCONF]);

	open_json_object(NULL);
	print_dev(tb[NF_OVPN_A_IFINDEX], "dev %s");
	print_key_attrs(k);
	close_json_object();
	end_line();
	return 0;
}

/* ---- show ------------------------------------------------------------- */

static int show_one(struct nlmsghdr *n, int (*print)(struct nlmsghdr *, void *))
{
	struct nlmsghdr *answer;
	int ret;

	if (rtnl_talk(&genl_rth, n, &answer) < 0)
		return -2;
	new_json_obj(json);
	ret = print(answer, stdout);
	delete_json_obj();
	free(answer);
	fflush(stdout);
	return ret;
}

static int dump(struct nlmsghdr *n, int (*filter)(struct nlmsghdr *, void *),
		void *arg)
{
	if (rtnl_dump_request_n(&genl_rth, n) < 0) {
		perror("Cannot send dump request");
		return -2;
	}
	if (rtnl_dump_filter(&genl_rth, filter, arg) < 0) {
		fprintf(stderr, "Dump terminated\n");
		return -2;
	}
	return 0;
}

/* The objects that a dump has named: peers are dumped instance by instance,
 * and keys peer by peer.
 */
struct found {
	size_t n, size;
	struct {
		int ifindex;
		__u32 id;
	} *what;
};

static int find(struct nlmsghdr *n, void *arg)
{
	struct rtattr *p[NF_OVPN_A_PEER_MAX + 1] = {};
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	struct found *f = arg;

	if (parse_msg(n, tb) || !tb[NF_OVPN_A_IFINDEX])
		return 0;
	if (tb[NF_OVPN_A_PEER])
		parse_rtattr_nested(p, NF_OVPN_A_PEER_MAX, tb[NF_OVPN_A_PEER]);

	if (f->n == f->size) {
		size_t size = f->size ? 2 * f->size : 64;
		void *what = realloc(f->what, size * sizeof(*f->what));

		if (!what) {
			perror("realloc");
			return -1;
		}
		f->what = what;
		f->size = size;
	}
	f->what[f->n].ifindex = rta_getattr_u32(tb[NF_OVPN_A_IFINDEX]);
	f->what[f->n].id = p[NF_OVPN_A_PEER_ID] ?
			   rta_getattr_u32(p[NF_OVPN_A_PEER_ID]) : 0;
	f->n++;
	return 0;
}

static int dump_instances(int (*filter)(struct nlmsghdr *, void *), void *arg)
{
	OVPN_REQUEST(req, NF_OVPN_CMD_INSTANCE_GET, NLM_F_REQUEST);

	return dump(&req.n, filter, arg);
}

/* The peers of one instance, or of all if @ifindex is 0. */
static int dump_peers(int ifindex, int (*filter)(struct nlmsghdr *, void *),
		      void *arg)
{
	struct found all = {};
	int ret = 0;
	size_t i;

	if (ifindex) {
		OVPN_REQUEST(req, NF_OVPN_CMD_PEER_GET, NLM_F_REQUEST);

		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, ifindex);
		return dump(&req.n, filter, arg);
	}

	ret = dump_instances(find, &all);
	for (i = 0; i < all.n && !ret; i++)
		ret = dump_peers(all.what[i].ifindex, filter, arg);
	free(all.what);
	return ret;
}

static int dump_keys_of_peer(int ifindex, __u32 id)
{
	OVPN_REQUEST(req, NF_OVPN_CMD_KEY_GET, NLM_F_REQUEST);
	struct rtattr *n;

	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, ifindex);
	n = nest(&req.n, NF_OVPN_A_KEYCONF);
	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_PEER_ID, id);
	addattr_nest_end(&req.n, n);
	return dump(&req.n, print_key, stdout);
}

/* ---- ip ovpn { add | set | del | show } ------------------------------- */

/* MARK[/MASK] */
static int parse_marked(const char *arg, __u32 *mark, __u32 *mask)
{
	char buf[32], *slash;

	if (strlcpy(buf, arg, sizeof(buf)) >= sizeof(buf))
		return -1;
	slash = strchr(buf, '/');
	if (slash)
		*slash++ = '\0';
	if (get_u32(mark, buf, 0) || (slash && get_u32(mask, slash, 0)))
		return -1;
	return 0;
}

static int instance_modify(int argc, char **argv, int cmd)
{
	OVPN_REQUEST(req, cmd, NLM_F_REQUEST);
	struct endpoint listen[OVPN_LISTENERS_MAX];
	bool has_dev = false, has_mode = false, has_fastpath = false;
	bool has_dscp = false, has_df = false, has_mark = false;
	__u32 mode = 0, fastpath = 0, dscp = 0, df = 0, mark = 0;
	bool has_bind_dev = false;
	__u32 bind_dev = 0;
	__u32 fastpath_mark = 0, fastpath_mask = UINT32_MAX;
	unsigned int i, listeners = 0;
	struct rtattr *in, *ln;
	int ifindex = 0;

	while (argc > 0) {
		if (option(&argc, &argv, "dev", &has_dev)) {
			ifindex = parse_dev(*argv);
		} else if (cmd != NF_OVPN_CMD_INSTANCE_DEL &&
			   option(&argc, &argv, "mode", &has_mode)) {
			if (parse_name(*argv, mode_names,
				       ARRAY_SIZE(mode_names), &mode))
				invarg("mode is \"p2p\" or \"mp\"", *argv);
		} else if (cmd != NF_OVPN_CMD_INSTANCE_DEL &&
			   option(&argc, &argv, "fastpath", &has_fastpath)) {
			if (parse_name(*argv, fastpath_names,
				       ARRAY_SIZE(fastpath_names), &fastpath))
				invarg("fastpath is \"off\", \"accepted\", \"eager\" or \"marked\"",
				       *argv);
			if (fastpath == NF_OVPN_FASTPATH_MARKED) {
				NEXT_ARG();
				if (parse_marked(*argv, &fastpath_mark,
						 &fastpath_mask))
					invarg("expected MARK[/MASK]", *argv);
			}
		} else if (cmd != NF_OVPN_CMD_INSTANCE_DEL &&
			   option(&argc, &argv, "dscp", &has_dscp)) {
			if (parse_name(*argv, dscp_names,
				       ARRAY_SIZE(dscp_names), &dscp))
				invarg("dscp is \"zero\" or \"inherit\"",
				       *argv);
		} else if (cmd != NF_OVPN_CMD_INSTANCE_DEL &&
			   option(&argc, &argv, "df", &has_df)) {
			if (parse_name(*argv, df_names, ARRAY_SIZE(df_names),
				       &df))
				invarg("df is \"unset\", \"set\" or \"inherit\"",
				       *argv);
		} else if (cmd != NF_OVPN_CMD_INSTANCE_DEL &&
			   option(&argc, &argv, "mark", &has_mark)) {
			if (get_u32(&mark, *argv, 0))
				invarg("invalid mark", *argv);
		} else if (cmd != NF_OVPN_CMD_INSTANCE_DEL &&
			   option(&argc, &argv, "bind-dev", &has_bind_dev)) {
			bind_dev = strcmp(*argv, "none") ? parse_dev(*argv) : 0;
		} else if (cmd != NF_OVPN_CMD_INSTANCE_DEL &&
			   strcmp(*argv, "listen") == 0) {
			NEXT_ARG();
			if (listeners == ARRAY_SIZE(listen))
				invarg("too many listeners", *argv);
			if (parse_endpoint(*argv, &listen[listeners]) ||
			    !listen[listeners].has_port ||
			    listen[listeners].scope_id)
				invarg("expected [ADDR:]PORT", *argv);
			listeners++;
		} else {
			invarg("unknown argument", *argv);
		}
		NEXT_ARG_FWD();
	}

	if (!has_dev)
		missarg("dev");

	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, ifindex);
	if (cmd == NF_OVPN_CMD_INSTANCE_DEL)
		return talk(&req.n);

	in = nest(&req.n, NF_OVPN_A_INSTANCE);
	if (has_mode)
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_INSTANCE_MODE, mode);
	if (has_fastpath)
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_INSTANCE_FASTPATH,
			  fastpath);
	if (has_fastpath && fastpath == NF_OVPN_FASTPATH_MARKED) {
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_INSTANCE_FASTPATH_MARK,
			  fastpath_mark);
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_INSTANCE_FASTPATH_MASK,
			  fastpath_mask);
	}
	if (has_dscp)
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_INSTANCE_DSCP, dscp);
	if (has_df)
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_INSTANCE_DF, df);
	if (has_mark)
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_INSTANCE_MARK, mark);
	if (has_bind_dev)
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_INSTANCE_BIND_DEV,
			  bind_dev);
	for (i = 0; i < listeners; i++) {
		ln = nest(&req.n, NF_OVPN_A_INSTANCE_LISTENER);
		add_endpoint(&req.n, &listen[i], NF_OVPN_A_LISTENER_LOCAL_IPV4,
			     NF_OVPN_A_LISTENER_LOCAL_IPV6,
			     NF_OVPN_A_LISTENER_LOCAL_PORT);
		addattr_nest_end(&req.n, ln);
	}
	addattr_nest_end(&req.n, in);
	return talk(&req.n);
}

static int instance_show(int argc, char **argv)
{
	OVPN_REQUEST(req, NF_OVPN_CMD_INSTANCE_GET, NLM_F_REQUEST);
	int ifindex = 0;
	int ret;

	while (argc > 0) {
		if (strcmp(*argv, "dev") == 0)
			NEXT_ARG();
		if (ifindex)
			duparg("dev", *argv);
		ifindex = parse_dev(*argv);
		NEXT_ARG_FWD();
	}

	if (ifindex) {
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, ifindex);
		return show_one(&req.n, print_instance);
	}

	new_json_obj(json);
	ret = dump_instances(print_instance, stdout);
	delete_json_obj();
	fflush(stdout);
	return ret;
}

/* ---- ip ovpn peer ----------------------------------------------------- */

static void add_network(struct nlmsghdr *n, const inet_prefix *network)
{
	unsigned int room = OVPN_BUFLEN + OVPN_NETWORKS_BUFLEN;
	struct rtattr *net;

	net = addattr_nest(n, room, NF_OVPN_A_PEER_NETWORK | NLA_F_NESTED);
	addattr_l(n, room, network->family == AF_INET ?
			   NF_OVPN_A_NETWORK_IPV4 :
			   NF_OVPN_A_NETWORK_IPV6,
		  network->data, network->bytelen);
	addattr8(n, room, NF_OVPN_A_NETWORK_PREFIX_LEN, network->bitlen);
	addattr_nest_end(n, net);
}

/* More networks of a peer that has got its first ones */
static int add_networks(int ifindex, __u32 id, const inet_prefix *networks,
			unsigned int num)
{
	OVPN_PEER_REQUEST(req, NF_OVPN_CMD_PEER_SET, NLM_F_REQUEST);
	struct rtattr *p;
	unsigned int i;

	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, ifindex);
	p = nest(&req.n, NF_OVPN_A_PEER);
	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_ID, id);
	addattr(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_ADD_NETWORKS);
	for (i = 0; i < num; i++)
		add_network(&req.n, &networks[i]);
	addattr_nest_end(&req.n, p);
	return talk(&req.n);
}

static int peer_del(int ifindex, __u32 id)
{
	OVPN_REQUEST(req, NF_OVPN_CMD_PEER_DEL, NLM_F_REQUEST);
	struct rtattr *p;

	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, ifindex);
	p = nest(&req.n, NF_OVPN_A_PEER);
	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_ID, id);
	addattr_nest_end(&req.n, p);
	return talk(&req.n);
}

/* "[ dev ] NAME" and nothing else: its interface index */
static int parse_only_dev(int argc, char **argv)
{
	bool has_dev = false;
	int ifindex = 0;

	while (argc > 0) {
		if (strcmp(*argv, "dev") == 0)
			NEXT_ARG();
		if (has_dev)
			duparg("dev", *argv);
		has_dev = true;
		ifindex = parse_dev(*argv);
		NEXT_ARG_FWD();
	}
	if (!has_dev)
		missarg("dev");
	return ifindex;
}

static int flush(int argc, char **argv, int cmd)
{
	OVPN_REQUEST(req, cmd, NLM_F_REQUEST);

	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX,
		  parse_only_dev(argc, argv));
	return talk(&req.n);
}

static int peer_modify(int argc, char **argv, int cmd)
{
	OVPN_PEER_REQUEST(req, cmd, NLM_F_REQUEST);
	bool adding = cmd != NF_OVPN_CMD_PEER_DEL;
	bool has_dev = false, has_id = false, has_tx_id = false;
	__u8 vpn4[sizeof(struct in6_addr)], vpn6[sizeof(struct in6_addr)];
	struct endpoint remote = {}, local = {};
	bool has_vpn4 = false, has_vpn6 = false;
	bool has_remote = false, has_local = false, has_keepalive = false;
	bool has_mark = false, has_mss = false, no_networks = false;
	bool has_framing = false, data_v1 = false;
	static inet_prefix networks[OVPN_NETWORKS_MAX];
	__u32 id = 0, tx_id = 0, interval = 0, timeout = 0, mark = 0;
	__u32 framing = 0;
	unsigned int i, num_networks = 0;
	struct rtattr *p;
	int ifindex = 0;
	__u16 mss = 0;
	int ret;

	while (argc > 0) {
		if (option(&argc, &argv, "dev", &has_dev)) {
			ifindex = parse_dev(*argv);
		} else if (option(&argc, &argv, "id", &has_id)) {
			id = parse_id(*argv);
		} else if (adding && option(&argc, &argv, "tx-id", &has_tx_id)) {
			tx_id = parse_id(*argv);
		} else if (adding && option(&argc, &argv, "remote", &has_remote)) {
			if (parse_endpoint(*argv, &remote) ||
			    !remote.has_port || remote.family == AF_UNSPEC)
				invarg("expected ADDR:PORT", *argv);
		} else if (adding && option(&argc, &argv, "local", &has_local)) {
			if (parse_endpoint(*argv, &local) || local.scope_id)
				invarg("expected ADDR[:PORT] or PORT", *argv);
		} else if (adding && strcmp(*argv, "vpn") == 0) {
			__u8 addr[sizeof(struct in6_addr)];
			int family;

			NEXT_ARG();
			if (parse_addr(*argv, &family, addr, NULL))
				invarg("expected an IPv4 or IPv6 address",
				       *argv);
			if (family == AF_INET ? has_vpn4 : has_vpn6)
				duparg("vpn", *argv);
			if (family == AF_INET) {
				memcpy(vpn4, addr, sizeof(vpn4));
				has_vpn4 = true;
			} else {
				memcpy(vpn6, addr, sizeof(vpn6));
				has_vpn6 = true;
			}
		} else if (adding && option(&argc, &argv, "keepalive", &has_keepalive)) {
			interval = parse_seconds(*argv);
			NEXT_ARG();
			timeout = parse_seconds(*argv);
		} else if (adding && strcmp(*argv, "network") == 0) {
			NEXT_ARG();
			if (strcmp(*argv, "none") == 0)
				no_networks = true;
			else if (num_networks == ARRAY_SIZE(networks))
				invarg("too many networks", *argv);
			else
				get_prefix(&networks[num_networks++], *argv,
					   AF_UNSPEC);
			if (no_networks && num_networks)
				invarg("there is a network", "none");
		} else if (adding && option(&argc, &argv, "mark", &has_mark)) {
			if (get_u32(&mark, *argv, 0))
				invarg("invalid mark", *argv);
		} else if (adding && option(&argc, &argv, "mss", &has_mss)) {
			if (get_u16(&mss, *argv, 0))
				invarg("invalid MSS", *argv);
		} else if (adding && option(&argc, &argv, "framing", &has_framing)) {
			if (parse_name(*argv, framing_names,
				       ARRAY_SIZE(framing_names), &framing))
				invarg("framing is \"none\", \"stub\", \"stub-swap\" or \"stub-v2\"",
				       *argv);
		} else if (cmd == NF_OVPN_CMD_PEER_NEW &&
			   strcmp(*argv, "data-v1") == 0) {
			data_v1 = true;
		} else {
			invarg("unknown argument", *argv);
		}
		NEXT_ARG_FWD();
	}

	if (!has_dev)
		missarg("dev");
	if (!has_id)
		missarg("id");
	if (has_remote && local.family != AF_UNSPEC &&
	    local.family != remote.family)
		invarg("not of the address family of \"remote\"", "local");

	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, ifindex);
	p = nest(&req.n, NF_OVPN_A_PEER);
	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_ID, id);
	if (has_tx_id)
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_TX_ID, tx_id);
	if (has_remote)
		add_endpoint(&req.n, &remote, NF_OVPN_A_PEER_REMOTE_IPV4,
			     NF_OVPN_A_PEER_REMOTE_IPV6,
			     NF_OVPN_A_PEER_REMOTE_PORT);
	if (remote.scope_id)
		addattr32(&req.n, OVPN_BUFLEN,
			  NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID, remote.scope_id);
	if (has_local)
		add_endpoint(&req.n, &local, NF_OVPN_A_PEER_LOCAL_IPV4,
			     NF_OVPN_A_PEER_LOCAL_IPV6,
			     NF_OVPN_A_PEER_LOCAL_PORT);
	if (has_vpn4)
		addattr_l(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_VPN_IPV4, vpn4,
			  sizeof(struct in_addr));
	if (has_vpn6)
		addattr_l(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_VPN_IPV6, vpn6,
			  sizeof(struct in6_addr));
	if (has_keepalive) {
		addattr32(&req.n, OVPN_BUFLEN,
			  NF_OVPN_A_PEER_KEEPALIVE_INTERVAL, interval);
		addattr32(&req.n, OVPN_BUFLEN,
			  NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT, timeout);
	}
	if (no_networks)
		addattr(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_NO_NETWORKS);
	for (i = 0; i < num_networks && i < OVPN_NETWORKS_STEP; i++)
		add_network(&req.n, &networks[i]);
	if (has_mark)
		addattr32(&req.n, sizeof(req), NF_OVPN_A_PEER_MARK, mark);
	if (has_mss)
		addattr16(&req.n, sizeof(req), NF_OVPN_A_PEER_TCP_MSS, mss);
	if (has_framing)
		addattr32(&req.n, sizeof(req), NF_OVPN_A_PEER_FRAMING, framing);
	if (data_v1)
		addattr(&req.n, sizeof(req), NF_OVPN_A_PEER_DATA_V1);
	addattr_nest_end(&req.n, p);
	ret = talk(&req.n);

	for (; !ret && i < num_networks; i += OVPN_NETWORKS_STEP) {
		ret = add_networks(ifindex, id, &networks[i],
				   min(num_networks - i,
				       (unsigned int)OVPN_NETWORKS_STEP));
		if (ret && cmd == NF_OVPN_CMD_PEER_NEW)
			peer_del(ifindex, id);
		else if (ret)
			fprintf(stderr, "The peer has the first %u networks only.\n",
				i);
	}
	return ret;
}

/* One peer of a dump, since its networks do not fit into one message */
static int print_peer_if(struct nlmsghdr *n, void *arg)
{
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	struct rtattr *p[NF_OVPN_A_PEER_MAX + 1];
	const __u32 *id = arg;

	if (parse_msg(n, tb) || !tb[NF_OVPN_A_PEER])
		return 0;
	parse_rtattr_nested(p, NF_OVPN_A_PEER_MAX, tb[NF_OVPN_A_PEER]);
	if (!p[NF_OVPN_A_PEER_ID] ||
	    rta_getattr_u32(p[NF_OVPN_A_PEER_ID]) != *id)
		return 0;
	return print_peer(n, stdout);
}

static int print_one_peer(struct nlmsghdr *n, void *arg)
{
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	struct rtattr *p[NF_OVPN_A_PEER_MAX + 1];
	__u32 id;

	if (parse_msg(n, tb) || !tb[NF_OVPN_A_IFINDEX] || !tb[NF_OVPN_A_PEER])
		return 0;
	parse_rtattr_nested(p, NF_OVPN_A_PEER_MAX, tb[NF_OVPN_A_PEER]);
	if (!p[NF_OVPN_A_PEER_MORE_NETWORKS] || !p[NF_OVPN_A_PEER_ID])
		return print_peer(n, arg);
	id = rta_getattr_u32(p[NF_OVPN_A_PEER_ID]);
	return dump_peers(rta_getattr_u32(tb[NF_OVPN_A_IFINDEX]), print_peer_if,
			  &id);
}

static int peer_show(int argc, char **argv)
{
	OVPN_REQUEST(req, NF_OVPN_CMD_PEER_GET, NLM_F_REQUEST);
	bool has_id = false;
	struct rtattr *p;
	int ifindex = 0;
	__u32 id = 0;
	int ret;

	while (argc > 0) {
		if (option(&argc, &argv, "id", &has_id)) {
			id = parse_id(*argv);
		} else {
			if (strcmp(*argv, "dev") == 0)
				NEXT_ARG();
			if (ifindex)
				duparg("dev", *argv);
			ifindex = parse_dev(*argv);
		}
		NEXT_ARG_FWD();
	}

	if (has_id) {
		if (!ifindex)
			missarg("dev");
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, ifindex);
		p = nest(&req.n, NF_OVPN_A_PEER);
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_PEER_ID, id);
		addattr_nest_end(&req.n, p);
		return show_one(&req.n, print_one_peer);
	}

	new_json_obj(json);
	ret = dump_peers(ifindex, print_peer, stdout);
	delete_json_obj();
	fflush(stdout);
	return ret;
}

static int do_peer(int argc, char **argv)
{
	if (argc < 1 || strcmp(*argv, "show") == 0 || strcmp(*argv, "list") == 0)
		return peer_show(argc - 1, argv + 1);
	if (strcmp(*argv, "add") == 0)
		return peer_modify(argc - 1, argv + 1, NF_OVPN_CMD_PEER_NEW);
	if (strcmp(*argv, "set") == 0)
		return peer_modify(argc - 1, argv + 1, NF_OVPN_CMD_PEER_SET);
	if (strcmp(*argv, "del") == 0 || strcmp(*argv, "delete") == 0)
		return peer_modify(argc - 1, argv + 1, NF_OVPN_CMD_PEER_DEL);
	if (strcmp(*argv, "flush") == 0)
		return flush(argc - 1, argv + 1, NF_OVPN_CMD_PEER_FLUSH);

	fprintf(stderr,
		"Command \"%s\" is unknown, try \"ip ovpn peer help\".\n", *argv);
	exit(-1);
}

/* ---- ip ovpn key ------------------------------------------------------ */

/* one direction of a key */
struct secret {
	bool given;
	unsigned int key_len, nonce_len, auth_len;
	__u8 key[OVPN_CIPHER_KEY_MAX];
	__u8 nonce[NF_OVPN_NONCE_TAIL_SIZE];
	__u8 auth[OVPN_AUTH_KEY_MAX];
};

/* what a line of the file has behind the direction */
struct secret_form {
	const char *expected;
	bool key, epochs, nonce, auth;
};

#define SECRET_FORM(_form, ...)						\
	{ "expected \"{ encrypt | decrypt } " _form "\"", __VA_ARGS__ }

static const struct secret_form aead_form =
	SECRET_FORM("KEY nonce NONCE", .key = true, .nonce = true);
static const struct secret_form epochs_form =
	SECRET_FORM("KEY", .key = true, .epochs = true);
static const struct secret_form cipher_and_auth_form =
	SECRET_FORM("KEY auth KEY", .key = true, .auth = true);
static const struct secret_form auth_form =
	SECRET_FORM("auth KEY", .auth = true);

/* hexadecimal digits to at most @size bytes; -1 if they are anything else */
static int parse_hex(const char *hex, __u8 *out, unsigned int size)
{
	static const char digits[] = "0123456789abcdef";
	size_t i, len = strlen(hex);

	if (!len || len % 2 || len / 2 > size)
		return -1;
	for (i = 0; i < len; i++) {
		const char *digit = strchr(digits, tolower((unsigned char)hex[i]));

		if (!digit)
			return -1;
		if (i % 2)
			out[i / 2] |= digit - digits;
		else
			out[i / 2] = (digit - digits) << 4;
	}
	return len / 2;
}

/* A line of the file; NULL or what is wrong with it. */
static const char *parse_secret_line(char *line, const struct secret_form *form,
				     struct secret *encrypt,
				     struct secret *decrypt)
{
	const char *name = form->nonce ? "nonce" : form->auth ? "auth" : NULL;
	char *save, *word[5];
	struct secret *s;
	unsigned int n;
	int len;

	line[strcspn(line, "#")] = '\0';
	for (n = 0; n < ARRAY_SIZE(word); n++, line = NULL) {
		word[n] = strtok_r(line, " \t\r", &save);
		if (!word[n])
			break;
	}
	if (n == 0)
		return NULL;
	if (n != 1 + form->key + (name ? 2 : 0) ||
	    (name && strcmp(word[n - 2], name)))
		return form->expected;

	if (strcmp(word[0], "encrypt") == 0)
		s = encrypt;
	else if (strcmp(word[0], "decrypt") == 0)
		s = decrypt;
	else
		return "expected \"encrypt\" or \"decrypt\"";
	if (s->given)
		return "direction was given before";
	s->given = true;

	if (form->key) {
		len = parse_hex(word[1], s->key, sizeof(s->key));
		if (form->epochs && len != 32)
			return "a key with epochs has 64 hexadecimal digits";
		if (len != 16 && len != 24 && len != 32)
			return "a key has 32, 48 or 64 hexadecimal digits";
		s->key_len = len;
	}
	if (form->nonce) {
		len = parse_hex(word[n - 1], s->nonce, sizeof(s->nonce));
		if (len != sizeof(s->nonce))
			return "a nonce has 16 hexadecimal digits";
		s->nonce_len = len;
	}
	if (form->auth) {
		len = parse_hex(word[n - 1], s->auth, sizeof(s->auth));
		if (len != 20 && len != 32)
			return "an authentication key has 40 or 64 hexadecimal digits";
		s->auth_len = len;
	}
	return NULL;
}

/*
 * Without stdio, whose buffers could not be wiped. What goes wrong is said
 * with the line's number, never with its text.
 */
static int read_secrets(const char *file, const struct secret_form *form,
			struct secret *encrypt, struct secret *decrypt)
{
	bool from_stdin = strcmp(file, "-") == 0;
	char buf[OVPN_SECRET_FILE_MAX + 1];
	const char *wrong = NULL;
	unsigned int number = 0;
	char *line, *next;
	size_t len = 0;
	ssize_t got;
	int ret = -1;
	int fd;

	fd = from_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "Cannot open \"%s\": %s\n", file,
			strerror(errno));
		return -1;
	}
	while ((got = read(fd, buf + len, sizeof(buf) - len)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fprintf(stderr, "Cannot read \"%s\": %s\n", file,
				strerror(errno));
			goto out;
		}
		len += got;
		if (len == sizeof(buf)) {
			fprintf(stderr, "Error: \"%s\" is too long for a key\n",
				file);
			goto out;
		}
	}
	buf[len] = '\0';
	if (strlen(buf) != len)
		wrong = "not a text file";

	for (line = buf; line && !wrong; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		wrong = parse_secret_line(line, form, encrypt, decrypt);
	}
	if (wrong) {
		fprintf(stderr, "Error: \"%s\" line %u: %s\n", file, number,
			wrong);
		goto out;
	}
	if (!encrypt->given || !decrypt->given) {
		fprintf(stderr, "Error: \"%s\" lacks the line \"%s\"\n", file,
			encrypt->given ? "decrypt" : "encrypt");
		goto out;
	}
	ret = 0;
out:
	explicit_bzero(buf, sizeof(buf));
	if (!from_stdin)
		close(fd);
	return ret;
}

static void add_secret(struct nlmsghdr *n, int attr, const struct secret *s)
{
	struct rtattr *dir = nest(n, attr);

	if (s->key_len)
		addattr_l(n, OVPN_BUFLEN, NF_OVPN_A_KEYDIR_CIPHER_KEY, s->key,
			  s->key_len);
	if (s->nonce_len)
		addattr_l(n, OVPN_BUFLEN, NF_OVPN_A_KEYDIR_NONCE_TAIL, s->nonce,
			  s->nonce_len);
	if (s->auth_len)
		addattr_l(n, OVPN_BUFLEN, NF_OVPN_A_KEYDIR_AUTH_KEY, s->auth,
			  s->auth_len);
	addattr_nest_end(n, dir);
}

struct key_args {
	int ifindex;
	bool has_dev, has_peer, has_slot, has_key_id, has_cipher, has_auth;
	bool has_key_bits, has_tx_epoch, has_tx_packet_id, has_tx_blocks;
	bool has_rx_epoch, has_rx_packet_id, has_file, epochs, insecure;
	__u32 peer, slot, key_id, cipher, auth, key_bits;
	__u64 tx_epoch, tx_packet_id, tx_blocks, rx_epoch, rx_packet_id;
	const char *file;
};

/* Of a key with these arguments; NULL if it has no secrets. */
static const struct secret_form *secret_form(const struct key_args *a)
{
	switch (a->cipher) {
	case NF_OVPN_CIPHER_ALG_NONE:
		return a->auth ? &auth_form : NULL;
	case NF_OVPN_CIPHER_ALG_AES_CBC:
		return &cipher_and_auth_form;
	default:
		return a->epochs ? &epochs_form : &aead_form;
	}
}

static void parse_key_args(int argc, char **argv, int cmd, struct key_args *a)
{
	bool new = cmd == NF_OVPN_CMD_KEY_NEW;

	while (argc > 0) {
		if (option(&argc, &argv, "dev", &a->has_dev)) {
			a->ifindex = parse_dev(*argv);
		} else if (option(&argc, &argv, "peer", &a->has_peer)) {
			a->peer = parse_id(*argv);
		} else if (cmd != NF_OVPN_CMD_KEY_SWAP &&
			   option(&argc, &argv, "slot", &a->has_slot)) {
			a->slot = parse_slot(*argv);
		} else if (new && option(&argc, &argv, "key-id", &a->has_key_id)) {
			if (get_u32(&a->key_id, *argv, 0) ||
			    a->key_id > OVPN_KEY_ID_MAX)
				invarg("a key's ID is 0..7", *argv);
		} else if (new && option(&argc, &argv, "cipher", &a->has_cipher)) {
			if (parse_name(*argv, cipher_names,
				       ARRAY_SIZE(cipher_names), &a->cipher))
				invarg("cipher is \"aes-gcm\", \"chacha20-poly1305\", \"aes-cbc\" or \"none\"",
				       *argv);
		} else if (new && option(&argc, &argv, "auth", &a->has_auth)) {
			if (parse_name(*argv, auth_names,
				       ARRAY_SIZE(auth_names), &a->auth))
				invarg("auth is \"none\", \"hmac-sha1\" or \"hmac-sha256\"",
				       *argv);
		} else if (new && strcmp(*argv, "epochs") == 0) {
			a->epochs = true;
		} else if (new && option(&argc, &argv, "key-bits", &a->has_key_bits)) {
			if (get_u32(&a->key_bits, *argv, 0) ||
			    (a->key_bits != 128 && a->key_bits != 192 &&
			     a->key_bits != 256))
				invarg("key-bits is 128, 192 or 256", *argv);
		} else if (new && strcmp(*argv, "insecure") == 0) {
			a->insecure = true;
		} else if (new && option(&argc, &argv, "tx-epoch", &a->has_tx_epoch)) {
			a->tx_epoch = parse_epoch(*argv);
		} else if (new && option(&argc, &argv, "tx-packet-id",
					 &a->has_tx_packet_id)) {
			a->tx_packet_id = parse_packet_id(*argv);
		} else if (new && option(&argc, &argv, "tx-blocks",
					 &a->has_tx_blocks)) {
			a->tx_blocks = parse_u64(*argv, INT64_MAX,
						 "invalid number of blocks");
		} else if (new && option(&argc, &argv, "rx-epoch", &a->has_rx_epoch)) {
			a->rx_epoch = parse_epoch(*argv);
		} else if (new && option(&argc, &argv, "rx-packet-id",
					 &a->has_rx_packet_id)) {
			a->rx_packet_id = parse_packet_id(*argv);
		} else if (new && option(&argc, &argv, "secret-file", &a->has_file)) {
			if (batch_mode && strcmp(*argv, "-") == 0)
				invarg("standard input holds the batch", *argv);
			a->file = *argv;
		} else if (cmd == NF_OVPN_CMD_KEY_GET && !a->has_dev) {
			a->ifindex = parse_dev(*argv);
			a->has_dev = true;
		} else {
			invarg("unknown argument", *argv);
		}
		NEXT_ARG_FWD();
	}
}

/* What can be told without the kernel of the arguments of a new key. */
static void check_new_key(const struct key_args *a)
{
	bool has_secrets = secret_form(a);

	if (!a->has_key_id)
		missarg("key-id");
	if (!a->has_cipher)
		missarg("cipher");
	if (a->cipher == NF_OVPN_CIPHER_ALG_AES_CBC && !a->has_auth)
		missarg("auth");
	if (a->epochs && !a->has_key_bits)
		missarg("key-bits");
	if (a->has_key_bits && !a->epochs)
		missarg("epochs");
	if (has_secrets && !a->has_file)
		missarg("secret-file");
	if (!has_secrets && a->has_file)
		invarg("this key has no secrets", "secret-file");
}

static void add_new_key(struct nlmsghdr *n, const struct key_args *a,
			const struct secret *encrypt,
			const struct secret *decrypt)
{
	addattr32(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_KEY_ID, a->key_id);
	addattr32(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_CIPHER_ALG, a->cipher);
	if (a->has_auth)
		addattr32(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_AUTH_ALG, a->auth);
	if (a->epochs)
		addattr(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_EPOCHS);
	if (a->has_key_bits)
		addattr32(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_KEY_BITS,
			  a->key_bits);
	if (a->insecure)
		addattr(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_INSECURE);
	if (a->has_tx_epoch || a->has_tx_packet_id)
		addattr64(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_TX_PACKET_ID,
			  a->tx_epoch << OVPN_EPOCH_SHIFT | a->tx_packet_id);
	if (a->has_tx_blocks)
		addattr64(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_TX_BLOCKS,
			  a->tx_blocks);
	if (a->has_rx_epoch || a->has_rx_packet_id)
		addattr64(n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_RX_PACKET_ID,
			  a->rx_epoch << OVPN_EPOCH_SHIFT | a->rx_packet_id);
	add_secret(n, NF_OVPN_A_KEYCONF_ENCRYPT_DIR, encrypt);
	add_secret(n, NF_OVPN_A_KEYCONF_DECRYPT_DIR, decrypt);
}

static int key_modify(int argc, char **argv, int cmd)
{
	OVPN_REQUEST(req, cmd, NLM_F_REQUEST);
	struct secret encrypt = {}, decrypt = {};
	struct key_args a = {};
	struct rtattr *k;
	int ret = -1;

	parse_key_args(argc, argv, cmd, &a);
	if (!a.has_dev)
		missarg("dev");
	if (!a.has_peer)
		missarg("peer");
	if (cmd != NF_OVPN_CMD_KEY_SWAP && !a.has_slot)
		missarg("slot");
	if (cmd == NF_OVPN_CMD_KEY_NEW) {
		int one = 1;

		check_new_key(&a);
		if (a.has_file && read_secrets(a.file, secret_form(&a),
					       &encrypt, &decrypt))
			goto out;
		/* A refusal must not bring the request, and the key, back into
		 * a buffer that is out of reach here. Kernels that do not know
		 * the option have no nf_ovpn.
		 */
		if (setsockopt(genl_rth.fd, SOL_NETLINK, NETLINK_CAP_ACK, &one,
			       sizeof(one)) < 0) {
			perror("Cannot set NETLINK_CAP_ACK");
			goto out;
		}
	}

	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, a.ifindex);
	k = nest(&req.n, NF_OVPN_A_KEYCONF);
	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_PEER_ID, a.peer);
	if (a.has_slot)
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_SLOT, a.slot);
	if (cmd == NF_OVPN_CMD_KEY_NEW)
		add_new_key(&req.n, &a, &encrypt, &decrypt);
	addattr_nest_end(&req.n, k);
	ret = talk(&req.n);
out:
	explicit_bzero(&req, sizeof(req));
	explicit_bzero(&encrypt, sizeof(encrypt));
	explicit_bzero(&decrypt, sizeof(decrypt));
	return ret;
}

static int key_show(int argc, char **argv)
{
	OVPN_REQUEST(req, NF_OVPN_CMD_KEY_GET, NLM_F_REQUEST);
	struct found peers = {};
	struct key_args a = {};
	struct rtattr *k;
	int ret = 0;
	size_t i;

	parse_key_args(argc, argv, NF_OVPN_CMD_KEY_GET, &a);
	if (a.has_peer && !a.has_dev)
		missarg("dev");
	if (a.has_slot && !a.has_peer)
		missarg("peer");

	if (a.has_slot) {
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX, a.ifindex);
		k = nest(&req.n, NF_OVPN_A_KEYCONF);
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_PEER_ID,
			  a.peer);
		addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_KEYCONF_SLOT, a.slot);
		addattr_nest_end(&req.n, k);
		return show_one(&req.n, print_key);
	}

	new_json_obj(json);
	if (a.has_peer) {
		ret = dump_keys_of_peer(a.ifindex, a.peer);
	} else {
		ret = dump_peers(a.ifindex, find, &peers);
		for (i = 0; i < peers.n && !ret; i++)
			ret = dump_keys_of_peer(peers.what[i].ifindex,
						peers.what[i].id);
		free(peers.what);
	}
	delete_json_obj();
	fflush(stdout);
	return ret;
}

static int do_key(int argc, char **argv)
{
	if (argc < 1 || strcmp(*argv, "show") == 0 || strcmp(*argv, "list") == 0)
		return key_show(argc - 1, argv + 1);
	if (strcmp(*argv, "add") == 0)
		return key_modify(argc - 1, argv + 1, NF_OVPN_CMD_KEY_NEW);
	if (strcmp(*argv, "swap") == 0)
		return key_modify(argc - 1, argv + 1, NF_OVPN_CMD_KEY_SWAP);
	if (strcmp(*argv, "del") == 0 || strcmp(*argv, "delete") == 0)
		return key_modify(argc - 1, argv + 1, NF_OVPN_CMD_KEY_DEL);

	fprintf(stderr,
		"Command \"%s\" is unknown, try \"ip ovpn key help\".\n", *argv);
	exit(-1);
}

/* ---- ip ovpn flow ----------------------------------------------------- */

static void print_flow_dir(const char *name, const struct rtattr *attr)
{
	struct rtattr *d[NF_OVPN_A_FLOW_DIR_MAX + 1];

	if (!attr)
		return;
	parse_rtattr_nested(d, NF_OVPN_A_FLOW_DIR_MAX, attr);
	open_json_object(name);
	print_string(PRINT_FP, NULL, " %s", name);
	if (d[NF_OVPN_A_FLOW_DIR_PEER_ID])
		print_uint(PRINT_ANY, "peer", " peer %u",
			   rta_getattr_u32(d[NF_OVPN_A_FLOW_DIR_PEER_ID]));
	print_bool(PRINT_JSON, "armed", NULL, d[NF_OVPN_A_FLOW_DIR_ARMED]);
	if (d[NF_OVPN_A_FLOW_DIR_ARMED])
		print_string(PRINT_FP, NULL, " %s", "armed");
	else if (d[NF_OVPN_A_FLOW_DIR_UNARMED] &&
		 rta_getattr_u32(d[NF_OVPN_A_FLOW_DIR_UNARMED]))
		PRINT_NAME("unarmed", " unarmed %s", unarmed_names,
			   d[NF_OVPN_A_FLOW_DIR_UNARMED]);
	close_json_object();
}

static int print_flow(struct nlmsghdr *n, void *arg)
{
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	struct rtattr *f[NF_OVPN_A_FLOW_MAX + 1];
	char buf[64];

	if (parse_msg(n, tb) || !tb[NF_OVPN_A_IFINDEX] || !tb[NF_OVPN_A_FLOW])
		return 0;
	parse_rtattr_nested(f, NF_OVPN_A_FLOW_MAX, tb[NF_OVPN_A_FLOW]);

	open_json_object(NULL);
	print_dev(tb[NF_OVPN_A_IFINDEX], "dev %s");
	print_string(PRINT_ANY, "kind", " %s",
		     f[NF_OVPN_A_FLOW_OUTER] ? "outer" : "inner");
	if (f[NF_OVPN_A_FLOW_PROTOCOL])
		print_string(PRINT_ANY, "protocol", " %s",
			     inet_proto_n2a(rta_getattr_u8(f[NF_OVPN_A_FLOW_PROTOCOL]),
					    buf, sizeof(buf)));
	print_endpoint("src", f[NF_OVPN_A_FLOW_SRC_IPV4],
		       f[NF_OVPN_A_FLOW_SRC_IPV6], NULL,
		       f[NF_OVPN_A_FLOW_SRC_PORT]);
	print_endpoint("dst", f[NF_OVPN_A_FLOW_DST_IPV4],
		       f[NF_OVPN_A_FLOW_DST_IPV6], NULL,
		       f[NF_OVPN_A_FLOW_DST_PORT]);
	if (f[NF_OVPN_A_FLOW_ZONE])
		print_uint(PRINT_ANY, "zone", " zone %u",
			   rta_getattr_u16(f[NF_OVPN_A_FLOW_ZONE]));
	print_flow_dir("original", f[NF_OVPN_A_FLOW_ORIGINAL]);
	print_flow_dir("reply", f[NF_OVPN_A_FLOW_REPLY]);
	close_json_object();
	end_line();
	return 0;
}

static int do_flow(int argc, char **argv)
{
	OVPN_REQUEST(req, NF_OVPN_CMD_FLOW_GET, NLM_F_REQUEST);
	int ret;

	if (argc > 0 && strcmp(*argv, "flush") == 0)
		return flush(argc - 1, argv + 1, NF_OVPN_CMD_FLOW_FLUSH);
	if (argc > 0 && (strcmp(*argv, "show") == 0 ||
			 strcmp(*argv, "list") == 0))
		NEXT_ARG_FWD();

	addattr32(&req.n, OVPN_BUFLEN, NF_OVPN_A_IFINDEX,
		  parse_only_dev(argc, argv));
	new_json_obj(json);
	ret = dump(&req.n, print_flow, stdout);
	delete_json_obj();
	fflush(stdout);
	return ret;
}

/* ---- ip ovpn monitor -------------------------------------------------- */

static int print_event(struct rtnl_ctrl_data *ctrl, struct nlmsghdr *n,
		       void *arg)
{
	SPRINT_BUF(number);
	const struct genlmsghdr *ghdr = NLMSG_DATA(n);
	struct rtattr *tb[NF_OVPN_A_MAX + 1];
	const char *event;

	if (parse_msg(n, tb))
		return 0;

	switch (ghdr->cmd) {
	case NF_OVPN_CMD_PEER_DEL_NTF:
		event = "peer-del";
		break;
	case NF_OVPN_CMD_PEER_FLOAT_NTF:
		event = "peer-float";
		break;
	case NF_OVPN_CMD_KEY_LIMIT_NTF:
		event = "key-limit";
		break;
	case NF_OVPN_CMD_INSTANCE_DEL_NTF:
		event = "instance-del";
		break;
	default:
		snprintf(number, sizeof(number), "unknown-%u", ghdr->cmd);
		event = number;
	}

	if (timestamp && !json)
		print_timestamp(stdout);
	new_json_obj_plain(json);
	open_json_object(NULL);
	print_string(PRINT_ANY, "event", "%s ", event);
	if (tb[NF_OVPN_A_IFINDEX])
		print_dev(tb[NF_OVPN_A_IFINDEX], "dev %s");
	if (tb[NF_OVPN_A_INSTANCE]) {
		struct rtattr *i[NF_OVPN_A_INSTANCE_MAX + 1];

		parse_rtattr_nested(i, NF_OVPN_A_INSTANCE_MAX,
				    tb[NF_OVPN_A_INSTANCE]);
		if (i[NF_OVPN_A_INSTANCE_DEL_REASON])
			PRINT_NAME("reason", " reason %s",
				   instance_reason_names,
				   i[NF_OVPN_A_INSTANCE_DEL_REASON]);
	}
	if (tb[NF_OVPN_A_PEER]) {
		struct rtattr *p[NF_OVPN_A_PEER_MAX + 1];

		parse_rtattr_nested(p, NF_OVPN_A_PEER_MAX, tb[NF_OVPN_A_PEER]);
		print_peer_attrs(tb[NF_OVPN_A_PEER], p);
	}
	if (tb[NF_OVPN_A_KEYCONF]) {
		struct rtattr *k[NF_OVPN_A_KEYCONF_MAX + 1];

		parse_rtattr_nested(k, NF_OVPN_A_KEYCONF_MAX,
				    tb[NF_OVPN_A_KEYCONF]);
		print_key_attrs(k);
	}
	close_json_object();
	delete_json_obj_plain();
	print_string(PRINT_FP, NULL, "%s", json ? "" : "\n");
	fflush(stdout);
	return 0;
}

static int do_monitor(int argc, char **argv)
{
	if (argc > 0)
		invarg("unknown argument", *argv);

	if (genl_add_mcast_grp(&genl_rth, genl_family,
			       NF_OVPN_MCGRP_PEERS) < 0) {
		perror("Cannot subscribe to nf_ovpn's notifications");
		return -2;
	}
	return rtnl_listen(&genl_rth, print_event, stdout) < 0 ? -2 : 0;
}

int do_ipovpn(int argc, char **argv)
{
	/* at the end of any command, also where there is no nf_ovpn */
	if (argc > 0 && strcmp(argv[argc - 1], "help") == 0)
		usage();

	ll_init_map(&rth);
	if (genl_init_handle(&genl_rth, NF_OVPN_FAMILY_NAME, &genl_family)) {
		fprintf(stderr, "Is nf_ovpn in this kernel?\n");
		exit(1);
	}

	if (argc < 1 || strcmp(*argv, "show") == 0 || strcmp(*argv, "list") == 0)
		return instance_show(argc - 1, argv + 1);
	if (strcmp(*argv, "add") == 0)
		return instance_modify(argc - 1, argv + 1,
				       NF_OVPN_CMD_INSTANCE_NEW);
	if (strcmp(*argv, "set") == 0)
		return instance_modify(argc - 1, argv + 1,
				       NF_OVPN_CMD_INSTANCE_SET);
	if (strcmp(*argv, "del") == 0 || strcmp(*argv, "delete") == 0)
		return instance_modify(argc - 1, argv + 1,
				       NF_OVPN_CMD_INSTANCE_DEL);
	if (strcmp(*argv, "peer") == 0)
		return do_peer(argc - 1, argv + 1);
	if (strcmp(*argv, "key") == 0)
		return do_key(argc - 1, argv + 1);
	if (strcmp(*argv, "flow") == 0)
		return do_flow(argc - 1, argv + 1);
	if (strcmp(*argv, "monitor") == 0)
		return do_monitor(argc - 1, argv + 1);

	fprintf(stderr, "Command \"%s\" is unknown, try \"ip ovpn help\".\n",
		*argv);
	exit(-1);
}
