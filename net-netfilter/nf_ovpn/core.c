// SPDX-License-Identifier: GPL-2.0
/* nf_ovpn: the module, its namespaces and its instances.
 *
 * Lifetimes. An instance ends by netlink or with its tun device (notifier; the
 * end of the module looks like the end of every device to it). Both come to
 * nf_ovpn_instance_del() under RTNL, which makes the instance and its peers
 * unreachable, waits for packets on their way (synchronize_net()) and frees
 * the instance; peers, keys and endpoints free themselves by call_rcu(), which
 * rcu_barrier() waits for at unload. Conntrack entries hold handles only, see
 * ct.c.
 */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/fib_notifier.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "genl-gen.h"
#include "nf_ovpn.h"
#include "pages.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static unsigned int nf_ovpn_net_id __read_mostly;

/**
 * nf_ovpn_pernet - what nf_ovpn keeps for a network namespace
 * @net: network namespace
 *
 * Return: never NULL.
 */
struct nf_ovpn_net *nf_ovpn_pernet(const struct net *net)
{
	return net_generic(net, nf_ovpn_net_id);
}

/**
 * nf_ovpn_instance_by_dev - find the instance on a device
 * @net: network namespace
 * @dev: the device
 *
 * Context: RCU read side, or under nf_ovpn_net::lock.
 * Return: the instance or NULL.
 */
struct nf_ovpn_instance *nf_ovpn_instance_by_dev(const struct net *net,
						 const struct net_device *dev)
{
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(net);
	struct nf_ovpn_instance *inst;

	list_for_each_entry_rcu(inst, &ovpn_net->instances, list,
				lockdep_is_held(&ovpn_net->lock)) {
		if (inst->dev == dev)
			return inst;
	}
	return NULL;
}

/**
 * nf_ovpn_instance_by_ifindex - find the instance on a device
 * @net: network namespace
 * @ifindex: index of the device
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: the instance or NULL.
 */
struct nf_ovpn_instance *nf_ovpn_instance_by_ifindex(struct net *net,
						     int ifindex)
{
	struct nf_ovpn_instance *inst;

	list_for_each_entry(inst, &nf_ovpn_pernet(net)->instances, list) {
		if (inst->dev->ifindex == ifindex)
			return inst;
	}
	return NULL;
}

static bool listener_is_any(const struct nf_ovpn_listener *listener)
{
	static const union nf_inet_addr any;

	return nf_inet_addr_cmp(&listener->addr, &any);
}

static bool listener_overlaps(const struct nf_ovpn_listener *a,
			      const struct nf_ovpn_listener *b)
{
	if (a->port != b->port)
		return false;
	if (a->family != b->family && a->family != NFPROTO_UNSPEC &&
	    b->family != NFPROTO_UNSPEC)
		return false;
	return listener_is_any(a) == listener_is_any(b) &&
	       nf_inet_addr_cmp(&a->addr, &b->addr);
}

/**
 * nf_ovpn_listener_lookup - find the instance that listens on an address
 * @net: network namespace
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: local address
 * @port: local UDP port
 *
 * Context: RCU read side.
 * Return: the instance, that of an exact address before that of any; or NULL.
 */
struct nf_ovpn_instance *
nf_ovpn_listener_lookup(const struct net *net, u8 family,
			const union nf_inet_addr *addr, __be16 port)
{
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(net);
	struct nf_ovpn_instance *any = NULL;
	struct nf_ovpn_listener *listener;

	hash_for_each_possible_rcu(ovpn_net->listeners, listener, node,
				   (__force u16)port) {
		if (listener->port != port ||
		    (listener->family != family &&
		     listener->family != NFPROTO_UNSPEC))
			continue;
		if (nf_inet_addr_cmp(&listener->addr, addr))
			return listener->inst;
		if (listener_is_any(listener))
			any = listener->inst;
	}
	return any;
}

/**
 * nf_ovpn_listeners_free - free listeners that were never set
 * @listeners: list of struct nf_ovpn_listener
 */
void nf_ovpn_listeners_free(struct hlist_head *listeners)
{
	struct nf_ovpn_listener *listener;
	struct hlist_node *tmp;

	hlist_for_each_entry_safe(listener, tmp, listeners, node) {
		hlist_del(&listener->node);
		kfree(listener);
	}
}

/**
 * nf_ovpn_listeners_set - replace the listeners of an instance
 * @inst: the instance
 * @listeners: list of struct nf_ovpn_listener, the last one first; empty when
 *	       this succeeds
 * @which: the one that another instance has, counted from the last, which is
 *	   0; written with -EADDRINUSE
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: 0, -EADDRINUSE when another instance has one of them.
 */
int nf_ovpn_listeners_set(struct nf_ovpn_instance *inst,
			  struct hlist_head *listeners, unsigned int *which)
{
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(inst->net);
	struct nf_ovpn_listener *listener, *other;
	unsigned int i = 0;
	struct hlist_node *tmp;
	int bucket;

	hlist_for_each_entry(listener, listeners, node) {
		hash_for_each(ovpn_net->listeners, bucket, other, node) {
			if (other->inst != inst &&
			    listener_overlaps(listener, other)) {
				*which = i;
				return -EADDRINUSE;
			}
		}
		i++;
	}

	/* What stays must not be missing for a moment. */
	hash_for_each(ovpn_net->listeners, bucket, other, node)
		other->replaced = other->inst == inst;
	hlist_for_each_entry_safe(listener, tmp, listeners, node) {
		hlist_del(&listener->node);
		listener->inst = inst;
		hash_add_rcu(ovpn_net->listeners, &listener->node,
			     (__force u16)listener->port);
	}
	hash_for_each_safe(ovpn_net->listeners, bucket, tmp, other, node) {
		if (other->replaced) {
			hash_del_rcu(&other->node);
			kfree_rcu(other, rcu);
		}
	}
	nf_ovpn_gen_bump(inst->net);
	return 0;
}

/* A route or routing rule has changed, or is about to; the kernel's own counts
 * move on when it has. This tells of what they do not know, nexthops above all.
 */
static int fib_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct nf_ovpn_net *ovpn_net = container_of(nb, struct nf_ovpn_net,
						    fib_notifier);

	/* As in nf_ovpn_gen_bump(), whose argument is not at hand. */
	smp_mb__before_atomic();
	atomic_inc(&ovpn_net->gen);
	return NOTIFY_DONE;
}

/* The module is about to go: no instance is made any more. Changed under RTNL. */
static bool unloading;

/* Hooks are there while there are instances. */
static int hooks_get(struct net *net, struct netlink_ext_ack *extack)
{
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(net);
	int err;

	if (!list_empty(&ovpn_net->instances))
		return 0;

	err = nf_ct_netns_get(net, NFPROTO_INET);
	if (err)
		return err;
	err = register_fib_notifier(net, &ovpn_net->fib_notifier, NULL, extack);
	if (err)
		goto err_ct;
	err = nf_register_net_hooks(net, nf_ovpn_hooks, nf_ovpn_num_hooks);
	if (err)
		goto err_fib;
	return 0;

err_fib:
	unregister_fib_notifier(net, &ovpn_net->fib_notifier);
err_ct:
	nf_ct_netns_put(net, NFPROTO_INET);
	return err;
}

static void hooks_put(struct net *net)
{
	if (!list_empty(&nf_ovpn_pernet(net)->instances))
		return;

	nf_unregister_net_hooks(net, nf_ovpn_hooks, nf_ovpn_num_hooks);
	unregister_fib_notifier(net, &nf_ovpn_pernet(net)->fib_notifier);
	nf_ct_netns_put(net, NFPROTO_INET);
}

/**
 * nf_ovpn_hook_again - a part of a packet goes on by itself
 * @skb: the part, data at its network header, with all that the packet had
 * @state: where the packet was taken
 *
 * It begins with the hook of ours that took the packet, the first one there, and
 * takes the way that the packet would have taken.
 *
 * Context: RCU read side, BH disabled.
 */
void nf_ovpn_hook_again(struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct nf_hook_entries *hooks;
	struct nf_hook_state again = *state;
	struct nf_hook_ops **ops;
	unsigned int i;

#if IS_ENABLED(CONFIG_IPV6)
	if (state->pf == NFPROTO_IPV6)
		hooks = rcu_dereference(state->net->nf.hooks_ipv6[state->hook]);
	else
#endif
		hooks = rcu_dereference(state->net->nf.hooks_ipv4[state->hook]);
	ops = hooks ? nf_hook_entries_get_hook_ops(hooks) : NULL;
	for (i = 0; ops && i < hooks->num_hook_entries; i++) {
		if (ops[i] < nf_ovpn_hooks ||
		    ops[i] >= nf_ovpn_hooks + nf_ovpn_num_hooks)
			continue;
		if (nf_hook_slow(skb, &again, hooks, i) == 1)
			again.okfn(again.net, again.sk, skb);
		return;
	}
	/* The last instance has just gone. */
	kfree_skb_reason(skb, SKB_DROP_REASON_NETFILTER_DROP);
}

/**
 * nf_ovpn_instance_new - attach an instance to a tun device
 * @dev: the device
 * @mode: one peer or many
 * @fastpath: when flows may be armed
 * @res: the instance, written
 * @extack: says what is wrong
 *
 * Context: Process, under RTNL and nf_ovpn_net::lock.
 * Return: 0, -EOPNOTSUPP when the device is not a TUN device, -EEXIST,
 * -ENOMEM.
 */
int nf_ovpn_instance_new(struct net_device *dev, enum nf_ovpn_mode mode,
			 enum nf_ovpn_fastpath fastpath,
			 struct nf_ovpn_instance **res,
			 struct netlink_ext_ack *extack)
{
	struct net *net = dev_net(dev);
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(net);
	struct nf_ovpn_instance *inst;
	int cpu, err;

	if (unloading)
		return -ENODEV;
	if (!dev->rtnl_link_ops || strcmp(dev->rtnl_link_ops->kind, "tun")) {
		NL_SET_ERR_MSG(extack, "not a tun device");
		return -EOPNOTSUPP;
	}
	if (dev->hard_header_len || dev->addr_len) {
		NL_SET_ERR_MSG(extack,
			       "a TAP device; only TUN devices are supported");
		return -EOPNOTSUPP;
	}
	if (nf_ovpn_instance_by_dev(net, dev)) {
		NL_SET_ERR_MSG(extack, "the device has an instance");
		return -EEXIST;
	}

	err = nf_ovpn_keepalive_init(ovpn_net);
	if (err)
		return err;
	inst = kzalloc_obj(*inst, GFP_KERNEL_ACCOUNT);
	if (!inst)
		return -ENOMEM;
	inst->net = net;
	inst->dev = dev;
	inst->mode = mode;
	inst->fastpath = fastpath;
	inst->fastpath_mask = U32_MAX;
	xa_init(&inst->peers);
	inst->egress = (struct nf_hook_ops) {
		.hook		= nf_ovpn_egress_hook,
		.dev		= dev,
		.priv		= inst,
		.pf		= NFPROTO_NETDEV,
		.hooknum	= NF_NETDEV_EGRESS,
		/* after what the user has put there */
		.priority	= INT_MAX,
		.stable		= true,
	};

	inst->stats = alloc_percpu_gfp(struct nf_ovpn_inst_stats,
				       GFP_KERNEL_ACCOUNT);
	if (!inst->stats) {
		err = -ENOMEM;
		goto err_free;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(inst->stats, cpu)->syncp);

	err = rhashtable_init(&inst->by_addr, &nf_ovpn_by_addr_params);
	if (err)
		goto err_stats;
	err = nf_ovpn_routes_init(&inst->routes);
	if (err)
		goto err_by_addr;
	err = gro_cells_init(&inst->gro_cells, dev);
	if (err)
		goto err_routes;
	err = hooks_get(net, extack);
	if (err)
		goto err_gro;
	err = nf_register_net_hook(net, &inst->egress);
	if (err)
		goto err_hooks;

	netdev_hold(dev, &inst->dev_tracker, GFP_KERNEL);
	list_add_tail_rcu(&inst->list, &ovpn_net->instances);
	*res = inst;
	return 0;

err_hooks:
	hooks_put(net);
err_gro:
	gro_cells_destroy(&inst->gro_cells);
err_routes:
	nf_ovpn_routes_destroy(&inst->routes);
err_by_addr:
	rhashtable_destroy(&inst->by_addr);
err_stats:
	free_percpu(inst->stats);
err_free:
	kfree(inst);
	return err;
}

/**
 * nf_ovpn_instance_del - delete an instance, its peers and their keys, and tell
 *			  userspace
 * @inst: the instance
 * @reason: why
 *
 * Context: Process, under RTNL and nf_ovpn_net::lock.
 */
void nf_ovpn_instance_del(struct nf_ovpn_instance *inst,
			  enum nf_ovpn_del_instance_reason reason)
{
	HLIST_HEAD(no_listeners);

	/* No new packet finds it ... */
	list_del_rcu(&inst->list);
	nf_ovpn_listeners_set(inst, &no_listeners, NULL);
	nf_unregister_net_hook(inst->net, &inst->egress);
	hooks_put(inst->net);
	nf_ovpn_peer_flush(inst, NF_OVPN_DEL_PEER_REASON_TEARDOWN);
	nf_ovpn_nl_instance_del_ntf(inst, reason);

	/* ... and those that had found it are through. */
	synchronize_net();

	gro_cells_destroy(&inst->gro_cells);
	nf_ovpn_routes_destroy(&inst->routes);
	rhashtable_destroy(&inst->by_addr);
	xa_destroy(&inst->peers);
	free_percpu(inst->stats);
	netdev_put(inst->dev, &inst->dev_tracker);
	kfree(inst);
}

/* Why a device is said to be unregistered */
static enum nf_ovpn_del_instance_reason
unregister_reason(const struct net_device *dev)
{
	if (unloading)
		return NF_OVPN_DEL_INSTANCE_REASON_MODULE;
	return dev->reg_state == NETREG_REGISTERED ?
	       NF_OVPN_DEL_INSTANCE_REASON_MOVED :
	       NF_OVPN_DEL_INSTANCE_REASON_DEVICE;
}

static int netdev_event(struct notifier_block *nb, unsigned long event,
			void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(dev_net(dev));
	struct nf_ovpn_instance *inst;

	/* Its name, its group, its master: rules ask for them. */
	nf_ovpn_gen_bump(dev_net(dev));

	/* Moving to another namespace is one, too. */
	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;

	mutex_lock(&ovpn_net->lock);
	inst = nf_ovpn_instance_by_dev(dev_net(dev), dev);
	if (inst)
		nf_ovpn_instance_del(inst, unregister_reason(dev));
	mutex_unlock(&ovpn_net->lock);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = {
	.notifier_call = netdev_event,
};

static int __net_init net_init(struct net *net)
{
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(net);

	mutex_init(&ovpn_net->lock);
	INIT_LIST_HEAD(&ovpn_net->instances);
	hash_init(ovpn_net->listeners);
	xa_init_flags(&ovpn_net->handles, XA_FLAGS_ALLOC);
	ovpn_net->fib_notifier.notifier_call = fib_event;
	return 0;
}

/* All instances are gone: a namespace that ends loses its devices first, and
 * a module that is unloaded its notifier, which then sees each device go.
 */
static void __net_exit net_exit(struct net *net)
{
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(net);

	WARN_ON_ONCE(!list_empty(&ovpn_net->instances));
	WARN_ON_ONCE(!xa_empty(&ovpn_net->handles));
	xa_destroy(&ovpn_net->handles);
	nf_ovpn_keepalive_exit(ovpn_net);
}

static struct pernet_operations net_ops = {
	.init	= net_init,
	.exit	= net_exit,
	.id	= &nf_ovpn_net_id,
	.size	= sizeof(struct nf_ovpn_net),
};

static int __init nf_ovpn_init(void)
{
	int err;

	err = register_pernet_subsys(&net_ops);
	if (err)
		return err;
	err = register_netdevice_notifier(&netdev_notifier);
	if (err)
		goto err_pernet;
	err = nf_ovpn_nl_register();
	if (err)
		goto err_notifier;
	nf_ovpn_drop_reasons_register();
	return 0;

err_notifier:
	unregister_netdevice_notifier(&netdev_notifier);
err_pernet:
	unregister_pernet_subsys(&net_ops);
	return err;
}

static void __exit nf_ovpn_exit(void)
{
	/* Instances first, which still have a family to say so. */
	rtnl_lock();
	unloading = true;
	rtnl_unlock();
	unregister_netdevice_notifier(&netdev_notifier);
	genl_unregister_family(&nf_ovpn_nl_family);
	unregister_pernet_subsys(&net_ops);
	nf_ovpn_drop_reasons_unregister();
	nf_ovpn_pages_drain();
	rcu_barrier();
}

module_init(nf_ovpn_init);
module_exit(nf_ovpn_exit);

MODULE_DESCRIPTION("OpenVPN data channel in Netfilter");
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY(NF_OVPN_FAMILY_NAME);
