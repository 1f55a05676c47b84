/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The one routine that stamps packets of an outgoing stream, whoever made them.
 * Towards the far end there is one SSRC, one sequence and one timeline for the
 * whole call, while the source behind them changes:
 *
 *   same source      sequence and timestamp keep their distance from the
 *                    source's own, so its losses, reordering and pauses show
 *   source changed   sequence goes on by one, the timestamp by the time that
 *                    went by but at least one frame, and the marker is set
 *   source restarted (a jump RFC 3550 A.1 calls a restart) is a change, too
 *   source returned  that was on hold, routed elsewhere or nowhere meanwhile, is a
 *                    change, too: what it said there is not lost
 *   left behind      a packet of a key, or of noise that the far end did not agree
 *                    to: its number goes to the next, and nothing is lost
 *   userspace        its packets have no numbers: each is the next
 */
#pragma once

#include "rtp.h"
#include "time.h"

#define FLOOR_LAG 0x4000       /* the floor follows before sequence numbers wrap around it */
#define LATE_NS (2 * NSEC_PER_SEC) /* how long after a change packets of the former source are known as late */

/* A packet before its stamp. */
struct origin {
	__u64 source_id; /* 0: userspace */
	__u64 now;
	__u32 ssrc;
	__u32 ts;
	__u32 ticks;
	__u16 seq;
	bool marker;
	bool noise;      /* comfort noise */
	__u8 turn;       /* of the source */
};

struct stamp {
	__u32 ssrc;
	__u32 ts;
	__u16 seq;
	bool marker;
};

static __always_inline void origin_of(struct origin *o, const struct rtphdr *rtp, __u64 source_id, __u64 now)
{
	o->now = now;
	o->source_id = source_id;
	o->ssrc = bpf_ntohl(rtp->ssrc);
	o->ts = bpf_ntohl(rtp->ts);
	o->seq = bpf_ntohs(rtp->seq);
	o->marker = rtp->type & RTP_MARKER;
}

/* A new highest packet of the stream left. An event's packets share a timestamp, which the first of them left with. */
static __always_inline void advance(struct leg_egress *e, const struct stamp *s, __u32 ticks, __u64 now)
{
	if (!e->started || s->ts != e->place.last_ts)
		e->last_ns = now;
	e->place.last_seq = s->seq;
	e->place.last_ts = s->ts;
	e->ticks = ticks;
	if ((__u16)(s->seq - e->floor_seq) > FLOOR_LAG)
		e->floor_seq = s->seq - 2 * MAX_MISORDER;
}

static __always_inline __u32 later(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0 ? b : a;
}

/* Where the last packet ends; before the first one, where the stream begins. */
static __always_inline __u32 end_ts(const struct leg_egress *e)
{
	return e->place.last_ts + e->ticks;
}

/* Where the timeline is by now, and never before the last packet's end. */
static __always_inline __u32 resume_ts(const struct leg_egress *e, __u32 rate, __u64 now)
{
	if (!e->started)
		return end_ts(e);
	return later(e->place.last_ts + ticks_of(since(e->last_ns, now), rate), end_ts(e));
}

/* Do this sequence number and timestamp go on where the stream is? */
static __always_inline bool continues(const struct leg_egress *e, const struct stamp *s, __u32 rate, __u64 now)
{
	__s16 ahead = s->seq - e->place.last_seq;
	__u32 leap = s->ts - e->place.last_ts;

	if (ahead <= 0)
		return ahead >= -MAX_MISORDER && -leap <= MAX_LEAP * rate;
	if (ahead >= MAX_DROPOUT)
		return false;
	return leap <= MAX_LEAP * rate || leap <= MAX_LEAP * rate + ticks_of(since(e->last_ns, now), rate);
}

/* Is it a straggler of the source that was replaced a moment ago? */
static __always_inline bool is_straggler(const struct leg_egress *e, const struct origin *o, __u64 now)
{
	__s16 ahead = o->seq - e->former_seq;

	return o->source_id == e->former_id && o->ssrc == e->former_ssrc &&
	       ahead <= 0 && ahead >= -MAX_MISORDER && since(e->replaced_ns, now) < LATE_NS;
}

static __always_inline bool is_source(const struct leg_egress *e, const struct origin *o)
{
	return o->source_id == e->source_id && o->ssrc == e->source_ssrc && o->turn == e->source_turn;
}

static __always_inline void change_source(struct leg_egress *e, const struct origin *o, __u64 now)
{
	e->former_id = e->source_id;
	e->former_ssrc = e->source_ssrc;
	e->former_seq = e->place.last_seq - e->seq_offset;
	e->replaced_ns = now;
	e->source_id = o->source_id;
	e->source_ssrc = o->ssrc;
	e->source_turn = o->turn;
}

/* Userspace's own packets: in order by construction. */
static __always_inline void stamp_own(struct leg_egress *e, const struct leg_config *c, const struct origin *o,
				      __u64 now, struct stamp *s)
{
	s->seq = e->place.last_seq + 1;
	s->ts = end_ts(e);
	s->marker = o->marker;
	if (!e->started || e->source_id) {
		change_source(e, o, now);
		s->marker = true;
	}
	if (s->marker)
		s->ts = resume_ts(e, c->clock_rate, now);
	e->floor_seq = s->seq;
	advance(e, s, o->ticks, now);
}

static __always_inline enum verdict stamp_relayed(struct leg_egress *e, const struct leg_config *c,
						  const struct origin *o, __u64 now, struct stamp *s)
{
	s->seq = o->seq + e->seq_offset;
	s->ts = o->ts + e->ts_offset;
	s->marker = o->marker;
	if (e->started && is_source(e, o) && continues(e, s, c->clock_rate, now)) {
		if ((__s16)(s->seq - e->floor_seq) < 0)
			return DROP_LATE;
		if ((__s16)(s->seq - e->place.last_seq) > 0)
			advance(e, s, c->frame_ticks, now);
		return UNDECIDED;
	}
	if (is_straggler(e, o, now))
		return DROP_LATE;
	change_source(e, o, now);
	s->seq = e->place.last_seq + 1;
	s->ts = resume_ts(e, c->clock_rate, now);
	s->marker = true;
	e->seq_offset = s->seq - o->seq;
	e->ts_offset = s->ts - o->ts;
	e->floor_seq = s->seq;
	advance(e, s, c->frame_ticks, now);
	return UNDECIDED;
}

/*
 * Leaves a packet of the present source behind. What it sent before and comes after
 * that has no place any more: it would have those of others.
 */
static __always_inline void leave_behind(struct leg_egress *e, const struct origin *o)
{
	__u16 seq = o->seq + e->seq_offset;
	__s16 ahead = seq - e->place.last_seq;

	if (!o->source_id || !e->started || !is_source(e, o) || ahead <= 0 || ahead >= MAX_DROPOUT ||
	    (__s16)(seq - e->floor_seq) < 0)
		return;
	e->seq_offset--;
	e->floor_seq = seq;
}

/* Called with the leg held. */
static __always_inline enum verdict stamp(struct leg *leg, const struct origin *o, struct stamp *s)
{
	struct leg_egress *e = &leg->egress;
	enum verdict v = UNDECIDED;

	s->ssrc = e->ssrc;
	if (o->source_id)
		v = stamp_relayed(e, &leg->config, o, o->now, s);
	else
		stamp_own(e, &leg->config, o, o->now, s);
	if (v == UNDECIDED)
		e->started = true;
	return v;
}
