/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* Spans of time, by the clock and by the units of RTP's timestamps. */
#pragma once

#include "types.h"
#include "libbpf/bpf_helpers.h"

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

/* The time since then: none if another processor, which read its clock later, was here first. */
static __always_inline __u64 since(__u64 then, __u64 now)
{
	return now > then ? now - then : 0;
}

/* Timestamp units in a span of time; exact below 26 days at 8000 Hz. */
static __always_inline __u32 ticks_of(__u64 ns, __u32 clock_rate)
{
	return ns * clock_rate / NSEC_PER_SEC;
}
