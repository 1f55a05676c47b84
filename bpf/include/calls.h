/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* The programs userspace calls; they return a verdict instead of an action. */
#pragma once

#include "count.h"
#include "find.h"
#include "rewrite.h"
#include "tap.h"

/* The leg a request means, unless it is gone. */
static __always_inline struct leg *leg_named(__u32 slot, __u64 id)
{
	struct leg *leg = leg_in(slot);

	return leg && leg->id == id ? leg : NULL;
}

/* The same, held: it is not gone before it is released. */
static __always_inline struct leg *hold_named(__u32 slot, __u64 id)
{
	struct leg *leg = leg_named(slot, id);

	if (!leg)
		return NULL;
	hold(leg);
	if (leg->id == id)
		return leg;
	release(leg);
	return NULL;
}

/* Finds the places of the headers in a request's frame. */
static __always_inline bool lay_out(struct xdp_md *ctx, struct packet *p, bool ipv4)
{
	void *data = (void *)(long)ctx->data;

	p->end = (void *)(long)ctx->data_end;
	p->l3 = data + sizeof(struct send_request);
	p->udp = p->l3 + ip_length(ipv4);
	p->udp_offset = sizeof(struct send_request) + ip_length(ipv4);
	p->payload = (void *)(p->udp + 1);
	if ((void *)p->payload + sizeof(struct rtphdr) > p->end)
		return false;
	p->l3_length = p->end - p->l3;
	p->length = p->end - (void *)p->payload;
	return p->length <= MAX_RTP;
}

/* Stamps a packet of userspace, which may be an event as well as audio, and writes its headers. */
static __always_inline enum verdict send_as(struct xdp_md *ctx, struct leg *leg, struct packet *p,
					    const struct send_request *req)
{
	struct rtphdr *rtp = (struct rtphdr *)p->payload;
	struct origin o = {.now = bpf_ktime_get_ns(), .ticks = req->ticks, .marker = rtp->type & RTP_MARKER};
	struct departure d = {};
	__u64 id = req->leg_id;
	enum verdict v;

	v = depart(leg, id, &o, &d);
	if (v != UNDECIDED)
		return v;
	add(&leg->counts.tx_user, 1);
	add(&leg->counts.tx_user_bytes, p->length);
	d.type = rtp->type & RTP_TYPE;
	if (is_noise(&leg->config, d.type))
		d.stamp.marker = false; /* RFC 3389 section 4 */
	rewrite_rtp(rtp, &d);
	rewrite_ports(p->udp, &d);
	p->udp->len = bpf_htons(p->length + sizeof(*p->udp));
	p->udp->check = full_checksum(ctx, p, pseudo_sum(&d.from, &d.to, d.ipv4, p->udp->len));
	if (d.ipv4)
		write_ipv4(p->l3, &d, p->l3_length);
	else
		write_ipv6(p->l3, &d, p->l3_length);
	show_sent(ctx, leg, &o, &(struct whereabouts){STAMPED, sizeof(*req), p->l3_length});
	return STAMPED;
}

/* Makes a packet of userspace the next of a leg's stream, complete but for its Ethernet header. */
SEC("xdp")
int send(struct xdp_md *ctx)
{
	struct send_request *req = (void *)(long)ctx->data;
	struct packet p = {};
	struct leg *leg;
	enum verdict v;

	if ((void *)(req + 1) > (void *)(long)ctx->data_end)
		return PASS_MALFORMED;
	leg = leg_named(req->slot, req->leg_id);
	if (!leg)
		v = DROP_NO_LEG;
	else if (!lay_out(ctx, &p, is_ipv4(&leg->local)))
		v = DROP_TOO_LONG;
	else
		v = send_as(ctx, leg, &p, req);
	if (leg && v >= DROP_SOURCE)
		count_drop(leg, v);
	count(v, p.l3_length);
	return v;
}

/* Gives a leg its new configuration; its streams and counters go on. */
SEC("xdp")
int change(struct xdp_md *ctx)
{
	struct change_request *req = (void *)(long)ctx->data;
	__u64 now = bpf_ktime_get_ns();
	struct leg *leg;

	if ((void *)(req + 1) > (void *)(long)ctx->data_end)
		return PASS_MALFORMED;
	leg = hold_named(req->slot, req->leg_id);
	if (!leg)
		return DROP_NO_LEG;
	reconfigure(leg, &req->config, now);
	release(leg);
	count(CHANGED, 0);
	return CHANGED;
}

/* Ends a leg, and says what it carried: nothing is received or sent any more. */
SEC("xdp")
int end(struct xdp_md *ctx)
{
	struct end_request *req = (void *)(long)ctx->data;
	__u64 now = bpf_ktime_get_ns();
	struct leg *leg;

	if ((void *)(req + 1) > (void *)(long)ctx->data_end)
		return PASS_MALFORMED;
	leg = hold_named(req->slot, req->leg_id);
	if (!leg)
		return DROP_NO_LEG;
	leg->id = 0;
	req->far_rtp = *far_end(leg, now);
	req->egress = leg->egress;
	req->counts = leg->counts;
	req->ingress = leg->ingress;
	release(leg);
	count(CHANGED, 0);
	return CHANGED;
}

/* Run on live frames at start, to see whether what it sends leaves the interface. */
SEC("xdp")
int probe(struct xdp_md *ctx)
{
	return XDP_TX;
}
