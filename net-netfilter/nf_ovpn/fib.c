// SPDX-License-Identifier: GPL-2.0
/* The kernel's routes, as far as the shortcut stands for them.
 *
 * A packet that is forwarded has no route at the shortcut: it goes to the
 * device since the packet that armed its flow went there, and no route or rule
 * has changed since (the generation, see ct.c). That holds for packets of the
 * flow for which the answer could not be another one, and for routes that do
 * not end by themselves. The rest is not armed.
 */
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/flow.h>
#include <net/inet_dscp.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/nexthop.h>
#include <net/route.h>

#include "nf_ovpn.h"

/**
 * nf_ovpn_fib_asks_label - whether routing rules ask for IPv6 flow labels
 * @net: network namespace
 * @pf: family of the flow
 *
 * Packets of one flow may have different labels.
 *
 * Return: true when packets of a flow may take different routes by them.
 */
bool nf_ovpn_fib_asks_label(const struct net *net, u8 pf)
{
#if IS_ENABLED(CONFIG_IPV6) && defined(CONFIG_IPV6_MULTIPLE_TABLES)
	return pf == NFPROTO_IPV6 &&
	       READ_ONCE(net->ipv6.fib6_rules_require_flowlabel);
#else
	return false;
#endif
}

static bool is_plain6(const struct dst_entry *dst,
		      const struct nf_ovpn_instance *inst)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct inet6_dev *idev = __in6_dev_get(inst->dev);
	const struct rt6_info *rt = dst_rt6_info(dst);
	const struct fib6_info *from;

	from = rcu_dereference(rt->from);
	if (rt->rt6i_flags & RTF_EXPIRES || !from || !idev ||
	    READ_ONCE(from->fib6_flags) & RTF_EXPIRES ||
	    nf_ovpn_fib_asks_label(inst->net, NFPROTO_IPV6))
		return false;
	/* The member is chosen by the flow label, too. */
	if (READ_ONCE(from->fib6_nsiblings) ||
	    (from->nh && nexthop_is_multipath(from->nh)))
		return false;
	/* That of the device is looked at again. */
	return ip6_dst_mtu_maybe_forward(dst, true) >=
	       min_t(unsigned int, READ_ONCE(inst->dev->mtu),
		     READ_ONCE(idev->cnf.mtu6));
#else
	return false;
#endif
}

/**
 * nf_ovpn_fib_is_plain - whether a route is good for all packets of a flow
 * @dst: route of a forwarded packet, to the device of @inst
 * @inst: the instance
 * @pf: family of the packet
 *
 * Context: RCU read side.
 * Return: false when there is something about it that the shortcut would not
 * know: an end, a choice among several, an MTU of its own.
 */
bool nf_ovpn_fib_is_plain(const struct dst_entry *dst,
			  const struct nf_ovpn_instance *inst, u8 pf)
{
	if (pf == NFPROTO_IPV6)
		return is_plain6(dst, inst);
	/* What is learned of a path has no generation. */
	return !READ_ONCE(inst->net->ipv4.sysctl_ip_fwd_use_pmtu) &&
	       ip_dst_mtu_maybe_forward(dst, true) >=
	       READ_ONCE(inst->dev->mtu);
}

static bool leads_back4(const struct nf_ovpn_instance *inst,
			struct flowi4 *fl4, const struct net_device *in)
{
	const struct in_device *in_dev = __in_dev_get_rcu(in);
	struct fib_result res;
	u32 mtu;

	if (fib4_has_custom_rules(inst->net) ||
	    READ_ONCE(inst->net->ipv4.sysctl_ip_fwd_use_pmtu) ||
	    !in_dev || !IN_DEV_FORWARD(in_dev))
		return false;
	if (fib_lookup(inst->net, fl4, &res, 0) || res.type != RTN_UNICAST ||
	    fib_info_num_path(res.fi) != 1 || FIB_RES_DEV(res) != inst->dev)
		return false;
	mtu = res.fi->fib_mtu;
	return !mtu || mtu >= READ_ONCE(inst->dev->mtu);
}

static bool leads_back6(const struct nf_ovpn_instance *inst,
			struct flowi6 *fl6, const struct sk_buff *skb,
			struct net_device *in)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct dst_entry *dst;
	bool ret;

	if (fib6_has_custom_rules(inst->net))
		return false;
	dst = ip6_route_input_lookup(inst->net, in, fl6, skb,
				     RT6_LOOKUP_F_HAS_SADDR);
	ret = !dst->error && dst_dev_rcu(dst) == inst->dev &&
	      is_plain6(dst, inst);
	dst_release(dst);
	return ret;
#else
	return false;
#endif
}

/**
 * nf_ovpn_fib_leads_back - whether replies would be forwarded to the peer
 * @inst: instance of the peer
 * @ct: the flow
 * @dir: direction of the replies
 * @skb: a packet of the other direction
 * @in: device that replies come by
 *
 * With routing rules of the administrator the answer may depend on what is not
 * known before a reply is there, and is no.
 *
 * Context: RCU read side.
 * Return: true when the route leads to the device and is plain, see
 * nf_ovpn_fib_is_plain().
 */
bool nf_ovpn_fib_leads_back(const struct nf_ovpn_instance *inst,
			    const struct nf_conn *ct,
			    enum ip_conntrack_dir dir,
			    const struct sk_buff *skb, struct net_device *in)
{
	/* Routes are asked behind destination and before source NAT. */
	const union nf_inet_addr *saddr = &ct->tuplehash[dir].tuple.src.u3;
	const union nf_inet_addr *daddr = &ct->tuplehash[!dir].tuple.src.u3;

	struct flowi4 fl4 = {
		.flowi4_iif	= in->ifindex,
		.flowi4_scope	= RT_SCOPE_UNIVERSE,
		.flowi4_proto	= nf_ct_protonum(ct),
		.saddr		= saddr->ip,
		.daddr		= daddr->ip,
	};
	struct flowi6 fl6 = {
		.flowi6_iif	= in->ifindex,
		.flowi6_proto	= nf_ct_protonum(ct),
		.saddr		= saddr->in6,
		.daddr		= daddr->in6,
	};

	if (nf_ct_l3num(ct) == NFPROTO_IPV6)
		return leads_back6(inst, &fl6, skb, in);
	fl4.flowi4_dscp = ip4h_dscp(ip_hdr(skb));
	return leads_back4(inst, &fl4, in);
}
