/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Taking the next place in a leg's outgoing stream. A relayed packet that just
 * goes on with its source needs no lock: it reads the place and what else it
 * needs, and exchanges the place for the next one. That fails if anything
 * changed meanwhile, because every change shows in the place (hold.h); then the
 * packet holds the leg, too.
 */
#pragma once

#include "gate.h"
#include "stamp.h"

/* How a leg's packet leaves: numbers, type, addresses, and the way if it is known. */
struct departure {
	struct stamp stamp;
	__u8 type;
	__u8 traffic_class;
	bool ipv4;
	struct endpoint from;
	struct endpoint to;
	struct leg_hop hop;
};

/* May the leg send now, and this kind of packet? */
static __always_inline enum verdict may_depart(const struct leg *leg, __u64 id, const struct origin *o)
{
	if (leg->id != id)
		return DROP_NO_LEG;
	if (!far_end(leg, o->now)->port)
		return why_closed(leg);
	if (!leg->config.may_send)
		return DROP_HELD;
	if (o->noise && !leg->config.noise_type)
		return DROP_TYPE;
	return UNDECIDED;
}

static __always_inline __u8 type_of(const struct leg *leg, const struct origin *o)
{
	return o->noise ? leg->config.noise_type : leg->config.audio_type;
}

static __always_inline void address(const struct leg *leg, const struct origin *o, struct departure *d)
{
	d->type = type_of(leg, o);
	if (o->noise)
		d->stamp.marker = false; /* RFC 3389 section 4 */
	d->traffic_class = leg->config.traffic_class;
	d->from = leg->local;
	d->to = *far_end(leg, o->now);
	d->ipv4 = is_ipv4(&d->from);
	d->hop = leg->hop;
}

/* Takes the next place in a stream that is held. */
static __always_inline enum verdict depart_held(struct leg *leg, __u64 id, const struct origin *o, struct departure *d)
{
	enum verdict v = may_depart(leg, id, o);

	if (v == DROP_TYPE)
		leave_behind(&leg->egress, o);
	if (v != UNDECIDED)
		return v;
	v = stamp(leg, o, &d->stamp);
	if (v == UNDECIDED)
		address(leg, o, d);
	return v;
}

/*
 * A pointer to the leg that cannot be followed before the place was read: the
 * machine sees that its address depends on the place.
 */
static __always_inline struct leg *after_place(struct leg *leg, __u64 place)
{
	asm volatile("%0 &= 0" : "+r"(place));
	return (void *)leg + place;
}

/* Takes the next place if the packet goes on with the source that the stream has. False: hold the leg. */
static __always_inline bool depart_quick(struct leg *to, __u64 id, const struct origin *o, struct departure *d)
{
	__u64 *word = place_word(to), old = *(volatile __u64 *)word;
	union place was = {.word = old}, next = {.word = old};
	struct leg *leg = after_place(to, old);
	struct leg_egress *e = &leg->egress;
	struct stamp *s = &d->stamp;
	__s16 ahead;

	if (was.at.changes & 1 || !e->started || !is_source(e, o) || e->ticks != leg->config.frame_ticks)
		return false;
	if (may_depart(leg, id, o) != UNDECIDED)
		return false;
	s->ssrc = e->ssrc;
	s->seq = o->seq + e->seq_offset;
	s->ts = o->ts + e->ts_offset;
	s->marker = o->marker;
	ahead = s->seq - was.at.last_seq;
	if (ahead <= 0 || ahead >= MAX_DROPOUT || (__u16)(s->seq - e->floor_seq) > FLOOR_LAG ||
	    s->ts - was.at.last_ts > MAX_LEAP * leg->config.clock_rate)
		return false;
	address(leg, o, d);
	next.at.last_seq = s->seq;
	next.at.last_ts = s->ts;
	if (__sync_val_compare_and_swap(word, old, next.word) != old)
		return false;
	if (s->ts != was.at.last_ts)
		e->last_ns = o->now;
	return true;
}

/* Keeps a packet that is not to leave from being missed. */
static __always_inline void withhold(struct leg *leg, __u64 id, const struct origin *o)
{
	hold(leg);
	if (leg->id == id)
		leave_behind(&leg->egress, o);
	release(leg);
}

/* Takes the next place in a leg's stream, and says how the packet leaves. */
static __always_inline enum verdict depart(struct leg *leg, __u64 id, const struct origin *o, struct departure *d)
{
	enum verdict v;

	if (o->source_id && depart_quick(leg, id, o, d))
		return UNDECIDED;
	hold(leg);
	v = depart_held(leg, id, o, d);
	release(leg);
	return v;
}
