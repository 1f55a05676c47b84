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
 * relay runs on interfaces in native mode and relay_skb in generic mode. The
 * programs in calls.h and tap_calls.h are called by userspace with
 * BPF_PROG_TEST_RUN, so that a stream is stamped by one routine only and a leg is
 * changed under its lock.
 *
 * In the order of a packet's way, all in include/:
 *
 *   types.h maps.h      what is kept, and shared with userspace
 *   parse.h find.h      from the frame to its leg
 *   decide.h            what becomes of it: gate.h says who may send,
 *                       measure.h notes loss and jitter
 *   stream.h            the next place in the stream that it leaves by; stamp.h
 *                       numbers it, hold.h says when that needs the leg's lock
 *   hop.h               the way to the far end
 *   rewrite.h           the packet that leaves, checksum.h its sums
 *   event.h             which packets of a key press are for userspace
 *   user.h tap.h        copies for userspace
 *   count.h             what became of it
 */
#include "include/count.h"
#include "include/decide.h"
#include "include/event.h"
#include "include/find.h"
#include "include/hop.h"
#include "include/rewrite.h"
#include "include/tap.h"
#include "include/user.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* The mode an interface runs the program in, and what the program chose to do. */
struct run {
	struct xdp_md *ctx;
	__u64 now;
	bool generic;
	bool shown; /* a capture, if there is one, has seen the packet as it arrived */
	int action;
};

/* Keeps the types of records in the type information; no map mentions them. */
int record_types(struct packet_event *e, struct send_request *s, struct change_request *c, struct end_request *d, enum index *i)
{
	return e && s && c && d && i;
}

int tap_types(struct tap_record *r, struct tap_request *q, struct sent_request *s, enum tap_answer *a)
{
	return r && q && s && a;
}

/* quiet: of a steady flow that userspace collects. */
static __always_inline enum verdict to_user(struct run *r, const struct packet *p, struct leg *leg, enum event_kind kind,
					    bool quiet)
{
	struct parcel parcel = {
		.leg_id = leg->id,
		.now = r->now,
		.kind = kind,
		.quiet = quiet,
		.offset = p->payload - (__u8 *)(long)r->ctx->data,
		.length = p->length,
	};

	return deliver(r->ctx, &parcel) ? TO_USER : DROP_OVERRUN;
}

/* Tells userspace of a key press: at once when it begins, and with what comes next when it ends. */
static __always_inline enum verdict tell_event(struct run *r, const struct packet *p, struct leg *leg,
					       const struct rtphdr *rtp)
{
	struct leg_event *told = &leg->ingress.event, e = event_of(p, rtp);
	enum verdict v;

	if (is_repetition(told, &e))
		return REPEATED;
	v = to_user(r, p, leg, EVENT_RTP, goes_on(told, &e));
	if (v == TO_USER)
		*told = e;
	return v;
}

/* Shows a capture the packet as it arrived: before anything in it is rewritten. */
static __always_inline void show_received(struct run *r, const struct packet *p, const struct leg *leg, enum verdict v)
{
	if (!r->shown && is_tapped(leg, r->now))
		show(r->ctx, &(struct sight){
			.leg_id = leg->id, .now = r->now, .verdict = v, .direction = TAP_RECEIVED,
			.offset = p->l3_offset, .length = p->l3_length,
		});
	r->shown = true;
}

/* Userspace sends what the kernel could not send from here. */
static __always_inline enum verdict hand(struct run *r, struct leg *from, struct leg *to, __u16 length)
{
	struct parcel parcel = {
		.leg_id = to->id,
		.now = r->now,
		.kind = EVENT_SEND,
		.offset = sizeof(struct ethhdr),
		.length = length,
	};

	if (!deliver(r->ctx, &parcel))
		return DROP_OVERRUN;
	from->counts.rx_handed++;
	return HANDED;
}

static __always_inline struct origin origin_in(const struct run *r, const struct packet *p, const struct leg *from)
{
	const struct rtphdr *rtp = (const struct rtphdr *)p->payload;
	struct origin o = {};

	origin_of(&o, rtp, from->id, r->now);
	o.noise = is_noise(&from->config, rtp->type & RTP_TYPE);
	o.turn = from->ingress.turn;
	return o;
}

/* A key press is for userspace alone. */
static __always_inline enum verdict on_event(struct run *r, const struct packet *p, struct leg *from,
					     const struct rtphdr *rtp)
{
	struct leg *to = leg_in(from->config.relay_to);
	struct origin o = origin_in(r, p, from);
	enum verdict v = tell_event(r, p, from, rtp);

	if (v == TO_USER)
		from->counts.rx_user++;
	if (to)
		withhold(to, from->config.relay_to_id, &o);
	return v;
}

/* Sends a leg's packet on as another leg's. */
static __always_inline enum verdict relay_on(struct run *r, const struct packet *p, struct leg *from)
{
	struct leg *to = leg_in(from->config.relay_to);
	struct origin o = origin_in(r, p, from);
	struct departure d = {};
	enum verdict v;
	__u16 length;
	bool found;

	if (!to)
		return DROP_NO_LEG;
	v = depart(to, from->config.relay_to_id, &o, &d);
	if (v != UNDECIDED)
		return v;
	to->counts.tx_relayed++;
	to->counts.tx_relayed_bytes += p->length;
	length = departing_length(p, &d);
	found = find_hop(r->ctx, to, &d, length, r->now);
	show_received(r, p, from, found ? RELAYED : HANDED);
	if (!rewrite(r->ctx, p, &d, found && r->generic))
		return DROP_TOO_LONG;
	show_sent(r->ctx, to, &o, &(struct whereabouts){found ? RELAYED : HANDED, l3_offset(&d), length});
	if (!found)
		return hand(r, from, to, length);
	r->action = leave(&d.hop);
	from->counts.rx_relayed++;
	return RELAYED;
}

static __always_inline enum verdict on_rtcp(struct run *r, const struct packet *p, struct leg *leg)
{
	enum verdict v = judge_rtcp(leg, p, r->now);

	return v == TO_USER ? to_user(r, p, leg, EVENT_RTCP, false) : v;
}

static __always_inline enum verdict on_rtp(struct run *r, const struct packet *p, struct leg *leg)
{
	struct rtphdr *rtp = (struct rtphdr *)p->payload;
	enum verdict v;
	bool relay;

	if ((void *)(rtp + 1) > p->end || p->length < sizeof(*rtp) + (rtp->flags & 0xf) * 4)
		return DROP_NOT_RTP;
	v = judge_rtp(leg, p, rtp, r->now);
	if (v != UNDECIDED)
		return v;
	if (is_event(leg, rtp))
		return on_event(r, p, leg, rtp);
	relay = leg->config.relay_to_id;
	if (leg->config.copy_to_user) {
		v = to_user(r, p, leg, EVENT_RTP, true);
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
	struct packet p = {};
	struct leg *leg;
	enum verdict v;

	v = parse(ctx, &p);
	if (v == UNDECIDED) {
		r.now = bpf_ktime_get_ns(); /* which waits for all reads before it: the leg's come after */
		leg = leg_at(&p.destination);
		if (leg) {
			v = on_payload(&r, &p, leg);
			if (v >= DROP_SOURCE)
				count_drop(leg, v);
			show_received(&r, &p, leg, v);
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
#include "include/tap_calls.h"
