// SPDX-License-Identifier: GPL-2.0
/* Netlink: parse a request, call, report. Policies are generated from
 * Documentation/netlink/specs/nf_ovpn.yaml, which documents all of it.
 *
 * All requests of a namespace are serialised by nf_ovpn_net::lock; those that
 * make or end an instance take RTNL before it, as the device notifier does.
 */
#include <linux/inetdevice.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "genl-gen.h"
#include "nf_ovpn.h"
#include "trace.h"

/* Which of two would count? Only the parts of a list, attributes of the type
 * @list, may be given more than once. What is validated by a policy has no type
 * as large as a word has bits.
 */
static int refuse_repeated(const struct nlattr *head, int len, int list,
			   struct netlink_ext_ack *extack)
{
	const struct nlattr *attr;
	u64 seen = 0;
	int rem;

	nla_for_each_attr(attr, head, len, rem) {
		u64 bit = BIT_ULL(nla_type(attr));

		if (nla_type(attr) != list && seen & bit) {
			NL_SET_ERR_MSG_ATTR(extack, attr,
					    "given more than once");
			return -EINVAL;
		}
		seen |= bit;
	}
	return 0;
}

static_assert(NF_OVPN_A_PEER_MAX < 64 && NF_OVPN_A_KEYCONF_MAX < 64 &&
	      NF_OVPN_A_INSTANCE_MAX < 64);

/* The same for what is in no nest */
static int refuse_repeated_top(const struct genl_info *info)
{
	return refuse_repeated(nlmsg_attrdata(info->nlhdr, GENL_HDRLEN),
			       nlmsg_attrlen(info->nlhdr, GENL_HDRLEN), 0,
			       info->extack);
}

/* Parse a nest, in which the attributes of the type @list are a list. */
static int parse_nested(struct nlattr **tb, int max, const struct nlattr *nest,
			const struct nla_policy *policy, int list,
			struct netlink_ext_ack *extack)
{
	return nla_parse_nested(tb, max, nest, policy, extack) ?:
	       refuse_repeated(nla_data(nest), nla_len(nest), list, extack);
}

/**
 * nf_ovpn_nl_instance - find the instance that a request names
 * @info: the request, or that of a dump
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: the instance, or an error pointer: -EINVAL, -ENODEV.
 */
struct nf_ovpn_instance *nf_ovpn_nl_instance(const struct genl_info *info)
{
	struct nf_ovpn_instance *inst;
	struct nlattr *ifindex;

	if (GENL_REQ_ATTR_CHECK(info, NF_OVPN_A_IFINDEX) ||
	    refuse_repeated_top(info))
		return ERR_PTR(-EINVAL);
	ifindex = info->attrs[NF_OVPN_A_IFINDEX];
	inst = nf_ovpn_instance_by_ifindex(genl_info_net(info),
					   nla_get_u32(ifindex));
	if (!inst) {
		NL_SET_ERR_MSG_ATTR(info->extack, ifindex,
				    "no instance on this device");
		return ERR_PTR(-ENODEV);
	}
	return inst;
}

/* Lock the namespace and find the instance that a request names. It is
 * unlocked when there is none.
 */
static struct nf_ovpn_instance *instance_lock(struct genl_info *info)
{
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(genl_info_net(info));
	struct nf_ovpn_instance *inst;

	mutex_lock(&ovpn_net->lock);
	inst = nf_ovpn_nl_instance(info);
	if (IS_ERR(inst))
		mutex_unlock(&ovpn_net->lock);
	return inst;
}

static void instance_unlock(struct nf_ovpn_instance *inst)
{
	mutex_unlock(&nf_ovpn_pernet(inst->net)->lock);
}

/* Parse the nest of a request, which must be there. */
static int parse_nest(const struct genl_info *info, int type,
		      struct nlattr **tb, int max,
		      const struct nla_policy *policy)
{
	int list = 0;

	if (GENL_REQ_ATTR_CHECK(info, type))
		return -EINVAL;
	if (type == NF_OVPN_A_INSTANCE)
		list = NF_OVPN_A_INSTANCE_LISTENER;
	else if (type == NF_OVPN_A_PEER)
		list = NF_OVPN_A_PEER_NETWORK;
	return parse_nested(tb, max, info->attrs[type], policy, list,
			    info->extack);
}

static struct nf_ovpn_peer *peer_find(struct nf_ovpn_instance *inst,
				      struct nlattr *id,
				      struct netlink_ext_ack *extack)
{
	struct nf_ovpn_peer *peer = xa_load(&inst->peers, nla_get_u32(id));

	if (!peer) {
		NL_SET_ERR_MSG_ATTR(extack, id, "no peer with this ID");
		return ERR_PTR(-ENOENT);
	}
	return peer;
}

/* Lock the namespace, parse the nest @type and find the peer named by its
 * attribute @id.
 */
static struct nf_ovpn_peer *peer_lock(struct genl_info *info, int type, int id,
				      struct nlattr **tb, int max,
				      const struct nla_policy *policy)
{
	struct nf_ovpn_instance *inst;
	struct nf_ovpn_peer *peer;
	int err;

	err = parse_nest(info, type, tb, max, policy);
	if (err)
		return ERR_PTR(err);
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[type], tb, id))
		return ERR_PTR(-EINVAL);

	inst = instance_lock(info);
	if (IS_ERR(inst))
		return ERR_CAST(inst);
	peer = peer_find(inst, tb[id], info->extack);
	if (IS_ERR(peer))
		instance_unlock(inst);
	return peer;
}

/* Send a reply made by @fill in @skb. */
static int reply_to(struct genl_info *info, struct sk_buff *skb, int cmd,
		    int (*fill)(struct sk_buff *skb, const void *arg),
		    const void *arg)
{
	void *hdr;
	int err;

	hdr = genlmsg_put_reply(skb, info, &nf_ovpn_nl_family, 0, cmd);
	err = hdr ? fill(skb, arg) : -EMSGSIZE;
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

static int reply(struct genl_info *info, int cmd,
		 int (*fill)(struct sk_buff *skb, const void *arg),
		 const void *arg)
{
	struct sk_buff *skb;

	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	return skb ? reply_to(info, skb, cmd, fill, arg) : -ENOMEM;
}

static int put_counts(struct sk_buff *skb, const u64 *count, int max)
{
	int i;

	for (i = 1; i <= max; i++) {
		if (nla_put_uint(skb, i, count[i]))
			return -EMSGSIZE;
	}
	return 0;
}

static int put_nested_counts(struct sk_buff *skb, int type, const u64 *count,
			     int max)
{
	struct nlattr *nest = nla_nest_start(skb, type);

	if (!nest || put_counts(skb, count, max))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* What a dump returns; @more: there is something that did not fit. An empty
 * message would be taken for the end.
 */
static int dump_result(const struct sk_buff *skb, bool more)
{
	return more && !skb->len ? -EMSGSIZE : skb->len;
}

static bool addr_is_any(const union nf_inet_addr *addr)
{
	static const union nf_inet_addr any;

	return nf_inet_addr_cmp(addr, &any);
}

/* --- instances --- */

static int fill_listeners(struct sk_buff *skb,
			  const struct nf_ovpn_instance *inst)
{
	struct nf_ovpn_listener *listener;
	struct nlattr *nest;
	int bucket;

	hash_for_each(nf_ovpn_pernet(inst->net)->listeners, bucket, listener,
		      node) {
		if (listener->inst != inst)
			continue;
		nest = nla_nest_start(skb, NF_OVPN_A_INSTANCE_LISTENER);
		if (!nest)
			return -EMSGSIZE;
		if (listener->family == NFPROTO_IPV4 &&
		    nla_put_in_addr(skb, NF_OVPN_A_LISTENER_LOCAL_IPV4,
				    listener->addr.ip))
			return -EMSGSIZE;
		if (listener->family == NFPROTO_IPV6 &&
		    nla_put_in6_addr(skb, NF_OVPN_A_LISTENER_LOCAL_IPV6,
				     &listener->addr.in6))
			return -EMSGSIZE;
		if (nla_put_be16(skb, NF_OVPN_A_LISTENER_LOCAL_PORT,
				 listener->port))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	return 0;
}

static int fill_instance(struct sk_buff *skb, const void *arg)
{
	const struct nf_ovpn_instance *inst = arg;
	u64 count[NF_OVPN_INST_STATS + 1], drops[NF_OVPN_INST_DROPS + 1];
	u64 unarmed[NF_OVPN_INST_UNARMED + 1];
	struct nlattr *nest, *stats;

	if (nla_put_u32(skb, NF_OVPN_A_IFINDEX, inst->dev->ifindex))
		return -EMSGSIZE;
	nest = nla_nest_start(skb, NF_OVPN_A_INSTANCE);
	if (!nest ||
	    nla_put_u32(skb, NF_OVPN_A_INSTANCE_MODE, inst->mode) ||
	    nla_put_u32(skb, NF_OVPN_A_INSTANCE_FASTPATH, inst->fastpath) ||
	    nla_put_u32(skb, NF_OVPN_A_INSTANCE_DSCP, inst->dscp) ||
	    nla_put_u32(skb, NF_OVPN_A_INSTANCE_DF, inst->df) ||
	    nla_put_u32(skb, NF_OVPN_A_INSTANCE_MARK, inst->mark) ||
	    (inst->bind_dev &&
	     nla_put_u32(skb, NF_OVPN_A_INSTANCE_BIND_DEV, inst->bind_dev)) ||
	    (inst->fastpath == NF_OVPN_FASTPATH_MARKED &&
	     (nla_put_u32(skb, NF_OVPN_A_INSTANCE_FASTPATH_MARK,
			  inst->fastpath_mark) ||
	      nla_put_u32(skb, NF_OVPN_A_INSTANCE_FASTPATH_MASK,
			  inst->fastpath_mask))) ||
	    nla_put_u32(skb, NF_OVPN_A_INSTANCE_PEERS, inst->num_peers) ||
	    fill_listeners(skb, inst))
		return -EMSGSIZE;
	nf_ovpn_stats_inst_sum(inst, count, drops, unarmed);
	stats = nla_nest_start(skb, NF_OVPN_A_INSTANCE_STATS);
	if (!stats || put_counts(skb, count, NF_OVPN_INST_STATS) ||
	    put_nested_counts(skb, NF_OVPN_A_STATS_DROPS, drops,
			      NF_OVPN_INST_DROPS) ||
	    put_nested_counts(skb, NF_OVPN_A_STATS_UNARMED, unarmed,
			      NF_OVPN_INST_UNARMED))
		return -EMSGSIZE;
	nla_nest_end(skb, stats);
	nla_nest_end(skb, nest);
	return 0;
}

static int parse_listener(const struct nlattr *attr, struct hlist_head *list,
			  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_OVPN_A_LISTENER_MAX + 1];
	struct nf_ovpn_listener *listener, *other;
	int err;

	err = parse_nested(tb, NF_OVPN_A_LISTENER_MAX, attr,
			   nf_ovpn_listener_nl_policy, 0, extack);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(extack, attr, tb, NF_OVPN_A_LISTENER_LOCAL_PORT))
		return -EINVAL;
	if (tb[NF_OVPN_A_LISTENER_LOCAL_IPV4] &&
	    tb[NF_OVPN_A_LISTENER_LOCAL_IPV6]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_LISTENER_LOCAL_IPV6],
				    "a listener has one address");
		return -EINVAL;
	}

	listener = kzalloc_obj(*listener, GFP_KERNEL_ACCOUNT);
	if (!listener)
		return -ENOMEM;
	listener->port = nla_get_be16(tb[NF_OVPN_A_LISTENER_LOCAL_PORT]);
	listener->family = NFPROTO_UNSPEC;
	if (tb[NF_OVPN_A_LISTENER_LOCAL_IPV4]) {
		listener->family = NFPROTO_IPV4;
		listener->addr.ip =
			nla_get_in_addr(tb[NF_OVPN_A_LISTENER_LOCAL_IPV4]);
	} else if (tb[NF_OVPN_A_LISTENER_LOCAL_IPV6]) {
		listener->family = NFPROTO_IPV6;
		listener->addr.in6 =
			nla_get_in6_addr(tb[NF_OVPN_A_LISTENER_LOCAL_IPV6]);
	}
	hlist_for_each_entry(other, list, node) {
		if (other->port == listener->port &&
		    other->family == listener->family &&
		    nf_inet_addr_cmp(&other->addr, &listener->addr)) {
			NL_SET_ERR_MSG_ATTR(extack, attr,
					    "given more than once");
			kfree(listener);
			return -EINVAL;
		}
	}
	hlist_add_head(&listener->node, list);
	return 0;
}

/* The device that outer packets are to go by must be there, and be another. */
static int check_bind_dev(struct net *net, struct nlattr **tb, u32 ifindex,
			  struct netlink_ext_ack *extack)
{
	struct nlattr *bind = tb[NF_OVPN_A_INSTANCE_BIND_DEV];
	bool there;

	if (!bind || !nla_get_u32(bind))
		return 0;
	rcu_read_lock();
	there = dev_get_by_index_rcu(net, nla_get_u32(bind));
	rcu_read_unlock();
	if (!there) {
		NL_SET_ERR_MSG_ATTR(extack, bind, "no such device");
		return -ENODEV;
	}
	if (nla_get_u32(bind) == ifindex) {
		NL_SET_ERR_MSG_ATTR(extack, bind, "the tunnel itself");
		return -EINVAL;
	}
	return 0;
}

/* The mark and mask belong to "marked" and are refused without it. */
static int check_fastpath(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct nlattr *fastpath = tb[NF_OVPN_A_INSTANCE_FASTPATH];
	struct nlattr *mark = tb[NF_OVPN_A_INSTANCE_FASTPATH_MARK];
	struct nlattr *mask = tb[NF_OVPN_A_INSTANCE_FASTPATH_MASK];
	bool marked = fastpath &&
		      nla_get_u32(fastpath) == NF_OVPN_FASTPATH_MARKED;

	if (marked && !mark) {
		NL_SET_ERR_MSG_ATTR(extack, fastpath,
				    "fastpath marked needs a mark");
		return -EINVAL;
	}
	if (!marked && (mark || mask)) {
		NL_SET_ERR_MSG_ATTR(extack, mark ?: mask,
				    "only with fastpath marked");
		return -EINVAL;
	}
	if (marked && mask && nla_get_u32(mark) & ~nla_get_u32(mask)) {
		NL_SET_ERR_MSG_ATTR(extack, mark,
				    "the mark has bits that are not in its mask");
		return -EINVAL;
	}
	return 0;
}

static void parse_fastpath(struct nlattr **tb, struct nf_ovpn_instance *inst)
{
	struct nlattr *mask = tb[NF_OVPN_A_INSTANCE_FASTPATH_MASK];
	u32 fastpath;

	if (!tb[NF_OVPN_A_INSTANCE_FASTPATH])
		return;
	fastpath = nla_get_u32(tb[NF_OVPN_A_INSTANCE_FASTPATH]);
	if (fastpath == NF_OVPN_FASTPATH_MARKED) {
		/* In between no flow matches that should not. */
		WRITE_ONCE(inst->fastpath, NF_OVPN_FASTPATH_OFF);
		WRITE_ONCE(inst->fastpath_mark,
			   nla_get_u32(tb[NF_OVPN_A_INSTANCE_FASTPATH_MARK]));
		WRITE_ONCE(inst->fastpath_mask,
			   mask ? nla_get_u32(mask) : U32_MAX);
	}
	/* Whoever sees the mode sees the mark. */
	smp_store_release(&inst->fastpath, fastpath);
	nf_ovpn_gen_bump(inst->net);
}

static void parse_outer(struct nlattr **tb, struct nf_ovpn_instance *inst)
{
	struct nlattr *dscp = tb[NF_OVPN_A_INSTANCE_DSCP];
	struct nlattr *mark = tb[NF_OVPN_A_INSTANCE_MARK];
	struct nlattr *bind = tb[NF_OVPN_A_INSTANCE_BIND_DEV];
	struct nlattr *df = tb[NF_OVPN_A_INSTANCE_DF];
	struct nf_ovpn_peer *peer;
	bool reroute = false;
	unsigned long id;

	if (dscp)
		WRITE_ONCE(inst->dscp, nla_get_u32(dscp));
	if (df)
		WRITE_ONCE(inst->df, nla_get_u32(df));
	if (mark && nla_get_u32(mark) != inst->mark) {
		WRITE_ONCE(inst->mark, nla_get_u32(mark));
		reroute = true;
	}
	if (bind && nla_get_u32(bind) != inst->bind_dev) {
		WRITE_ONCE(inst->bind_dev, nla_get_u32(bind));
		reroute = true;
	}
	if (!reroute)
		return;
	xa_for_each(&inst->peers, id, peer)
		nf_ovpn_peer_forget_route(peer);
}

static int parse_listeners(struct genl_info *info, struct hlist_head *list)
{
	unsigned int num = 0;
	struct nlattr *attr;
	int err, rem;

	nla_for_each_nested(attr, info->attrs[NF_OVPN_A_INSTANCE], rem) {
		if (nla_type(attr) != NF_OVPN_A_INSTANCE_LISTENER)
			continue;
		if (++num > NF_OVPN_MAX_LISTENERS) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr,
					    "too many listeners");
			nf_ovpn_listeners_free(list);
			return -E2BIG;
		}
		err = parse_listener(attr, list, info->extack);
		if (err) {
			nf_ovpn_listeners_free(list);
			return err;
		}
	}
	return 0;
}

/* Give an instance its listeners, or name the one that it cannot have. */
static int set_listeners(struct nf_ovpn_instance *inst,
			 struct hlist_head *listeners, struct nlattr *nest,
			 struct netlink_ext_ack *extack)
{
	unsigned int which, num = 0;
	struct nlattr *attr;
	int err, rem;

	err = nf_ovpn_listeners_set(inst, listeners, &which);
	if (!err)
		return 0;
	nla_for_each_nested_type(attr, NF_OVPN_A_INSTANCE_LISTENER, nest, rem)
		num++;
	nla_for_each_nested_type(attr, NF_OVPN_A_INSTANCE_LISTENER, nest, rem) {
		if (--num == which)
			NL_SET_ERR_MSG_ATTR(extack, attr,
					    "another instance has this listener");
	}
	return err;
}

int nf_ovpn_nl_instance_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	enum nf_ovpn_fastpath fastpath = NF_OVPN_FASTPATH_ACCEPTED;
	struct nlattr *tb[NF_OVPN_A_INSTANCE_BIND_DEV + 1];
	struct net *net = genl_info_net(info);
	enum nf_ovpn_mode mode = NF_OVPN_MODE_MP;
	struct nf_ovpn_instance *inst;
	HLIST_HEAD(listeners);
	struct net_device *dev;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, NF_OVPN_A_IFINDEX) ||
	    refuse_repeated_top(info))
		return -EINVAL;
	err = parse_nest(info, NF_OVPN_A_INSTANCE, tb,
			 NF_OVPN_A_INSTANCE_BIND_DEV,
			 nf_ovpn_instance_new_input_nl_policy);
	if (err)
		return err;
	err = check_fastpath(tb, info->extack);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[NF_OVPN_A_INSTANCE], tb,
			      NF_OVPN_A_INSTANCE_LISTENER))
		return -EINVAL;
	err = parse_listeners(info, &listeners);
	if (err)
		return err;
	if (tb[NF_OVPN_A_INSTANCE_MODE])
		mode = nla_get_u32(tb[NF_OVPN_A_INSTANCE_MODE]);
	if (tb[NF_OVPN_A_INSTANCE_FASTPATH])
		fastpath = nla_get_u32(tb[NF_OVPN_A_INSTANCE_FASTPATH]);

	rtnl_lock();
	dev = __dev_get_by_index(net,
				 nla_get_u32(info->attrs[NF_OVPN_A_IFINDEX]));
	if (!dev) {
		NL_SET_ERR_MSG_ATTR(info->extack,
				    info->attrs[NF_OVPN_A_IFINDEX],
				    "no such device");
		err = -ENODEV;
		goto out;
	}
	err = check_bind_dev(net, tb, dev->ifindex, info->extack);
	if (err)
		goto out;
	mutex_lock(&nf_ovpn_pernet(net)->lock);
	err = nf_ovpn_instance_new(dev, mode, fastpath, &inst, info->extack);
	if (!err) {
		parse_outer(tb, inst);
		parse_fastpath(tb, inst);
		err = set_listeners(inst, &listeners,
				    info->attrs[NF_OVPN_A_INSTANCE],
				    info->extack);
		if (err)
			nf_ovpn_instance_del(inst,
					     NF_OVPN_DEL_INSTANCE_REASON_USERSPACE);
	} else {
		NL_SET_BAD_ATTR(info->extack, info->attrs[NF_OVPN_A_IFINDEX]);
	}
	mutex_unlock(&nf_ovpn_pernet(net)->lock);
out:
	rtnl_unlock();
	nf_ovpn_listeners_free(&listeners);
	return err;
}

int nf_ovpn_nl_instance_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_INSTANCE_BIND_DEV + 1];
	struct nf_ovpn_instance *inst;
	HLIST_HEAD(listeners);
	int err;

	err = parse_nest(info, NF_OVPN_A_INSTANCE, tb,
			 NF_OVPN_A_INSTANCE_BIND_DEV,
			 nf_ovpn_instance_set_input_nl_policy);
	if (err)
		return err;
	err = check_fastpath(tb, info->extack);
	if (err)
		return err;
	err = parse_listeners(info, &listeners);
	if (err)
		return err;

	inst = instance_lock(info);
	if (IS_ERR(inst)) {
		err = PTR_ERR(inst);
		goto out;
	}
	err = check_bind_dev(inst->net, tb, inst->dev->ifindex, info->extack);
	if (err)
		goto unlock;
	if (!hlist_empty(&listeners))
		err = set_listeners(inst, &listeners,
				    info->attrs[NF_OVPN_A_INSTANCE],
				    info->extack);
	if (err)
		goto unlock;
	parse_outer(tb, inst);
	parse_fastpath(tb, inst);
unlock:
	instance_unlock(inst);
out:
	nf_ovpn_listeners_free(&listeners);
	return err;
}

int nf_ovpn_nl_instance_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nf_ovpn_instance *inst = instance_lock(info);
	int err;

	if (IS_ERR(inst))
		return PTR_ERR(inst);
	err = reply(info, NF_OVPN_CMD_INSTANCE_GET, fill_instance, inst);
	instance_unlock(inst);
	return err;
}

int nf_ovpn_nl_instance_get_dumpit(struct sk_buff *skb,
				   struct netlink_callback *cb)
{
	struct net *net = sock_net(skb->sk);
	struct nf_ovpn_instance *inst;
	long idx = 0;
	void *hdr;

	mutex_lock(&nf_ovpn_pernet(net)->lock);
	list_for_each_entry(inst, &nf_ovpn_pernet(net)->instances, list) {
		if (idx++ < cb->args[0])
			continue;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				  cb->nlh->nlmsg_seq, &nf_ovpn_nl_family,
				  NLM_F_MULTI, NF_OVPN_CMD_INSTANCE_GET);
		if (!hdr)
			break;
		if (fill_instance(skb, inst)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		cb->args[0]++;
	}
	mutex_unlock(&nf_ovpn_pernet(net)->lock);
	return dump_result(skb, cb->args[0] < idx);
}

int nf_ovpn_nl_instance_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nf_ovpn_instance *inst;
	int err = 0;

	rtnl_lock();
	inst = instance_lock(info);
	if (IS_ERR(inst)) {
		err = PTR_ERR(inst);
	} else {
		struct net *net = inst->net;

		nf_ovpn_instance_del(inst,
				     NF_OVPN_DEL_INSTANCE_REASON_USERSPACE);
		mutex_unlock(&nf_ovpn_pernet(net)->lock);
	}
	rtnl_unlock();
	return err;
}

/* --- peers --- */

static int fill_endpoint(struct sk_buff *skb, const struct nf_ovpn_peer *peer)
{
	const struct nf_ovpn_endpoint *ep;
	int err = -EMSGSIZE;

	rcu_read_lock();
	ep = rcu_dereference(peer->endpoint);
	if (ep->family == NFPROTO_IPV4) {
		if (nla_put_in_addr(skb, NF_OVPN_A_PEER_REMOTE_IPV4,
				    ep->remote.ip) ||
		    (!addr_is_any(&ep->local) &&
		     nla_put_in_addr(skb, NF_OVPN_A_PEER_LOCAL_IPV4,
				     ep->local.ip)))
			goto out;
	} else {
		if (nla_put_in6_addr(skb, NF_OVPN_A_PEER_REMOTE_IPV6,
				     &ep->remote.in6) ||
		    (!addr_is_any(&ep->local) &&
		     nla_put_in6_addr(skb, NF_OVPN_A_PEER_LOCAL_IPV6,
				      &ep->local.in6)) ||
		    (ep->scope_id &&
		     nla_put_u32(skb, NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID,
				 ep->scope_id)))
			goto out;
	}
	if (!nla_put_be16(skb, NF_OVPN_A_PEER_REMOTE_PORT, ep->remote_port) &&
	    !nla_put_be16(skb, NF_OVPN_A_PEER_LOCAL_PORT, ep->local_port))
		err = 0;
out:
	rcu_read_unlock();
	return err;
}

static int fill_network(struct sk_buff *skb,
			const struct nf_ovpn_prefix *network)
{
	struct nlattr *nest = nla_nest_start(skb, NF_OVPN_A_PEER_NETWORK);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = network->family == NFPROTO_IPV4 ?
	      nla_put_in_addr(skb, NF_OVPN_A_NETWORK_IPV4, network->addr.ip) :
	      nla_put_in6_addr(skb, NF_OVPN_A_NETWORK_IPV6,
			       &network->addr.in6);
	if (err || nla_put_u8(skb, NF_OVPN_A_NETWORK_PREFIX_LEN, network->len))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* The largest network and the flag that more of them follow. A nest has a
 * length of 16 bits, so that not all of them may fit into one.
 */
#define NETWORK_SPACE	(nla_total_size(nla_total_size(16) + \
					nla_total_size(1)) + \
			 nla_total_size(0))
#define NETWORKS_LEN	SZ_32K

/* The networks of a peer from @first on, in the nest of the peer.
 *
 * Returns the first that had no room, or how many there are.
 */
static unsigned int fill_networks(struct sk_buff *skb, struct nlattr *nest,
				  const struct nf_ovpn_vpn *vpn,
				  unsigned int first)
{
	unsigned int i;

	for (i = first; i < vpn->num; i++) {
		if (skb_tailroom(skb) < NETWORK_SPACE ||
		    skb_tail_pointer(skb) - (u8 *)nest > NETWORKS_LEN) {
			nla_put_flag(skb, NF_OVPN_A_PEER_MORE_NETWORKS);
			break;
		}
		fill_network(skb, &vpn->networks[i]);
	}
	return i;
}

struct peer_arg {
	const struct nf_ovpn_peer	*peer;
	unsigned int			first;
	unsigned int			*next;
};

/* A peer, or what is left of its networks. */
static int fill_peer(struct sk_buff *skb, const void *arg)
{
	const struct peer_arg *a = arg;
	const struct nf_ovpn_peer *peer = a->peer;
	const struct nf_ovpn_vpn *vpn = nf_ovpn_peer_vpn(peer);
	u64 count[NF_OVPN_PEER_STATS + 1];
	struct nlattr *nest;

	if (nla_put_u32(skb, NF_OVPN_A_IFINDEX, peer->inst->dev->ifindex))
		return -EMSGSIZE;
	nest = nla_nest_start(skb, NF_OVPN_A_PEER);
	if (!nest || nla_put_u32(skb, NF_OVPN_A_PEER_ID, peer->id))
		return -EMSGSIZE;
	if (a->first)
		goto networks;
	if (nla_put_u32(skb, NF_OVPN_A_PEER_TX_ID, peer->tx_id) ||
	    fill_endpoint(skb, peer))
		return -EMSGSIZE;
	if (vpn->has_ip &&
	    nla_put_in_addr(skb, NF_OVPN_A_PEER_VPN_IPV4, vpn->ip.ip))
		return -EMSGSIZE;
	if (vpn->has_in6 &&
	    nla_put_in6_addr(skb, NF_OVPN_A_PEER_VPN_IPV6, &vpn->in6.in6))
		return -EMSGSIZE;
	if (nla_put_u32(skb, NF_OVPN_A_PEER_MARK, peer->mark) ||
	    nla_put_u16(skb, NF_OVPN_A_PEER_TCP_MSS, peer->tcp_mss) ||
	    nla_put_u32(skb, NF_OVPN_A_PEER_FRAMING, peer->framing) ||
	    (peer->data_v1 && nla_put_flag(skb, NF_OVPN_A_PEER_DATA_V1)) ||
	    nla_put_u32(skb, NF_OVPN_A_PEER_KEEPALIVE_INTERVAL,
			peer->keepalive_interval / HZ) ||
	    nla_put_u32(skb, NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT,
			peer->keepalive_timeout / HZ))
		return -EMSGSIZE;
	nf_ovpn_stats_peer_sum(peer, count);
	if (put_nested_counts(skb, NF_OVPN_A_PEER_STATS, count,
			      NF_OVPN_PEER_STATS))
		return -EMSGSIZE;
networks:
	if (a->first < vpn->num && skb_tailroom(skb) < NETWORK_SPACE)
		return -EMSGSIZE;
	*a->next = fill_networks(skb, nest, vpn, a->first);
	nla_nest_end(skb, nest);
	return 0;
}

static bool is_host4(const struct nlattr *attr)
{
	__be32 addr = nla_get_in_addr(attr);

	return !ipv4_is_zeronet(addr) && !ipv4_is_multicast(addr) &&
	       !ipv4_is_lbcast(addr);
}

static bool is_host6(const struct nlattr *attr)
{
	struct in6_addr addr = nla_get_in6_addr(attr);

	return !ipv6_addr_any(&addr) && !ipv6_addr_is_multicast(&addr) &&
	       !ipv6_addr_v4mapped(&addr);
}

/* Addresses that are somebody's, or absent */
static int check_hosts(struct nlattr *ip, struct nlattr *in6,
		       struct netlink_ext_ack *extack)
{
	if (ip && !is_host4(ip)) {
		NL_SET_ERR_MSG_ATTR(extack, ip, "not the address of a host");
		return -EINVAL;
	}
	if (in6 && !is_host6(in6)) {
		NL_SET_ERR_MSG_ATTR(extack, in6, "not the address of a host");
		return -EINVAL;
	}
	return 0;
}

/* The interface goes with a link-local address, and with nothing else. */
static int check_scope(const struct nf_ovpn_endpoint *ep, struct nlattr *nest,
		       struct nlattr *scope, struct netlink_ext_ack *extack)
{
	bool local = ep->family == NFPROTO_IPV6 &&
		     ipv6_addr_type(&ep->remote.in6) & IPV6_ADDR_LINKLOCAL;

	if (local && !ep->scope_id) {
		NL_SET_ERR_ATTR_MISS(extack, nest,
				     NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID);
		NL_SET_ERR_MSG(extack, "a link-local address has an interface");
		return -EINVAL;
	}
	if (!local && scope) {
		NL_SET_ERR_MSG_ATTR(extack, scope,
				    "the remote address is not link-local");
		return -EINVAL;
	}
	return 0;
}

/* Make an endpoint of the remote and local attributes; @old is what they
 * change, or NULL.
 */
static struct nf_ovpn_endpoint *
parse_endpoint(const struct nf_ovpn_instance *inst, struct nlattr *nest,
	       struct nlattr **tb, const struct nf_ovpn_endpoint *old,
	       struct netlink_ext_ack *extack)
{
	struct nlattr *r4 = tb[NF_OVPN_A_PEER_REMOTE_IPV4];
	struct nlattr *r6 = tb[NF_OVPN_A_PEER_REMOTE_IPV6];
	struct nlattr *l4 = tb[NF_OVPN_A_PEER_LOCAL_IPV4];
	struct nlattr *l6 = tb[NF_OVPN_A_PEER_LOCAL_IPV6];
	struct nf_ovpn_listener *listener;
	struct nf_ovpn_endpoint *ep;
	int bucket;

	if (!old) {
		if (!r4 && !r6) {
			NL_SET_ERR_ATTR_MISS(extack, nest,
					     NF_OVPN_A_PEER_REMOTE_IPV4);
			NL_SET_ERR_MSG(extack, "remote-ipv4 or remote-ipv6 is needed");
			return ERR_PTR(-EINVAL);
		}
		if (NL_REQ_ATTR_CHECK(extack, nest, tb,
				      NF_OVPN_A_PEER_REMOTE_PORT))
			return ERR_PTR(-EINVAL);
	}
	if (r4 && r6) {
		NL_SET_ERR_MSG_ATTR(extack, r6,
				    "a peer has one remote address");
		return ERR_PTR(-EINVAL);
	}
	if (check_hosts(r4, r6, extack))
		return ERR_PTR(-EINVAL);
#if !IS_ENABLED(CONFIG_IPV6)
	if (r6) {
		NL_SET_ERR_MSG_ATTR(extack, r6, "this kernel has no IPv6");
		return ERR_PTR(-EAFNOSUPPORT);
	}
#endif

	ep = nf_ovpn_endpoint_new(GFP_KERNEL_ACCOUNT);
	if (!ep)
		return ERR_PTR(-ENOMEM);
	if (old) {
		ep->family = old->family;
		ep->remote = old->remote;
		ep->remote_port = old->remote_port;
		ep->local = old->local;
		ep->local_port = old->local_port;
		ep->scope_id = old->scope_id;
	}

	if (r4 || r6) {
		/* A local address of the other family is of no use. */
		if (ep->family != (r4 ? NFPROTO_IPV4 : NFPROTO_IPV6))
			memset(&ep->local, 0, sizeof(ep->local));
		memset(&ep->remote, 0, sizeof(ep->remote));
		ep->scope_id = 0;
	}
	if (r4) {
		ep->family = NFPROTO_IPV4;
		ep->remote.ip = nla_get_in_addr(r4);
	} else if (r6) {
		ep->family = NFPROTO_IPV6;
		ep->remote.in6 = nla_get_in6_addr(r6);
	}
	if (tb[NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID])
		ep->scope_id =
			nla_get_u32(tb[NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID]);
	if (tb[NF_OVPN_A_PEER_REMOTE_PORT])
		ep->remote_port =
			nla_get_be16(tb[NF_OVPN_A_PEER_REMOTE_PORT]);
	if (check_scope(ep, nest, tb[NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID],
			extack)) {
		nf_ovpn_endpoint_free(ep);
		return ERR_PTR(-EINVAL);
	}

	if (ep->family == NFPROTO_IPV4 ? !!l6 : !!l4) {
		NL_SET_ERR_MSG_ATTR(extack, l6 ?: l4,
				    "not of the family of the remote address");
		nf_ovpn_endpoint_free(ep);
		return ERR_PTR(-EINVAL);
	}
	if (l4)
		ep->local.ip = nla_get_in_addr(l4);
	else if (l6)
		ep->local.in6 = nla_get_in6_addr(l6);
	if (tb[NF_OVPN_A_PEER_LOCAL_PORT])
		ep->local_port = nla_get_be16(tb[NF_OVPN_A_PEER_LOCAL_PORT]);

	if (!ep->local_port) {
		hash_for_each(nf_ovpn_pernet(inst->net)->listeners, bucket,
			      listener, node) {
			if (listener->inst != inst ||
			    (listener->family != ep->family &&
			     listener->family != NFPROTO_UNSPEC))
				continue;
			ep->local_port = listener->port;
			if (!l4 && !l6)
				ep->local = listener->addr;
			break;
		}
	}
	if (!ep->local_port) {
		NL_SET_ERR_ATTR_MISS(extack, nest, NF_OVPN_A_PEER_LOCAL_PORT);
		NL_SET_ERR_MSG(extack, "local-port is needed: no listener of this family");
		nf_ovpn_endpoint_free(ep);
		return ERR_PTR(-EINVAL);
	}
	return ep;
}

static int parse_network(const struct nlattr *attr,
			 struct nf_ovpn_prefix *network,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_OVPN_A_NETWORK_MAX + 1];
	struct nlattr *a4, *a6, *len;
	union nf_inet_addr masked = {};
	int err;

	err = parse_nested(tb, NF_OVPN_A_NETWORK_MAX, attr,
			   nf_ovpn_network_nl_policy, 0, extack);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(extack, attr, tb, NF_OVPN_A_NETWORK_PREFIX_LEN))
		return -EINVAL;
	a4 = tb[NF_OVPN_A_NETWORK_IPV4];
	a6 = tb[NF_OVPN_A_NETWORK_IPV6];
	len = tb[NF_OVPN_A_NETWORK_PREFIX_LEN];
	if (!a4 == !a6) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "a network is of IPv4 or of IPv6");
		return -EINVAL;
	}

	network->len = nla_get_u8(len);
	if (a4) {
		network->family = NFPROTO_IPV4;
		network->addr.ip = nla_get_in_addr(a4);
		if (network->len > 32) {
			NL_SET_ERR_MSG_ATTR(extack, len,
					    "longer than an IPv4 address");
			return -EINVAL;
		}
		masked.ip = network->addr.ip & inet_make_mask(network->len);
	} else {
		network->family = NFPROTO_IPV6;
		network->addr.in6 = nla_get_in6_addr(a6);
		ipv6_addr_prefix(&masked.in6, &network->addr.in6, network->len);
	}
	if (!nf_inet_addr_cmp(&network->addr, &masked)) {
		NL_SET_ERR_MSG_ATTR(extack, a4 ?: a6,
				    "has bits set behind the prefix");
		return -EINVAL;
	}
	return 0;
}

/* One that is given twice, in @vpn with sorted networks */
static int refuse_same_network(const struct nf_ovpn_vpn *vpn,
			       struct nlattr *nest,
			       struct netlink_ext_ack *extack)
{
	struct nf_ovpn_prefix network;
	struct nlattr *attr;
	bool seen = false;
	unsigned int i;
	int rem;

	for (i = 1; i < vpn->num; i++) {
		if (!nf_ovpn_prefix_cmp(&vpn->networks[i - 1],
					&vpn->networks[i]))
			break;
	}
	if (i >= vpn->num)
		return 0;
	/* the last that is the same */
	nla_for_each_nested_type(attr, NF_OVPN_A_PEER_NETWORK, nest, rem) {
		if (parse_network(attr, &network, NULL) ||
		    nf_ovpn_prefix_cmp(&network, &vpn->networks[i]))
			continue;
		seen = true;
		NL_SET_BAD_ATTR(extack, attr);
	}
	if (seen)
		NL_SET_ERR_MSG(extack, "given more than once");
	return -EINVAL;
}

/* Make what a peer owns of the attributes; @old is what they change, or NULL */
static struct nf_ovpn_vpn *parse_vpn(struct nlattr *nest, struct nlattr **tb,
				     const struct nf_ovpn_vpn *old,
				     struct netlink_ext_ack *extack)
{
	bool add = old && tb[NF_OVPN_A_PEER_ADD_NETWORKS];
	unsigned int i = 0, num = 0;
	struct nf_ovpn_vpn *vpn;
	struct nlattr *attr;
	int err, rem;

	if (tb[NF_OVPN_A_PEER_NETWORK] && tb[NF_OVPN_A_PEER_NO_NETWORKS]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_PEER_NO_NETWORKS],
				    "there is a network");
		return ERR_PTR(-EINVAL);
	}
	if (check_hosts(tb[NF_OVPN_A_PEER_VPN_IPV4],
			tb[NF_OVPN_A_PEER_VPN_IPV6], extack))
		return ERR_PTR(-EINVAL);
	if (add)
		num = old->num;
	nla_for_each_nested_type(attr, NF_OVPN_A_PEER_NETWORK, nest, rem) {
		if (++num > NF_OVPN_MAX_NETWORKS) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "too many networks");
			return ERR_PTR(-E2BIG);
		}
	}
	if (old && !num && !tb[NF_OVPN_A_PEER_NO_NETWORKS])
		num = old->num;

	vpn = kvzalloc_flex(*vpn, networks, num, GFP_KERNEL_ACCOUNT);
	if (!vpn)
		return ERR_PTR(-ENOMEM);
	vpn->num = num;

	if (old) {
		vpn->ip = old->ip;
		vpn->has_ip = old->has_ip;
		vpn->in6 = old->in6;
		vpn->has_in6 = old->has_in6;
	}
	if (tb[NF_OVPN_A_PEER_VPN_IPV4]) {
		vpn->ip.ip = nla_get_in_addr(tb[NF_OVPN_A_PEER_VPN_IPV4]);
		vpn->has_ip = true;
	}
	if (tb[NF_OVPN_A_PEER_VPN_IPV6]) {
		vpn->in6.in6 = nla_get_in6_addr(tb[NF_OVPN_A_PEER_VPN_IPV6]);
		vpn->has_in6 = true;
	}

	if (!tb[NF_OVPN_A_PEER_NETWORK] || add) {
		for (; old && i < old->num && i < num; i++)
			vpn->networks[i] = old->networks[i];
	}
	nla_for_each_nested_type(attr, NF_OVPN_A_PEER_NETWORK, nest, rem) {
		err = parse_network(attr, &vpn->networks[i++], extack);
		if (err)
			goto err_free;
	}
	nf_ovpn_vpn_sort(vpn);
	err = refuse_same_network(vpn, nest, extack);
	if (err)
		goto err_free;
	return vpn;

err_free:
	kvfree(vpn);
	return ERR_PTR(err);
}

/* Name one of the attributes that say where a peer is, of which another peer
 * has the same.
 */
static void refuse_endpoint(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_PEER_REMOTE_IPV4] ?:
				    tb[NF_OVPN_A_PEER_REMOTE_IPV6] ?:
				    tb[NF_OVPN_A_PEER_REMOTE_PORT],
			    "a peer without a peer ID is there");
}

/* Name the attribute that nf_ovpn_peer_set_vpn() has counted, or that
 * nf_ovpn_peer_new() means.
 */
static void refuse_taken(struct nlattr *nest, struct nlattr **tb,
			 const struct nf_ovpn_vpn *vpn, unsigned int which,
			 struct netlink_ext_ack *extack)
{
	struct nf_ovpn_prefix network;
	struct nlattr *attr;
	int rem;

	switch (which) {
	case NF_OVPN_TAKEN_P2P:
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_PEER_ID],
				    "a p2p instance has one peer");
		return;
	case NF_OVPN_TAKEN_ID:
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_PEER_ID],
				    "a peer has this ID");
		return;
	case NF_OVPN_TAKEN_ENDPOINT:
		refuse_endpoint(tb, extack);
		return;
	case 0:
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_PEER_VPN_IPV4],
				    "belongs to another peer");
		return;
	case 1:
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_PEER_VPN_IPV6],
				    "belongs to another peer");
		return;
	}
	nla_for_each_nested_type(attr, NF_OVPN_A_PEER_NETWORK, nest, rem) {
		if (!parse_network(attr, &network, NULL) &&
		    !nf_ovpn_prefix_cmp(&network, &vpn->networks[which - 2])) {
			NL_SET_ERR_MSG_ATTR(extack, attr,
					    "belongs to another peer");
			return;
		}
	}
}

static void parse_options(struct nlattr **tb, struct nf_ovpn_peer *peer)
{
	struct nlattr *mark = tb[NF_OVPN_A_PEER_MARK];
	struct nlattr *mss = tb[NF_OVPN_A_PEER_TCP_MSS];
	struct nlattr *framing = tb[NF_OVPN_A_PEER_FRAMING];

	if (framing)
		WRITE_ONCE(peer->framing, nla_get_u32(framing));
	if (mss)
		WRITE_ONCE(peer->tcp_mss, nla_get_u16(mss));
	if (mark && nla_get_u32(mark) != peer->mark) {
		WRITE_ONCE(peer->mark, nla_get_u32(mark));
		nf_ovpn_peer_forget_route(peer);
	}
}

static void parse_keepalive(struct nlattr **tb, struct nf_ovpn_peer *peer)
{
	struct nlattr *interval = tb[NF_OVPN_A_PEER_KEEPALIVE_INTERVAL];
	struct nlattr *timeout = tb[NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT];

	if (interval)
		peer->keepalive_interval = nla_get_u32(interval) * HZ;
	if (timeout) {
		peer->keepalive_timeout = nla_get_u32(timeout) * HZ;
		/* It counts from now. */
		WRITE_ONCE(peer->last_rx, jiffies);
	}
	if (interval || timeout)
		nf_ovpn_keepalive_set(peer);
}

int nf_ovpn_nl_peer_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_PEER_DATA_V1 + 1];
	struct nf_ovpn_instance *inst;
	struct nf_ovpn_endpoint *ep;
	struct nf_ovpn_peer *peer;
	struct nf_ovpn_vpn *vpn;
	struct nlattr *nest;
	unsigned int which;
	u32 id, tx_id;
	int err;

	err = parse_nest(info, NF_OVPN_A_PEER, tb, NF_OVPN_A_PEER_DATA_V1,
			 nf_ovpn_peer_input_nl_policy);
	if (err)
		return err;
	nest = info->attrs[NF_OVPN_A_PEER];
	if (NL_REQ_ATTR_CHECK(info->extack, nest, tb, NF_OVPN_A_PEER_ID))
		return -EINVAL;
	id = nla_get_u32(tb[NF_OVPN_A_PEER_ID]);
	tx_id = tb[NF_OVPN_A_PEER_TX_ID] ?
		nla_get_u32(tb[NF_OVPN_A_PEER_TX_ID]) : id;
	vpn = parse_vpn(nest, tb, NULL, info->extack);
	if (IS_ERR(vpn))
		return PTR_ERR(vpn);

	inst = instance_lock(info);
	if (IS_ERR(inst)) {
		kvfree(vpn);
		return PTR_ERR(inst);
	}
	ep = parse_endpoint(inst, nest, tb, NULL, info->extack);
	if (IS_ERR(ep)) {
		err = PTR_ERR(ep);
		kvfree(vpn);
		goto out;
	}
	peer = nf_ovpn_peer_new(inst, id, tx_id, tb[NF_OVPN_A_PEER_DATA_V1],
				ep, vpn, &which);
	if (IS_ERR(peer)) {
		err = PTR_ERR(peer);
		if (err == -EEXIST)
			refuse_taken(nest, tb, vpn, which, info->extack);
		nf_ovpn_endpoint_free(ep);
		kvfree(vpn);
		goto out;
	}
	parse_options(tb, peer);
	parse_keepalive(tb, peer);
out:
	instance_unlock(inst);
	return err;
}

static int peer_set_vpn(struct nf_ovpn_peer *peer, struct nlattr *nest,
			struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct nf_ovpn_vpn *vpn;
	unsigned int which;
	int err;

	vpn = parse_vpn(nest, tb, nf_ovpn_peer_vpn(peer), extack);
	if (IS_ERR(vpn))
		return PTR_ERR(vpn);
	err = nf_ovpn_peer_set_vpn(peer, vpn, &which);
	if (err) {
		if (err == -EEXIST)
			refuse_taken(nest, tb, vpn, which, extack);
		kvfree(vpn);
	}
	return err;
}

int nf_ovpn_nl_peer_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_PEER_DATA_V1 + 1];
	struct nlattr *nest = info->attrs[NF_OVPN_A_PEER];
	struct nf_ovpn_endpoint *ep = NULL;
	struct nf_ovpn_peer *peer;
	int err = 0;

	peer = peer_lock(info, NF_OVPN_A_PEER, NF_OVPN_A_PEER_ID, tb,
			 NF_OVPN_A_PEER_DATA_V1, nf_ovpn_peer_input_nl_policy);
	if (IS_ERR(peer))
		return PTR_ERR(peer);

	if (tb[NF_OVPN_A_PEER_DATA_V1]) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[NF_OVPN_A_PEER_DATA_V1],
				    "cannot be changed");
		err = -EINVAL;
		goto out;
	}

	if (tb[NF_OVPN_A_PEER_REMOTE_IPV4] || tb[NF_OVPN_A_PEER_REMOTE_IPV6] ||
	    tb[NF_OVPN_A_PEER_REMOTE_PORT] || tb[NF_OVPN_A_PEER_LOCAL_IPV4] ||
	    tb[NF_OVPN_A_PEER_LOCAL_IPV6] || tb[NF_OVPN_A_PEER_LOCAL_PORT] ||
	    tb[NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID]) {
		rcu_read_lock();
		struct nf_ovpn_endpoint old =
			*rcu_dereference(peer->endpoint);
		rcu_read_unlock();

		ep = parse_endpoint(peer->inst, nest, tb, &old, info->extack);
		if (IS_ERR(ep)) {
			err = PTR_ERR(ep);
			goto out;
		}
		if (!nf_ovpn_peer_can_move(peer, ep)) {
			refuse_endpoint(tb, info->extack);
			nf_ovpn_endpoint_free(ep);
			err = -EEXIST;
			goto out;
		}
	}

	if (tb[NF_OVPN_A_PEER_VPN_IPV4] || tb[NF_OVPN_A_PEER_VPN_IPV6] ||
	    tb[NF_OVPN_A_PEER_NETWORK] || tb[NF_OVPN_A_PEER_NO_NETWORKS]) {
		err = peer_set_vpn(peer, nest, tb, info->extack);
		if (err) {
			nf_ovpn_endpoint_free(ep);
			goto out;
		}
	}
	if (ep) {
		err = nf_ovpn_peer_move(peer, ep);
		if (err) {
			nf_ovpn_endpoint_free(ep);
			goto out;
		}
	}
	if (tb[NF_OVPN_A_PEER_TX_ID])
		WRITE_ONCE(peer->tx_id, nla_get_u32(tb[NF_OVPN_A_PEER_TX_ID]));
	parse_options(tb, peer);
	parse_keepalive(tb, peer);
out:
	instance_unlock(peer->inst);
	return err;
}

int nf_ovpn_nl_peer_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_PEER_ID + 1];
	struct nf_ovpn_peer *peer;
	struct peer_arg arg = {};
	unsigned int next;
	int err;

	peer = peer_lock(info, NF_OVPN_A_PEER, NF_OVPN_A_PEER_ID, tb,
			 NF_OVPN_A_PEER_ID, nf_ovpn_peer_id_input_nl_policy);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	arg.peer = peer;
	arg.next = &next;
	err = reply(info, NF_OVPN_CMD_PEER_GET, fill_peer, &arg);
	instance_unlock(peer->inst);
	return err;
}

int nf_ovpn_nl_peer_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct net *net = sock_net(skb->sk);
	unsigned long id = cb->args[0];
	struct nf_ovpn_instance *inst;
	struct nf_ovpn_peer *peer;
	int err = skb->len;
	unsigned int next;
	struct peer_arg arg = { .next = &next };
	void *hdr;

	mutex_lock(&nf_ovpn_pernet(net)->lock);
	inst = nf_ovpn_nl_instance(genl_info_dump(cb));
	if (IS_ERR(inst)) {
		err = PTR_ERR(inst);
		goto out;
	}
	xa_for_each_start(&inst->peers, id, peer, cb->args[0]) {
		/* in the middle of the networks of this one only */
		arg.first = id == cb->args[0] ? cb->args[1] : 0;
		arg.peer = peer;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				  cb->nlh->nlmsg_seq, &nf_ovpn_nl_family,
				  NLM_F_MULTI, NF_OVPN_CMD_PEER_GET);
		if (!hdr)
			break;
		if (fill_peer(skb, &arg)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		if (next < nf_ovpn_peer_vpn(peer)->num) {
			cb->args[0] = id;
			cb->args[1] = next;
			break;
		}
		cb->args[0] = id + 1;
		cb->args[1] = 0;
	}
	err = dump_result(skb, peer);
out:
	mutex_unlock(&nf_ovpn_pernet(net)->lock);
	return err;
}

int nf_ovpn_nl_peer_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_PEER_ID + 1];
	struct nf_ovpn_instance *inst;
	struct nf_ovpn_peer *peer;

	peer = peer_lock(info, NF_OVPN_A_PEER, NF_OVPN_A_PEER_ID, tb,
			 NF_OVPN_A_PEER_ID, nf_ovpn_peer_id_input_nl_policy);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	inst = peer->inst;
	nf_ovpn_peer_del(peer, NF_OVPN_DEL_PEER_REASON_USERSPACE);
	instance_unlock(inst);
	return 0;
}

int nf_ovpn_nl_peer_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nf_ovpn_instance *inst = instance_lock(info);

	if (IS_ERR(inst))
		return PTR_ERR(inst);
	nf_ovpn_peer_flush(inst, NF_OVPN_DEL_PEER_REASON_USERSPACE);
	instance_unlock(inst);
	return 0;
}

/* --- keys --- */

struct key_arg {
	struct nf_ovpn_peer	*peer;
	struct nf_ovpn_key	*key;
	int			slot;
	u64			reserved;
};

static struct nf_ovpn_key *key_in_slot(const struct nf_ovpn_peer *peer,
				       int slot)
{
	return rcu_dereference_protected(peer->keys[slot ^ peer->primary],
		lockdep_is_held(&nf_ovpn_pernet(peer->inst->net)->lock));
}

/* What names a key, in the nest of a message that is begun here. */
static struct nlattr *key_nest_start(struct sk_buff *skb,
				     const struct key_arg *a)
{
	struct nlattr *nest;

	if (nla_put_u32(skb, NF_OVPN_A_IFINDEX, a->peer->inst->dev->ifindex))
		return NULL;
	nest = nla_nest_start(skb, NF_OVPN_A_KEYCONF);
	if (!nest ||
	    nla_put_u32(skb, NF_OVPN_A_KEYCONF_PEER_ID, a->peer->id) ||
	    (a->slot >= 0 &&
	     nla_put_u32(skb, NF_OVPN_A_KEYCONF_SLOT, a->slot)) ||
	    nla_put_u32(skb, NF_OVPN_A_KEYCONF_KEY_ID, a->key->key_id))
		return NULL;
	return nest;
}

static int fill_state(struct sk_buff *skb,
		      const struct nf_ovpn_key_state *state)
{
	return nla_put_uint(skb, NF_OVPN_A_KEYCONF_TX_PACKET_ID, state->tx) ||
	       nla_put_uint(skb, NF_OVPN_A_KEYCONF_TX_BLOCKS,
			    state->tx_blocks) ||
	       nla_put_uint(skb, NF_OVPN_A_KEYCONF_RX_PACKET_ID, state->rx);
}

/* What is secret is not in a dump. */
static int fill_key(struct sk_buff *skb, const void *arg)
{
	const struct key_arg *a = arg;
	struct nlattr *nest = key_nest_start(skb, a);
	struct nf_ovpn_key_state state;

	nf_ovpn_key_state(a->key, &state, NULL);
	if (!nest ||
	    nla_put_u32(skb, NF_OVPN_A_KEYCONF_CIPHER_ALG, a->key->alg) ||
	    nla_put_u32(skb, NF_OVPN_A_KEYCONF_AUTH_ALG, a->key->auth) ||
	    nla_put_u32(skb, NF_OVPN_A_KEYCONF_KEY_BITS, a->key->key_bits) ||
	    (a->key->epochs && nla_put_flag(skb, NF_OVPN_A_KEYCONF_EPOCHS)) ||
	    fill_state(skb, &state))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int parse_key_dir(const struct nf_ovpn_key_conf *conf,
			 struct nlattr *attr, struct nf_ovpn_key_dir *dir,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_OVPN_A_KEYDIR_MAX + 1], *key, *tail, *auth;
	bool aead = nf_ovpn_alg_is_aead(conf->alg);
	int err;

	err = parse_nested(tb, NF_OVPN_A_KEYDIR_MAX, attr,
			   nf_ovpn_keydir_nl_policy, 0, extack);
	if (err)
		return err;
	key = tb[NF_OVPN_A_KEYDIR_CIPHER_KEY];
	tail = tb[NF_OVPN_A_KEYDIR_NONCE_TAIL];
	auth = tb[NF_OVPN_A_KEYDIR_AUTH_KEY];
	if ((conf->alg != NF_OVPN_CIPHER_ALG_NONE &&
	     NL_REQ_ATTR_CHECK(extack, attr, tb,
			       NF_OVPN_A_KEYDIR_CIPHER_KEY)) ||
	    (aead && !conf->epochs &&
	     NL_REQ_ATTR_CHECK(extack, attr, tb, NF_OVPN_A_KEYDIR_NONCE_TAIL)) ||
	    (conf->auth != NF_OVPN_AUTH_ALG_NONE &&
	     NL_REQ_ATTR_CHECK(extack, attr, tb, NF_OVPN_A_KEYDIR_AUTH_KEY)))
		return -EINVAL;
	if (tail && (!aead || conf->epochs)) {
		NL_SET_ERR_MSG_ATTR(extack, tail,
				    "this key has nonces without a tail");
		return -EINVAL;
	}

	*dir = (struct nf_ovpn_key_dir) {
		.key		= key ? nla_data(key) : NULL,
		.key_len	= key ? nla_len(key) : 0,
		.nonce_tail	= tail ? nla_data(tail) : NULL,
		.auth		= auth ? nla_data(auth) : NULL,
		.auth_len	= auth ? nla_len(auth) : 0,
	};
	return 0;
}

/* The algorithms of a key, and whether they go together. */
static int parse_key_algs(struct nlattr *nest, struct nlattr **tb,
			  struct nf_ovpn_key_conf *conf,
			  struct netlink_ext_ack *extack)
{
	struct nlattr *auth = tb[NF_OVPN_A_KEYCONF_AUTH_ALG];
	struct nlattr *epochs = tb[NF_OVPN_A_KEYCONF_EPOCHS];
	struct nlattr *bits = tb[NF_OVPN_A_KEYCONF_KEY_BITS];
	u32 key_bits;
	bool aead;

	conf->alg = nla_get_u32(tb[NF_OVPN_A_KEYCONF_CIPHER_ALG]);
	conf->auth = auth ? nla_get_u32(auth) : NF_OVPN_AUTH_ALG_NONE;
	conf->epochs = epochs;
	aead = nf_ovpn_alg_is_aead(conf->alg);

	if (conf->alg == NF_OVPN_CIPHER_ALG_NONE &&
	    !tb[NF_OVPN_A_KEYCONF_INSECURE]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_KEYCONF_CIPHER_ALG],
				    "no encryption, and insecure not given");
		return -EINVAL;
	}
	if (conf->alg == NF_OVPN_CIPHER_ALG_AES_CBC) {
		if (NL_REQ_ATTR_CHECK(extack, nest, tb,
				      NF_OVPN_A_KEYCONF_AUTH_ALG))
			return -EINVAL;
		if (conf->auth == NF_OVPN_AUTH_ALG_NONE) {
			NL_SET_ERR_MSG_ATTR(extack, auth,
					    "the cipher does not authenticate");
			return -EINVAL;
		}
	}
	if (aead && conf->auth != NF_OVPN_AUTH_ALG_NONE) {
		NL_SET_ERR_MSG_ATTR(extack, auth,
				    "the cipher authenticates by itself");
		return -EINVAL;
	}
	if (epochs && !aead) {
		NL_SET_ERR_MSG_ATTR(extack, epochs,
				    "the cipher does not authenticate");
		return -EINVAL;
	}
	if (epochs &&
	    NL_REQ_ATTR_CHECK(extack, nest, tb, NF_OVPN_A_KEYCONF_KEY_BITS))
		return -EINVAL;
	if (bits && !epochs) {
		NL_SET_ERR_MSG_ATTR(extack, bits,
				    "cipher-key tells, without epochs");
		return -EINVAL;
	}
	key_bits = bits ? nla_get_u32(bits) : 0;
	if (bits && key_bits != 256 &&
	    (conf->alg != NF_OVPN_CIPHER_ALG_AES_GCM ||
	     (key_bits != 128 && key_bits != 192))) {
		NL_SET_ERR_MSG_ATTR(extack, bits,
				    "the cipher has no keys of this length");
		return -EINVAL;
	}
	conf->key_bits = key_bits;
	return 0;
}

/* How far a key is used up that somebody has used before. */
static int parse_key_state(struct nlattr **tb, struct nf_ovpn_key_conf *conf,
			   struct netlink_ext_ack *extack)
{
	struct nlattr *window = tb[NF_OVPN_A_KEYCONF_RX_WINDOW];
	struct nlattr *tx = tb[NF_OVPN_A_KEYCONF_TX_PACKET_ID];
	struct nlattr *rx = tb[NF_OVPN_A_KEYCONF_RX_PACKET_ID];
	struct nlattr *blocks = tb[NF_OVPN_A_KEYCONF_TX_BLOCKS];

	conf->tx_packet_id = tx ? nla_get_uint(tx) : 0;
	conf->tx_blocks = blocks ? min(nla_get_uint(blocks), S64_MAX / 2) : 0;
	conf->rx_packet_id = rx ? nla_get_uint(rx) : 0;
	if (!conf->epochs &&
	    (conf->tx_packet_id > U32_MAX || conf->rx_packet_id > U32_MAX)) {
		NL_SET_ERR_MSG_ATTR(extack,
				    conf->tx_packet_id > U32_MAX ? tx : rx,
				    "more than 32 bits, without epochs");
		return -ERANGE;
	}
	if (window) {
		conf->rx_window = nla_data(window);
		conf->rx_window_len = nla_len(window);
	}
	return 0;
}

static struct nf_ovpn_key *parse_key(struct nlattr *nest, struct nlattr **tb,
				     struct netlink_ext_ack *extack)
{
	struct nlattr *encrypt = tb[NF_OVPN_A_KEYCONF_ENCRYPT_DIR];
	struct nlattr *decrypt = tb[NF_OVPN_A_KEYCONF_DECRYPT_DIR];
	struct nf_ovpn_key_conf conf = {};
	struct nf_ovpn_key *key;
	int err;

	if (NL_REQ_ATTR_CHECK(extack, nest, tb, NF_OVPN_A_KEYCONF_SLOT) ||
	    NL_REQ_ATTR_CHECK(extack, nest, tb, NF_OVPN_A_KEYCONF_KEY_ID) ||
	    NL_REQ_ATTR_CHECK(extack, nest, tb, NF_OVPN_A_KEYCONF_CIPHER_ALG) ||
	    NL_REQ_ATTR_CHECK(extack, nest, tb,
			      NF_OVPN_A_KEYCONF_ENCRYPT_DIR) ||
	    NL_REQ_ATTR_CHECK(extack, nest, tb,
			      NF_OVPN_A_KEYCONF_DECRYPT_DIR) ||
	    (tb[NF_OVPN_A_KEYCONF_RX_WINDOW] &&
	     NL_REQ_ATTR_CHECK(extack, nest, tb,
			       NF_OVPN_A_KEYCONF_RX_PACKET_ID)))
		return ERR_PTR(-EINVAL);

	conf.key_id = nla_get_u32(tb[NF_OVPN_A_KEYCONF_KEY_ID]);
	err = parse_key_algs(nest, tb, &conf, extack) ?:
	      parse_key_state(tb, &conf, extack) ?:
	      parse_key_dir(&conf, encrypt, &conf.tx, extack) ?:
	      parse_key_dir(&conf, decrypt, &conf.rx, extack);
	if (err)
		return ERR_PTR(err);
	if (conf.tx.key_len != conf.rx.key_len) {
		NL_SET_ERR_MSG_ATTR(extack, decrypt,
				    "cipher keys differ in length");
		return ERR_PTR(-EINVAL);
	}

	key = nf_ovpn_key_new(&conf);
	switch (PTR_ERR_OR_ZERO(key)) {
	case -EINVAL:
		NL_SET_ERR_MSG_ATTR(extack, encrypt,
				    "the cipher has no keys of this length");
		break;
	case -EBADMSG:
		NL_SET_ERR_MSG_ATTR(extack, encrypt,
				    "auth-alg has no keys of this length");
		return ERR_PTR(-EINVAL);
	case -EOPNOTSUPP:
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_OVPN_A_KEYCONF_CIPHER_ALG],
				    "cipher not supported");
	}
	return key;
}

/* Nobody reads the secrets in a request again: not who gets its memory next, nor
 * who reads the refusal, which has the request in it.
 */
static void wipe_secrets(struct nlattr *nest)
{
	struct nlattr *dir, *attr;
	int rem, rem2;

	if (!nest)
		return;
	nla_for_each_nested(dir, nest, rem) {
		if (nla_type(dir) != NF_OVPN_A_KEYCONF_ENCRYPT_DIR &&
		    nla_type(dir) != NF_OVPN_A_KEYCONF_DECRYPT_DIR)
			continue;
		nla_for_each_nested(attr, dir, rem2)
			memzero_explicit(nla_data(attr), nla_len(attr));
	}
}

static int key_new(struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_KEYCONF_MAX + 1];
	struct nf_ovpn_key *key, *other;
	struct nf_ovpn_peer *peer;
	int slot, err = 0;

	peer = peer_lock(info, NF_OVPN_A_KEYCONF, NF_OVPN_A_KEYCONF_PEER_ID, tb,
			 NF_OVPN_A_KEYCONF_MAX,
			 nf_ovpn_keyconf_new_input_nl_policy);
	if (IS_ERR(peer))
		return PTR_ERR(peer);

	key = parse_key(info->attrs[NF_OVPN_A_KEYCONF], tb, info->extack);
	if (IS_ERR(key)) {
		err = PTR_ERR(key);
		goto out;
	}
	slot = nla_get_u32(tb[NF_OVPN_A_KEYCONF_SLOT]);
	other = key_in_slot(peer, !slot);
	if (other && other->key_id == key->key_id) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[NF_OVPN_A_KEYCONF_KEY_ID],
				    "the key in the other slot has this ID");
		nf_ovpn_key_free(key);
		err = -EEXIST;
		goto out;
	}
	trace_nf_ovpn_key(peer, NF_OVPN_KEY_NEW, key->key_id);
	key = rcu_replace_pointer(peer->keys[slot ^ peer->primary], key, true);
	nf_ovpn_key_free(key);
out:
	instance_unlock(peer->inst);
	return err;
}

int nf_ovpn_nl_key_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	int err = key_new(info);

	wipe_secrets(info->attrs[NF_OVPN_A_KEYCONF]);
	return err;
}

/* Lock the namespace and find the key that a request names. */
static struct nf_ovpn_key *key_lock(struct genl_info *info, struct nlattr **tb,
				    int max, const struct nla_policy *policy,
				    struct key_arg *arg)
{
	struct nf_ovpn_peer *peer;
	struct nf_ovpn_key *key;

	peer = peer_lock(info, NF_OVPN_A_KEYCONF, NF_OVPN_A_KEYCONF_PEER_ID, tb,
			 max, policy);
	if (IS_ERR(peer))
		return ERR_CAST(peer);
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[NF_OVPN_A_KEYCONF], tb,
			      NF_OVPN_A_KEYCONF_SLOT)) {
		instance_unlock(peer->inst);
		return ERR_PTR(-EINVAL);
	}
	arg->peer = peer;
	arg->slot = nla_get_u32(tb[NF_OVPN_A_KEYCONF_SLOT]);
	key = key_in_slot(peer, arg->slot);
	if (!key) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[NF_OVPN_A_KEYCONF_SLOT],
				    "no key in this slot");
		instance_unlock(peer->inst);
		return ERR_PTR(-ENOENT);
	}
	arg->key = key;
	return key;
}

int nf_ovpn_nl_key_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_KEYCONF_SLOT + 1];
	struct nf_ovpn_key *key;
	struct key_arg arg;
	int err;

	key = key_lock(info, tb, NF_OVPN_A_KEYCONF_SLOT,
		       nf_ovpn_keyconf_slot_input_nl_policy, &arg);
	if (IS_ERR(key))
		return PTR_ERR(key);
	err = reply(info, NF_OVPN_CMD_KEY_GET, fill_key, &arg);
	instance_unlock(arg.peer->inst);
	return err;
}

int nf_ovpn_nl_key_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct nlattr *tb[NF_OVPN_A_KEYCONF_PEER_ID + 1];
	struct net *net = sock_net(skb->sk);
	struct nf_ovpn_instance *inst;
	struct key_arg arg;
	void *hdr;
	int err;

	err = parse_nest(info, NF_OVPN_A_KEYCONF, tb, NF_OVPN_A_KEYCONF_PEER_ID,
			 nf_ovpn_keyconf_peer_input_nl_policy);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[NF_OVPN_A_KEYCONF], tb,
			      NF_OVPN_A_KEYCONF_PEER_ID))
		return -EINVAL;

	mutex_lock(&nf_ovpn_pernet(net)->lock);
	inst = nf_ovpn_nl_instance(info);
	if (IS_ERR(inst)) {
		err = PTR_ERR(inst);
		goto out;
	}
	arg.peer = peer_find(inst, tb[NF_OVPN_A_KEYCONF_PEER_ID], info->extack);
	if (IS_ERR(arg.peer)) {
		err = PTR_ERR(arg.peer);
		goto out;
	}
	for (; cb->args[0] < ARRAY_SIZE(arg.peer->keys); cb->args[0]++) {
		arg.slot = cb->args[0];
		arg.key = key_in_slot(arg.peer, arg.slot);
		if (!arg.key)
			continue;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				  cb->nlh->nlmsg_seq, &nf_ovpn_nl_family,
				  NLM_F_MULTI, NF_OVPN_CMD_KEY_GET);
		if (!hdr)
			break;
		if (fill_key(skb, &arg)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
	}
	err = dump_result(skb, cb->args[0] < ARRAY_SIZE(arg.peer->keys));
out:
	mutex_unlock(&nf_ovpn_pernet(net)->lock);
	return err;
}

int nf_ovpn_nl_key_swap_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_KEYCONF_PEER_ID + 1];
	struct nf_ovpn_peer *peer;
	int err = 0;

	peer = peer_lock(info, NF_OVPN_A_KEYCONF, NF_OVPN_A_KEYCONF_PEER_ID, tb,
			 NF_OVPN_A_KEYCONF_PEER_ID,
			 nf_ovpn_keyconf_peer_input_nl_policy);
	if (IS_ERR(peer))
		return PTR_ERR(peer);

	if (!key_in_slot(peer, NF_OVPN_KEY_SLOT_SECONDARY)) {
		NL_SET_ERR_MSG_ATTR(info->extack,
				    tb[NF_OVPN_A_KEYCONF_PEER_ID],
				    "the peer has no secondary key");
		err = -ENOENT;
		goto out;
	}
	/* The keys stay where they are: no packet can miss one. */
	WRITE_ONCE(peer->primary, !peer->primary);
	trace_nf_ovpn_key(peer, NF_OVPN_KEY_SWAP,
			  key_in_slot(peer, NF_OVPN_KEY_SLOT_PRIMARY)->key_id);
out:
	instance_unlock(peer->inst);
	return err;
}

int nf_ovpn_nl_key_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_KEYCONF_SLOT + 1];
	struct nf_ovpn_key *key;
	struct key_arg arg;

	key = key_lock(info, tb, NF_OVPN_A_KEYCONF_SLOT,
		       nf_ovpn_keyconf_slot_input_nl_policy, &arg);
	if (IS_ERR(key))
		return PTR_ERR(key);
	trace_nf_ovpn_key(arg.peer, NF_OVPN_KEY_DELETE, key->key_id);
	rcu_assign_pointer(arg.peer->keys[arg.slot ^ arg.peer->primary], NULL);
	instance_unlock(arg.peer->inst);
	nf_ovpn_key_free(key);
	return 0;
}

static int fill_reserved(struct sk_buff *skb, const void *arg)
{
	const struct key_arg *a = arg;
	struct nlattr *nest = key_nest_start(skb, a);

	if (!nest ||
	    nla_put_uint(skb, NF_OVPN_A_KEYCONF_TX_PACKET_ID, a->reserved))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* A key with the state in which it is left. */
static int fill_key_state(struct sk_buff *skb, const void *arg)
{
	const struct key_arg *a = arg;
	u8 window[NF_OVPN_REPLAY_BYTES];
	struct nf_ovpn_key_state state;
	struct nlattr *nest;

	nf_ovpn_key_state(a->key, &state, window);
	nest = key_nest_start(skb, a);
	if (!nest || fill_state(skb, &state) ||
	    nla_put(skb, NF_OVPN_A_KEYCONF_RX_WINDOW, sizeof(window), window))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int nf_ovpn_nl_key_release_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_KEYCONF_SLOT + 1];
	struct nf_ovpn_key *key;
	struct sk_buff *answer;
	struct key_arg arg;
	int err;

	/* Nothing that can fail comes after the key is gone. */
	answer = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!answer)
		return -ENOMEM;

	key = key_lock(info, tb, NF_OVPN_A_KEYCONF_SLOT,
		       nf_ovpn_keyconf_slot_input_nl_policy, &arg);
	if (IS_ERR(key)) {
		nlmsg_free(answer);
		return PTR_ERR(key);
	}
	trace_nf_ovpn_key(arg.peer, NF_OVPN_KEY_RELEASE, key->key_id);
	rcu_assign_pointer(arg.peer->keys[arg.slot ^ arg.peer->primary], NULL);
	/* Packets that have found it are done after that. */
	synchronize_net();
	arg.slot = -1;
	err = reply_to(info, answer, NF_OVPN_CMD_KEY_RELEASE, fill_key_state,
		       &arg);
	instance_unlock(arg.peer->inst);
	nf_ovpn_key_free(key);
	return err;
}

int nf_ovpn_nl_key_reserve_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_KEYCONF_PACKETS + 1];
	struct nf_ovpn_key *key;
	struct nf_ovpn_tx_key *tx;
	struct key_arg arg;
	bool warn = false;
	u64 first;
	int err;
	u32 n;

	key = key_lock(info, tb, NF_OVPN_A_KEYCONF_PACKETS,
		       nf_ovpn_keyconf_reserve_input_nl_policy, &arg);
	if (IS_ERR(key))
		return PTR_ERR(key);
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[NF_OVPN_A_KEYCONF], tb,
			      NF_OVPN_A_KEYCONF_PACKETS)) {
		err = -EINVAL;
		goto out;
	}
	n = nla_get_u32(tb[NF_OVPN_A_KEYCONF_PACKETS]);
	rcu_read_lock();
	local_bh_disable();
	tx = nf_ovpn_key_reserve(key, n, 0, &first, &warn);
	local_bh_enable();
	rcu_read_unlock();
	if (!tx) {
		NL_SET_ERR_MSG_ATTR(info->extack,
				    tb[NF_OVPN_A_KEYCONF_PACKETS],
				    "the key has not that many packet IDs left");
		err = -ENOSPC;
		goto out;
	}
	/* Userspace sends in the kernel's place, and no ping is due. */
	nf_ovpn_touch(&arg.peer->last_tx);
	arg.reserved = first + n - 1;
	err = reply(info, NF_OVPN_CMD_KEY_RESERVE, fill_reserved, &arg);
	if (warn)
		nf_ovpn_nl_key_limit_ntf(arg.peer, key);
out:
	instance_unlock(arg.peer->inst);
	return err;
}

int nf_ovpn_nl_key_accept_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NF_OVPN_A_KEYCONF_RX_PACKET_ID + 1];
	struct nf_ovpn_key *key;
	struct key_arg arg;
	int err = 0;

	key = key_lock(info, tb, NF_OVPN_A_KEYCONF_RX_PACKET_ID,
		       nf_ovpn_keyconf_accept_input_nl_policy, &arg);
	if (IS_ERR(key))
		return PTR_ERR(key);
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[NF_OVPN_A_KEYCONF], tb,
			      NF_OVPN_A_KEYCONF_RX_PACKET_ID)) {
		err = -EINVAL;
		goto out;
	}
	rcu_read_lock();
	local_bh_disable();
	if (!nf_ovpn_key_accept(key,
				nla_get_uint(tb[NF_OVPN_A_KEYCONF_RX_PACKET_ID])))
		err = -EEXIST;
	local_bh_enable();
	rcu_read_unlock();
	if (err)
		NL_SET_ERR_MSG_ATTR(info->extack,
				    tb[NF_OVPN_A_KEYCONF_RX_PACKET_ID],
				    "received before, or too old to tell");
	else
		/* Userspace has opened it: the peer was heard. */
		nf_ovpn_touch(&arg.peer->last_rx);
out:
	instance_unlock(arg.peer->inst);
	return err;
}

/* --- flows; the dump is in flow.c --- */

int nf_ovpn_nl_flow_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nf_ovpn_instance *inst = instance_lock(info);

	if (IS_ERR(inst))
		return PTR_ERR(inst);
	nf_ovpn_gen_bump(inst->net);
	instance_unlock(inst);
	return 0;
}

/* --- notifications --- */

/* Who hears of peers may also ask for them. The generator has no flags for a
 * group.
 */
static const struct genl_multicast_group groups[] = {
	[NF_OVPN_NLGRP_PEERS] = {
		.name	= NF_OVPN_MCGRP_PEERS,
		.flags	= GENL_MCAST_CAP_NET_ADMIN,
	},
};

/**
 * nf_ovpn_nl_register - register the family
 *
 * Context: Process, as the module is loaded.
 * Return: 0 or a negative error.
 */
int __init nf_ovpn_nl_register(void)
{
	nf_ovpn_nl_family.mcgrps = groups;
	nf_ovpn_nl_family.n_mcgrps = ARRAY_SIZE(groups);
	return genl_register_family(&nf_ovpn_nl_family);
}

static void notify(struct net *net, int cmd, gfp_t gfp,
		   int (*fill)(struct sk_buff *skb, const void *arg),
		   const void *arg)
{
	struct sk_buff *skb;
	void *hdr;

	if (!genl_has_listeners(&nf_ovpn_nl_family, net, NF_OVPN_NLGRP_PEERS))
		return;
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, gfp);
	if (!skb)
		return;
	hdr = genlmsg_put(skb, 0, 0, &nf_ovpn_nl_family, 0, cmd);
	if (!hdr || fill(skb, arg)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&nf_ovpn_nl_family, net, skb, 0,
				NF_OVPN_NLGRP_PEERS, gfp);
}

struct peer_del_arg {
	const struct nf_ovpn_peer	*peer;
	enum nf_ovpn_del_peer_reason	reason;
};

static int fill_peer_del(struct sk_buff *skb, const void *arg)
{
	const struct peer_del_arg *a = arg;
	struct nlattr *nest;

	if (nla_put_u32(skb, NF_OVPN_A_IFINDEX, a->peer->inst->dev->ifindex))
		return -EMSGSIZE;
	nest = nla_nest_start(skb, NF_OVPN_A_PEER);
	if (!nest ||
	    nla_put_u32(skb, NF_OVPN_A_PEER_ID, a->peer->id) ||
	    nla_put_u32(skb, NF_OVPN_A_PEER_DEL_REASON, a->reason))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * nf_ovpn_nl_peer_del_ntf - tell that a peer was deleted
 * @peer: the peer
 * @reason: why
 *
 * Context: Process.
 */
void nf_ovpn_nl_peer_del_ntf(const struct nf_ovpn_peer *peer,
			     enum nf_ovpn_del_peer_reason reason)
{
	struct peer_del_arg arg = { .peer = peer, .reason = reason };

	notify(peer->inst->net, NF_OVPN_CMD_PEER_DEL_NTF, GFP_KERNEL,
	       fill_peer_del, &arg);
}

struct instance_del_arg {
	const struct nf_ovpn_instance		*inst;
	enum nf_ovpn_del_instance_reason	reason;
};

static int fill_instance_del(struct sk_buff *skb, const void *arg)
{
	const struct instance_del_arg *a = arg;
	struct nlattr *nest;

	if (nla_put_u32(skb, NF_OVPN_A_IFINDEX, a->inst->dev->ifindex))
		return -EMSGSIZE;
	nest = nla_nest_start(skb, NF_OVPN_A_INSTANCE);
	if (!nest ||
	    nla_put_u32(skb, NF_OVPN_A_INSTANCE_DEL_REASON, a->reason))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * nf_ovpn_nl_instance_del_ntf - tell that an instance is gone
 * @inst: the instance
 * @reason: why
 *
 * Context: Process.
 */
void nf_ovpn_nl_instance_del_ntf(const struct nf_ovpn_instance *inst,
				 enum nf_ovpn_del_instance_reason reason)
{
	struct instance_del_arg arg = { .inst = inst, .reason = reason };

	notify(inst->net, NF_OVPN_CMD_INSTANCE_DEL_NTF, GFP_KERNEL,
	       fill_instance_del, &arg);
}

static int fill_peer_float(struct sk_buff *skb, const void *arg)
{
	const struct nf_ovpn_peer *peer = arg;
	struct nlattr *nest;

	if (nla_put_u32(skb, NF_OVPN_A_IFINDEX, peer->inst->dev->ifindex))
		return -EMSGSIZE;
	nest = nla_nest_start(skb, NF_OVPN_A_PEER);
	if (!nest || nla_put_u32(skb, NF_OVPN_A_PEER_ID, peer->id) ||
	    fill_endpoint(skb, peer))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * nf_ovpn_nl_peer_float_ntf - tell that a peer has a new address
 * @peer: the peer
 *
 * Context: Any but hardirq.
 */
void nf_ovpn_nl_peer_float_ntf(const struct nf_ovpn_peer *peer)
{
	notify(peer->inst->net, NF_OVPN_CMD_PEER_FLOAT_NTF, GFP_ATOMIC,
	       fill_peer_float, peer);
}

/**
 * nf_ovpn_nl_key_limit_ntf - tell that a key is near its end
 * @peer: the peer
 * @key: its key
 *
 * Context: Any but hardirq.
 */
void nf_ovpn_nl_key_limit_ntf(struct nf_ovpn_peer *peer,
			      struct nf_ovpn_key *key)
{
	struct key_arg arg = { .peer = peer, .key = key, .slot = -1 };

	trace_nf_ovpn_key(peer, NF_OVPN_KEY_LIMIT, key->key_id);

	notify(peer->inst->net, NF_OVPN_CMD_KEY_LIMIT_NTF, GFP_ATOMIC, fill_key,
	       &arg);
}
