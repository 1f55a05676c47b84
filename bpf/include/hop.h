/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The way to the far end, from the kernel's own routes and neighbours. An answer
 * is good until the control process notices that they changed; while nobody
 * watches them only for a moment, so that a change is followed within a few packets.
 */
#pragma once

#include "maps.h"
#include "rewrite.h"

#define HOP_NS (50 * NSEC_PER_MSEC)
#define WATCHED_HOP_NS NSEC_PER_SEC /* as a change may come just when nobody watches any more */

/*
 * The lookup starts at the loopback interface, as it does for packets a host
 * sends itself: what leaves is ours, not forwarded. It needs forwarding allowed
 * on that one interface (net.ipv4.conf.lo.forwarding), where it means nothing else.
 */
#define LOOPBACK_IFINDEX 1

static __always_inline void ask_for(struct bpf_fib_lookup *ask, const struct departure *d, __u16 length)
{
	int i;

	ask->ifindex = LOOPBACK_IFINDEX;
	ask->l4_protocol = IPPROTO_UDP;
	ask->sport = bpf_htons(d->from.port);
	ask->dport = bpf_htons(d->to.port);
	ask->tot_len = length;
	if (d->ipv4) {
		ask->tos = d->traffic_class;
		ask->family = AF_INET;
		ask->ipv4_src = word(&d->from, 3);
		ask->ipv4_dst = word(&d->to, 3);
		return;
	}
	ask->family = AF_INET6;
#pragma unroll
	for (i = 0; i < 4; i++) {
		ask->ipv6_src[i] = word(&d->from, i);
		ask->ipv6_dst[i] = word(&d->to, i);
	}
}

/* Keeps an answer with the leg, unless the far end has moved meanwhile. */
static __always_inline void remember_hop(struct leg *leg, const struct departure *d, __u64 now)
{
	hold(leg);
	if (same_endpoint(far_end(leg, now), &d->to))
		leg->hop = d->hop;
	release(leg);
}

/* A route may lead to a VLAN's interface; the frame leaves, tagged, by the one below. */
static __always_inline void see_through_vlan(struct leg_hop *hop)
{
	const struct vlan *v = bpf_map_lookup_elem(&vlans, &hop->ifindex);

	hop->tag_proto = v ? v->proto : 0;
	hop->tag_tci = v ? v->tci : 0;
	if (v)
		hop->ifindex = v->ifindex;
}

static __always_inline const struct routing *routing_now(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&routing, &first);
}

/* Asks the kernel's tables. */
static __always_inline bool look_up(struct xdp_md *ctx, struct departure *d, __u16 length)
{
	struct bpf_fib_lookup ask = {};

	ask_for(&ask, d, length);
	if (bpf_fib_lookup(ctx, &ask, sizeof(ask), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	d->hop.ifindex = ask.ifindex;
	d->hop.length = length;
	__builtin_memcpy(d->hop.from_mac, ask.smac, sizeof(ask.smac));
	__builtin_memcpy(d->hop.to_mac, ask.dmac, sizeof(ask.dmac));
	see_through_vlan(&d->hop);
	return bpf_map_lookup_elem(&tx_ports, &d->hop.ifindex);
}

/*
 * Asks for the next hop. False: it cannot be reached from here now, or not by an
 * interface whose transmission was proven.
 */
static __always_inline bool ask_hop(struct xdp_md *ctx, struct departure *d, __u16 length, __u64 now)
{
	const struct routing *r = routing_now();

	if (!r)
		return false;
	d->hop.changes = *(volatile const __u32 *)&r->changes; /* before the tables are read */
	d->hop.until_ns = now + (now < r->watched_until_ns ? WATCHED_HOP_NS : HOP_NS);
	if (look_up(ctx, d, length))
		return true;
	d->hop.until_ns = 0;
	d->hop.tag_proto = 0;
	return false;
}

/* Is the way known for a packet of a length, from IP's header on? */
static __always_inline bool is_known(const struct leg_hop *hop, __u16 length, __u64 now)
{
	const struct routing *r = routing_now();

	return r && hop->changes == (__u16)r->changes && now < hop->until_ns && length <= hop->length;
}

/* Finds the way for a packet of a length, and keeps it with the leg. */
static __always_inline bool find_hop(struct xdp_md *ctx, struct leg *to, struct departure *d, __u16 length, __u64 now)
{
	if (is_known(&d->hop, length, now))
		return true;
	if (!ask_hop(ctx, d, length, now))
		return false;
	remember_hop(to, d, now);
	return true;
}

/*
 * Sends the frame on its way and says with what action. It is never XDP_TX, not
 * even back where the frame came from: a veth whose other end has GRO but no
 * program delivers redirected frames at once and those of XDP_TX only with the
 * next ones.
 */
static __always_inline int leave(const struct leg_hop *hop)
{
	return bpf_redirect_map(&tx_ports, hop->ifindex, XDP_ABORTED);
}
