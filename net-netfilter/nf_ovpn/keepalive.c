// SPDX-License-Identifier: GPL-2.0
/* Keepalive: a ping when nothing was sent for a while, the end of a peer from
 * which nothing came for longer.
 *
 * Packets only note the time (nf_ovpn_touch()). One timer for each namespace
 * turns a wheel (wheel.c), a tick each second, in which every peer with
 * keepalive stands where the earlier of its two times will be up if no packet
 * comes by. When it is looked at, either the time is up indeed, or there was a
 * packet and the peer is put where the time is up now. So a peer is looked at
 * once in its shorter time, whatever its traffic, and peers that are not due
 * cost nothing: it makes no difference how many there are.
 *
 * The timer stops with the last peer that has keepalive. It belongs to the
 * namespace and not to an instance, so that the end of an instance, under the
 * lock, need not wait for it.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "nf_ovpn.h"
#include "wheel.h"

/* OpenVPN's ping, sent in place of an inner packet. It cannot be one: 2 is no
 * version of IP.
 */
const u8 nf_ovpn_ping[16] = {
	0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
	0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48
};

#define KEEPALIVE_TICK		HZ

/* nf_ovpn.yaml allows a day. */
static_assert(NF_OVPN_WHEEL_MAX > 24 * 60 * 60);

/**
 * struct nf_ovpn_keepalive - keepalive of a namespace
 * @work: turns @wheel
 * @ovpn_net: the namespace
 * @time: when the current tick began, jiffies
 * @num: peers in @wheel
 * @wheel: peers, by when they are to be looked at
 *
 * All of it is changed under nf_ovpn_net::lock.
 */
struct nf_ovpn_keepalive {
	struct delayed_work	work;
	struct nf_ovpn_net	*ovpn_net;
	unsigned long		time;
	unsigned int		num;
	struct nf_ovpn_wheel	wheel;
};

static void wheel_insert(struct nf_ovpn_keepalive *ka,
			 struct nf_ovpn_peer *peer, unsigned long ticks)
{
	nf_ovpn_wheel_add(&ka->wheel, &peer->keepalive, ticks);
	ka->num++;
}

static void wheel_remove(struct nf_ovpn_keepalive *ka,
			 struct nf_ovpn_peer *peer)
{
	list_del_init(&peer->keepalive);
	ka->num--;
}

/* How long it is until a time that counts from @stamp is up, at least 0 */
static unsigned long left(unsigned long now, unsigned long stamp,
			  unsigned long time)
{
	unsigned long end = stamp + time;

	return time_after(end, now) ? end - now : 0;
}

/* Do what is to be done for a peer, which is not in the wheel, and put it back
 * if it is still there.
 */
static void look_at(struct nf_ovpn_keepalive *ka, struct nf_ovpn_peer *peer)
{
	unsigned long now = jiffies, wait = NF_OVPN_WHEEL_MAX * HZ, ping;

	if (peer->keepalive_timeout) {
		wait = left(now, READ_ONCE(peer->last_rx),
			    peer->keepalive_timeout);
		if (!wait) {
			nf_ovpn_peer_del(peer, NF_OVPN_DEL_PEER_REASON_EXPIRED);
			return;
		}
	}
	if (peer->keepalive_interval) {
		ping = left(now, READ_ONCE(peer->last_tx),
			    peer->keepalive_interval);
		if (!ping) {
			rcu_read_lock();
			local_bh_disable();
			nf_ovpn_tx_ping(peer);
			local_bh_enable();
			rcu_read_unlock();
			ping = peer->keepalive_interval;
		}
		wait = min(wait, ping);
	}
	wheel_insert(ka, peer, DIV_ROUND_UP(now - ka->time + wait,
					    KEEPALIVE_TICK));
}

static void keepalive_work(struct work_struct *work)
{
	struct nf_ovpn_keepalive *ka = container_of(to_delayed_work(work),
						    struct nf_ovpn_keepalive,
						    work);
	struct nf_ovpn_peer *peer;
	LIST_HEAD(due);

	mutex_lock(&ka->ovpn_net->lock);
	/* More than one tick when the lock was not to be had. */
	while (ka->num && time_after_eq(jiffies, ka->time + KEEPALIVE_TICK)) {
		ka->time += KEEPALIVE_TICK;
		nf_ovpn_wheel_turn(&ka->wheel, &due);
		while (!list_empty(&due)) {
			peer = list_first_entry(&due, struct nf_ovpn_peer,
						keepalive);
			wheel_remove(ka, peer);
			look_at(ka, peer);
			cond_resched();
		}
	}
	if (ka->num)
		schedule_delayed_work(&ka->work,
				      left(jiffies, ka->time, KEEPALIVE_TICK));
	mutex_unlock(&ka->ovpn_net->lock);
}

/**
 * nf_ovpn_keepalive_init - prepare the timer of a namespace
 * @ovpn_net: the namespace, for which that may have been done before
 *
 * Context: Process, under nf_ovpn_net::lock.
 * Return: 0 or -ENOMEM.
 */
int nf_ovpn_keepalive_init(struct nf_ovpn_net *ovpn_net)
{
	struct nf_ovpn_keepalive *ka;

	if (ovpn_net->keepalive)
		return 0;
	ka = kzalloc_obj(*ka, GFP_KERNEL_ACCOUNT);
	if (!ka)
		return -ENOMEM;
	INIT_DELAYED_WORK(&ka->work, keepalive_work);
	nf_ovpn_wheel_init(&ka->wheel);
	ka->ovpn_net = ovpn_net;
	ovpn_net->keepalive = ka;
	return 0;
}

/**
 * nf_ovpn_keepalive_exit - the namespace ends, and has no peer
 * @ovpn_net: the namespace
 *
 * Context: Process.
 */
void nf_ovpn_keepalive_exit(struct nf_ovpn_net *ovpn_net)
{
	struct nf_ovpn_keepalive *ka = ovpn_net->keepalive;

	if (!ka)
		return;
	cancel_delayed_work_sync(&ka->work);
	WARN_ON_ONCE(ka->num);
	kfree(ka);
}

/**
 * nf_ovpn_keepalive_set - the times of a peer have changed
 * @peer: the peer
 *
 * The next tick looks at it, and finds out when it is to be looked at again.
 *
 * Context: Process, under nf_ovpn_net::lock.
 */
void nf_ovpn_keepalive_set(struct nf_ovpn_peer *peer)
{
	struct nf_ovpn_keepalive *ka =
		nf_ovpn_pernet(peer->inst->net)->keepalive;

	nf_ovpn_keepalive_del(peer);
	if (!peer->keepalive_interval && !peer->keepalive_timeout)
		return;
	if (!ka->num) {
		ka->time = jiffies;
		schedule_delayed_work(&ka->work, KEEPALIVE_TICK);
	}
	wheel_insert(ka, peer, 1);
}

/**
 * nf_ovpn_keepalive_del - nothing is to be done for a peer any more
 * @peer: the peer
 *
 * Context: Process, under nf_ovpn_net::lock.
 */
void nf_ovpn_keepalive_del(struct nf_ovpn_peer *peer)
{
	if (!list_empty(&peer->keepalive))
		wheel_remove(nf_ovpn_pernet(peer->inst->net)->keepalive, peer);
}
