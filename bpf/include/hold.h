/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Holding a leg. Whoever changes the leg, or the source of its stream, holds its
 * lock and makes the count of changes in the stream's place odd meanwhile, so
 * that those who do without the lock notice.
 */
#pragma once

#include "types.h"
#include "libbpf/bpf_helpers.h"

#define ONE_CHANGE (1ULL << 48) /* of leg_place.changes, in the place read as one word */

/* A place as it is read and exchanged. */
union place {
	__u64 word;
	struct leg_place at;
};

static __always_inline __u64 *place_word(struct leg *leg)
{
	return (__u64 *)&leg->egress.place;
}

/* The sum is used, so that it is a full memory barrier on every machine. */
static __always_inline void count_change(struct leg *leg)
{
	__u64 before = __sync_fetch_and_add(place_word(leg), ONE_CHANGE);

	asm volatile("" : : "r"(before));
}

static __always_inline void hold(struct leg *leg)
{
	bpf_spin_lock(&leg->lock);
	count_change(leg);
}

static __always_inline void release(struct leg *leg)
{
	count_change(leg);
	bpf_spin_unlock(&leg->lock);
}
