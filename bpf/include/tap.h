/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Copies of a leg's packets for somebody who looks on. A leg that nobody looks at
 * costs one comparison a packet: its time is past. Whoever looks must say so again
 * every second or so (tap_calls.h), so a capture that dies costs nothing soon.
 *
 * Packets are shown from IP's header on: those that userspace sends have no other
 * one yet. Nobody is woken; the capture comes and collects.
 */
#pragma once

#include "count.h"
#include "stamp.h"

/* A packet to show. */
struct sight {
	__u64 leg_id;
	__u64 source_id;
	__u64 now;
	enum verdict verdict;
	enum tap_direction direction;
	__u32 offset; /* of IP's header */
	__u32 length;
};

static __always_inline bool is_tapped(const struct leg *leg, __u64 now)
{
	return now < leg->tap_until_ns;
}

/* room is a power of two, so that a mask proves the length to the verifier. */
static __always_inline bool picture(struct xdp_md *ctx, struct tap_record *r, const struct sight *s, __u32 room)
{
	__u32 last = (s->length < room ? s->length : room) - 1;

	r->leg_id = s->leg_id;
	r->source_id = s->source_id;
	r->at_ns = s->now;
	r->verdict = s->verdict;
	r->direction = s->direction;
	r->length = s->length;
	r->reserved = 0;
	asm volatile("" : "+r"(last));
	return bpf_xdp_load_bytes(ctx, s->offset, r + 1, (last & (room - 1)) + 1) == 0;
}

static __always_inline void count_overrun(void)
{
	__u32 first = 0;
	struct tapping *t = bpf_map_lookup_elem(&tapping, &first);

	if (t)
		add(&t->overruns, 1);
}

/* Puts a packet into the ring, in one of two sizes because reservations have a constant one. */
__noinline int show(struct xdp_md *ctx, const struct sight *s)
{
	struct tap_record *r;
	bool small, ok;

	if (!s)
		return false;
	small = s->length <= SMALL_EVENT;
	if (small)
		r = bpf_ringbuf_reserve(&taps, sizeof(*r) + SMALL_EVENT, 0);
	else
		r = bpf_ringbuf_reserve(&taps, sizeof(*r) + LARGE_EVENT, 0);
	if (!r) {
		count_overrun();
		return false;
	}
	ok = small ? picture(ctx, r, s, SMALL_EVENT) : picture(ctx, r, s, LARGE_EVENT);
	if (ok)
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
	return ok;
}

/* Where a packet that leaves lies in its frame, and how it leaves. */
struct whereabouts {
	enum verdict verdict;
	__u32 offset; /* of IP's header */
	__u32 length; /* from there on */
};

/* Shows a stamped packet, complete from IP's header on. Every program that sends calls it. */
static __always_inline void show_sent(struct xdp_md *ctx, const struct leg *leg, const struct origin *o,
				      const struct whereabouts *w)
{
	if (is_tapped(leg, o->now))
		show(ctx, &(struct sight){
			.leg_id = leg->id, .source_id = o->source_id, .now = o->now, .verdict = w->verdict,
			.direction = TAP_SENT, .offset = w->offset, .length = w->length,
		});
}
