// SPDX-License-Identifier: GPL-2.0
/* The hooks: where packets are looked at, and what is decided there.
 *
 *                    PREROUTING            LOCAL_IN
 *   peer ----------> rx_hook ------------> input_hook ------> socket
 *                    | armed outer flow    | others, after
 *                    v                     v the rules
 *                    rx.c <----------------+
 *
 *                    PREROUTING   FORWARD  POSTROUTING      tun, egress
 *   LAN -----------> forward_hook -------> postrouting_hook egress_hook -> tun
 *   local -> LOCAL_OUT output_hook ------> |                |
 *                    | armed inner flow    attach           | others, after
 *                    v                                      v the rules; arm
 *                    tx.c <---------------------------------+
 *
 * Each hook of the upper row only compares: what it needs was found and
 * stored by the hook at the end of the normal path. Packets that have nothing to
 * do with a tunnel pass these hooks, too; they are let go by functions that call
 * none, which is what the noinline is for.
 */
#include <linux/bpf-cgroup.h>
#include <linux/icmpv6.h>
#include <linux/inetdevice.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/tcp.h>
#include <net/addrconf.h>
#include <net/icmp.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_nat.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "nf_ovpn.h"

/* Whether this is an ICMP error about a flow. A flow that a helper expects is
 * related, too, until it is answered, but its packets are its own.
 */
static bool ct_is_error(const struct sk_buff *skb, u8 pf,
			const struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	u8 proto;

	if (likely(ctinfo != IP_CT_RELATED && ctinfo != IP_CT_RELATED_REPLY))
		return false;
	proto = pf == NFPROTO_IPV4 ? ip_hdr(skb)->protocol :
				     ipv6_hdr(skb)->nexthdr;
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ||
	       proto != nf_ct_protonum(ct);
}

static bool ct_is_outer(const struct nf_conn_ovpn *ext,
			enum ip_conntrack_dir dir)
{
	return atomic64_read(&ext->handle[dir]) & NF_OVPN_HANDLE_OUTER;
}

/* Whether IPsec lets the packet in, as the path that it does not take would
 * ask. It takes that path when not.
 */
static bool ipsec_lets_in(struct sk_buff *skb, u8 pf, int dir)
{
	return xfrm_policy_check(NULL, dir, skb,
				 pf == NFPROTO_IPV4 ? AF_INET : AF_INET6);
}

/* A frame that goes through a bridge, whether or not it is for this host */
static bool is_bridged(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return nf_bridge_info_exists(skb);
#else
	return false;
#endif
}

static noinline unsigned int take_outer(struct sk_buff *skb,
					const struct nf_conn *ct,
					enum ip_conntrack_info ctinfo,
					const struct nf_hook_state *state)
{
	const struct nf_conn_ovpn *ext = nf_ct_ovpn_find(ct);
	enum ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
	struct nf_ovpn_peer *peer;
	u64 kind;
	u32 gen;

	if (!ct_is_outer(ext, dir) || ct_is_error(skb, state->pf, ct, ctinfo))
		return NF_ACCEPT;

	gen = nf_ovpn_gen(state->net);
	kind = nf_ovpn_ct_kind(skb, state->pf, ct, ctinfo, state->in);
	peer = nf_ovpn_ct_armed(state->net, ct, ext, dir, kind, gen);
	if (peer && skb->pkt_type == PACKET_HOST && !is_bridged(skb) &&
	    !secpath_exists(skb) &&
	    ipsec_lets_in(skb, state->pf, XFRM_POLICY_IN) &&
	    nf_ovpn_rx(peer, skb, state,
		       NF_OVPN_A_STATS_RX_FAST_PACKETS) == NF_STOLEN)
		return NF_STOLEN;

	nf_ovpn_ct_ask(skb, ct, kind, gen);
	return NF_ACCEPT;
}

/* PREROUTING, just after conntrack: data packets of outer flows. */
static unsigned int rx_hook(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct && unlikely(nf_ct_ovpn_find(ct)))
		return take_outer(skb, ct, ctinfo, state);
	return NF_ACCEPT;
}

/* LOCAL_IN, after all rules and just before the entry is confirmed: new outer
 * flows, and data packets of those that are not armed.
 */
static unsigned int input_hook(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	const struct nf_conntrack_tuple *reply;
	enum ip_conntrack_info ctinfo;
	struct nf_ovpn_instance *inst;
	const struct nf_conn_ovpn *ext;
	enum ip_conntrack_dir dir;
	struct nf_ovpn_peer *peer;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (ct && unlikely(!nf_ct_is_confirmed(ct)) && nf_ct_ovpn_find(ct) &&
	    !ct_is_error(skb, state->pf, ct, ctinfo))
		nf_ovpn_ct_arm_eager(state->net, ct, CTINFO2DIR(ctinfo), skb,
				     state->pf, NULL);
	if (!ct || nf_ct_protonum(ct) != IPPROTO_UDP ||
	    ct_is_error(skb, state->pf, ct, ctinfo))
		return NF_ACCEPT;

	ext = nf_ct_ovpn_find(ct);
	dir = CTINFO2DIR(ctinfo);
	if (ext && !ct_is_outer(ext, dir))
		return NF_ACCEPT;

	/* Our own address, as a reply will show it: after DNAT. */
	reply = &ct->tuplehash[!dir].tuple;
	inst = nf_ovpn_listener_lookup(state->net, nf_ct_l3num(ct),
				       &reply->src.u3, reply->src.u.udp.port);
	if (!inst)
		return NF_ACCEPT;

	/* A flow that is older than the listener takes this path for good. */
	if (!ext && !nf_ct_is_confirmed(ct))
		nf_ovpn_ct_attach_outer(ct);

	peer = nf_ovpn_rx_peer(inst, skb, state->pf, reply);
	if (IS_ERR(peer))
		return NF_ACCEPT;
	/* What IPsec refuses, the socket refuses. */
	if (peer && ipsec_lets_in(skb, state->pf, XFRM_POLICY_IN) &&
	    nf_ovpn_rx(peer, skb, state,
		       NF_OVPN_A_STATS_RX_SLOW_PACKETS) == NF_STOLEN)
		return NF_STOLEN;

	nf_ovpn_stats_path(inst, NF_OVPN_A_STATS_RX_USERSPACE_PACKETS);
	return NF_ACCEPT;
}

/* Whether BPF programs of the sender's control group look at what it sends,
 * which they do behind POSTROUTING.
 */
static bool bpf_looks(struct sk_buff *skb)
{
#ifdef CONFIG_CGROUP_BPF
	struct sock *sk;

	if (!cgroup_bpf_enabled(CGROUP_INET_EGRESS))
		return false;
	sk = skb_to_full_sk(skb);
	return sk && cgroup_bpf_sock_enabled(sk, CGROUP_INET_EGRESS);
#else
	return false;
#endif
}

/* Rules ask for what opens and closes a connection, and conntrack's state of it
 * changes. Behind the first segments each has ACK.
 */
static bool tcp_is_plain(const struct sk_buff *skb, unsigned int thoff)
{
	const struct tcphdr *th;
	struct tcphdr buf;

	th = skb_header_pointer(skb, thoff, sizeof(buf), &buf);
	return th && th->ack && !th->syn && !th->fin && !th->rst && !th->urg;
}

/* What packets of a flow may have each for itself and rules may ask for, so that
 * one that has it neither arms the flow nor is short-cut.
 */
static enum nf_ovpn_unarmed odd_packet(const struct sk_buff *skb,
				       const struct nf_conn *ct, u8 pf)
{
	unsigned int thoff = skb_network_offset(skb);

	if (pf == NFPROTO_IPV4) {
		const struct iphdr *iph = ip_hdr(skb);

		if (iph->ihl != sizeof(*iph) / 4 || ip_is_fragment(iph))
			return NF_OVPN_UNARMED_HEADER;
		if (ipv4_is_multicast(iph->daddr) ||
		    ipv4_is_lbcast(iph->daddr))
			return NF_OVPN_UNARMED_GROUP;
		thoff += sizeof(*iph);
	} else {
		const struct ipv6hdr *ip6h = ipv6_hdr(skb);

		if (ip6h->nexthdr != nf_ct_protonum(ct))
			return NF_OVPN_UNARMED_HEADER;
		if (ipv6_addr_is_multicast(&ip6h->daddr))
			return NF_OVPN_UNARMED_GROUP;
		thoff += sizeof(*ip6h);
	}

	if (nf_ct_protonum(ct) == IPPROTO_TCP && !tcp_is_plain(skb, thoff))
		return NF_OVPN_UNARMED_TCP;
	/* Helpers look at each packet. */
	if (nf_ct_ext_exist(ct, NF_CT_EXT_HELPER) ||
	    READ_ONCE(ct->status) & IPS_SEQ_ADJUST)
		return NF_OVPN_UNARMED_HELPER;
	if (secpath_exists(skb))
		return NF_OVPN_UNARMED_IPSEC;
	return NF_OVPN_UNARMED_NONE;
}

/* As ip6_forward() and ip6_dst_mtu_maybe_forward() ask. What the settings of a
 * device say has no generation.
 */
static bool in6_takes(const struct sk_buff *skb, const struct net *net,
		      const struct net_device *out, unsigned int *mtu)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct inet6_dev *idev = __in6_dev_get(skb->dev);

	if (!READ_ONCE(net->ipv6.devconf_all->forwarding) &&
	    (!idev || !READ_ONCE(idev->cnf.force_forwarding)))
		return false;
	idev = __in6_dev_get(out);
	if (!idev)
		return false;
	*mtu = min_t(unsigned int, *mtu, READ_ONCE(idev->cnf.mtu6));
#endif
	return true;
}

static bool forward_takes(struct sk_buff *skb, const struct net *net,
			  const struct net_device *out, u8 pf,
			  unsigned int *mtu)
{
	/* TPROXY and BPF give packets to a socket. */
	if (skb->pkt_type != PACKET_HOST || skb->sk || is_bridged(skb) ||
	    !ipsec_lets_in(skb, pf, XFRM_POLICY_FWD))
		return false;
	if (pf == NFPROTO_IPV4)
		return ip_hdr(skb)->ttl > 1;
	return ipv6_hdr(skb)->hop_limit > 1 && in6_takes(skb, net, out, mtu);
}

static bool local_takes(struct sk_buff *skb, const struct net_device *out,
			unsigned int *mtu)
{
	const struct dst_entry *dst = skb_dst(skb);

	if (dst_dev_rcu(dst) != out || dst_xfrm(dst) || bpf_looks(skb))
		return false;
	/* the network's broadcast address, which odd_packet() cannot know */
	if (dst->ops->family == AF_INET &&
	    skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		return false;
	*mtu = min(*mtu, dst_mtu(dst));
	return true;
}

/* Whether conntrack has put the packet together. The normal path sends it in
 * fragments again, and none of them is larger than the largest one was.
 */
static bool was_in_fragments(const struct sk_buff *skb, u8 pf)
{
	if (pf == NFPROTO_IPV4)
		return IPCB(skb)->frag_max_size;
#if IS_ENABLED(CONFIG_IPV6)
	return IP6CB(skb)->frag_max_size;
#else
	return false;
#endif
}

/* What the normal path would do more than to send the packet to the device,
 * it shall do.
 */
static bool shortcut_takes(struct sk_buff *skb, const struct nf_conn *ct,
			   enum ip_conntrack_info ctinfo,
			   const struct nf_ovpn_peer *peer, u8 pf,
			   bool forward)
{
	const struct nf_ovpn_instance *inst = peer->inst;
	unsigned int mtu = READ_ONCE(inst->dev->mtu);

	if (READ_ONCE(inst->fastpath) == NF_OVPN_FASTPATH_OFF ||
	    !(READ_ONCE(inst->dev->flags) & IFF_UP) ||
	    !nf_ovpn_dev_is_plain(inst->dev) ||
	    ct_is_error(skb, pf, ct, ctinfo) || nf_ct_is_dying(ct) ||
	    was_in_fragments(skb, pf) || odd_packet(skb, ct, pf))
		return false;

	if (!(forward ? forward_takes(skb, inst->net, inst->dev, pf, &mtu) :
			local_takes(skb, inst->dev, &mtu)))
		return false;

	if (READ_ONCE(inst->df) != NF_OVPN_DF_UNSET)
		mtu = min(mtu, READ_ONCE(rcu_dereference(peer->endpoint)->mtu));
	return nf_ovpn_tx_fits(skb, mtu);
}

/* As ip_forward() and ip6_forward() do. */
static bool forward_packet(struct sk_buff *skb, u8 pf)
{
	if (skb_ensure_writable(skb, skb_network_offset(skb) +
				(pf == NFPROTO_IPV4 ? sizeof(struct iphdr) :
						      sizeof(struct ipv6hdr))))
		return false;
	if (pf == NFPROTO_IPV4) {
		ip_decrease_ttl(ip_hdr(skb));
		skb->priority = rt_tos2priority(ip_hdr(skb)->tos);
	} else {
		ipv6_hdr(skb)->hop_limit--;
	}
	return true;
}

/* What would be done in POSTROUTING. Destination NAT is done: the shortcut
 * comes after it.
 */
static bool source_nat(struct sk_buff *skb, struct nf_conn *ct,
		       enum ip_conntrack_info ctinfo)
{
#if IS_ENABLED(CONFIG_NF_NAT)
	return nf_nat_packet(ct, ctinfo, NF_INET_POST_ROUTING, skb) ==
	       NF_ACCEPT;
#else
	return true;
#endif
}

static noinline unsigned int take_inner(struct sk_buff *skb,
					struct nf_conn *ct,
					enum ip_conntrack_info ctinfo,
					const struct nf_hook_state *state,
					bool forward)
{
	const struct nf_conn_ovpn *ext = nf_ct_ovpn_find(ct);
	enum ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
	struct nf_ovpn_key *key = NULL;
	struct nf_ovpn_peer *peer;
	u64 kind;
	u32 gen;

	if (ct_is_outer(ext, dir))
		return NF_ACCEPT;

	gen = nf_ovpn_gen(state->net);
	kind = nf_ovpn_ct_kind(skb, state->pf, ct, ctinfo, state->in);
	peer = nf_ovpn_ct_armed(state->net, ct, ext, dir, kind, gen);
	if (peer &&
	    shortcut_takes(skb, ct, ctinfo, peer, state->pf, forward))
		key = nf_ovpn_peer_tx_key(peer);
	if (!key) {
		nf_ovpn_ct_ask(skb, ct, kind, gen);
		return NF_ACCEPT;
	}

	local_bh_disable();
	if ((forward && !forward_packet(skb, state->pf)) ||
	    !source_nat(skb, ct, ctinfo)) {
		nf_ovpn_drop(peer->inst, skb, NF_OVPN_A_DROPS_NO_MEMORY);
		local_bh_enable();
		return NF_STOLEN;
	}

	/* nf_confirm() does this on the normal path. */
	if (nf_ct_ecache_exist(ct))
		nf_ct_deliver_cached_events(ct);

	nf_ovpn_tx(peer, key, skb, NF_OVPN_A_STATS_TX_FAST_PACKETS);
	local_bh_enable();
	return NF_STOLEN;
}

static void ask(const struct sk_buff *skb, const struct nf_conn *ct,
		enum ip_conntrack_info ctinfo,
		const struct nf_hook_state *state)
{
	u32 gen = nf_ovpn_gen(state->net);

	nf_ovpn_ct_ask(skb, ct, nf_ovpn_ct_kind(skb, state->pf, ct, ctinfo,
						state->in), gen);
}

/* The first packets of a flow that may come from a peer. */
static noinline unsigned int new_forward(struct sk_buff *skb,
					 struct nf_conn *ct,
					 enum ip_conntrack_info ctinfo,
					 const struct nf_hook_state *state)
{
	struct nf_ovpn_instance *inst;
	struct nf_ovpn_peer *peer;

	ask(skb, ct, ctinfo, state);

	inst = nf_ovpn_instance_by_dev(state->net, state->in);
	if (!inst || ct_is_error(skb, state->pf, ct, ctinfo) ||
	    nf_ct_ovpn_find(ct))
		return NF_ACCEPT;
	peer = nf_ovpn_peer_by_vpn_addr(inst, skb, true);
	nf_ovpn_ct_attach_inner(ct, CTINFO2DIR(ctinfo), peer);
	return NF_ACCEPT;
}

/* The first packets of a flow that may carry OpenVPN. */
static noinline unsigned int new_output(struct sk_buff *skb, struct nf_conn *ct,
					enum ip_conntrack_info ctinfo,
					const struct nf_hook_state *state)
{
	const struct nf_conntrack_tuple *tuple =
		&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;

	ask(skb, ct, ctinfo, state);

	if (nf_ct_protonum(ct) == IPPROTO_UDP && !nf_ct_ovpn_find(ct) &&
	    !ct_is_error(skb, state->pf, ct, ctinfo) &&
	    nf_ovpn_listener_lookup(state->net, nf_ct_l3num(ct),
				    &tuple->src.u3, tuple->src.u.udp.port))
		nf_ovpn_ct_attach_outer(ct);
	return NF_ACCEPT;
}

typedef unsigned int new_flow_fn(struct sk_buff *skb, struct nf_conn *ct,
				 enum ip_conntrack_info ctinfo,
				 const struct nf_hook_state *state);

/* What may be on its way to a peer: @new_flow looks at the first packets of a
 * flow, before it has an entry in the table.
 */
static __always_inline unsigned int
inner_hook(struct sk_buff *skb, const struct nf_hook_state *state,
	   new_flow_fn *new_flow, bool forward)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (!ct)
		return NF_ACCEPT;
	if (unlikely(!nf_ct_is_confirmed(ct)))
		return new_flow(skb, ct, ctinfo, state);
	if (unlikely(nf_ct_ovpn_find(ct)))
		return take_inner(skb, ct, ctinfo, state, forward);
	return NF_ACCEPT;
}

/* PREROUTING, after conntrack and DNAT: what is forwarded to a peer, and the
 * first packet of flows that come from one.
 */
static unsigned int forward_hook(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	return inner_hook(skb, state, new_forward, true);
}

/* LOCAL_OUT, after conntrack and DNAT: what this host sends to a peer, and
 * new outer flows that this host opens.
 */
static unsigned int output_hook(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	return inner_hook(skb, state, new_output, false);
}

/* The first packets of a flow that may go to a peer. */
static noinline unsigned int new_postrouting(struct sk_buff *skb,
					     struct nf_conn *ct,
					     enum ip_conntrack_info ctinfo,
					     const struct nf_hook_state *state)
{
	if (ct_is_error(skb, state->pf, ct, ctinfo))
		return NF_ACCEPT;
	if (nf_ct_ovpn_find(ct))
		nf_ovpn_ct_arm_eager(state->net, ct, CTINFO2DIR(ctinfo), skb,
				     state->pf, state->out);
	else if (nf_ovpn_instance_by_dev(state->net, state->out))
		nf_ovpn_ct_attach_inner(ct, CTINFO2DIR(ctinfo), NULL);
	return NF_ACCEPT;
}

/* POSTROUTING, just before the entry is confirmed: new flows to a peer. */
static unsigned int postrouting_hook(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct && unlikely(!nf_ct_is_confirmed(ct)))
		return new_postrouting(skb, ct, ctinfo, state);
	return NF_ACCEPT;
}

/* Why an inner packet that has come to its end does not arm its flow, as far as
 * it tells itself; ct.c has the rest.
 */
static enum nf_ovpn_unarmed why_not(struct sk_buff *skb,
				    const struct nf_ovpn_instance *inst,
				    const struct nf_conn *ct)
{
	const struct dst_entry *dst = skb_dst(skb);
	enum nf_ovpn_unarmed reason;
	u8 pf = nf_ct_l3num(ct);

	if (!nf_ovpn_dev_is_plain(inst->dev))
		return NF_OVPN_UNARMED_DEVICE;
	reason = odd_packet(skb, ct, pf);
	if (reason)
		return reason;
	if (!dst || dst->ops->family != pf)
		return NF_OVPN_UNARMED_ROUTE;
	if (dst_xfrm(dst))
		return NF_OVPN_UNARMED_IPSEC;
	if (pf == NFPROTO_IPV4 &&
	    skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		return NF_OVPN_UNARMED_GROUP;
	if (nf_ovpn_ct_asked_forward(skb))
		return nf_ovpn_fib_is_plain(dst, inst, pf) ?
		       NF_OVPN_UNARMED_NONE : NF_OVPN_UNARMED_ROUTE;
	return bpf_looks(skb) ? NF_OVPN_UNARMED_BPF : NF_OVPN_UNARMED_NONE;
}

/* A flow can be armed when it is one that can go from PREROUTING straight to a
 * peer.
 */
static void arm(struct sk_buff *skb, struct nf_ovpn_instance *inst,
		const struct nf_ovpn_peer *peer)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn_ovpn *ext;
	enum ip_conntrack_dir dir;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || READ_ONCE(inst->fastpath) == NF_OVPN_FASTPATH_OFF ||
	    !skb->protocol || ct_is_error(skb, nf_ct_l3num(ct), ct, ctinfo))
		return;
	ext = nf_ct_ovpn_find(ct);
	dir = CTINFO2DIR(ctinfo);
	if (!ext || ct_is_outer(ext, dir) || !nf_ct_is_confirmed(ct) ||
	    nf_ct_is_dying(ct))
		return;
	nf_ovpn_ct_arm(inst, ct, dir, skb, peer->handle,
		       why_not(skb, inst, ct));
}

/* Tell the sender that its packet is too large for the path to the peer, where
 * outer packets must not be fragmented. It has a route, unlike at the shortcut.
 */
static bool too_big(struct nf_ovpn_peer *peer, struct sk_buff *skb)
{
	unsigned int mtu;

	if (likely(READ_ONCE(peer->inst->df) == NF_OVPN_DF_UNSET))
		return false;
	mtu = nf_ovpn_tx_mtu(peer, skb);
	if (nf_ovpn_tx_fits(skb, mtu))
		return false;

	if (skb->protocol == htons(ETH_P_IP)) {
		if (!(ip_hdr(skb)->frag_off & htons(IP_DF)))
			return false;
		skb_dst_update_pmtu_no_confirm(skb, mtu);
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED,
			      htonl(mtu));
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		mtu = max(mtu, IPV6_MIN_MTU);
		if (nf_ovpn_tx_fits(skb, mtu))
			return false;
		skb_dst_update_pmtu_no_confirm(skb, mtu);
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
	}
	return true;
}

/**
 * nf_ovpn_egress_hook - take what the stack has routed to the tun device
 * @priv: the instance
 * @skb: inner packet, accepted by every rule
 * @state: hook state
 *
 * Return: NF_ACCEPT to leave the packet to the daemon, else NF_STOLEN.
 */
unsigned int nf_ovpn_egress_hook(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	struct nf_ovpn_instance *inst = priv;
	struct nf_ovpn_key *key = NULL;
	struct nf_ovpn_peer *peer;
	bool queue;

	peer = nf_ovpn_peer_by_vpn_addr(inst, skb, false);
	queue = nf_ovpn_dev_has_queue(inst->dev);
	if (peer && !queue)
		key = nf_ovpn_peer_tx_key(peer);
	if (peer && queue)
		arm(skb, inst, peer);
	if (!key) {
		nf_ovpn_stats_path(inst, NF_OVPN_A_STATS_TX_USERSPACE_PACKETS);
		return NF_ACCEPT;
	}

	skb->protocol = nf_ovpn_inner_protocol(skb);

	arm(skb, inst, peer);

	if (too_big(peer, skb)) {
		nf_ovpn_drop(inst, skb, NF_OVPN_A_DROPS_TOO_BIG);
		return NF_STOLEN;
	}
	nf_ovpn_tx(peer, key, skb, NF_OVPN_A_STATS_TX_EGRESS_PACKETS);
	return NF_STOLEN;
}

#define HOOK(fn, family, num, prio)			\
	{						\
		.hook		= fn,			\
		.pf		= NFPROTO_##family,	\
		.hooknum	= NF_INET_##num,	\
		.priority	= NF_IP_PRI_##prio,	\
		.stable		= true,			\
	}

const struct nf_hook_ops nf_ovpn_hooks[] = {
	HOOK(rx_hook, IPV4, PRE_ROUTING, CONNTRACK + 1),
	HOOK(forward_hook, IPV4, PRE_ROUTING, NAT_DST + 1),
	HOOK(input_hook, IPV4, LOCAL_IN, CONNTRACK_CONFIRM - 1),
	HOOK(output_hook, IPV4, LOCAL_OUT, NAT_DST + 1),
	HOOK(postrouting_hook, IPV4, POST_ROUTING, CONNTRACK_CONFIRM - 1),
#if IS_ENABLED(CONFIG_IPV6)
	/* The priorities of IPv6 are the same numbers. */
	HOOK(rx_hook, IPV6, PRE_ROUTING, CONNTRACK + 1),
	HOOK(forward_hook, IPV6, PRE_ROUTING, NAT_DST + 1),
	HOOK(input_hook, IPV6, LOCAL_IN, CONNTRACK_CONFIRM - 1),
	HOOK(output_hook, IPV6, LOCAL_OUT, NAT_DST + 1),
	HOOK(postrouting_hook, IPV6, POST_ROUTING, CONNTRACK_CONFIRM - 1),
#endif
};

const unsigned int nf_ovpn_num_hooks = ARRAY_SIZE(nf_ovpn_hooks);
