/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The way to the far end, from the kernel's own routes and neighbours. An answer
 * is good for a moment, so that a change is followed within a few packets.
 */
#pragma once

#include "decide.h"
#include "maps.h"

#define HOP_NS (50 * 1000 * 1000)

/*
 * The lookup starts at the loopback interface, as it does for packets a host
 * sends itself: what leaves is ours, not forwarded. It needs forwarding allowed
 * on that one interface (net.ipv4.conf.lo.forwarding), where it means nothing else.
 */
#define LOOPBACK_IFINDEX 1

static __always_inline void ask_for(struct bpf_fib_lookup *ask, const struct packet *p, const struct departure *d)
{
	int i;

	ask->ifindex = LOOPBACK_IFINDEX;
	ask->l4_protocol = IPPROTO_UDP;
	ask->sport = bpf_htons(d->from.port);
	ask->dport = bpf_htons(d->to.port);
	ask->tot_len = p->l3_length;
	if (p->ipv4) {
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
static __always_inline void remember_hop(struct leg *leg, const struct departure *d)
{
	bpf_spin_lock(&leg->lock);
	if (same_endpoint(&leg->config.peer_rtp, &d->to))
		leg->hop = d->hop;
	bpf_spin_unlock(&leg->lock);
}

/*
 * Asks the kernel for the next hop. False: it cannot be reached from here now,
 * or not by an interface whose transmission was proven.
 */
static __always_inline bool ask_hop(struct xdp_md *ctx, const struct packet *p, struct departure *d, __u64 now)
{
	struct bpf_fib_lookup ask = {};

	ask_for(&ask, p, d);
	if (bpf_fib_lookup(ctx, &ask, sizeof(ask), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	d->hop.until_ns = now + HOP_NS;
	d->hop.ifindex = ask.ifindex;
	d->hop.length = p->l3_length;
	__builtin_memcpy(d->hop.from_mac, ask.smac, sizeof(ask.smac));
	__builtin_memcpy(d->hop.to_mac, ask.dmac, sizeof(ask.dmac));
	return bpf_map_lookup_elem(&tx_ports, &ask.ifindex);
}

/* Finds the way for a packet. A tagged frame would need another length: none. */
static __always_inline bool find_hop(struct xdp_md *ctx, const struct packet *p, struct leg *to, struct departure *d,
				     __u64 now)
{
	if (p->tagged)
		return false;
	if (now < d->hop.until_ns && p->l3_length <= d->hop.length)
		return true;
	if (!ask_hop(ctx, p, d, now))
		return false;
	remember_hop(to, d);
	return true;
}

/*
 * Sends the frame on its way and says with what action. It is never XDP_TX, not
 * even back where the frame came from: a veth whose other end has GRO but no
 * program delivers redirected frames at once and those of XDP_TX only with the
 * next ones.
 */
static __always_inline int leave(struct xdp_md *ctx, const struct leg_hop *hop)
{
	__u32 *frame = (void *)(long)ctx->data;
	const __u32 *macs = (const __u32 *)hop->to_mac;

	if ((void *)(frame + 3) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	frame[0] = macs[0];
	frame[1] = macs[1];
	frame[2] = macs[2];
	return bpf_redirect_map(&tx_ports, hop->ifindex, XDP_ABORTED);
}
