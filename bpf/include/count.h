/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* Counters, and the one table from reasons to what the driver is told. */
#pragma once

#include "maps.h"

static __always_inline void add(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

/* Refused packets may come from anywhere, on several CPUs at once. */
static __always_inline void count_drop(struct leg *leg, enum verdict v)
{
	struct leg_counts *c = &leg->counts;

	switch (v) {
	case DROP_SOURCE:
		return add(&c->drop_source, 1);
	case DROP_SSRC:
		return add(&c->drop_ssrc, 1);
	case DROP_PROBATION:
		return add(&c->drop_probation, 1);
	case DROP_RATE:
		return add(&c->drop_rate, 1);
	case DROP_NOT_RTP:
		return add(&c->drop_not_rtp, 1);
	case DROP_TYPE:
		return add(&c->drop_type, 1);
	case DROP_HELD:
		return add(&c->drop_held, 1);
	case DROP_MUTED:
		return add(&c->drop_muted, 1);
	case DROP_UNLATCHED:
		return add(&c->drop_unlatched, 1);
	case DROP_LATE:
		return add(&c->drop_late, 1);
	case DROP_NO_LEG:
		return add(&c->drop_no_leg, 1);
	case DROP_TOO_LONG:
		return add(&c->drop_too_long, 1);
	case DROP_OVERRUN:
		return add(&c->drop_overrun, 1);
	default:
		return;
	}
}

static __always_inline void count(enum verdict v, __u32 bytes)
{
	__u32 slot = v;
	struct tally *t = bpf_map_lookup_elem(&stats, &slot);

	if (t) {
		t->packets++;
		t->bytes += bytes;
	}
}

/* Untouched packets pass; a leg's packets end here, unless relaying chose an action. */
static __always_inline int action_of(enum verdict v, int relayed)
{
	if (v == RELAYED)
		return relayed;
	return v <= PASS_NOT_LEG ? XDP_PASS : XDP_DROP;
}
