/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* What a leg's packets tell about the stream that arrives: loss and jitter. */
#pragma once

#include "rtp.h"
#include "time.h"

/* Starts counting a new source; what the former one lost stays lost. */
static __always_inline void restart_measure(struct leg_ingress *in, __u32 ssrc, __u16 seq)
{
	if (in->last_ns)
		in->lost_before += (__s64)in->cycles + in->max_seq - in->base_seq + 1 - in->received;
	if (in->ssrc != ssrc) {
		in->event.told = false;
		in->jitter_x16 = 0;
	}
	in->ssrc = ssrc;
	in->base_seq = seq;
	in->max_seq = seq;
	in->cycles = 0;
	in->received = 0;
	in->bad_seq_set = false;
	in->audio_ns = 0;
}

/* RFC 3550 A.1 without probation: the source's address was checked instead. */
static __always_inline void measure_sequence(struct leg_ingress *in, __u32 ssrc, __u16 seq)
{
	__u16 ahead = seq - in->max_seq;

	if (!in->last_ns || in->ssrc != ssrc) {
		restart_measure(in, ssrc, seq);
	} else if (ahead < MAX_DROPOUT) {
		if (seq < in->max_seq)
			in->cycles += 65536;
		in->max_seq = seq;
		in->bad_seq_set = false;
	} else if (ahead <= 65536 - MAX_MISORDER) {
		if (in->bad_seq_set && seq == in->next_bad_seq) {
			restart_measure(in, ssrc, seq);
			in->received = 1; /* the packet before, which asked for this */
			in->base_seq = (__u16)(seq - 1);
			if (!seq)
				in->cycles = 65536;
		} else {
			in->next_bad_seq = seq + 1;
			in->bad_seq_set = true;
			return;
		}
	}
	in->received++;
}

/*
 * RFC 3550 A.8. Events repeat their timestamp and would spoil it, and so would a
 * source that sets its clock anew: it would seem to shake for minutes.
 */
static __always_inline void measure_jitter(struct leg_ingress *in, __u32 ts, __u32 clock_rate, __u64 now)
{
	__u32 d = ticks_of(since(in->audio_ns, now), clock_rate) - (ts - in->last_ts);

	if ((__s32)d < 0)
		d = -d;
	if (in->audio_ns && d <= MAX_LEAP * clock_rate)
		in->jitter_x16 += d - ((in->jitter_x16 + 8) >> 4);
	in->last_ts = ts;
	in->audio_ns = now;
}
