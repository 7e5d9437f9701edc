// SPDX-License-Identifier: GPL-2.0
/* Keepalive: a ping when nothing was sent for a while, the end of a peer from
 * which nothing came for longer. One timer serves all peers of an instance.
 */
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include "nf_ovpn.h"

/* OpenVPN's ping, sent in place of an inner packet. It cannot be one: 2 is no
 * version of IP.
 */
const u8 nf_ovpn_ping[16] = {
	0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
	0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48
};

#define KEEPALIVE_PERIOD	HZ

/* Whether any peer wants to be looked at again. */
static bool keepalive_peer(struct nf_ovpn_peer *peer)
{
	unsigned long now = jiffies;

	if (!peer->keepalive_interval && !peer->keepalive_timeout)
		return false;

	if (peer->keepalive_timeout &&
	    time_after_eq(now, READ_ONCE(peer->last_rx) +
			       peer->keepalive_timeout)) {
		nf_ovpn_peer_del(peer, NF_OVPN_DEL_PEER_REASON_EXPIRED);
		return false;
	}

	if (peer->keepalive_interval &&
	    time_after_eq(now, READ_ONCE(peer->last_tx) +
			       peer->keepalive_interval)) {
		rcu_read_lock();
		local_bh_disable();
		nf_ovpn_tx_ping(peer);
		local_bh_enable();
		rcu_read_unlock();
	}
	return true;
}

static void keepalive_work(struct work_struct *work)
{
	struct nf_ovpn_instance *inst = container_of(to_delayed_work(work),
						     struct nf_ovpn_instance,
						     keepalive);
	struct nf_ovpn_net *ovpn_net = nf_ovpn_pernet(inst->net);
	struct nf_ovpn_peer *peer;
	bool again = false;
	unsigned long id;

	/* The end of the instance waits for this work under the lock. */
	if (!mutex_trylock(&ovpn_net->lock)) {
		schedule_delayed_work(&inst->keepalive, 1);
		return;
	}
	xa_for_each(&inst->peers, id, peer) {
		again |= keepalive_peer(peer);
		cond_resched();
	}
	mutex_unlock(&ovpn_net->lock);

	if (again)
		schedule_delayed_work(&inst->keepalive, KEEPALIVE_PERIOD);
}

/**
 * nf_ovpn_keepalive_init - prepare the timer of an instance
 * @inst: the instance
 */
void nf_ovpn_keepalive_init(struct nf_ovpn_instance *inst)
{
	INIT_DELAYED_WORK(&inst->keepalive, keepalive_work);
}

/**
 * nf_ovpn_keepalive_start - a peer wants keepalive: run the timer
 * @inst: the instance
 *
 * Context: Process, under nf_ovpn_net::lock.
 */
void nf_ovpn_keepalive_start(struct nf_ovpn_instance *inst)
{
	schedule_delayed_work(&inst->keepalive, KEEPALIVE_PERIOD);
}
