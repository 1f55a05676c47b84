//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The media plane in the kernel.
 *
 *   frame -> parse -> leg? -> judge --> relay: stamp, find the next hop, rewrite, send
 *               |       |       |-----> user:  into the ring buffer
 *               v       v       '-----> drop, with a reason
 *             pass    pass
 *
 * relay runs on interfaces in native mode and relay_skb in generic mode; send
 * and change are called by userspace with BPF_PROG_TEST_RUN, so that a stream
 * is stamped by one routine only and a leg is changed under its lock.
 */
#include "include/count.h"
#include "include/decide.h"
#include "include/hop.h"
#include "include/rewrite.h"
#include "include/user.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* The mode an interface runs the program in, and what the program chose to do. */
struct run {
	struct xdp_md *ctx;
	__u64 now;
	bool generic;
	int action;
};

/* Keeps the types of records in the type information; no map mentions them. */
int record_types(struct packet_event *e, struct send_request *s, struct change_request *c)
{
	return e && s && c;
}

/* The leg a packet is for. RTCP arrives one port above RTP. */
static __always_inline struct leg *leg_of(const struct packet *p, struct endpoint *local)
{
	*local = p->destination;
	local->port &= ~1;
	return bpf_map_lookup_elem(&legs, local);
}

static __always_inline enum verdict to_user(struct run *r, const struct packet *p, __u64 leg_id, enum event_kind kind)
{
	struct parcel parcel = {
		.leg_id = leg_id,
		.now = r->now,
		.kind = kind,
		.offset = p->payload - (__u8 *)(long)r->ctx->data,
		.length = p->length,
	};

	return deliver(r->ctx, &parcel) ? TO_USER : DROP_OVERRUN;
}

/* Userspace sends what the kernel could not send from here. */
static __always_inline enum verdict hand(struct run *r, const struct packet *p, struct leg *from, struct leg *to)
{
	struct parcel parcel = {
		.leg_id = to->id,
		.now = r->now,
		.kind = EVENT_SEND,
		.offset = p->l3_offset,
		.length = p->l3_length,
	};

	if (!deliver(r->ctx, &parcel))
		return DROP_OVERRUN;
	from->counts.rx_handed++;
	return HANDED;
}

/* The other IP version has another length: userspace builds the packet, with send. */
static __always_inline enum verdict hand_rtp(struct run *r, const struct packet *p, struct leg *from)
{
	if (to_user(r, p, from->id, EVENT_OTHER_FAMILY) != TO_USER)
		return DROP_OVERRUN;
	from->counts.rx_handed++;
	return HANDED;
}

/* Sends a leg's audio on as another leg's. */
static __always_inline enum verdict relay_on(struct run *r, const struct packet *p, struct leg *from)
{
	struct leg *to = bpf_map_lookup_elem(&legs, &from->config.relay_to);
	struct departure d;
	struct origin o;
	enum verdict v;

	if (!to)
		return DROP_NO_LEG;
	d.from = from->config.relay_to;
	if (is_ipv4(&d.from) != p->ipv4)
		return hand_rtp(r, p, from);
	origin_of(&o, (struct rtphdr *)p->payload, from->id);
	bpf_spin_lock(&to->lock);
	v = depart(to, from->config.relay_to_id, &o, p->length, r->now, &d);
	bpf_spin_unlock(&to->lock);
	if (v != UNDECIDED)
		return v;
	if (!find_hop(r->ctx, p, to, &d, r->now)) {
		rewrite(r->ctx, p, &d, false);
		return hand(r, p, from, to);
	}
	rewrite(r->ctx, p, &d, r->generic);
	r->action = leave(r->ctx, &d.hop);
	from->counts.rx_relayed++;
	add(&to->counts.tx_relayed, 1);
	return RELAYED;
}

static __always_inline enum verdict on_rtcp(struct run *r, const struct packet *p, struct leg *leg)
{
	enum verdict v = judge_rtcp(leg, p);

	return v == TO_USER ? to_user(r, p, leg->id, EVENT_RTCP) : v;
}

static __always_inline enum verdict on_rtp(struct run *r, const struct packet *p, struct leg *leg)
{
	struct rtphdr *rtp = (struct rtphdr *)p->payload;
	enum verdict v;
	bool relay;

	if ((void *)(rtp + 1) > p->end || p->length < sizeof(*rtp) + (rtp->flags & 0xf) * 4)
		return DROP_NOT_RTP;
	v = judge_rtp(leg, p, rtp, r->now);
	relay = v == UNDECIDED && leg->config.relay_to_id;
	if (v == TO_USER || (v == UNDECIDED && leg->config.copy_to_user)) {
		v = to_user(r, p, leg->id, EVENT_RTP);
		if (v == TO_USER)
			leg->counts.rx_user++;
		else if (relay)
			count_drop(leg, v);
	}
	return relay ? relay_on(r, p, leg) : v;
}

static __always_inline enum verdict on_payload(struct run *r, const struct packet *p, struct leg *leg)
{
	bool rtcp_port = p->destination.port & 1;

	if (p->length < RTCP_MIN_LENGTH || (void *)(p->payload + RTCP_MIN_LENGTH) > p->end || !is_version_2(p->payload))
		return DROP_NOT_RTP;
	if (p->length > MAX_RTP)
		return DROP_TOO_LONG;
	if (is_rtcp_type(p->payload[1]))
		return on_rtcp(r, p, leg);
	return rtcp_port ? DROP_NOT_RTP : on_rtp(r, p, leg);
}

static __always_inline int relay_frame(struct xdp_md *ctx, bool generic)
{
	struct run r = {.ctx = ctx, .generic = generic, .action = XDP_ABORTED};
	struct endpoint local;
	struct packet p = {};
	struct leg *leg;
	enum verdict v;

	v = parse(ctx, &p);
	if (v == UNDECIDED) {
		leg = leg_of(&p, &local);
		if (leg) {
			r.now = bpf_ktime_get_ns();
			v = on_payload(&r, &p, leg);
			if (v >= DROP_SOURCE)
				count_drop(leg, v);
		} else {
			v = PASS_NOT_LEG;
		}
	}
	count(v, ctx->data_end - ctx->data);
	return action_of(v, r.action);
}

SEC("xdp")
int relay(struct xdp_md *ctx)
{
	return relay_frame(ctx, false);
}

SEC("xdp")
int relay_skb(struct xdp_md *ctx)
{
	return relay_frame(ctx, true);
}

#include "include/calls.h"
