// SPDX-License-Identifier: GPL-2.0
/* ct_tables - what a look-up in conntrack's table takes. For lab/bench/conntrack-tables, not for the kernel.
 *
 * Fills the table of the namespace that loads it with entries of several protocols, looks entries of one
 * of them up, prints to the log what a look-up took, and empties the table. Loading it "fails" with
 * ECANCELED when all is done, so that nothing stays.
 */
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched/signal.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

static unsigned int udp, tcp, icmp;
module_param(udp, uint, 0);
MODULE_PARM_DESC(udp, "entries of UDP");
module_param(tcp, uint, 0);
MODULE_PARM_DESC(tcp, "entries of TCP");
module_param(icmp, uint, 0);
MODULE_PARM_DESC(icmp, "entries of ICMP");

static unsigned int lookups = 500000;
module_param(lookups, uint, 0);
MODULE_PARM_DESC(lookups, "look-ups for each figure");

/* Tuple of flow @n: clients of one server, with some ports each */
static void tuple_of(struct nf_conntrack_tuple *tuple, u8 proto, u32 n)
{
	memset(tuple, 0, sizeof(*tuple));
	tuple->src.l3num = NFPROTO_IPV4;
	tuple->src.u3.ip = htonl(0x0a000000 + n / 16);
	tuple->dst.u3.ip = htonl(0xc0000201);
	tuple->dst.protonum = proto;
	tuple->src.u.all = htons(1024 + n % 16 * 4000 + n / 16 % 4000);
	if (proto == IPPROTO_ICMP)
		tuple->dst.u.icmp.type = 8;
	else
		tuple->dst.u.all = htons(proto == IPPROTO_UDP ? 1194 : 443);
	tuple->dst.dir = IP_CT_DIR_ORIGINAL;
}

static int fill(struct net *net, u8 proto, u32 count)
{
	struct nf_conntrack_tuple tuple, reply;
	struct nf_conn *ct;
	u32 n;
	int err;

	for (n = 0; n < count; n++) {
		tuple_of(&tuple, proto, n);
		if (!nf_ct_invert_tuple(&reply, &tuple))
			return -EINVAL;
		ct = nf_conntrack_alloc(net, &nf_ct_zone_dflt, &tuple, &reply, GFP_KERNEL);
		if (IS_ERR(ct))
			return PTR_ERR(ct);
		ct->timeout = nfct_time_stamp + 3600 * HZ;
		ct->status |= IPS_CONFIRMED;
		err = nf_conntrack_hash_check_insert(ct);
		if (err) {
			nf_conntrack_free(ct);
			return err;
		}
		nf_ct_put(ct);
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* ns for a look-up of one of the first @range flows, which come in random order */
static u64 look_up(struct net *net, u8 proto, u32 range, u32 *missed)
{
	const struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct rnd_state rnd;
	u64 ns[2];
	u32 i;
	int real;

	/* first without look-ups, which is what the rest of it takes */
	for (real = 0; real < 2; real++) {
		prandom_seed_state(&rnd, 1);
		ns[real] = ktime_get_ns();
		for (i = 0; i < lookups; i++) {
			tuple_of(&tuple, proto, ((u64)prandom_u32_state(&rnd) * range) >> 32);
			barrier_data(&tuple);
			if (!real)
				continue;
			found = nf_conntrack_find_get(net, &nf_ct_zone_dflt, &tuple);
			if (found)
				nf_ct_put(nf_ct_tuplehash_to_ctrack(found));
			else
				++*missed;
		}
		ns[real] = ktime_get_ns() - ns[real];
		cond_resched();
	}
	return div_u64(ns[1] - min(ns[0], ns[1]), lookups);
}

static int any(struct nf_conn *ct, void *data)
{
	return 1;
}

static int __init ct_tables_init(void)
{
	static const u32 ranges[] = { 1, 1000, U32_MAX };
	struct net *net = current->nsproxy->net_ns;
	struct nf_ct_iter_data all = { .net = net };
	u8 proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
	u32 count = udp ?: tcp, missed = 0;
	int i, err;

	if (!count || !lookups)
		return -EINVAL;

	err = fill(net, IPPROTO_UDP, udp);
	if (!err)
		err = fill(net, IPPROTO_TCP, tcp);
	if (!err)
		err = fill(net, IPPROTO_ICMP, icmp);
	for (i = 0; !err && i < ARRAY_SIZE(ranges); i++) {
		u32 range = min(ranges[i], count);
		u64 ns = look_up(net, proto, range, &missed);

		pr_info("ct_tables: %s %u %llu\n", proto == IPPROTO_UDP ? "udp" : "tcp", range, ns);
	}
	nf_ct_iterate_cleanup_net(any, &all);
	if (missed)
		err = -ENOENT;
	return err ?: -ECANCELED;
}
module_init(ct_tables_init);

MODULE_DESCRIPTION("What a look-up in conntrack's table takes");
MODULE_LICENSE("GPL");
