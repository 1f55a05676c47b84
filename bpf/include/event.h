/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Key presses, RFC 4733. A dozen packets tell of each, and userspace needs those
 * that tell something new: that it begins, that it has ended, and that it lasts so
 * long that another segment may follow (section 2.5.1.3).
 */
#pragma once

#include "parse.h"
#include "rtp.h"

#define EVENT_ENDED 0x80 /* in the octet of the volume */
#define LONGEST_EVENT 0xffff

/* Section 2.3. */
struct telephone_event {
	__u8 code;
	__u8 volume;
	__be16 duration;
};

/* What a packet tells of an event; not told: it tells of several, or is otherwise unusual. */
static __always_inline struct leg_event event_of(const struct packet *p, const struct rtphdr *rtp)
{
	const struct telephone_event *e = (const void *)(rtp + 1);

	if (rtp->flags != RTP_VERSION << 6 || p->length != sizeof(*rtp) + sizeof(*e) || (void *)(e + 1) > p->end)
		return (struct leg_event){};
	return (struct leg_event){
		.ts = bpf_ntohl(rtp->ts),
		.code = e->code,
		.ended = e->volume >= EVENT_ENDED,
		.longest = e->duration == bpf_htons(LONGEST_EVENT),
		.told = true,
	};
}

/* Is this of an event that was told of? */
static __always_inline bool goes_on(const struct leg_event *told, const struct leg_event *e)
{
	return told->told && e->told && told->ts == e->ts && told->code == e->code;
}

static __always_inline bool is_repetition(const struct leg_event *told, const struct leg_event *e)
{
	return goes_on(told, e) && told->ended == e->ended && told->longest == e->longest;
}
