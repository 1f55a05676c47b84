/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* The way to the far end, asked of the kernel's routes and neighbours for every packet. */
#pragma once

#include "decide.h"
#include "maps.h"

/*
 * The lookup starts at the loopback interface, as it does for packets a host
 * sends itself: what leaves is ours, not forwarded. It needs forwarding allowed
 * on that one interface (net.ipv4.conf.lo.forwarding), where it means nothing else.
 */
#define LOOPBACK_IFINDEX 1

/* Finds the next hop. False: the kernel cannot send it from here now. */
static __always_inline bool find_hop(struct xdp_md *ctx, const struct packet *p, const struct departure *d,
				     struct bpf_fib_lookup *hop)
{
	int i;

	__builtin_memset(hop, 0, sizeof(*hop));
	hop->ifindex = LOOPBACK_IFINDEX;
	hop->l4_protocol = IPPROTO_UDP;
	hop->sport = d->from.port_be;
	hop->dport = d->to.port_be;
	hop->tot_len = p->l3_length;
	if (p->ipv4) {
		hop->family = AF_INET;
		hop->ipv4_src = word(&d->from, 3);
		hop->ipv4_dst = word(&d->to, 3);
	} else {
		hop->family = AF_INET6;
#pragma unroll
		for (i = 0; i < 4; i++) {
			hop->ipv6_src[i] = word(&d->from, i);
			hop->ipv6_dst[i] = word(&d->to, i);
		}
	}
	return bpf_fib_lookup(ctx, hop, sizeof(*hop), 0) == BPF_FIB_LKUP_RET_SUCCESS;
}

/* Is the way out one this program can take with the frame as it is? */
static __always_inline bool can_leave(struct xdp_md *ctx, const struct packet *p, struct bpf_fib_lookup *hop)
{
	if (p->tagged)
		return false;
	return hop->ifindex == ctx->ingress_ifindex || bpf_map_lookup_elem(&tx_ports, &hop->ifindex);
}

/* Sends the frame on its way and says with what action. */
static __always_inline int leave(struct xdp_md *ctx, const struct bpf_fib_lookup *hop)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(eth->h_dest, hop->dmac, sizeof(eth->h_dest));
	__builtin_memcpy(eth->h_source, hop->smac, sizeof(eth->h_source));
	if (hop->ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	return bpf_redirect_map(&tx_ports, hop->ifindex, XDP_ABORTED);
}
