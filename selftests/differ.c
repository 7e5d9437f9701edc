// SPDX-License-Identifier: GPL-2.0
/* Random rule sets and random traffic, once with "fastpath off" and once with
 * the fast path: what arrives, and with which headers, has to be the same.
 *
 *	differ [-v] [-c CPU] SEED COUNT
 *
 * tries COUNT cases from SEED on. A case is all that follows from its seed: a
 * rule set, some flows, and steps, each of which is a packet or a change (rules,
 * set elements, routes, routing rules, addresses, settings, marks, entries of
 * conntrack). The world, which differ.sh makes, is one network namespace with
 * the gateway in it, and everybody else is this process, behind tun devices:
 *
 *	wan0	192.0.2.2, 2001:db8:1::2	the ends of two tunnels, whose
 *						addresses inside are 10.8.0.2 and
 *						10.8.0.3, fd08::2 and fd08::3
 *	lan0	198.51.100.2 and .3,		two hosts in the LAN; packets
 *		2001:db8:2::2 and ::3		to be segmented, too
 *	lan1	203.0.113.2, 2001:db8:3::2	a host elsewhere
 *	tun0					what nf_ovpn leaves to the daemon
 *
 * A write to such a device returns when the stack is done with the packet, so
 * what then can be read is what became of it. The tunnels have no cipher: what
 * arrives is compared as it was inside, and with its outer header.
 *
 * Of two runs that differ the one with "off" is repeated: only if it is the same
 * again is that a difference between the modes. Then rules and steps are left
 * out as long as the difference remains, and what is left is printed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/nf_ovpn.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define GW_PORT		1194
#define PACKET_MAX	9000

/* --- chance --- */

static uint64_t chance;

static uint32_t rnd(uint32_t n)
{
	uint64_t z = chance += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % n;
}

static bool percent(uint32_t n)
{
	return rnd(100) < n;
}

/* --- netlink --- */

static int route_fd, filter_fd, ovpn_fd;
static uint16_t ovpn_family;

struct request {
	union {
		struct nlmsghdr	nlh;
		uint8_t		buf[1024];
	};
};

static void *req_init(struct request *req, int type, int flags, size_t head)
{
	memset(req, 0, NLMSG_HDRLEN + head);
	req->nlh.nlmsg_len = NLMSG_LENGTH(head);
	req->nlh.nlmsg_type = type;
	req->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return NLMSG_DATA(&req->nlh);
}

static void put(struct request *req, int type, const void *data, size_t len)
{
	struct nlattr *nla = (void *)(req->buf + NLMSG_ALIGN(req->nlh.nlmsg_len));

	nla->nla_type = type;
	nla->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy((uint8_t *)nla + NLA_HDRLEN, data, len);
	req->nlh.nlmsg_len = (uint8_t *)nla + NLA_ALIGN(nla->nla_len) - req->buf;
}

static void put32(struct request *req, int type, uint32_t v)
{
	put(req, type, &v, sizeof(v));
}

static struct nlattr *nest(struct request *req, int type)
{
	struct nlattr *nla = (void *)(req->buf + NLMSG_ALIGN(req->nlh.nlmsg_len));

	put(req, type | NLA_F_NESTED, NULL, 0);
	return nla;
}

static void nest_end(struct request *req, struct nlattr *nla)
{
	nla->nla_len = req->buf + req->nlh.nlmsg_len - (uint8_t *)nla;
}

/* Returns 0 or an error number. */
static int talk(int fd, struct request *req)
{
	uint64_t buf[1024];
	const struct nlmsghdr *nlh = (void *)buf;
	int error;

	if (send(fd, req->buf, req->nlh.nlmsg_len, 0) < 0 ||
	    recv(fd, buf, sizeof(buf), 0) < 0)
		err(2, "netlink");
	if (nlh->nlmsg_type != NLMSG_ERROR)
		errx(2, "netlink: no answer");
	memcpy(&error, NLMSG_DATA(nlh), sizeof(error));
	return -error;
}

static int netlink_open(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int one = 1;

	if (fd < 0)
		err(2, "netlink");
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return fd;
}

static void ovpn_open(void)
{
	struct request req;
	struct genlmsghdr *genl = req_init(&req, GENL_ID_CTRL, 0, GENL_HDRLEN);
	uint64_t buf[1024];
	const struct nlmsghdr *nlh = (void *)buf;
	uint8_t *p = (uint8_t *)buf, *end;
	int len;

	ovpn_fd = netlink_open(NETLINK_GENERIC);
	req.nlh.nlmsg_flags = NLM_F_REQUEST;
	genl->cmd = CTRL_CMD_GETFAMILY;
	put(&req, CTRL_ATTR_FAMILY_NAME, NF_OVPN_FAMILY_NAME,
	    sizeof(NF_OVPN_FAMILY_NAME));
	if (send(ovpn_fd, req.buf, req.nlh.nlmsg_len, 0) < 0)
		err(2, "netlink");
	len = recv(ovpn_fd, buf, sizeof(buf), 0);
	if (len < 0 || nlh->nlmsg_type == NLMSG_ERROR)
		errx(2, "this kernel has no nf_ovpn");
	end = p + len;
	for (p += NLMSG_HDRLEN + GENL_HDRLEN; p < end;
	     p += NLA_ALIGN(((struct nlattr *)p)->nla_len))
		if (((struct nlattr *)p)->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&ovpn_family, p + NLA_HDRLEN, 2);
}

/* --- who and where --- */

enum place { PEER1, PEER2, LAN, LAN_B, OUTSIDE, GATEWAY, PLACES };

enum device { WAN0, LAN0, LAN1, TUN0, TAP, LOCAL, DEVICES };

static const char *const device_names[] = { "wan0", "lan0", "lan1", "tun0",
					    "packet socket", "own socket" };
static int fds[TAP + 1] = { -1, -1, -1, -1, -1 };
static int raw_fd[2];

struct addr {
	uint8_t	b[16];
};

static const char *const addr_text[PLACES][2] = {
	[PEER1]		= { "10.8.0.2", "fd08::2" },
	[PEER2]		= { "10.8.0.3", "fd08::3" },
	[LAN]		= { "198.51.100.2", "2001:db8:2::2" },
	[LAN_B]		= { "198.51.100.3", "2001:db8:2::3" },
	[OUTSIDE]	= { "203.0.113.2", "2001:db8:3::2" },
	[GATEWAY]	= { "10.8.0.1", "fd08::1" },
};

static struct addr addrs[PLACES][2];
/* the ends of the tunnels: peer 1 by IPv4, peer 2 by IPv6 */
static struct addr outer[2][2];

static const enum device device_of[PLACES] = { WAN0, WAN0, LAN0, LAN0, LAN1,
					       LOCAL };

static void addr_of(struct addr *addr, const char *text)
{
	if (inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, addr) != 1)
		errx(2, "address %s", text);
}

static int device_open(enum device dev, int flags)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | flags };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", device_names[dev]);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		err(2, "%s", device_names[dev]);
	return fd;
}

static uint32_t ifindex(enum device dev)
{
	return if_nametoindex(device_names[dev]);
}

/* --- what can be switched on and off --- */

enum toggle_type { ROUTE, RULE, SETTING, ADDRESS, MTU, SOCKET, QDISC };

static struct toggle {
	const char	*name;
	enum toggle_type type;
	int		v6;		/* ROUTE, RULE, ADDRESS */
	int		place;		/* ROUTE, ADDRESS */
	int		kind;		/* ROUTE: RTN_*, or device */
	int		value;		/* RULE: mark; table is 100 or 101 */
	const char	*path, *on, *off;	/* SETTING */
	bool		active;
} toggles[] = {
	{ "no route to peer 1", ROUTE, 0, PEER1, RTN_BLACKHOLE },
	{ "no route to peer 1, IPv6", ROUTE, 1, PEER1, RTN_BLACKHOLE },
	/* What tells the sender is limited by time, in IPv4. */
	{ "no route to peer 2", ROUTE, 0, PEER2, RTN_BLACKHOLE },
	{ "no route to peer 2, IPv6", ROUTE, 1, PEER2, RTN_PROHIBIT },
	{ "peer 1 by lan1", ROUTE, 0, PEER1, -LAN1 },
	{ "peer 1 by lan1, IPv6", ROUTE, 1, PEER1, -LAN1 },
	{ "LAN host by lan1", ROUTE, 0, LAN, -LAN1 },
	{ "LAN host by lan1, IPv6", ROUTE, 1, LAN, -LAN1 },
	{ "outside by lan0", ROUTE, 0, OUTSIDE, -LAN0 },
	{ "mark 1: nowhere", RULE, 0, 0, 0, 1 },
	{ "mark 1: nowhere, IPv6", RULE, 1, 0, 0, 1 },
	{ "mark 2: by lan1", RULE, 0, 0, 1, 2 },
	{ "mark 2: by lan1, IPv6", RULE, 1, 0, 1, 2 },
	{ "from lan1: nowhere", RULE, 0, LAN1, 0, 0 },
	{ "from lan1: nowhere, IPv6", RULE, 1, LAN1, 0, 0 },
	{ "strict rp_filter, lan0", SETTING,
	  .path = "net/ipv4/conf/lan0/rp_filter", .on = "1", .off = "0" },
	{ "strict rp_filter, all", SETTING,
	  .path = "net/ipv4/conf/all/rp_filter", .on = "1", .off = "0" },
	{ "no forwarding, lan0", SETTING,
	  .path = "net/ipv4/conf/lan0/forwarding", .on = "0", .off = "1" },
	{ "no forwarding, all of IPv6", SETTING,
	  .path = "net/ipv6/conf/all/forwarding", .on = "0", .off = "1" },
	{ "src_valid_mark", SETTING,
	  .path = "net/ipv4/conf/all/src_valid_mark", .on = "1", .off = "0" },
	{ "accept_local", SETTING,
	  .path = "net/ipv4/conf/all/accept_local", .on = "1", .off = "0" },
	{ "ip_default_ttl", SETTING,
	  .path = "net/ipv4/ip_default_ttl", .on = "33", .off = "64" },
	{ "ip_forward_use_pmtu", SETTING,
	  .path = "net/ipv4/ip_forward_use_pmtu", .on = "1", .off = "0" },
	{ "strict conntrack", SETTING,
	  .path = "net/netfilter/nf_conntrack_tcp_be_liberal",
	  .on = "0", .off = "1" },
	{ "peer 1 is ourselves", ADDRESS, 0, PEER1 },
	{ "peer 1 is ourselves, IPv6", ADDRESS, 1, PEER1 },
	{ "the LAN host is ourselves", ADDRESS, 0, LAN },
	{ "MTU of tun0", MTU },
	{ "packet socket on tun0", SOCKET },
	{ "qdisc on tun0", QDISC },
};

static int toggle_route(const struct toggle *t, bool on)
{
	struct request req;
	struct rtmsg *rtm = req_init(&req, on ? RTM_NEWROUTE : RTM_DELROUTE,
				     on ? NLM_F_CREATE | NLM_F_REPLACE : 0,
				     sizeof(*rtm));

	rtm->rtm_family = t->v6 ? AF_INET6 : AF_INET;
	rtm->rtm_dst_len = t->v6 ? 128 : 32;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_type = t->kind > 0 ? t->kind : RTN_UNICAST;
	rtm->rtm_scope = t->kind > 0 || t->v6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	put(&req, RTA_DST, &addrs[t->place][t->v6], t->v6 ? 16 : 4);
	if (t->kind <= 0)
		put32(&req, RTA_OIF, ifindex(-t->kind));
	return talk(route_fd, &req);
}

static int toggle_rule(const struct toggle *t, bool on)
{
	struct request req;
	struct fib_rule_hdr *frh = req_init(&req, on ? RTM_NEWRULE : RTM_DELRULE,
					    on ? NLM_F_CREATE | NLM_F_EXCL : 0,
					    sizeof(*frh));
	const char *name = device_names[t->place];

	frh->family = t->v6 ? AF_INET6 : AF_INET;
	frh->table = 100 + t->kind;
	frh->action = FR_ACT_TO_TBL;
	if (t->value)
		put32(&req, FRA_FWMARK, t->value);
	else
		put(&req, FRA_IIFNAME, name, strlen(name) + 1);
	put32(&req, FRA_PRIORITY, 1000 + (t - toggles));
	return talk(route_fd, &req);
}

static int toggle_address(const struct toggle *t, bool on)
{
	struct request req;
	struct ifaddrmsg *ifa = req_init(&req, on ? RTM_NEWADDR : RTM_DELADDR,
					 on ? NLM_F_CREATE | NLM_F_EXCL : 0,
					 sizeof(*ifa));

	ifa->ifa_family = t->v6 ? AF_INET6 : AF_INET;
	ifa->ifa_prefixlen = t->v6 ? 128 : 32;
	ifa->ifa_flags = t->v6 ? IFA_F_NODAD : 0;
	ifa->ifa_index = if_nametoindex("lo");
	put(&req, IFA_LOCAL, &addrs[t->place][t->v6], t->v6 ? 16 : 4);
	return talk(route_fd, &req);
}

static int toggle_qdisc(bool on)
{
	struct tc_fifo_qopt opt = { .limit = 1000 };
	struct request req;
	struct tcmsg *tcm = req_init(&req, on ? RTM_NEWQDISC : RTM_DELQDISC,
				     on ? NLM_F_CREATE | NLM_F_REPLACE : 0,
				     sizeof(*tcm));

	tcm->tcm_ifindex = ifindex(TUN0);
	tcm->tcm_handle = TC_H_MAKE(1 << 16, 0);
	tcm->tcm_parent = TC_H_ROOT;
	put(&req, TCA_KIND, "pfifo", 6);
	if (on)
		put(&req, TCA_OPTIONS, &opt, sizeof(opt));
	return talk(route_fd, &req);
}

static int toggle_setting(const struct toggle *t, bool on)
{
	const char *value = on ? t->on : t->off;
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/sys/%s", t->path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	ret = write(fd, value, strlen(value)) < 0 ? errno : 0;
	close(fd);
	return ret;
}

static int toggle_mtu(bool on)
{
	struct ifreq ifr = { .ifr_mtu = on ? 1300 : 1400 };

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", device_names[TUN0]);
	return ioctl(raw_fd[0], SIOCSIFMTU, &ifr) ? errno : 0;
}

static int toggle_socket(bool on)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex(TUN0),
	};

	if (!on) {
		close(fds[TAP]);
		fds[TAP] = -1;
		return 0;
	}
	fds[TAP] = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fds[TAP] < 0 || bind(fds[TAP], (void *)&ll, sizeof(ll)) ? errno : 0;
}

static void toggle(struct toggle *t)
{
	bool on = !t->active;
	int error = 0;

	switch (t->type) {
	case ROUTE:
		error = toggle_route(t, on);
		break;
	case RULE:
		error = toggle_rule(t, on);
		break;
	case SETTING:
		error = toggle_setting(t, on);
		break;
	case ADDRESS:
		error = toggle_address(t, on);
		break;
	case MTU:
		error = toggle_mtu(on);
		break;
	case SOCKET:
		error = toggle_socket(on);
		break;
	case QDISC:
		error = toggle_qdisc(on);
		break;
	}
	/* Two of them may be for one address. */
	if (error && error != EEXIST && error != ESRCH && error != EADDRNOTAVAIL)
		errx(2, "%s, %s: %s", t->name, on ? "on" : "off", strerror(error));
	t->active = on;
}

/* --- rule sets --- */

/* hooks that a rule may be in */
enum chain {
	RAW_PRE, PRE, NAT_PRE, INPUT, FORWARD, RAW_OUT, OUTPUT, ROUTE_OUT, POST,
	NAT_POST, LATE_POST, SUB1, SUB2, DEV_IN, DEV_OUT, CHAINS
};

#define IN(c)	(1 << (c))
#define CT	(IN(PRE) | IN(NAT_PRE) | IN(INPUT) | IN(FORWARD) | IN(OUTPUT) | \
		 IN(ROUTE_OUT) | IN(POST) | IN(NAT_POST) | IN(LATE_POST) | \
		 IN(SUB1) | IN(SUB2))
#define IP	(CT | IN(RAW_PRE) | IN(RAW_OUT))
#define ANY	(IP | IN(DEV_IN) | IN(DEV_OUT))
#define NAT	(IN(NAT_PRE) | IN(NAT_POST))
#define SOUND	(IP & ~NAT)
#define REJECT	(IN(INPUT) | IN(FORWARD) | IN(OUTPUT))

static const struct {
	const char	*name;
	const char	*head;
	int		likely;		/* percent of the rule sets have it */
} chains[CHAINS] = {
	[RAW_PRE]   = { "rawpre", "filter hook prerouting priority -300", 12 },
	[PRE]	    = { "pre", "filter hook prerouting priority -150", 25 },
	[NAT_PRE]   = { "natpre", "nat hook prerouting priority -100", 20 },
	[INPUT]	    = { "in", "filter hook input priority 0", 60 },
	[FORWARD]   = { "forw", "filter hook forward priority 0", 85 },
	[RAW_OUT]   = { "rawout", "filter hook output priority -300", 8 },
	[OUTPUT]    = { "out", "filter hook output priority 0", 40 },
	[ROUTE_OUT] = { "routeout", "route hook output priority -150", 12 },
	[POST]	    = { "post", "filter hook postrouting priority -150", 25 },
	[NAT_POST]  = { "natpost", "nat hook postrouting priority 100", 25 },
	[LATE_POST] = { "late", "filter hook postrouting priority 300", 12 },
	[SUB1]	    = { "c1", NULL, 100 },
	[SUB2]	    = { "c2", NULL, 100 },
	[DEV_IN]    = { "devin", "filter hook ingress devices = { tun0, lan0 } priority 0", 4 },
	[DEV_OUT]   = { "devout", "filter hook egress device tun0 priority 0", 2 },
};

enum proto { UDP = 1, TCP = 2, ICMP = 4, PORTS = UDP | TCP, ALL = 7 };

/* %I device in, %O device out, %4 %6 address, %p port, %m mark, %n 1 to 6,
 * %l length, %d DSCP, %t TTL
 */
struct item {
	const char	*text;
	uint16_t	chains;
	uint8_t		v6;	/* 0 either, 4, 6 */
	uint8_t		proto;	/* 0 either */
	bool		odd;	/* answers anew each time, or does something */
	bool		absent;	/* this kernel has it not */
};

static struct item matches[] = {
	{ "iifname %I", ANY & ~(IN(OUTPUT) | IN(RAW_OUT) | IN(ROUTE_OUT)) },
	{ "iif %I", IN(RAW_PRE) | IN(PRE) | IN(INPUT) | IN(FORWARD) },
	{ "iifname != %I", IN(RAW_PRE) | IN(PRE) | IN(INPUT) | IN(FORWARD) },
	{ "oifname %O", IN(FORWARD) | IN(OUTPUT) | IN(POST) | IN(NAT_POST) | IN(LATE_POST) },
	{ "oif %O", IN(FORWARD) | IN(OUTPUT) | IN(POST) | IN(LATE_POST) },
	{ "iifgroup 0", IN(PRE) | IN(FORWARD) },
	{ "meta iifkind tun", IN(FORWARD) | IN(PRE) },
	{ "ip saddr %4", ANY, 4 },
	{ "ip daddr %4", ANY, 4 },
	{ "ip saddr != %4", ANY, 4 },
	{ "ip daddr { %4, %4 }", ANY, 4 },
	{ "ip daddr 10.8.0.0/24", ANY, 4 },
	{ "ip saddr 198.51.100.0/24", ANY, 4 },
	{ "ip saddr @s4", IP, 4 },
	{ "ip daddr @s4", IP, 4 },
	{ "ip daddr != @s4", IP, 4 },
	{ "ip saddr . th dport @k4", IP, 4, PORTS },
	{ "ip daddr @i4", IP, 4 },
	{ "ip saddr @t4", IP, 4, 0, true },
	{ "ip daddr @t4", IP, 4, 0, true },
	{ "ip saddr @d4", IP, 4, 0, true },
	{ "ip daddr @d4", IP, 4, 0, true },
	{ "ip saddr != @d4", IP, 4, 0, true },
	{ "ip length > %l", ANY, 4, 0, true },
	{ "ip ttl > %t", ANY, 4, 0, true },
	{ "ip ttl 63", ANY, 4, 0, true },
	{ "ip id 3", ANY, 4, 0, true },
	{ "ip frag-off & 0x4000 != 0", ANY, 4, 0, true },
	{ "ip dscp %d", ANY, 4, 0, true },
	{ "ip ecn ect0", ANY, 4, 0, true },
	{ "ip hdrlength > 5", ANY, 4, 0, true },
	{ "ip6 saddr %6", ANY, 6 },
	{ "ip6 daddr %6", ANY, 6 },
	{ "ip6 daddr != %6", ANY, 6 },
	{ "ip6 saddr { %6, %6 }", ANY, 6 },
	{ "ip6 daddr fd08::/64", ANY, 6 },
	{ "ip6 daddr @s6", IP, 6 },
	{ "ip6 saddr @t6", IP, 6, 0, true },
	{ "ip6 hoplimit > %t", ANY, 6, 0, true },
	{ "ip6 dscp %d", ANY, 6, 0, true },
	{ "ip6 flowlabel 0", ANY, 6, 0, true },
	{ "ip6 length > %l", ANY, 6, 0, true },
	{ "exthdr dst exists", IP, 6, 0, true },
	{ "udp dport %p", ANY, 0, UDP },
	{ "udp sport %p", ANY, 0, UDP },
	{ "udp dport != %p", ANY, 0, UDP },
	{ "udp length > %l", ANY, 0, UDP, true },
	{ "@ih,0,8 0x54", IP, 0, UDP, true },
	{ "@ih,24,8 > 12", IP, 0, UDP, true },
	{ "tcp dport %p", ANY, 0, TCP },
	{ "tcp sport %p", ANY, 0, TCP },
	{ "tcp flags & (syn|fin|rst) != 0", ANY, 0, TCP },
	{ "tcp flags syn / syn,rst,ack", ANY, 0, TCP },
	{ "tcp flags & (fin|urg) == fin", ANY, 0, TCP },
	{ "tcp window > 4000", ANY, 0, TCP, true },
	{ "tcp option maxseg exists", IP, 0, TCP, true },
	{ "th dport %p", IP, 0, PORTS },
	{ "th sport { %p, %p }", IP, 0, PORTS },
	{ "@th,16,16 %p", IP, 0, PORTS },
	{ "meta l4proto udp", IP, 0, UDP },
	{ "icmp type echo-request", IP, 4, ICMP },
	{ "icmpv6 type echo-reply", IP, 6, ICMP },
	{ "meta nfproto ipv4", IP, 4 },
	{ "meta nfproto ipv6", IP, 6 },
	{ "ct state established", CT },
	{ "ct state new", CT },
	{ "ct state established,related", CT },
	{ "ct state != invalid", CT },
	{ "ct state related", CT },
	{ "ct direction original", CT },
	{ "ct direction reply", CT },
	{ "ct mark %m", CT },
	{ "ct mark != 0", CT },
	{ "ct mark & 1 == 1", CT },
	{ "ct original ip saddr %4", CT, 4 },
	{ "ct reply ip saddr %4", CT, 4 },
	{ "ct original proto-dst %p", CT, 0, PORTS },
	{ "ct l3proto ipv4", CT, 4 },
	{ "ct status seen-reply", CT, 0, 0, true },
	{ "ct status assured", CT, 0, 0, true },
	{ "ct status snat", CT, 0, 0, true },
	{ "ct packets > %n", CT, 0, 0, true },
	{ "ct original packets > %n", CT, 0, 0, true },
	{ "ct bytes > %l", CT, 0, 0, true },
	{ "ct reply bytes > %l", CT, 0, 0, true },
	{ "ct avgpkt > 100", CT, 0, 0, true },
	{ "ct expiration > 1s", CT, 0, 0, true },
	{ "ct count over %n", IN(INPUT) | IN(FORWARD) | IN(OUTPUT), 0, 0, true },
	{ "meta mark %m", ANY },
	{ "meta mark != 0", ANY },
	{ "meta mark & 1 == 1", ANY },
	{ "meta pkttype host", IN(INPUT) | IN(FORWARD) | IN(PRE) },
	{ "meta secpath missing", IN(FORWARD) | IN(INPUT) },
	{ "meta length > %l", ANY, 0, 0, true },
	{ "meta priority != 0:0", IP, 0, 0, true },
	{ "meta hour >= \"00:00\"", IP, 0, 0, true },
	{ "meta cpu 0", IP, 0, 0, true },
	{ "meta skuid 0", IN(OUTPUT) | IN(POST) | IN(ROUTE_OUT), 0, 0, true },
	{ "socket transparent 0", IN(PRE) | IN(INPUT), 0, 0, true },
	{ "fib saddr type unicast", IN(PRE) | IN(FORWARD) | IN(INPUT), 0, 0, true },
	{ "fib daddr type local", IN(PRE) | IN(INPUT), 0, 0, true },
	{ "fib saddr . iif oif exists", IN(PRE) | IN(RAW_PRE), 0, 0, true },
	{ "rt ip nexthop %4", IN(FORWARD) | IN(POST) | IN(OUTPUT), 4, 0, true },
	{ "numgen inc mod %n == 0", SOUND, 0, 0, true },
	{ "jhash ip saddr . ip daddr mod 3 seed 0x7 == 0", SOUND, 4, 0, true },
	{ "limit rate over 1/hour burst %n packets", SOUND, 0, 0, true },
	{ "limit rate 1/hour burst %n packets", SOUND, 0, 0, true },
	{ "limit rate over 1 bytes/hour burst %l bytes", SOUND, 0, 0, true },
	{ "limit name l", SOUND, 0, 0, true },
	{ "quota over %l bytes", SOUND, 0, 0, true },
	{ "quota until %l bytes", SOUND, 0, 0, true },
	{ "quota name q", SOUND, 0, 0, true },
	{ "add @m4 { ip saddr limit rate over 1/hour burst %n packets }", SOUND, 4, 0, true },
	{ "last", SOUND, 0, 0, true },
};

static struct item effects[] = {
	{ "counter", ANY },
	{ "counter name n", IP },
	{ "meta mark set %m", ANY & ~NAT, 0, 0, true },
	{ "ct mark set %m", CT & ~NAT, 0, 0, true },
	{ "ct mark set meta mark", CT & ~NAT, 0, 0, true },
	{ "meta mark set ct mark", CT & ~NAT, 0, 0, true },
	{ "ip dscp set %d", ANY & ~NAT, 4, 0, true },
	{ "ip6 dscp set %d", ANY & ~NAT, 6, 0, true },
	{ "ip ttl set %t", SOUND, 4, 0, true },
	{ "ip6 hoplimit set %t", SOUND, 6, 0, true },
	{ "ip ecn set ce", SOUND, 4, 0, true },
	{ "tcp option maxseg size set 1000", SOUND, 0, TCP, true },
	{ "tcp option maxseg size set rt mtu", IN(FORWARD) | IN(POST), 0, TCP, true },
	{ "meta priority set 1:%n", SOUND, 0, 0, true },
	{ "log group 5", SOUND, 0, 0, true },
	{ "add @d4 { ip saddr }", SOUND, 4, 0, true },
	{ "update @d4 { ip daddr }", SOUND, 4, 0, true },
	{ "delete @d4 { ip saddr }", SOUND, 4, 0, true },
	{ "update @e4 { ip saddr timeout 1h }", SOUND, 4, 0, true },
	{ "notrack", IN(RAW_PRE) | IN(RAW_OUT), 0, 0, true },
	{ "ct event set new", CT & ~NAT, 0, 0, true },
	{ "queue flags bypass to 3", IN(FORWARD) | IN(INPUT) | IN(OUTPUT), 0, 0, true },
};

static struct item verdicts[] = {
	{ "accept", ANY },
	{ "accept", ANY },
	{ "accept", ANY },
	{ "drop", ANY & ~NAT },
	{ "drop", ANY & ~NAT },
	{ "", ANY },
	{ "", ANY },
	{ "jump c1", CT & ~IN(SUB1) & ~IN(SUB2) & ~NAT },
	{ "jump c2", CT & ~IN(SUB2) & ~NAT },
	{ "goto c2", CT & ~IN(SUB1) & ~IN(SUB2) & ~NAT },
	{ "return", IP },
	{ "reject", REJECT },
	{ "reject with icmpx type admin-prohibited", REJECT },
	{ "meta l4proto tcp reject with tcp reset", REJECT, 0, TCP },
};

static struct item whole[] = {
	{ "ct state vmap { established : accept, related : accept, invalid : drop }", CT & ~NAT },
	{ "ct state established,related accept", CT & ~NAT },
	{ "ct state established accept", CT & ~NAT },
	{ "ct state new accept", CT & ~NAT },
	{ "th dport vmap { %p : drop, 5 : accept }", IP & ~NAT, 0, PORTS },
	{ "ip saddr vmap @v4", IP & ~NAT, 4 },
	{ "ip daddr vmap { 10.8.0.2 : jump c1, 10.8.0.3 : accept }",
	  IN(FORWARD) | IN(OUTPUT), 4 },
	{ "ct mark vmap { 0 : continue, 1 : accept, 2 : drop }", CT & ~NAT },
	{ "meta mark vmap { 1 : accept, 2 : drop }", CT & ~NAT },
};

static struct item dnats[] = {
	{ "dnat ip to %4", IN(NAT_PRE), 4, PORTS },
	{ "dnat ip6 to %6", IN(NAT_PRE), 6, PORTS },
	{ "meta l4proto udp dnat ip to %4:%p", IN(NAT_PRE), 4, UDP },
	{ "meta l4proto udp redirect to :%p", IN(NAT_PRE), 0, UDP },
	{ "dnat ip to %4", IN(NAT_PRE), 4, ICMP },
};

static struct item snats[] = {
	{ "masquerade", IN(NAT_POST) },
	{ "masquerade", IN(NAT_POST) },
	{ "snat ip to 198.51.100.1", IN(NAT_POST), 4 },
	{ "snat ip to 10.8.0.1", IN(NAT_POST), 4 },
	{ "snat ip to 203.0.113.1", IN(NAT_POST), 4 },
	{ "snat ip6 to 2001:db8:2::1", IN(NAT_POST), 6 },
};

/* In a table of iptables-legacy, and of ip6tables-legacy */
static struct item legacy_matches[] = {
	{ "" },
	{ "-p udp" },
	{ "-m comment --comment x" },
	{ "-m conntrack --ctstate ESTABLISHED" },
	{ "-m conntrack --ctstate NEW" },
	{ "-m conntrack --ctstatus SEEN_REPLY", .odd = true },
	{ "-m connmark --mark 1" },
	{ "-m mark ! --mark 0" },
	{ "-m state --state ESTABLISHED,RELATED" },
	{ "-m limit --limit 1/hour --limit-burst %n", .odd = true },
	{ "-m quota --quota %l", .odd = true },
	{ "-m statistic --mode nth --every %n --packet 0", .odd = true },
	{ "-m connbytes --connbytes %l: --connbytes-dir both --connbytes-mode bytes", .odd = true },
	{ "-m length --length %l:", .odd = true },
	{ "-p tcp -m tcp --tcp-flags SYN,FIN SYN" },
	{ "-p tcp -m tcp --dport %p" },
	{ "-m hashlimit --hashlimit-name x --hashlimit-above 1/hour --hashlimit-burst %n",
	  .odd = true },
};

static struct item legacy_targets[] = {
	{ "-j DROP" },
	{ "-j ACCEPT" },
	{ "-j ACCEPT" },
	{ "-j RETURN" },
	{ "" },
	{ "-j REJECT", .odd = true },
	{ "-j LOG", .odd = true },
	{ "-j MARK --set-mark %m", .odd = true },
	{ "-j CONNMARK --set-mark %m", .odd = true },
};

static const struct {
	const char *name, *text;
} objects[] = {
	{ "@s4", "set s4 { type ipv4_addr; elements = { 198.51.100.3, 203.0.113.2 }; }" },
	{ "@s6", "set s6 { type ipv6_addr; elements = { 2001:db8:2::3 }; }" },
	{ "@i4", "set i4 { type ipv4_addr; flags interval; "
		 "elements = { 10.8.0.2-10.8.0.3, 203.0.113.0/24 }; }" },
	{ "@k4", "set k4 { type ipv4_addr . inet_service; "
		 "elements = { 198.51.100.2 . 30000, 10.8.0.2 . 7000 }; }" },
	{ "@t4", "set t4 { type ipv4_addr; flags timeout; }" },
	{ "@t6", "set t6 { type ipv6_addr; flags timeout; }" },
	{ "@d4", "set d4 { type ipv4_addr; flags dynamic; size 64; }" },
	{ "@e4", "set e4 { type ipv4_addr; flags dynamic,timeout; timeout 1h; size 64; }" },
	{ "@m4", "set m4 { type ipv4_addr; flags dynamic,timeout; timeout 1h; size 64; }" },
	{ "@v4", "map v4 { type ipv4_addr : verdict; elements = { 10.8.0.3 : accept }; }" },
	{ " name n", "counter n { }" },
	{ "quota name q", "quota q { over 700 bytes }" },
	{ "limit name l", "limit l { rate over 1/hour burst 5 packets }" },
};

/* --- a case --- */

struct rule {
	enum chain	chain;
	char		text[320];
	bool		off;
};

struct flow {
	uint8_t		v6, proto;
	uint8_t		end[2];		/* who opens it, who answers */
	uint16_t	port[2];
};

/* what is special about a packet */
enum {
	LONG = 1, DSCP = 2, TTL = 4, OPTION = 8, FRAGMENTS = 16, DF = 32, SPOOF = 64,
	FIN = 128, RST = 256, URG = 512, SEGMENTS = 1024, MARK = 2048, HUGE = 4096,
	ECN = 8192, SYN = 16384,
};

enum step_type {
	PACKET, TOGGLE, COMMAND, CT_MARK, CT_DELETE, CT_FLUSH, EXPIRE, LEGACY,
};

struct step {
	enum step_type	type;
	uint8_t		flow, side;
	uint16_t	how;
	uint16_t	value;
	char		text[400];	/* COMMAND, LEGACY */
	bool		off;
};

static struct {
	uint64_t	seed;
	int		odd;		/* how many odd items there still may be */
	struct rule	rules[96];
	int		n_rules;
	bool		chain[CHAINS], policy_drop[CHAINS];
	struct flow	flows[8];
	int		n_flows;
	struct step	steps[96];
	int		n_steps;
} c;

static void append(char *text, size_t size, const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	if (vsnprintf(text + len, size - len, format, args) >= (int)(size - len))
		errx(2, "no room for %s", text);
	va_end(args);
}

/* Addresses and ports are mostly those of flows. */
static const char *some_addr(int v6)
{
	const struct flow *flow = &c.flows[rnd(c.n_flows)];

	return addr_text[percent(80) ? flow->end[rnd(2)] : rnd(PLACES)][v6];
}

static int some_port(void)
{
	const struct flow *flow = &c.flows[rnd(c.n_flows)];

	if (percent(7))
		return GW_PORT;
	return flow->port[rnd(2)];
}

static void expand(char *text, size_t size, const char *format)
{
	static const char *const devices[] = { "lan0", "lan1", "tun0", "wan0",
					       "lan0", "tun0" };
	static const char *const dscps[] = { "cs0", "cs1", "ef", "af11" };
	static const int lengths[] = { 60, 200, 500, 1000, 3000 };
	static const int ttls[] = { 1, 30, 62, 63, 64 };
	const char *p;

	for (; (p = strchr(format, '%')); format = p + 2) {
		append(text, size, "%.*s", (int)(p - format), format);
		switch (p[1]) {
		case 'I':
		case 'O':
			append(text, size, "%s", devices[rnd(ARRAY_SIZE(devices))]);
			break;
		case '4':
			append(text, size, "%s", some_addr(0));
			break;
		case '6':
			append(text, size, "%s", some_addr(1));
			break;
		case 'p':
			append(text, size, "%d", some_port());
			break;
		case 'm':
			append(text, size, "%d", rnd(4));
			break;
		case 'n':
			append(text, size, "%d", 1 + rnd(6));
			break;
		case 'l':
			append(text, size, "%d", lengths[rnd(ARRAY_SIZE(lengths))]);
			break;
		case 'd':
			append(text, size, "%s", dscps[rnd(ARRAY_SIZE(dscps))]);
			break;
		case 't':
			append(text, size, "%d", ttls[rnd(ARRAY_SIZE(ttls))]);
			break;
		}
	}
	append(text, size, "%s ", format);
}

/* One of them that may be in this chain beside what the rule has already. The
 * same number of chances is used up whether or not the kernel has it.
 */
static void add_item(struct rule *rule, const struct item *items, int n,
		     int *v6, int *proto)
{
	int tries;

	for (tries = 0; tries < 12; tries++) {
		const struct item *item = &items[rnd(n)];

		if (!(item->chains & IN(rule->chain)) ||
		    (item->v6 && *v6 && item->v6 != *v6) ||
		    (item->proto && !(item->proto & *proto)) ||
		    (item->odd && c.odd <= 0))
			continue;
		/* Chains of devices take no jumps, and no two are alike. */
		if (strstr(rule->text, item->text) && *item->text)
			continue;
		if (item->odd)
			c.odd--;
		if (item->v6)
			*v6 = item->v6;
		if (item->proto)
			*proto &= item->proto;
		if (item->absent)
			continue;
		expand(rule->text, sizeof(rule->text), item->text);
		return;
	}
}

static void make_rule(struct rule *rule, enum chain chain)
{
	int v6 = 0, proto, i;

	memset(rule, 0, sizeof(*rule));
	rule->chain = chain;
	proto = percent(40) ? UDP : percent(50) ? TCP : percent(30) ? ICMP : ALL;
	if (chain != NAT_PRE && chain != NAT_POST && percent(25)) {
		add_item(rule, whole, ARRAY_SIZE(whole), &v6, &proto);
		if (*rule->text)
			return;
	}
	for (i = percent(15) ? 0 : 1 + rnd(2); i; i--)
		add_item(rule, matches, ARRAY_SIZE(matches), &v6, &proto);
	if (percent(30))
		add_item(rule, effects, ARRAY_SIZE(effects), &v6, &proto);
	if (chain == NAT_PRE)
		add_item(rule, dnats, ARRAY_SIZE(dnats), &v6, &proto);
	else if (chain == NAT_POST)
		add_item(rule, snats, ARRAY_SIZE(snats), &v6, &proto);
	else
		add_item(rule, verdicts, ARRAY_SIZE(verdicts), &v6, &proto);
	if (!rule->text[strspn(rule->text, " ")])
		snprintf(rule->text, sizeof(rule->text), "counter");
}

static void fixed_rule(enum chain chain, const char *text)
{
	struct rule *rule = &c.rules[c.n_rules++];

	memset(rule, 0, sizeof(*rule));
	rule->chain = chain;
	snprintf(rule->text, sizeof(rule->text), "%s", text);
}

static void first_rule(enum chain chain, const char *text)
{
	memmove(c.rules + 1, c.rules, c.n_rules++ * sizeof(*c.rules));
	memset(c.rules, 0, sizeof(*c.rules));
	c.rules->chain = chain;
	snprintf(c.rules->text, sizeof(c.rules->text), "%s", text);
}

/* for the elements that expire */
static void timed_rule(void)
{
	static const char *const texts[] = {
		"ip daddr @t4 drop", "ip saddr @t4 drop", "ip daddr @t4 accept",
		"ip saddr != @t4 drop", "ip daddr @t4 jump c1",
	};

	first_rule(percent(80) ? FORWARD : c.chain[OUTPUT] ? OUTPUT : FORWARD,
		   texts[rnd(ARRAY_SIZE(texts))]);
}

static void make_chain(enum chain chain)
{
	int n;

	c.policy_drop[chain] = (chain == FORWARD || chain == INPUT ||
				chain == OUTPUT) && percent(20);
	n = chain >= SUB1 ? rnd(3) : chain == FORWARD ? 1 + rnd(5) : 1 + rnd(3);
	while (n--)
		make_rule(&c.rules[c.n_rules++], chain);
	if (chain == INPUT)
		fixed_rule(INPUT, "udp dport 1194 accept");
	if (c.policy_drop[chain]) {
		fixed_rule(chain, "ct state established,related accept");
		fixed_rule(chain, percent(70) ? "ct state new accept" :
						"iifname tun0 accept");
	}
}

static void make_flow(struct flow *flow, int n)
{
	/* nearly all are of a peer */
	static const uint8_t pairs[][2] = {
		{ PEER1, LAN }, { PEER1, LAN }, { PEER1, LAN_B }, { PEER2, LAN },
		{ LAN, PEER1 }, { LAN, PEER1 }, { LAN_B, PEER2 }, { OUTSIDE, PEER1 },
		{ PEER1, OUTSIDE }, { PEER1, PEER2 }, { PEER2, PEER1 },
		{ PEER1, GATEWAY }, { GATEWAY, PEER1 }, { GATEWAY, PEER2 },
		{ GATEWAY, PEER1 }, { LAN, OUTSIDE }, { LAN, GATEWAY },
	};
	const uint8_t *pair = pairs[rnd(ARRAY_SIZE(pairs))];

	memset(flow, 0, sizeof(*flow));
	memcpy(flow->end, pair, 2);
	flow->v6 = percent(35);
	flow->proto = percent(50) ? UDP : percent(60) ? TCP : ICMP;
	/* The gateway's own TCP would end what it knows nothing of. */
	if (flow->proto == TCP && (pair[0] == GATEWAY || pair[1] == GATEWAY) &&
	    percent(80))
		flow->proto = UDP;
	flow->port[0] = 30000 + n;
	flow->port[1] = 7000 + n;
}

static int some_how(const struct flow *flow)
{
	int how = percent(15) ? LONG : 0;

	if (percent(8))
		how |= 1 << rnd(15);
	if (percent(15))
		how |= DSCP;
	if (percent(25))
		how |= DF;
	/* Segments of lan0 only, and nothing else is special about them. */
	if (how & SEGMENTS)
		how = flow->proto == TCP && flow->end[0] != GATEWAY ? SEGMENTS : 0;
	if (flow->v6)
		how &= ~DF;
	return how;
}

static struct step *add_step(enum step_type type)
{
	struct step *step = &c.steps[c.n_steps++];

	memset(step, 0, sizeof(*step));
	step->type = type;
	return step;
}

static void packet_step(int flow, int side, int how)
{
	struct step *step = add_step(PACKET);

	step->flow = flow;
	step->side = side;
	step->how = how;
}

static enum chain some_chain(void)
{
	enum chain chain;

	do
		chain = percent(50) ? FORWARD : rnd(SUB1);
	while (!c.chain[chain]);
	return chain;
}

/* A transaction of nf_tables */
static void command_step(void)
{
	enum chain chain = some_chain();
	const char *name = chains[chain].name;
	struct step *step;
	struct rule rule;

	step = add_step(COMMAND);
	switch (rnd(12)) {
	case 0 ... 3:
		c.odd += percent(30);
		make_rule(&rule, chain);
		append(step->text, sizeof(step->text), "%s rule inet t %s %s",
		       percent(75) ? "insert" : "add", name, rule.text);
		break;
	case 4:
		append(step->text, sizeof(step->text), "flush chain inet t %s", name);
		break;
	case 5:
		if (chain == NAT_PRE || chain == NAT_POST)
			chain = FORWARD;
		append(step->text, sizeof(step->text), "chain inet t %s { policy %s; }",
		       chains[chain].name, percent(60) ? "drop" : "accept");
		break;
	case 6 ... 8:
		append(step->text, sizeof(step->text), "%s element inet t s4 { %s }",
		       percent(60) ? "add" : "destroy", some_addr(0));
		break;
	case 9:
		append(step->text, sizeof(step->text), "%s element inet t s6 { %s }",
		       percent(60) ? "add" : "destroy", some_addr(1));
		break;
	case 10:
		append(step->text, sizeof(step->text),
		       "table inet u { chain x { type filter hook %s priority %d; policy %s; }; }",
		       percent(50) ? "forward" : percent(50) ? "postrouting" : "input",
		       (int)rnd(3) * 20 - 10, percent(40) ? "drop" : "accept");
		break;
	case 11:
		append(step->text, sizeof(step->text), "destroy table inet u");
		break;
	}
}

/* A rule of x_tables; programs take their time, so this is for few cases. */
static void legacy_step(void)
{
	static const char *const chains[] = { "FORWARD", "FORWARD", "OUTPUT", "INPUT" };
	const struct item *match = &legacy_matches[rnd(ARRAY_SIZE(legacy_matches))];
	const struct item *target = &legacy_targets[rnd(ARRAY_SIZE(legacy_targets))];
	struct step *step;

	if (match->absent || target->absent)
		return;
	step = add_step(LEGACY);
	append(step->text, sizeof(step->text), "%s-legacy -w -I %s ",
	       percent(65) ? "iptables" : "ip6tables",
	       chains[rnd(ARRAY_SIZE(chains))]);
	expand(step->text, sizeof(step->text), match->text);
	expand(step->text, sizeof(step->text), target->text);
}

static void change_step(void)
{
	struct step *step;

	switch (rnd(10)) {
	case 0 ... 3:
		command_step();
		break;
	case 4 ... 6:
		step = add_step(TOGGLE);
		step->value = rnd(ARRAY_SIZE(toggles));
		break;
	case 7 ... 8:
		step = add_step(CT_MARK);
		step->flow = rnd(c.n_flows);
		step->value = rnd(3);
		break;
	case 9:
		step = add_step(percent(60) ? CT_DELETE : CT_FLUSH);
		step->flow = rnd(c.n_flows);
		break;
	}
}

static bool flow_answers(int flow)
{
	return c.flows[flow].end[1] != GATEWAY || c.flows[flow].proto != ICMP;
}

static void make_steps(void)
{
	int expire = percent(5) ? 3 + (int)rnd(8) : -1, n, i;
	bool legacy = percent(3);

	for (i = 0; i < c.n_flows; i++) {
		packet_step(i, 0, some_how(&c.flows[i]) & (DSCP | LONG));
		if (flow_answers(i) && percent(90))
			packet_step(i, 1, 0);
	}
	for (n = 16 + rnd(14); n; n--) {
		int flow = rnd(c.n_flows), side = rnd(2), burst;

		if (legacy && percent(12))
			legacy_step();
		if (n == expire) {
			struct step *step = add_step(EXPIRE);

			append(step->text, sizeof(step->text), "%s", some_addr(0));
			step->value = rnd(4);
			continue;
		}
		if (percent(17)) {
			change_step();
			/* what is done to a flow that is under way */
			if (!flow_answers(flow))
				side = 0;
		}
		if (!flow_answers(flow))
			side = 0;
		for (burst = 1 + rnd(4); burst && c.n_steps < (int)ARRAY_SIZE(c.steps) - 4; burst--)
			packet_step(flow, side, some_how(&c.flows[flow]));
	}
}

static void make_case(uint64_t seed)
{
	enum chain chain;
	int i;

	memset(&c, 0, sizeof(c));
	c.seed = seed;
	chance = seed * 0x2545f4914f6cdd1d;
	c.odd = percent(50) ? 0 : percent(50) ? 1 : percent(70) ? 2 : 12;

	c.n_flows = 2 + rnd(4);
	for (i = 0; i < c.n_flows; i++)
		make_flow(&c.flows[i], i);
	for (chain = 0; chain < CHAINS; chain++) {
		c.chain[chain] = percent(chains[chain].likely) || chain == FORWARD;
		if (c.chain[chain])
			make_chain(chain);
	}
	make_steps();
	for (i = 0; i < c.n_steps; i++)
		if (c.steps[i].type == EXPIRE)
			timed_rule();
	/* The ports that a tunnel gets are left to chance where they clash. */
	if (c.chain[NAT_POST])
		first_rule(NAT_POST, "udp sport 1194 return");
	if (c.chain[NAT_PRE])
		first_rule(NAT_PRE, "udp dport 1194 return");
}

/* --- nft --- */

static struct {
	void	*ctx;
	int	(*run)(void *ctx, const char *buf);
	const char *(*error)(void *ctx);
} nft;

static void nft_open(void)
{
	void *lib = dlopen("libnftables.so.1", RTLD_NOW);
	void *(*ctx_new)(uint32_t flags);
	int (*buffer)(void *ctx);

	if (!lib) {
		printf("1..0 # SKIP needs libnftables.so.1\n");
		exit(4);
	}
	ctx_new = dlsym(lib, "nft_ctx_new");
	nft.run = dlsym(lib, "nft_run_cmd_from_buffer");
	nft.error = dlsym(lib, "nft_ctx_get_error_buffer");
	nft.ctx = ctx_new(0);
	buffer = dlsym(lib, "nft_ctx_buffer_error");
	buffer(nft.ctx);
	buffer = dlsym(lib, "nft_ctx_buffer_output");
	buffer(nft.ctx);
}

static bool nft_run(const char *text)
{
	return !nft.run(nft.ctx, text);
}

static bool is_used(const char *name)
{
	int i;

	for (i = 0; i < c.n_rules; i++)
		if (!c.rules[i].off && strstr(c.rules[i].text, name))
			return true;
	for (i = 0; i < c.n_steps; i++)
		if (!c.steps[i].off && strstr(c.steps[i].text, name))
			return true;
	/* what steps are about */
	return !strcmp(name, "@s4") || !strcmp(name, "@s6");
}

static char ruleset[65536];

static void write_chain(enum chain chain)
{
	int i;

	append(ruleset, sizeof(ruleset), "\tchain %s {\n", chains[chain].name);
	if (chains[chain].head)
		append(ruleset, sizeof(ruleset), "\t\ttype %s; policy %s;\n",
		       chains[chain].head,
		       c.policy_drop[chain] ? "drop" : "accept");
	for (i = 0; i < c.n_rules; i++)
		if (c.rules[i].chain == chain && !c.rules[i].off)
			append(ruleset, sizeof(ruleset), "\t\t%s\n", c.rules[i].text);
	append(ruleset, sizeof(ruleset), "\t}\n");
}

static void write_ruleset(void)
{
	enum chain chain;
	size_t i;

	snprintf(ruleset, sizeof(ruleset), "flush ruleset\ntable inet t {\n");
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		if (is_used(objects[i].name))
			append(ruleset, sizeof(ruleset), "\t%s\n", objects[i].text);
	write_chain(SUB2);
	write_chain(SUB1);
	for (chain = 0; chain < SUB1; chain++)
		if (c.chain[chain])
			write_chain(chain);
	append(ruleset, sizeof(ruleset), "}\n");
	if (c.chain[DEV_IN] || c.chain[DEV_OUT]) {
		append(ruleset, sizeof(ruleset), "table netdev t {\n");
		for (chain = DEV_IN; chain <= DEV_OUT; chain++)
			if (c.chain[chain])
				write_chain(chain);
		append(ruleset, sizeof(ruleset), "}\n");
	}
}

/* Items that this kernel, or this nft, does not have are left out. */
static void probe(struct item *items, int n)
{
	enum chain chain;
	struct rule *rule;
	int i;

	for (i = 0; i < n; i++) {
		memset(&c, 0, sizeof(c));
		c.n_flows = 1;
		for (chain = 0; !(items[i].chains & IN(chain)); chain++)
			;
		c.chain[chain] = true;
		rule = &c.rules[c.n_rules++];
		rule->chain = chain;
		expand(rule->text, sizeof(rule->text), items[i].text);
		write_ruleset();
		if (nft_run(ruleset))
			continue;
		items[i].absent = true;
		printf("# not there: %s: %.*s\n", items[i].text,
		       (int)strcspn(nft.error(nft.ctx) ?: "", "\n"),
		       nft.error(nft.ctx) ?: "");
	}
}

/* --- packets --- */

/* How one end of a flow sees it; after NAT that is not how the other does. */
struct view {
	struct addr	src, dst;
	uint16_t	sport, dport;
	enum device	dev;
	int		peer;	/* of WAN0 */
	int		sock;	/* of LOCAL */
};

static struct state {
	struct view	view[2];
	uint16_t	sent[2];	/* bytes of TCP */
	bool		begun[2];
} states[ARRAY_SIZE(c.flows)];

static uint32_t packet_ids[2];

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put_be32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t sum_add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; len -= 2, p += 2)
		sum += get16(p);
	return len ? sum + (p[0] << 8) : sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static const uint8_t l4_protocols[2][5] = {
	{ 0, IPPROTO_UDP, IPPROTO_TCP, 0, IPPROTO_ICMP },
	{ 0, IPPROTO_UDP, IPPROTO_TCP, 0, IPPROTO_ICMPV6 },
};

/* The pseudo header's part of a checksum */
static uint32_t sum_pseudo(int v6, const struct addr *src,
			   const struct addr *dst, int protocol, size_t len)
{
	size_t n = v6 ? 16 : 4;

	return sum_add(sum_add(protocol + len, src->b, n), dst->b, n);
}

/* An IP header in front of @len bytes at @p + the space it needs, which is
 * returned.
 */
static size_t ip_space(int v6, int how)
{
	return (v6 ? 40 : 20) + (how & OPTION ? v6 ? 8 : 4 : 0);
}

static void put_ip(uint8_t *p, int v6, const struct addr *src,
		   const struct addr *dst, int protocol, size_t len, int how,
		   int id)
{
	size_t head = ip_space(v6, how);
	int tos = (how & DSCP ? 0x28 : 0) | (how & ECN ? 2 : 0);
	int ttl = how & TTL ? 1 + id % 3 : 64;

	memset(p, 0, head);
	if (v6) {
		p[0] = 0x60 | tos >> 4;
		p[1] = tos << 4;
		put16(p + 4, len + head - 40);
		p[6] = how & OPTION ? IPPROTO_DSTOPTS : protocol;
		p[7] = ttl;
		memcpy(p + 8, src, 16);
		memcpy(p + 24, dst, 16);
		if (how & OPTION) {
			p[40] = protocol;
			p[42] = 1;	/* PadN */
			p[43] = 4;
		}
		return;
	}
	p[0] = 0x40 | head / 4;
	p[1] = tos;
	put16(p + 2, len + head);
	put16(p + 4, id);
	put16(p + 6, how & DF ? 0x4000 : 0);
	p[8] = ttl;
	p[9] = protocol;
	memcpy(p + 12, src, 4);
	memcpy(p + 16, dst, 4);
	if (how & OPTION)
		memset(p + 20, 1, 3);	/* NOP */
	put16(p + 10, ~sum_fold(sum_add(0, p, head)));
}

static size_t payload_length(int how)
{
	return how & HUGE ? 1450 : how & SEGMENTS ? 3000 : how & LONG ? 900 : 24;
}

static void put_payload(uint8_t *p, size_t len, int flow, int side, int step)
{
	size_t i;

	p[0] = 'T';
	p[1] = flow;
	p[2] = side;
	p[3] = step;
	for (i = 4; i < len; i++)
		p[i] = i + step;
}

/* Behind the IP header. Returns the length. */
static size_t put_l4(uint8_t *p, int n, int side, int how, int step)
{
	const struct flow *flow = &c.flows[n];
	struct state *state = &states[n];
	const struct view *view = &state->view[side];
	size_t len = payload_length(how), head, sum_at;
	int protocol = l4_protocols[flow->v6][flow->proto];
	uint32_t sum = 0;

	memset(p, 0, 24);
	switch (flow->proto) {
	case UDP:
		head = 8;
		sum_at = 6;
		put16(p, view->sport);
		put16(p + 2, view->dport);
		put16(p + 4, head + len);
		break;
	case TCP:
		head = 20;
		sum_at = 16;
		put16(p, view->sport);
		put16(p + 2, view->dport);
		put_be32(p + 4, 0x54u << 24 | n << 20 | side << 16 | state->sent[side]);
		put16(p + 14, 60000);
		if (!state->begun[side] || how & SYN) {
			head = 24;
			p[13] = 2 | (side ? 16 : 0);
			p[20] = 2;	/* MSS */
			p[21] = 4;
			put16(p + 22, 1360);
			len = 0;
			state->sent[side]++;
		} else {
			p[13] = 16 | (how & FIN ? 1 : 0) | (how & URG ? 32 : 0);
			if (how & RST)
				p[13] = 4 | 16;
			state->sent[side] += len + !!(how & FIN);
		}
		if (p[13] & 16)
			put_be32(p + 8, 0x54u << 24 | n << 20 | !side << 16 |
				 state->sent[!side]);
		p[12] = head / 4 << 4;
		break;
	default:
		head = 8;
		sum_at = 2;
		p[0] = flow->v6 ? side ? 129 : 128 : side ? 0 : 8;
		put16(p + 4, view->sport);
		put16(p + 6, step);
	}
	state->begun[side] = true;
	if (len)
		put_payload(p + head, len, n, side, step);
	if (flow->proto != ICMP || flow->v6)
		sum = sum_pseudo(flow->v6, &view->src, &view->dst, protocol,
				 head + len);
	if (how & SEGMENTS)
		put16(p + sum_at, sum_fold(sum));
	else
		put16(p + sum_at, (uint16_t)~sum_fold(sum_add(sum, p, head + len)) ?: 0xffff);
	return head + len;
}

/* --- what arrives --- */

struct entry {
	uint16_t	len;
	uint8_t		step, dev;
};

static struct log {
	uint8_t	data[1 << 20];
	size_t	len;
	int	packets;
} logs[2];

static struct log *out;

static void log_add(int step, enum device dev, const void *data, size_t len)
{
	struct entry entry = { len, step, dev };

	if (out->len + sizeof(entry) + len > sizeof(out->data))
		errx(2, "no room for what arrives");
	memcpy(out->data + out->len, &entry, sizeof(entry));
	memcpy(out->data + out->len + sizeof(entry), data, len);
	out->len += sizeof(entry) + len;
	out->packets++;
}

/* An ICMP error of the gateway has a packet of a tunnel in it, whose packet ID is
 * another one each time.
 */
static void forget_quoted(uint8_t *icmp, size_t len, int v6)
{
	size_t head = v6 ? 40 : 20;
	uint8_t *udp = icmp + 8 + head;

	if (len < 8 + head + 16 || icmp[8 + (v6 ? 6 : 9)] != IPPROTO_UDP ||
	    get16(udp + 2) != GW_PORT)
		return;
	memset(icmp + 2, 0, 2);
	memset(udp + 6, 0, 2);
	memset(udp + 12, 0, 4);
}

/* Where two flows clash NAT gives one of them any port. */
static bool is_chosen(uint16_t port)
{
	int n;

	for (n = 0; n < c.n_flows; n++)
		if (port == c.flows[n].port[0] || port == c.flows[n].port[1])
			return false;
	return port != GW_PORT;
}

static void forget_ports(uint8_t *l4, int protocol)
{
	bool chosen = false;
	int at;

	if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP)
		return;
	for (at = 0; at <= 2; at += 2) {
		if (!is_chosen(get16(l4 + at)))
			continue;
		put16(l4 + at, 0);
		chosen = true;
	}
	if (chosen)
		put16(l4 + (protocol == IPPROTO_UDP ? 6 : 16), 0);
}

/* What the kernel says of its own accord is nobody's, and the IDs of what it
 * makes itself are random. Where a flow is known, the other end answers what it
 * sees. Returns false for what is not to be compared.
 */
static bool look_at(uint8_t *p, size_t len, enum device dev, int peer)
{
	int v6 = len >= 40 && p[0] >> 4 == 6, n, side;
	const uint8_t *tag;
	struct view *view;
	uint8_t *l4;
	size_t head;

	if (v6) {
		head = 40;
		/* fragments that the gateway makes */
		if (p[6] == IPPROTO_FRAGMENT && len >= 48)
			memset(p + 44, 0, 4);
		if (p[24] == 0xff || (p[6] == IPPROTO_ICMPV6 && len > 40 && p[40] >= 130 &&
				      p[40] <= 143))
			return false;
	} else {
		head = (p[0] & 15) * 4;
		if (len < 20 || head < 20)
			return true;
	}
	if (len < head + 8)
		return true;
	l4 = p + head;
	switch (p[v6 ? 6 : 9]) {
	case IPPROTO_UDP:
		tag = l4 + 8;
		break;
	case IPPROTO_TCP:
		/* A segment has its flow in the sequence number. */
		if (l4[4] == 0x54 && l4[5] >> 4 < c.n_flows) {
			n = l4[5] >> 4;
			side = l4[5] & 1;
			goto found;
		}
		goto own;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (v6 ? l4[0] < 128 : l4[0] != 0 && l4[0] != 8) {
			forget_quoted(l4, len - head, v6);
			goto own;
		}
		tag = l4 + 8;
		break;
	default:
		return true;
	}
	if (tag + 4 > p + len || tag[0] != 'T' || tag[1] >= c.n_flows || tag[2] > 1)
		goto own;
	n = tag[1];
	side = tag[2];
found:
	/* The gateway's own socket takes any ID. */
	if (!v6 && c.flows[n].end[side] == GATEWAY) {
		memset(p + 4, 0, 2);
		memset(p + 10, 0, 2);
	}
	/* A ping is sent back as it is. */
	if (c.flows[n].proto == ICMP && (l4[0] == 0 || l4[0] == 129) == !side)
		goto own;
	if (v6 != c.flows[n].v6)
		return true;
	view = &states[n].view[!side];
	if (dev == LAN0 || dev == LAN1 || dev == WAN0) {
		memcpy(&view->src, p + (v6 ? 24 : 16), v6 ? 16 : 4);
		memcpy(&view->dst, p + (v6 ? 8 : 12), v6 ? 16 : 4);
		view->dev = dev;
		view->peer = peer;
		if (c.flows[n].proto == ICMP) {
			view->sport = get16(l4 + 4);
		} else {
			view->sport = get16(l4 + 2);
			view->dport = get16(l4);
		}
	}
	forget_ports(l4, p[v6 ? 6 : 9]);
	return true;
own:
	if (!v6) {
		memset(p + 4, 0, 2);
		memset(p + 10, 0, 2);
	}
	return true;
}

/* What left by wan0: the outer header without what differs each time, and what
 * is inside.
 */
static void arrived_outer(int step, uint8_t *p, size_t len)
{
	int v6 = p[0] >> 4 == 6;
	size_t head = v6 ? 40 : 20;
	uint8_t *udp = p + head;
	int peer;

	if (len < head + 16 || p[v6 ? 6 : 9] != IPPROTO_UDP ||
	    get16(udp) != GW_PORT || udp[8] >> 3 != 9) {
		if (look_at(p, len, WAN0, 0))
			log_add(step, WAN0, p, len);
		return;
	}
	if (!v6) {
		memset(p + 4, 0, 2);
		memset(p + 10, 0, 2);
	}
	memset(udp + 6, 0, 2);
	memset(udp + 12, 0, 4);
	peer = udp[11];
	look_at(udp + 16, len - head - 16, WAN0, peer);
	log_add(step, WAN0, p, len);
}

static void arrived_socket(int step, int n, int side)
{
	const struct flow *flow = &c.flows[n];
	struct view *view = &states[n].view[side];
	struct sockaddr_storage from;
	uint8_t buf[PACKET_MAX];
	socklen_t from_len;
	ssize_t len;

	for (;;) {
		from_len = sizeof(from);
		len = recvfrom(view->sock, buf, sizeof(buf), MSG_DONTWAIT,
			       (void *)&from, &from_len);
		if (len < 0)
			return;
		if (flow->v6) {
			memcpy(&view->dst, &((struct sockaddr_in6 *)&from)->sin6_addr, 16);
			view->dport = ntohs(((struct sockaddr_in6 *)&from)->sin6_port);
		} else {
			memcpy(&view->dst, &((struct sockaddr_in *)&from)->sin_addr, 4);
			view->dport = ntohs(((struct sockaddr_in *)&from)->sin_port);
		}
		memcpy(buf + len, &view->dst, 16);
		put16(buf + len + 16, is_chosen(view->dport) ? 0 : view->dport);
		log_add(step, LOCAL, buf, len + 18);
	}
}

static void collect(int step)
{
	static uint8_t buf[65536 + 16];
	struct pollfd p[TAP + 1];
	enum device dev;
	ssize_t len;
	int n;

	for (dev = 0; dev <= TAP; dev++)
		p[dev] = (struct pollfd){ fds[dev], POLLIN, 0 };
	while (poll(p, TAP + 1, 0) > 0) {
		for (dev = 0; dev <= TAP; dev++) {
			if (!(p[dev].revents & POLLIN))
				continue;
			while ((len = read(fds[dev], buf, sizeof(buf))) > 0) {
				uint8_t *start = buf;

				if (dev == LAN0) {
					start += sizeof(struct virtio_net_hdr);
					len -= sizeof(struct virtio_net_hdr);
				}
				if (dev == WAN0)
					arrived_outer(step, start, len);
				else if (look_at(start, len, dev, 0))
					log_add(step, dev, start, len);
			}
		}
	}
	for (n = 0; n < c.n_flows; n++) {
		if (states[n].view[0].sock >= 0)
			arrived_socket(step, n, 0);
		if (states[n].view[1].sock >= 0)
			arrived_socket(step, n, 1);
	}
}

/* --- what is sent --- */

static void inject(enum device dev, int peer, uint8_t *p, size_t len, int how,
		   int v6)
{
	static uint8_t buf[PACKET_MAX + 256];
	struct virtio_net_hdr vnet = {};
	size_t head = 0;

	if (dev == LAN0) {
		if (how & SEGMENTS) {
			size_t ip = ip_space(v6, how);

			vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
			vnet.gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6 :
					     VIRTIO_NET_HDR_GSO_TCPV4;
			vnet.hdr_len = ip + 20;
			vnet.gso_size = 1200;
			vnet.csum_start = ip;
			vnet.csum_offset = 16;
		}
		head = sizeof(vnet);
		memcpy(buf, &vnet, head);
	} else if (dev == WAN0) {
		int outer_v6 = peer == 2;
		uint8_t *udp = buf + ip_space(outer_v6, 0);
		uint32_t sum;

		put16(udp, 40000 + peer);
		put16(udp + 2, GW_PORT);
		put16(udp + 4, 16 + len);
		put16(udp + 6, 0);
		put_be32(udp + 8, 9u << 27 | peer);
		put_be32(udp + 12, ++packet_ids[peer - 1]);
		memcpy(udp + 16, p, len);
		sum = sum_pseudo(outer_v6, &outer[outer_v6][1], &outer[outer_v6][0],
				 IPPROTO_UDP, len + 16);
		put16(udp + 6, (uint16_t)~sum_fold(sum_add(sum, udp, len + 16)) ?: 0xffff);
		put_ip(buf, outer_v6, &outer[outer_v6][1], &outer[outer_v6][0],
		       IPPROTO_UDP, len + 16, 0, 1);
		head = udp + 16 - buf;
	}
	memcpy(buf + head, p, len);
	if (write(fds[dev], buf, head + len) < 0 && errno != EINVAL && errno != EIO)
		err(2, "%s", device_names[dev]);
}

static void send_own(int n, int side, int how, int step)
{
	const struct flow *flow = &c.flows[n];
	const struct view *view = &states[n].view[side];
	int tos = (how & DSCP ? 0x28 : 0) | (how & ECN ? 2 : 0);
	int mark = how & MARK ? 1 : 0;
	uint8_t buf[PACKET_MAX];
	struct sockaddr_storage to = {};
	size_t len, head;
	int fd, result;

	if (flow->v6) {
		struct sockaddr_in6 *a = (void *)&to;

		a->sin6_family = AF_INET6;
		memcpy(&a->sin6_addr, &view->dst, 16);
	} else {
		struct sockaddr_in *a = (void *)&to;

		a->sin_family = AF_INET;
		memcpy(&a->sin_addr, &view->dst, 4);
	}
	if (view->sock >= 0) {
		int discover = how & DF ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;

		fd = view->sock;
		if (flow->v6) {
			((struct sockaddr_in6 *)&to)->sin6_port = htons(view->dport);
			setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
		} else {
			((struct sockaddr_in *)&to)->sin_port = htons(view->dport);
			setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
			setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover,
				   sizeof(discover));
		}
		len = payload_length(how & ~SEGMENTS);
		put_payload(buf, len, n, side, step);
	} else {
		fd = raw_fd[flow->v6];
		how &= ~(SEGMENTS | HUGE | FRAGMENTS);
		head = ip_space(flow->v6, how & ~OPTION);
		len = put_l4(buf + head, n, side, how, step);
		put_ip(buf, flow->v6, &view->src, &view->dst,
		       l4_protocols[flow->v6][flow->proto], len, how & ~OPTION,
		       step + 1);
		len += head;
	}
	setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	result = sendto(fd, buf, len, 0, (void *)&to,
			flow->v6 ? sizeof(struct sockaddr_in6) :
				   sizeof(struct sockaddr_in)) < 0 ? errno : 0;
	if (result)
		log_add(step, LOCAL, &result, sizeof(result));
}

/* Bytes @from, @len of them, of what an IP packet has behind its header */
static void send_fragment(enum device dev, int n, int side, const uint8_t *l4,
			  size_t all, size_t from, size_t len, int how, int id)
{
	const struct flow *flow = &c.flows[n];
	const struct view *view = &states[n].view[side];
	int protocol = l4_protocols[flow->v6][flow->proto];
	bool last = from + len == all;
	uint8_t buf[PACKET_MAX];
	size_t head;

	how &= ~(DF | OPTION);
	head = ip_space(flow->v6, how);
	if (flow->v6) {
		memset(buf + head, 0, 8);
		buf[head] = protocol;
		put16(buf + head + 2, from | !last);
		put_be32(buf + head + 4, id);
		memcpy(buf + head + 8, l4 + from, len);
		len += 8;
		protocol = IPPROTO_FRAGMENT;
	} else {
		memcpy(buf + head, l4 + from, len);
	}
	put_ip(buf, flow->v6, &view->src, &view->dst, protocol, len, how, id);
	if (!flow->v6) {
		put16(buf + 6, from / 8 | (last ? 0 : 0x2000));
		put16(buf + 10, 0);
		put16(buf + 10, ~sum_fold(sum_add(0, buf, head)));
	}
	inject(dev, view->peer, buf, head + len, how, flow->v6);
}

static void send_packet(int n, int side, int how, int step)
{
	const struct flow *flow = &c.flows[n];
	const struct view *view = &states[n].view[side];
	enum device dev = view->dev;
	static uint8_t buf[PACKET_MAX];
	size_t len, head;
	int protocol = l4_protocols[flow->v6][flow->proto];

	/* by another interface than that of the flow */
	if (how & SPOOF)
		dev = dev == LAN1 ? LAN0 : LAN1;
	if (dev == LOCAL) {
		send_own(n, side, how, step);
		return;
	}
	/* only lan0 takes those, and only of an open connection */
	if (dev != LAN0 || !states[n].begun[side])
		how &= ~SEGMENTS;
	if (how & SEGMENTS)
		how &= ~(OPTION | FIN | RST | URG | SYN | FRAGMENTS);
	/* inside of an outer packet */
	if (dev == WAN0)
		how &= ~HUGE;
	head = ip_space(flow->v6, how);
	len = put_l4(buf + head, n, side, how, step);
	if (how & FRAGMENTS && len >= 32) {
		send_fragment(dev, n, side, buf + head, len, 0, 24, how, step + 1);
		send_fragment(dev, n, side, buf + head, len, 24, len - 24, how, step + 1);
		return;
	}
	put_ip(buf, flow->v6, &view->src, &view->dst, protocol, len, how, step + 1);
	inject(dev, view->peer, buf, head + len, how, flow->v6);
}

/* --- conntrack --- */

static void ct_request(int type, const struct flow *flow, int mark)
{
	static const uint8_t type_of[2] = { 8, 128 };
	struct request req;
	struct nfgenmsg *nfg = req_init(&req, NFNL_SUBSYS_CTNETLINK << 8 | type, 0,
					sizeof(*nfg));
	struct nlattr *tuple, *part;
	uint8_t byte;
	uint16_t port;

	if (flow) {
		const struct addr *src = &addrs[flow->end[0]][flow->v6];
		const struct addr *dst = &addrs[flow->end[1]][flow->v6];

		nfg->nfgen_family = flow->v6 ? AF_INET6 : AF_INET;
		tuple = nest(&req, CTA_TUPLE_ORIG);
		part = nest(&req, CTA_TUPLE_IP);
		put(&req, flow->v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, src, flow->v6 ? 16 : 4);
		put(&req, flow->v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, dst, flow->v6 ? 16 : 4);
		nest_end(&req, part);
		part = nest(&req, CTA_TUPLE_PROTO);
		byte = l4_protocols[flow->v6][flow->proto];
		put(&req, CTA_PROTO_NUM, &byte, 1);
		port = htons(flow->port[0]);
		if (flow->proto == ICMP) {
			byte = 0;
			put(&req, flow->v6 ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID, &port, 2);
			put(&req, flow->v6 ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE,
			    &type_of[flow->v6], 1);
			put(&req, flow->v6 ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE, &byte, 1);
		} else {
			put(&req, CTA_PROTO_SRC_PORT, &port, 2);
			port = htons(flow->port[1]);
			put(&req, CTA_PROTO_DST_PORT, &port, 2);
		}
		nest_end(&req, part);
		nest_end(&req, tuple);
	}
	if (type == IPCTNL_MSG_CT_NEW)
		put32(&req, CTA_MARK, htonl(mark));
	switch (talk(filter_fd, &req)) {
	case 0:
	case ENOENT:
		break;
	default:
		errx(2, "conntrack");
	}
}

/* --- a run --- */

static void set_mode(int mode)
{
	struct request req;
	struct genlmsghdr *genl = req_init(&req, ovpn_family, 0, GENL_HDRLEN);
	struct nlattr *instance;

	genl->cmd = NF_OVPN_CMD_INSTANCE_SET;
	genl->version = 1;
	put32(&req, NF_OVPN_A_IFINDEX, ifindex(TUN0));
	instance = nest(&req, NF_OVPN_A_INSTANCE);
	put32(&req, NF_OVPN_A_INSTANCE_FASTPATH, mode);
	if (mode == NF_OVPN_FASTPATH_MARKED) {
		put32(&req, NF_OVPN_A_INSTANCE_FASTPATH_MARK, 1);
		put32(&req, NF_OVPN_A_INSTANCE_FASTPATH_MASK, 1);
	}
	nest_end(&req, instance);
	if (talk(ovpn_fd, &req))
		errx(2, "the mode cannot be set");
}

static int own_socket(const struct flow *flow, int side)
{
	struct sockaddr_storage at = {};
	int fd = socket(flow->v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (flow->v6) {
		struct sockaddr_in6 *a = (void *)&at;

		a->sin6_family = AF_INET6;
		a->sin6_port = htons(flow->port[side]);
		a->sin6_addr = *(struct in6_addr *)&addrs[GATEWAY][1];
	} else {
		struct sockaddr_in *a = (void *)&at;

		a->sin_family = AF_INET;
		a->sin_port = htons(flow->port[side]);
		memcpy(&a->sin_addr, &addrs[GATEWAY][0], 4);
	}
	if (fd < 0 || bind(fd, (void *)&at, flow->v6 ? sizeof(struct sockaddr_in6) :
						       sizeof(struct sockaddr_in)))
		err(2, "socket of the gateway");
	return fd;
}

static void states_init(void)
{
	int n, side;

	memset(states, 0, sizeof(states));
	for (n = 0; n < c.n_flows; n++) {
		const struct flow *flow = &c.flows[n];

		for (side = 0; side < 2; side++) {
			struct view *view = &states[n].view[side];

			view->src = addrs[flow->end[side]][flow->v6];
			view->dst = addrs[flow->end[!side]][flow->v6];
			view->sport = flow->port[side];
			view->dport = flow->port[!side];
			if (flow->proto == ICMP)
				view->sport = flow->port[0];
			view->dev = device_of[flow->end[side]];
			view->peer = flow->end[side] == PEER2 ? 2 : 1;
			view->sock = view->dev == LOCAL && flow->proto == UDP ?
				     own_socket(flow, side) : -1;
		}
	}
}

static void states_end(void)
{
	int n, side;

	for (n = 0; n < c.n_flows; n++)
		for (side = 0; side < 2; side++)
			if (states[n].view[side].sock >= 0)
				close(states[n].view[side].sock);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* An element with a timeout: some packets while it is there, and some more when
 * it has expired. That the first ones were too late is a reason to try again,
 * with more time.
 */
#define PATIENCE	40
static int patience;
static bool too_late;

static void expire(const struct step *step, int at)
{
	long begin = now_ms();
	char text[128];
	int n, round;

	snprintf(text, sizeof(text), "add element inet t t4 { %s timeout %dms }",
		 step->text, patience);
	nft_run(text);
	for (round = 0; round < 2; round++) {
		for (n = 0; n < c.n_flows; n++) {
			send_packet(n, 0, 0, at);
			collect(at);
			if (flow_answers(n)) {
				send_packet(n, 1, 0, at);
				collect(at);
			}
		}
		if (round)
			break;
		if (now_ms() - begin > patience / 2)
			too_late = true;
		while (now_ms() - begin < patience + 30)
			poll(NULL, 0, 10);
	}
}

static bool legacy_used;

static int quietly(const char *command)
{
	char text[600];

	snprintf(text, sizeof(text), "%s >/dev/null 2>&1", command);
	return system(text);
}

static void legacy_end(void)
{
	if (legacy_used)
		quietly("iptables-legacy -w -F; ip6tables-legacy -w -F");
	legacy_used = false;
}

static void legacy_probe(struct item *items, int n)
{
	char text[512];
	int i;

	memset(&c, 0, sizeof(c));
	c.n_flows = 1;
	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "iptables-legacy -w -A FORWARD ");
		expand(text, sizeof(text), items[i].text);
		items[i].absent = quietly(text);
		if (items[i].absent)
			printf("# not there: iptables-legacy %s\n", items[i].text);
	}
	legacy_used = true;
	legacy_end();
}

static bool show;

static void run_step(struct step *step, int at)
{
	switch (step->type) {
	case PACKET:
		send_packet(step->flow, step->side, step->how, at);
		break;
	case TOGGLE:
		toggle(&toggles[step->value]);
		break;
	case COMMAND:
		/* What cannot be done is done in neither mode. */
		nft_run(step->text);
		break;
	case CT_MARK:
		ct_request(IPCTNL_MSG_CT_NEW, &c.flows[step->flow], step->value);
		break;
	case CT_DELETE:
		ct_request(IPCTNL_MSG_CT_DELETE, &c.flows[step->flow], 0);
		break;
	case CT_FLUSH:
		ct_request(IPCTNL_MSG_CT_DELETE, NULL, 0);
		break;
	case EXPIRE:
		expire(step, at);
		break;
	case LEGACY:
		quietly(step->text);
		legacy_used = true;
		break;
	}
	collect(at);
}

/* Returns false when nft refuses the rule set. */
static bool run_case(int mode, struct log *log)
{
	size_t i;
	int at;

	out = log;
	out->len = 0;
	out->packets = 0;
	set_mode(mode);
	if (!nft_run(ruleset))
		return false;
	ct_request(IPCTNL_MSG_CT_DELETE, NULL, 0);
	states_init();
	for (at = 0; at < c.n_steps; at++)
		if (!c.steps[at].off)
			run_step(&c.steps[at], at);
	states_end();
	legacy_end();
	for (i = 0; i < ARRAY_SIZE(toggles); i++)
		if (toggles[i].active)
			toggle(&toggles[i]);
	return true;
}

/* --- what is printed --- */

static const char *const protos[] = { "", "UDP", "TCP", "", "ICMP" };

static void print_step(int at)
{
	static const char *const hows[] = {
		"long", "DSCP", "TTL", "option", "fragments", "DF", "other interface",
		"FIN", "RST", "URG", "segments", "mark", "huge", "ECN", "SYN"
	};
	const struct step *step = &c.steps[at];
	size_t i;

	printf("#   %2d ", at);
	switch (step->type) {
	case PACKET:
		printf("packet of flow %d, %s", step->flow,
		       step->side ? "answer" : "there");
		for (i = 0; i < ARRAY_SIZE(hows); i++)
			if (step->how & 1 << i)
				printf(", %s", hows[i]);
		break;
	case TOGGLE:
		printf("%s", toggles[step->value].name);
		break;
	case COMMAND:
		printf("nft %s", step->text);
		break;
	case CT_MARK:
		printf("conntrack mark of flow %d: %d", step->flow, step->value);
		break;
	case CT_DELETE:
		printf("conntrack entry of flow %d is deleted", step->flow);
		break;
	case CT_FLUSH:
		printf("conntrack is flushed");
		break;
	case EXPIRE:
		printf("%s in t4, and expired", step->text);
		break;
	case LEGACY:
		printf("%s", step->text);
		break;
	}
	printf("\n");
}

static void print_case(void)
{
	const char *p, *end;
	int i;

	write_ruleset();
	for (p = ruleset; *p; p = end + 1) {
		end = strchr(p, '\n');
		printf("#   %.*s\n", (int)(end - p), p);
	}
	for (i = 0; i < c.n_flows; i++)
		printf("#   flow %d: %s from %s port %d to %s port %d\n", i,
		       protos[c.flows[i].proto],
		       addr_text[c.flows[i].end[0]][c.flows[i].v6], c.flows[i].port[0],
		       addr_text[c.flows[i].end[1]][c.flows[i].v6], c.flows[i].port[1]);
	for (i = 0; i < c.n_steps; i++)
		if (!c.steps[i].off)
			print_step(i);
}

static void print_entry(const char *what, const struct log *log, size_t at)
{
	struct entry entry;
	size_t i;

	printf("#   %s: ", what);
	if (at >= log->len) {
		printf("nothing more\n");
		return;
	}
	memcpy(&entry, log->data + at, sizeof(entry));
	printf("step %d, %s, %d bytes ", entry.step, device_names[entry.dev], entry.len);
	for (i = 0; i < entry.len && i < 120; i++)
		printf("%02x", log->data[at + sizeof(entry) + i]);
	printf("\n");
}

static bool logs_equal(void)
{
	return logs[0].len == logs[1].len &&
	       !memcmp(logs[0].data, logs[1].data, logs[0].len);
}

static void print_difference(void)
{
	size_t at = 0;
	struct entry entry;

	while (at < logs[0].len && at < logs[1].len) {
		size_t n;

		memcpy(&entry, logs[0].data + at, sizeof(entry));
		n = sizeof(entry) + entry.len;
		if (at + n > logs[1].len ||
		    memcmp(logs[0].data + at, logs[1].data + at, n))
			break;
		at += n;
	}
	print_entry("without", &logs[0], at);
	print_entry("with   ", &logs[1], at);
}

/* --- comparing --- */

enum result { SAME, DIFFERENT, UNDECIDED, REFUSED };

static const int off = NF_OVPN_FASTPATH_OFF;

static enum result compare(int mode)
{
	int try;

	patience = PATIENCE;
	for (try = 0; try < 4; try++) {
		too_late = false;
		if (!run_case(off, &logs[0]) || !run_case(mode, &logs[1]))
			return REFUSED;
		if (!too_late)
			break;
		patience *= 2;
	}
	if (too_late)
		return UNDECIDED;
	return logs_equal() ? SAME : DIFFERENT;
}

/* A difference that is there each time, and not between two runs without */
static enum result compare_again(int mode)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (!run_case(off, &logs[0]) || !run_case(off, &logs[1]))
			return REFUSED;
		if (!logs_equal())
			return UNDECIDED;
		if (compare(mode) != DIFFERENT)
			return UNDECIDED;
	}
	return DIFFERENT;
}

/* Leave out what the difference does not need. */
static bool still(bool *without, int mode)
{
	*without = true;
	write_ruleset();
	if (compare(mode) == DIFFERENT)
		return true;
	*without = false;
	return false;
}

static void shrink(int mode)
{
	bool progress;
	int i;

	do {
		progress = false;
		for (i = c.n_steps - 1; i >= 0; i--)
			if (!c.steps[i].off)
				progress |= still(&c.steps[i].off, mode);
		for (i = 0; i < c.n_rules; i++)
			if (!c.rules[i].off)
				progress |= still(&c.rules[i].off, mode);
	} while (progress);
	write_ruleset();
	compare(mode);
}

static const struct {
	const char	*name;
	int		mode;
	int		every;	/* so many cases one */
} modes[] = {
	{ "accepted", NF_OVPN_FASTPATH_ACCEPTED, 1 },
	{ "marked", NF_OVPN_FASTPATH_MARKED, 8 },
};

int main(int argc, char **argv)
{
	int different = 0, undecided = 0, refused = 0, i, opt, cpu = 0;
	unsigned long long seed, first, count, packets = 0, runs = 0;
	enum result result;
	enum place place;
	cpu_set_t cpus;

	while ((opt = getopt(argc, argv, "vc:")) != -1) {
		switch (opt) {
		case 'v':
			show = true;
			break;
		case 'c':
			cpu = atoi(optarg);
			break;
		default:
			errx(2, "usage: differ [-v] [-c CPU] SEED COUNT");
		}
	}
	if (argc - optind != 2)
		errx(2, "usage: differ [-v] [-c CPU] SEED COUNT");
	first = strtoull(argv[optind], NULL, 0);
	count = strtoull(argv[optind + 1], NULL, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);

	/* What a packet does happens where it is sent. */
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);

	for (place = 0; place < PLACES; place++)
		for (i = 0; i < 2; i++)
			addr_of(&addrs[place][i], addr_text[place][i]);
	addr_of(&outer[0][0], "192.0.2.1");
	addr_of(&outer[0][1], "192.0.2.2");
	addr_of(&outer[1][0], "2001:db8:1::1");
	addr_of(&outer[1][1], "2001:db8:1::2");

	nft_open();
	route_fd = netlink_open(NETLINK_ROUTE);
	filter_fd = netlink_open(NETLINK_NETFILTER);
	ovpn_open();
	fds[WAN0] = device_open(WAN0, 0);
	fds[LAN0] = device_open(LAN0, IFF_VNET_HDR);
	fds[LAN1] = device_open(LAN1, 0);
	fds[TUN0] = device_open(TUN0, 0);
	/* The keys may have been used. */
	packet_ids[0] = time(NULL) - 1700000000;
	packet_ids[1] = packet_ids[0];
	raw_fd[0] = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	raw_fd[1] = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (raw_fd[0] < 0 || raw_fd[1] < 0)
		err(2, "raw socket");

	probe(matches, ARRAY_SIZE(matches));
	probe(effects, ARRAY_SIZE(effects));
	probe(verdicts, ARRAY_SIZE(verdicts));
	probe(whole, ARRAY_SIZE(whole));
	probe(dnats, ARRAY_SIZE(dnats));
	probe(snats, ARRAY_SIZE(snats));
	legacy_probe(legacy_matches, ARRAY_SIZE(legacy_matches));
	legacy_probe(legacy_targets, ARRAY_SIZE(legacy_targets));

	for (seed = first; seed < first + count; seed++) {
		for (i = 0; i < (int)ARRAY_SIZE(modes); i++) {
			if (seed % modes[i].every)
				continue;
			make_case(seed);
			write_ruleset();
			if (show) {
				printf("# seed %llu\n", seed);
				print_case();
			}
			result = compare(modes[i].mode);
			runs++;
			packets += logs[0].packets;
			if (result == DIFFERENT) {
				if (show)
					print_difference();
				result = compare_again(modes[i].mode);
			}
			switch (result) {
			case SAME:
				break;
			case UNDECIDED:
				printf("# seed %llu: the same run ends in different ways\n", seed);
				print_difference();
				undecided++;
				break;
			case REFUSED:
				if (!refused++ || show) {
					printf("# seed %llu: refused: %s\n", seed,
					       nft.error(nft.ctx) ?: "");
					print_case();
				}
				break;
			case DIFFERENT:
				shrink(modes[i].mode);
				/* Less is left out where time has a part. */
				if (compare_again(modes[i].mode) != DIFFERENT) {
					printf("# seed %llu: differs at times\n", seed);
					undecided++;
					break;
				}
				different++;
				printf("# seed %llu: off and %s differ\n", seed,
				       modes[i].name);
				print_case();
				print_difference();
				break;
			}
		}
		if (different >= 5)
			break;
	}
	nft_run("flush ruleset");
	printf("cases=%llu packets=%llu different=%d undecided=%d refused=%d\n",
	       runs, packets, different, undecided, refused);
	return different ? 1 : 0;
}
