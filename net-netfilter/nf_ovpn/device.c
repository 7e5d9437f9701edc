// SPDX-License-Identifier: GPL-2.0
/* What others have attached to the tun device where packets leave by it.
 *
 * The egress hook stands before tc and the qdisc, and the shortcut before all
 * of them. So whoever attaches something there need not say so here, packets
 * are taken only when nothing is behind the place where they are taken:
 *
 *	netdev chains	before the egress hook: past those there is no shortcut
 *	tc, tcx, qdisc	behind it: packets are left alone, go through all of
 *			that and reach the daemon, which takes packet IDs from
 *			the kernel (key-reserve)
 *	packet sockets	they look at what is sent, which tx.c shows them
 *
 * A qdisc of the administrator has a handle; the device's own has none, whatever
 * net.core.default_qdisc makes of it.
 */
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <net/sch_generic.h>

#include "nf_ovpn.h"

/**
 * nf_ovpn_dev_has_queue - whether packets have to go on to tc or a qdisc
 * @dev: the tun device
 *
 * Context: RCU read side.
 * Return: true when something is attached behind the egress hook.
 */
bool nf_ovpn_dev_has_queue(const struct net_device *dev)
{
#ifdef CONFIG_NET_XGRESS
	if (unlikely(rcu_access_pointer(dev->tcx_egress)))
		return true;
#endif
	return unlikely(rcu_dereference(dev->qdisc)->handle);
}

/**
 * nf_ovpn_dev_is_plain - whether nothing is attached where packets leave
 * @dev: the tun device, with our egress hook
 *
 * Context: RCU read side.
 * Return: false when they have to pass something before they are sent.
 */
bool nf_ovpn_dev_is_plain(const struct net_device *dev)
{
	const struct nf_hook_entries *hooks;

	hooks = rcu_dereference(dev->nf_hooks_egress);
	return hooks && likely(hooks->num_hook_entries == 1) &&
	       !nf_ovpn_dev_has_queue(dev);
}
