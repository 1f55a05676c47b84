/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* Packets to userspace, through the ring buffer. */
#pragma once

#include "maps.h"

/* A piece of the packet, and why userspace gets it. */
struct parcel {
	__u64 leg_id;
	__u64 now;
	enum event_kind kind;
	__u32 offset;
	__u32 length;
	bool quiet; /* userspace comes for it by itself, with others */
};

/* room is a power of two, so that a mask proves the length to the verifier. */
static __always_inline bool fill(struct xdp_md *ctx, struct packet_event *e, const struct parcel *p, __u32 room)
{
	__u32 last = p->length - 1;

	e->leg_id = p->leg_id;
	e->arrived_ns = p->now;
	e->kind = p->kind;
	e->length = p->length;
	asm volatile("" : "+r"(last));
	return bpf_xdp_load_bytes(ctx, p->offset, e + 1, (last & (room - 1)) + 1) == 0;
}

/*
 * Reservations have a constant size, so there are three sizes. Key presses take the
 * smallest: they are what must not be lost when userspace comes late.
 */
__noinline int deliver(struct xdp_md *ctx, const struct parcel *p)
{
	struct packet_event *e;
	bool key, small, ok;
	__u64 flags;

	if (!p)
		return false;
	key = p->length <= KEY_EVENT;
	small = p->length <= SMALL_EVENT;
	if (key)
		e = bpf_ringbuf_reserve(&events, sizeof(*e) + KEY_EVENT, 0);
	else if (small)
		e = bpf_ringbuf_reserve(&events, sizeof(*e) + SMALL_EVENT, 0);
	else
		e = bpf_ringbuf_reserve(&events, sizeof(*e) + LARGE_EVENT, 0);
	if (!e)
		return false;
	if (key)
		ok = fill(ctx, e, p, KEY_EVENT);
	else if (small)
		ok = fill(ctx, e, p, SMALL_EVENT);
	else
		ok = fill(ctx, e, p, LARGE_EVENT);
	flags = p->quiet ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
	if (ok)
		bpf_ringbuf_submit(e, flags);
	else
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
	return ok;
}
