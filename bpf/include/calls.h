/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* The programs userspace calls; they return a verdict instead of an action. */
#pragma once

#include "count.h"
#include "rewrite.h"

static __always_inline void write_ipv4(struct iphdr *ip, const struct packet *p, const struct departure *d)
{
	__u16 *words = (__u16 *)ip;
	__u64 sum = 0;
	int i;

	ip->version_ihl = 0x45;
	ip->tos = 0;
	ip->tot_len = bpf_htons(p->l3_length);
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000); /* do not fragment */
	ip->ttl = TTL;
	ip->protocol = IPPROTO_UDP;
	ip->check = 0;
	ip->saddr = word(&d->from, 3);
	ip->daddr = word(&d->to, 3);
#pragma unroll
	for (i = 0; i < IP_MIN_LENGTH / 2; i++)
		sum += words[i];
	ip->check = ~fold(sum);
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, const struct packet *p, const struct departure *d)
{
	int i;

	ip->version_flow = bpf_htonl(0x60000000);
	ip->payload_len = bpf_htons(p->l3_length - sizeof(*ip));
	ip->nexthdr = IPPROTO_UDP;
	ip->hop_limit = TTL;
#pragma unroll
	for (i = 0; i < 4; i++) {
		ip->saddr[i] = word(&d->from, i);
		ip->daddr[i] = word(&d->to, i);
	}
}

/* Finds the places of the headers in a request's frame. */
static __always_inline bool lay_out(struct xdp_md *ctx, struct packet *p, const struct endpoint *local)
{
	void *data = (void *)(long)ctx->data;

	p->end = (void *)(long)ctx->data_end;
	p->ipv4 = is_ipv4(local);
	p->l3 = data + sizeof(struct send_request);
	p->udp = p->l3 + (p->ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	p->payload = (void *)(p->udp + 1);
	if ((void *)p->payload + sizeof(struct rtphdr) > p->end)
		return false;
	p->l3_length = p->end - p->l3;
	p->length = p->end - (void *)p->payload;
	return p->length <= MAX_RTP;
}

static __always_inline enum verdict send_as(struct xdp_md *ctx, struct leg *leg, struct packet *p,
					    const struct send_request *req)
{
	struct rtphdr *rtp = (struct rtphdr *)p->payload;
	struct departure d = {.from = req->local};
	struct origin o = {};
	enum verdict v;
	__u64 id = req->leg_id;
	__u64 now = bpf_ktime_get_ns();

	origin_of(&o, rtp, req->source_id);
	o.ticks = req->ticks;
	d.type = rtp->type & RTP_TYPE;
	bpf_spin_lock(&leg->lock);
	v = depart(leg, id, &o, p->length, now, &d);
	bpf_spin_unlock(&leg->lock);
	if (v != UNDECIDED)
		return v;
	if (!o.source_id)
		d.type = rtp->type & RTP_TYPE; /* userspace also sends events */
	rewrite_rtp(rtp, &d);
	if (p->ipv4)
		write_ipv4(p->l3, p, &d);
	else
		write_ipv6(p->l3, p, &d);
	p->udp->source = bpf_htons(d.from.port);
	p->udp->dest = bpf_htons(d.to.port);
	p->udp->len = bpf_htons(p->length + sizeof(*p->udp));
	p->udp->check = full_checksum(ctx, p, &d);
	return STAMPED;
}

/* Makes a packet of userspace the next of a leg's stream, complete but for its Ethernet header. */
SEC("xdp")
int send(struct xdp_md *ctx)
{
	struct send_request *req = (void *)(long)ctx->data;
	struct endpoint local;
	struct packet p = {};
	struct leg *leg;
	enum verdict v;

	if ((void *)(req + 1) > (void *)(long)ctx->data_end)
		return PASS_MALFORMED;
	local = req->local;
	leg = bpf_map_lookup_elem(&legs, &local);
	if (!leg)
		v = DROP_NO_LEG;
	else if (!lay_out(ctx, &p, &local))
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
	struct endpoint local;
	enum verdict v;
	struct leg *leg;

	if ((void *)(req + 1) > (void *)(long)ctx->data_end)
		return PASS_MALFORMED;
	local = req->local;
	leg = bpf_map_lookup_elem(&legs, &local);
	if (!leg)
		return DROP_NO_LEG;
	bpf_spin_lock(&leg->lock);
	v = leg->id == req->leg_id ? CHANGED : DROP_NO_LEG;
	if (v == CHANGED) {
		leg->config = req->config;
		leg->hop.until_ns = 0;
	}
	bpf_spin_unlock(&leg->lock);
	count(v, 0);
	return v;
}

/* Run on live frames at start, to see whether what it sends leaves the interface. */
SEC("xdp")
int probe(struct xdp_md *ctx)
{
	return XDP_TX;
}
