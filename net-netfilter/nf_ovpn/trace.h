/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nf_ovpn

#if !defined(_NF_OVPN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NF_OVPN_TRACE_H

#include <linux/tracepoint.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "nf_ovpn.h"

DECLARE_EVENT_CLASS(nf_ovpn_flow,
	TP_PROTO(const struct nf_conn *ct, int dir, u64 handle, u32 gen),

	TP_ARGS(ct, dir, handle, gen),

	TP_STRUCT__entry(
		__field(const void *, ct)
		__field(int, dir)
		__field(bool, outer)
		__field(u64, serial)
		__field(u32, gen)
	),

	TP_fast_assign(
		__entry->ct = ct;
		__entry->dir = dir;
		__entry->outer = handle & NF_OVPN_HANDLE_OUTER;
		__entry->serial = nf_ovpn_handle_serial(handle);
		__entry->gen = gen;
	),

	TP_printk("ct=%p %s %s peer_serial=%llu gen=%u", __entry->ct,
		  __entry->outer ? "outer" : "inner",
		  __entry->dir ? "reply" : "original", __entry->serial,
		  __entry->gen)
);

/* A flow gets the extension. */
DEFINE_EVENT(nf_ovpn_flow, nf_ovpn_attach,
	TP_PROTO(const struct nf_conn *ct, int dir, u64 handle, u32 gen),
	TP_ARGS(ct, dir, handle, gen)
);

/* A direction was accepted by every rule; its next packet is short-cut. */
DEFINE_EVENT(nf_ovpn_flow, nf_ovpn_arm,
	TP_PROTO(const struct nf_conn *ct, int dir, u64 handle, u32 gen),
	TP_ARGS(ct, dir, handle, gen)
);

/* A packet finds its direction armed under another generation, or its peer
 * gone: it asks the rules again.
 */
DEFINE_EVENT(nf_ovpn_flow, nf_ovpn_disarm,
	TP_PROTO(const struct nf_conn *ct, int dir, u64 handle, u32 gen),
	TP_ARGS(ct, dir, handle, gen)
);

TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_RULE);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_CHANGED);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_PATH);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_MARK);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_PACKET_MARK);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_HELPER);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_TCP);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_HEADER);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_GROUP);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_ROUTE);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_IPSEC);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_BPF);
TRACE_DEFINE_ENUM(NF_OVPN_UNARMED_DEVICE);

/* A packet was accepted by every rule and does not arm its direction. */
TRACE_EVENT(nf_ovpn_refuse,
	TP_PROTO(const struct nf_conn *ct, int dir, u64 handle, int reason),

	TP_ARGS(ct, dir, handle, reason),

	TP_STRUCT__entry(
		__field(const void *, ct)
		__field(int, dir)
		__field(bool, outer)
		__field(u64, serial)
		__field(int, reason)
	),

	TP_fast_assign(
		__entry->ct = ct;
		__entry->dir = dir;
		__entry->outer = handle & NF_OVPN_HANDLE_OUTER;
		__entry->serial = nf_ovpn_handle_serial(handle);
		__entry->reason = reason;
	),

	TP_printk("ct=%p %s %s peer_serial=%llu reason=%s", __entry->ct,
		  __entry->outer ? "outer" : "inner",
		  __entry->dir ? "reply" : "original", __entry->serial,
		  __print_symbolic(__entry->reason,
				   { NF_OVPN_UNARMED_RULE, "rule" },
				   { NF_OVPN_UNARMED_CHANGED, "changed" },
				   { NF_OVPN_UNARMED_PATH, "path" },
				   { NF_OVPN_UNARMED_MARK, "mark" },
				   { NF_OVPN_UNARMED_PACKET_MARK, "packet-mark" },
				   { NF_OVPN_UNARMED_HELPER, "helper" },
				   { NF_OVPN_UNARMED_TCP, "tcp" },
				   { NF_OVPN_UNARMED_HEADER, "header" },
				   { NF_OVPN_UNARMED_GROUP, "group" },
				   { NF_OVPN_UNARMED_ROUTE, "route" },
				   { NF_OVPN_UNARMED_IPSEC, "ipsec" },
				   { NF_OVPN_UNARMED_BPF, "bpf" },
				   { NF_OVPN_UNARMED_DEVICE, "device" }))
);

/* A packet that authenticates came from a new address. */
TRACE_EVENT(nf_ovpn_float,
	TP_PROTO(const struct nf_ovpn_peer *peer,
		 const struct nf_ovpn_endpoint *endpoint),

	TP_ARGS(peer, endpoint),

	TP_STRUCT__entry(
		__string(dev, peer->inst->dev->name)
		__field(u32, peer)
		__field(u16, port)
		__array(u8, addr, sizeof(struct in6_addr))
	),

	TP_fast_assign(
		__assign_str(dev);
		__entry->peer = peer->id;
		__entry->port = ntohs(endpoint->remote_port);
		if (endpoint->family == NFPROTO_IPV4)
			ipv6_addr_set_v4mapped(endpoint->remote.ip,
					       (struct in6_addr *)__entry->addr);
		else
			memcpy(__entry->addr, &endpoint->remote,
			       sizeof(__entry->addr));
	),

	TP_printk("dev=%s peer=%u remote=%pI6c port=%u", __get_str(dev),
		  __entry->peer, __entry->addr, __entry->port)
);

TRACE_DEFINE_ENUM(NF_OVPN_KEY_NEW);
TRACE_DEFINE_ENUM(NF_OVPN_KEY_DELETE);
TRACE_DEFINE_ENUM(NF_OVPN_KEY_SWAP);
TRACE_DEFINE_ENUM(NF_OVPN_KEY_RELEASE);
TRACE_DEFINE_ENUM(NF_OVPN_KEY_LIMIT);

/* Something became of a key; its secrets are not told. */
TRACE_EVENT(nf_ovpn_key,
	TP_PROTO(const struct nf_ovpn_peer *peer, int event, u8 key_id),

	TP_ARGS(peer, event, key_id),

	TP_STRUCT__entry(
		__string(dev, peer->inst->dev->name)
		__field(u32, peer)
		__field(int, event)
		__field(u8, key_id)
	),

	TP_fast_assign(
		__assign_str(dev);
		__entry->peer = peer->id;
		__entry->event = event;
		__entry->key_id = key_id;
	),

	TP_printk("dev=%s peer=%u key_id=%u %s", __get_str(dev), __entry->peer,
		  __entry->key_id,
		  __print_symbolic(__entry->event,
				   { NF_OVPN_KEY_NEW, "new" },
				   { NF_OVPN_KEY_DELETE, "delete" },
				   { NF_OVPN_KEY_SWAP, "swap" },
				   { NF_OVPN_KEY_RELEASE, "release" },
				   { NF_OVPN_KEY_LIMIT, "limit" }))
);

#endif /* _NF_OVPN_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
