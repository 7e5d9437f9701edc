/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_H
#define _NF_OVPN_H

#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/rhashtable.h>
#include <linux/skbuff.h>
#include <linux/xarray.h>
#include <net/dst_cache.h>
#include <net/gro_cells.h>
#include <net/netfilter/nf_conntrack_ovpn.h>

#include <uapi/linux/nf_ovpn.h>

#include "key.h"
#include "packet.h"
#include "route.h"
#include "stats.h"

/* The most that comes between the UDP header and the text: opcode, HMAC, IV,
 * packet ID, framing.
 */
#define NF_OVPN_HEAD_MAX	(NF_OVPN_OP_V2_SIZE + SHA256_DIGEST_SIZE + \
				 AES_BLOCK_SIZE + sizeof(__be32) + 2)

/* First byte of what has the framing of compression, as OpenVPN calls them */
#define NF_OVPN_NO_COMPRESS		0xfa
#define NF_OVPN_NO_COMPRESS_SWAP	0xfb
#define NF_OVPN_COMPRESS_V2		0x50
#define NF_OVPN_COMPRESS_V2_NONE	0

/**
 * struct nf_ovpn_addr - where a peer without a peer ID in its packets is
 * @addr: address
 * @port: UDP port
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * A key of a hash table: no byte of it may be left to chance.
 */
struct nf_ovpn_addr {
	union nf_inet_addr	addr;
	__be16			port;
	u16			family;
};

/**
 * struct nf_ovpn_endpoint - where the datagrams of a peer come from and go to
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @remote_port: UDP port of the peer
 * @local_port: UDP port of ours
 * @scope_id: interface of a link-local remote address, else 0
 * @remote: address of the peer
 * @local: address of ours, any when all zero
 * @mark: conntrack mark of the outer flow
 * @mtu: largest inner packet that goes to the peer whole, as far as is known
 * @genid: addresses of this host have changed since @foreign was found when
 *	   that of the namespace is another
 * @foreign: @local is no address of this host any more
 * @dst_cache: route to the peer
 * @rcu: frees the endpoint
 *
 * Never changed once it can be seen, but for @mtu, @genid, @foreign and what is
 * in @dst_cache; a peer that moves gets another one.
 */
struct nf_ovpn_endpoint {
	u8			family;
	__be16			remote_port;
	__be16			local_port;
	u32			scope_id;
	union nf_inet_addr	remote;
	union nf_inet_addr	local;
	u32			mark;
	unsigned int		mtu;
	int			genid;
	bool			foreign;
	struct dst_cache	dst_cache;
	struct rcu_head		rcu;
};

/**
 * struct nf_ovpn_prefix - a network inside the tunnel
 * @addr: address
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @len: length of the prefix
 */
struct nf_ovpn_prefix {
	union nf_inet_addr	addr;
	u8			family;
	u8			len;
};

/**
 * struct nf_ovpn_vpn - what a peer owns inside the tunnel
 * @ip: its IPv4 address
 * @in6: its IPv6 address
 * @has_ip: @ip is set
 * @has_in6: @in6 is set
 * @num: number of networks
 * @rcu: frees it
 * @networks: networks behind the peer, in order of nf_ovpn_prefix_cmp()
 *
 * Never changed once it can be seen.
 */
struct nf_ovpn_vpn {
	union nf_inet_addr	ip;
	union nf_inet_addr	in6;
	bool			has_ip;
	bool			has_in6;
	unsigned int		num;
	struct rcu_head		rcu;
	struct nf_ovpn_prefix	networks[] __counted_by(num);
};

struct nf_ovpn_addr_node;

/**
 * struct nf_ovpn_peer - one OpenVPN session
 * @handle: names the peer in conntrack entries
 * @id: peer ID in packets that we receive
 * @tx_id: peer ID in packets that we send
 * @inst: the instance that the peer belongs to; the peer ends before it
 * @endpoint: where it is, changed under @lock
 * @keys: both keys, changed under nf_ovpn_net::lock
 * @primary: which of them is in the primary slot
 * @last_rx: when the last authentic packet came, jiffies
 * @last_tx: when the last packet was sent, jiffies
 * @mark: mark of outer packets, 0 for that of the instance
 * @tcp_mss: limit of the MSS inside IPv4, 0 for none
 * @framing: framing of compression
 * @data_v1: its packets have no peer ID
 * @addr_node: where it is in nf_ovpn_instance::by_addr then, changed under
 *	       nf_ovpn_net::lock
 * @stats: counters
 * @lock: protects @endpoint
 * @vpn: addresses inside the tunnel, changed under nf_ovpn_net::lock
 * @keepalive: in nf_ovpn_keepalive::wheel, or in no list
 * @keepalive_interval: send a ping after so many jiffies without a packet
 * @keepalive_timeout: delete after so many jiffies without a packet
 * @rcu: frees the peer
 */
struct nf_ovpn_peer {
	u64				handle;
	u32				id;
	u32				tx_id;
	struct nf_ovpn_instance		*inst;
	struct nf_ovpn_endpoint __rcu	*endpoint;
	struct nf_ovpn_key __rcu	*keys[2];
	u8				primary;
	unsigned long			last_rx;
	unsigned long			last_tx;
	u32				mark;
	u16				tcp_mss;
	u8				framing;
	bool				data_v1;
	struct nf_ovpn_addr_node	*addr_node;
	struct nf_ovpn_peer_stats __percpu *stats;

	spinlock_t			lock;	/* for endpoint */
	struct nf_ovpn_vpn __rcu	*vpn;
	struct list_head		keepalive;
	unsigned long			keepalive_interval;
	unsigned long			keepalive_timeout;
	struct rcu_head			rcu;
};

/**
 * struct nf_ovpn_listener - local UDP address of outer flows
 * @node: in nf_ovpn_net::listeners
 * @inst: the instance
 * @family: NFPROTO_IPV4, NFPROTO_IPV6, or NFPROTO_UNSPEC for both
 * @replaced: it is about to go; under nf_ovpn_net::lock
 * @port: UDP port
 * @addr: address, any when all zero
 * @rcu: frees the listener
 */
struct nf_ovpn_listener {
	struct hlist_node	node;
	struct nf_ovpn_instance	*inst;
	u8			family;
	bool			replaced;
	__be16			port;
	union nf_inet_addr	addr;
	struct rcu_head		rcu;
};

/**
 * struct nf_ovpn_instance - a tun device and the peers behind it
 * @list: in nf_ovpn_net::instances
 * @net: network namespace, that of @dev
 * @dev: the tun device; its end is the end of the instance
 * @dev_tracker: reference to @dev
 * @mode: one peer or many
 * @fastpath: when flows may be armed
 * @fastpath_mark: conntrack mark of those that may, with "marked"
 * @fastpath_mask: its bits that count
 * @dscp: DSCP of outer packets
 * @df: when they must not be fragmented
 * @mark: their mark
 * @bind_dev: device or VRF by which they go, 0 for any
 * @peers: peers by peer ID
 * @num_peers: how many there are
 * @by_addr: those without a peer ID in their packets, by address
 * @routes: VPN address -> peer
 * @gro_cells: merge inner packets before they enter the stack
 * @stats: counters
 * @egress: hook on @dev
 *
 * Changed under nf_ovpn_net::lock.
 */
struct nf_ovpn_instance {
	struct list_head		list;
	struct net			*net;
	struct net_device		*dev;
	netdevice_tracker		dev_tracker;
	enum nf_ovpn_mode		mode;
	enum nf_ovpn_fastpath		fastpath;
	u32				fastpath_mark;
	u32				fastpath_mask;
	enum nf_ovpn_dscp		dscp;
	enum nf_ovpn_df			df;
	u32				mark;
	u32				bind_dev;
	struct xarray			peers;
	u32				num_peers;
	struct rhashtable		by_addr;
	struct nf_ovpn_routes		routes;
	struct gro_cells		gro_cells;
	struct nf_ovpn_inst_stats __percpu *stats;
	struct nf_hook_ops		egress;
};

#define NF_OVPN_LISTENER_BITS	4

/**
 * struct nf_ovpn_net - what nf_ovpn keeps for a network namespace
 * @lock: serialises all changes; RTNL is taken before it
 * @instances: all instances, read under RCU
 * @listeners: listeners of all instances, by port
 * @handles: peers of all instances, by the index in their handle
 * @keepalive: sends pings, finds peers that are gone; NULL until there was an
 *	       instance
 * @gen: changes with whatever of ours an armed flow relies on
 * @fib_notifier: changes @gen when a route is changed
 */
struct nf_ovpn_net {
	struct mutex		lock;	/* for all changes */
	struct list_head	instances;
	DECLARE_HASHTABLE(listeners, NF_OVPN_LISTENER_BITS);
	struct xarray		handles;
	struct nf_ovpn_keepalive *keepalive;
	atomic_t		gen;
	struct notifier_block	fib_notifier;
};

struct genl_info;

struct nf_ovpn_net *nf_ovpn_pernet(const struct net *net);

/* core.c */
int nf_ovpn_instance_new(struct net_device *dev, enum nf_ovpn_mode mode,
			 enum nf_ovpn_fastpath fastpath,
			 struct nf_ovpn_instance **res,
			 struct netlink_ext_ack *extack);
void nf_ovpn_instance_del(struct nf_ovpn_instance *inst,
			  enum nf_ovpn_del_instance_reason reason);
struct nf_ovpn_instance *nf_ovpn_instance_by_dev(const struct net *net,
						 const struct net_device *dev);
struct nf_ovpn_instance *nf_ovpn_instance_by_ifindex(struct net *net,
						     int ifindex);
void nf_ovpn_hook_again(struct sk_buff *skb, const struct nf_hook_state *state);
int nf_ovpn_listeners_set(struct nf_ovpn_instance *inst,
			  struct hlist_head *listeners, unsigned int *which);
void nf_ovpn_listeners_free(struct hlist_head *listeners);
struct nf_ovpn_instance *
nf_ovpn_listener_lookup(const struct net *net, u8 family,
			const union nf_inet_addr *addr, __be16 port);

/* device.c */
bool nf_ovpn_dev_has_queue(const struct net_device *dev);
bool nf_ovpn_dev_is_plain(const struct net_device *dev);

/* fib.c */
bool nf_ovpn_fib_asks_label(const struct net *net, u8 pf);
bool nf_ovpn_fib_is_plain(const struct dst_entry *dst,
			  const struct nf_ovpn_instance *inst, u8 pf);
bool nf_ovpn_fib_leads_back(const struct nf_ovpn_instance *inst,
			    const struct nf_conn *ct,
			    enum ip_conntrack_dir dir,
			    const struct sk_buff *skb, struct net_device *in);

/* hooks.c */
extern const struct nf_hook_ops nf_ovpn_hooks[];
extern const unsigned int nf_ovpn_num_hooks;
unsigned int nf_ovpn_egress_hook(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state);

/* What trace.h tells of keys */
enum {
	NF_OVPN_KEY_NEW,
	NF_OVPN_KEY_DELETE,
	NF_OVPN_KEY_SWAP,
	NF_OVPN_KEY_RELEASE,
	NF_OVPN_KEY_LIMIT,
};

/* ct.c */
#define NF_OVPN_HANDLE_OUTER	BIT_ULL(63)
#define NF_OVPN_HANDLE_INDEX	24

/* The part of a handle that is never used again */
static inline u64 nf_ovpn_handle_serial(u64 handle)
{
	return (handle & ~NF_OVPN_HANDLE_OUTER) >> NF_OVPN_HANDLE_INDEX;
}

/* Of a packet that is of no kind that can be remembered */
#define NF_OVPN_KIND_NONE	U64_MAX

u32 nf_ovpn_gen(const struct net *net);
void nf_ovpn_gen_bump(const struct net *net);
int nf_ovpn_handle_new(struct nf_ovpn_peer *peer);
void nf_ovpn_handle_del(struct nf_ovpn_peer *peer);
struct nf_ovpn_peer *nf_ovpn_handle_peer(const struct net *net, u64 handle);
u64 nf_ovpn_ct_kind(const struct sk_buff *skb, u8 pf, const struct nf_conn *ct,
		    enum ip_conntrack_info ctinfo,
		    const struct net_device *in);
void nf_ovpn_ct_ask(const struct sk_buff *skb, const struct nf_conn *ct,
		    u64 kind, u32 gen);
bool nf_ovpn_ct_asked_forward(const void *asked_skb);
void nf_ovpn_ct_arm(struct nf_ovpn_instance *inst, struct nf_conn *ct,
		    enum ip_conntrack_dir dir, const void *asked_skb,
		    u64 handle, enum nf_ovpn_unarmed reason);
struct nf_ovpn_peer *nf_ovpn_ct_armed(const struct net *net,
				      const struct nf_conn *ct,
				      const struct nf_conn_ovpn *ext,
				      enum ip_conntrack_dir dir, u64 kind,
				      u32 gen);
void nf_ovpn_ct_arm_eager(const struct net *net, struct nf_conn *ct,
			  enum ip_conntrack_dir dir, const struct sk_buff *skb,
			  u8 pf, struct net_device *in);
void nf_ovpn_ct_attach_outer(struct nf_conn *ct);
void nf_ovpn_ct_attach_inner(struct nf_conn *ct, enum ip_conntrack_dir dir,
			     const struct nf_ovpn_peer *from);

/* rx.c */
unsigned int nf_ovpn_rx(struct nf_ovpn_peer *peer, struct sk_buff *skb,
			const struct nf_hook_state *state, int path);
struct nf_ovpn_peer *
nf_ovpn_rx_peer(struct nf_ovpn_instance *inst, struct sk_buff *skb, u8 pf,
		const struct nf_conntrack_tuple *reply);

/* tx.c */
void nf_ovpn_tx(struct nf_ovpn_peer *peer, struct nf_ovpn_key *key,
		struct sk_buff *skb, int path);
void nf_ovpn_tx_ping(struct nf_ovpn_peer *peer);
unsigned int nf_ovpn_tx_mtu(struct nf_ovpn_peer *peer, struct sk_buff *skb);
bool nf_ovpn_tx_fits(const struct sk_buff *skb, unsigned int mtu);

/* mss.c */
void nf_ovpn_mss_clamp(struct sk_buff *skb, u16 mss);

/* peer.c */

/* What another peer has, by nf_ovpn_peer_new(): these and, from 0 on, the
 * prefixes that nf_ovpn_peer_set_vpn() counts.
 */
#define NF_OVPN_TAKEN_ENDPOINT	(UINT_MAX - 2)
#define NF_OVPN_TAKEN_ID	(UINT_MAX - 1)
#define NF_OVPN_TAKEN_P2P	UINT_MAX

extern const struct rhashtable_params nf_ovpn_by_addr_params;
struct nf_ovpn_peer *nf_ovpn_peer_new(struct nf_ovpn_instance *inst, u32 id,
				      u32 tx_id, bool data_v1,
				      struct nf_ovpn_endpoint *endpoint,
				      struct nf_ovpn_vpn *vpn,
				      unsigned int *which);
void nf_ovpn_peer_del(struct nf_ovpn_peer *peer,
		      enum nf_ovpn_del_peer_reason reason);
void nf_ovpn_peer_flush(struct nf_ovpn_instance *inst,
			enum nf_ovpn_del_peer_reason reason);
struct nf_ovpn_endpoint *nf_ovpn_endpoint_new(gfp_t gfp);
void nf_ovpn_endpoint_free(struct nf_ovpn_endpoint *endpoint);
bool nf_ovpn_peer_can_move(const struct nf_ovpn_peer *peer,
			   const struct nf_ovpn_endpoint *endpoint);
int nf_ovpn_peer_move(struct nf_ovpn_peer *peer,
		      struct nf_ovpn_endpoint *endpoint);
struct nf_ovpn_peer *
nf_ovpn_peer_by_addr(struct nf_ovpn_instance *inst,
		     const struct nf_conntrack_tuple *reply);
int nf_ovpn_prefix_cmp(const struct nf_ovpn_prefix *a,
		       const struct nf_ovpn_prefix *b);
void nf_ovpn_vpn_sort(struct nf_ovpn_vpn *vpn);
int nf_ovpn_peer_set_vpn(struct nf_ovpn_peer *peer, struct nf_ovpn_vpn *vpn,
			 unsigned int *which);
void nf_ovpn_peer_forget_route(struct nf_ovpn_peer *peer);
void nf_ovpn_peer_seen_at(struct nf_ovpn_peer *peer, const struct nf_conn *ct,
			  enum ip_conntrack_dir dir, int ifindex);
struct nf_ovpn_peer *nf_ovpn_peer_by_vpn_addr(struct nf_ovpn_instance *inst,
					      const struct sk_buff *skb,
					      bool source);
bool nf_ovpn_peer_owns_source(struct nf_ovpn_peer *peer,
			      const struct sk_buff *skb);

/* What the peer owns inside the tunnel, under nf_ovpn_net::lock. */
static inline struct nf_ovpn_vpn *
nf_ovpn_peer_vpn(const struct nf_ovpn_peer *peer)
{
	return rcu_dereference_protected(peer->vpn,
		lockdep_is_held(&nf_ovpn_pernet(peer->inst->net)->lock));
}

/* Length of the opcode, with the peer ID if there is one */
static inline unsigned int nf_ovpn_op_len(const struct nf_ovpn_peer *peer)
{
	return peer->data_v1 ? NF_OVPN_OP_V1_SIZE : NF_OVPN_OP_V2_SIZE;
}

/* The key that encrypts, NULL when there is none. RCU read side. */
static inline struct nf_ovpn_key *
nf_ovpn_peer_tx_key(const struct nf_ovpn_peer *peer)
{
	return rcu_dereference(peer->keys[READ_ONCE(peer->primary)]);
}

/* Note a time without making the cache line dirty for each packet. */
static inline void nf_ovpn_touch(unsigned long *stamp)
{
	unsigned long now = jiffies;

	if (READ_ONCE(*stamp) != now)
		WRITE_ONCE(*stamp, now);
}

/* keepalive.c */
extern const u8 nf_ovpn_ping[16];

int nf_ovpn_keepalive_init(struct nf_ovpn_net *ovpn_net);
void nf_ovpn_keepalive_exit(struct nf_ovpn_net *ovpn_net);
void nf_ovpn_keepalive_set(struct nf_ovpn_peer *peer);
void nf_ovpn_keepalive_del(struct nf_ovpn_peer *peer);

/* netlink.c */
int nf_ovpn_nl_register(void);
struct nf_ovpn_instance *nf_ovpn_nl_instance(const struct genl_info *info);
void nf_ovpn_nl_peer_del_ntf(const struct nf_ovpn_peer *peer,
			     enum nf_ovpn_del_peer_reason reason);
void nf_ovpn_nl_instance_del_ntf(const struct nf_ovpn_instance *inst,
				 enum nf_ovpn_del_instance_reason reason);
void nf_ovpn_nl_peer_float_ntf(const struct nf_ovpn_peer *peer);
void nf_ovpn_nl_key_limit_ntf(struct nf_ovpn_peer *peer,
			      struct nf_ovpn_key *key);

#endif /* _NF_OVPN_H */
