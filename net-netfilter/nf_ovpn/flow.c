// SPDX-License-Identifier: GPL-2.0
/* Flows: which conntrack entries lead to a peer, and which are armed. Nothing
 * is kept for that: conntrack's table is walked, bucket by bucket.
 */
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/sock.h>

#include "genl-gen.h"
#include "nf_ovpn.h"

static int fill_dir(struct sk_buff *skb, int type, const struct nf_conn_ovpn *ext,
		    const struct nf_ovpn_peer *peer,
		    enum ip_conntrack_dir dir, u32 gen)
{
	struct nlattr *nest;
	u32 armed;
	u64 kind;

	if (!peer)
		return 0;
	/* Pairs with arm() and refuse() in ct.c. */
	armed = smp_load_acquire(&ext->gen[dir]);
	kind = atomic64_read(&ext->kind[dir]);
	nest = nla_nest_start(skb, type);
	if (!nest || nla_put_u32(skb, NF_OVPN_A_FLOW_DIR_PEER_ID, peer->id))
		return -EMSGSIZE;
	/* See struct nf_conn_ovpn; it may have changed in between. */
	if (armed == gen ? nla_put_flag(skb, NF_OVPN_A_FLOW_DIR_ARMED) :
	    nla_put_u32(skb, NF_OVPN_A_FLOW_DIR_UNARMED,
			armed || kind > NF_OVPN_INST_UNARMED ?
			NF_OVPN_UNARMED_CHANGED : kind))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int fill_tuple(struct sk_buff *skb, const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *t;
	u16 zone;
	int err;

	t = &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	if (t->src.l3num == NFPROTO_IPV4)
		err = nla_put_in_addr(skb, NF_OVPN_A_FLOW_SRC_IPV4,
				      t->src.u3.ip) ?:
		      nla_put_in_addr(skb, NF_OVPN_A_FLOW_DST_IPV4,
				      t->dst.u3.ip);
	else
		err = nla_put_in6_addr(skb, NF_OVPN_A_FLOW_SRC_IPV6,
				       &t->src.u3.in6) ?:
		      nla_put_in6_addr(skb, NF_OVPN_A_FLOW_DST_IPV6,
				       &t->dst.u3.in6);
	if (err || nla_put_u8(skb, NF_OVPN_A_FLOW_PROTOCOL, t->dst.protonum))
		return -EMSGSIZE;

	switch (t->dst.protonum) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		if (nla_put_be16(skb, NF_OVPN_A_FLOW_SRC_PORT,
				 t->src.u.all) ||
		    nla_put_be16(skb, NF_OVPN_A_FLOW_DST_PORT,
				 t->dst.u.all))
			return -EMSGSIZE;
	}

	zone = nf_ct_zone_id(nf_ct_zone(ct), IP_CT_DIR_ORIGINAL);
	return zone ? nla_put_u16(skb, NF_OVPN_A_FLOW_ZONE, zone) : 0;
}

/* Returns 0 when there is nothing to tell, too. */
static int fill_flow(struct sk_buff *skb, struct netlink_callback *cb,
		     const struct nf_ovpn_instance *inst,
		     const struct nf_conn *ct, u32 gen)
{
	const struct nf_conn_ovpn *ext = nf_ct_ovpn_find(ct);
	struct nf_ovpn_peer *peer[IP_CT_DIR_MAX];
	struct nlattr *nest;
	u64 handle = 0;
	void *hdr;
	int dir;

	if (!ext)
		return 0;
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		handle = atomic64_read(&ext->handle[dir]);
		peer[dir] = nf_ovpn_handle_peer(inst->net, handle);
		if (peer[dir] && peer[dir]->inst != inst)
			return 0;
	}
	if (!peer[IP_CT_DIR_ORIGINAL] && !peer[IP_CT_DIR_REPLY])
		return 0;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &nf_ovpn_nl_family, NLM_F_MULTI,
			  NF_OVPN_CMD_FLOW_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(skb, NF_OVPN_A_IFINDEX, inst->dev->ifindex))
		goto cancel;
	nest = nla_nest_start(skb, NF_OVPN_A_FLOW);
	if (!nest ||
	    (handle & NF_OVPN_HANDLE_OUTER &&
	     nla_put_flag(skb, NF_OVPN_A_FLOW_OUTER)) ||
	    fill_tuple(skb, ct) ||
	    fill_dir(skb, NF_OVPN_A_FLOW_ORIGINAL, ext,
		     peer[IP_CT_DIR_ORIGINAL], IP_CT_DIR_ORIGINAL, gen) ||
	    fill_dir(skb, NF_OVPN_A_FLOW_REPLY, ext, peer[IP_CT_DIR_REPLY],
		     IP_CT_DIR_REPLY, gen))
		goto cancel;
	nla_nest_end(skb, nest);
	genlmsg_end(skb, hdr);
	return 0;

cancel:
	genlmsg_cancel(skb, hdr);
	return -EMSGSIZE;
}

/* One bucket of conntrack's table, from where the last message ended. The lock
 * of the namespace is not held: RTNL would wait for it, for all of the table. So
 * the instance may be gone, or another one.
 */
static int dump_bucket(struct sk_buff *skb, struct netlink_callback *cb,
		       struct net *net, int ifindex, unsigned int bucket)
{
	spinlock_t *lock = &nf_conntrack_locks[bucket % CONNTRACK_LOCKS];
	const struct nf_ovpn_instance *inst = NULL;
	struct nf_conntrack_tuple_hash *h;
	const struct net_device *dev;
	struct hlist_nulls_node *n;
	u32 gen = nf_ovpn_gen(net);
	struct nf_conn *ct;
	long done = 0;
	int err = 0;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	if (dev)
		inst = nf_ovpn_instance_by_dev(net, dev);
	if (!inst) {
		rcu_read_unlock();
		return -ENODEV;
	}
	local_bh_disable();
	nf_conntrack_lock(lock);
	/* The table may have been made smaller. */
	if (bucket >= nf_conntrack_htable_size)
		goto out;
	hlist_nulls_for_each_entry(h, n, &nf_conntrack_hash[bucket], hnnode) {
		ct = nf_ct_tuplehash_to_ctrack(h);
		if (done++ < cb->args[1] ||
		    NF_CT_DIRECTION(h) != IP_CT_DIR_ORIGINAL ||
		    !net_eq(nf_ct_net(ct), net) || nf_ct_is_expired(ct))
			continue;
		err = fill_flow(skb, cb, inst, ct, gen);
		if (err) {
			cb->args[1] = done - 1;
			break;
		}
	}
out:
	spin_unlock(lock);
	local_bh_enable();
	rcu_read_unlock();
	return err;
}

int nf_ovpn_nl_flow_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct net *net = sock_net(skb->sk);
	struct nf_ovpn_instance *inst;
	int err = 0, ifindex = 0;

	mutex_lock(&nf_ovpn_pernet(net)->lock);
	inst = nf_ovpn_nl_instance(genl_info_dump(cb));
	if (!IS_ERR(inst))
		ifindex = inst->dev->ifindex;
	mutex_unlock(&nf_ovpn_pernet(net)->lock);
	if (IS_ERR(inst))
		return PTR_ERR(inst);

	for (; cb->args[0] < READ_ONCE(nf_conntrack_htable_size);
	     cb->args[0]++, cb->args[1] = 0) {
		err = dump_bucket(skb, cb, net, ifindex, cb->args[0]);
		if (err)
			break;
		cond_resched();
	}
	return skb->len || err == 0 ? skb->len : err;
}
