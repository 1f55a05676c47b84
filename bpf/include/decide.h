/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* What becomes of a leg's packet, and what it tells about the arriving stream. */
#pragma once

#include "parse.h"
#include "stamp.h"

/* Starts counting a new source; what the former one lost stays lost. */
static __always_inline void restart_measure(struct leg_ingress *in, __u32 ssrc, __u16 seq)
{
	if (in->last_ns)
		in->lost_before += (__s64)in->cycles + in->max_seq - in->base_seq + 1 - in->received;
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

/* RFC 3550 A.8. Events repeat their timestamp and would spoil it. */
static __always_inline void measure_jitter(struct leg_ingress *in, __u32 ts, __u32 clock_rate, __u64 now)
{
	__s32 d;

	if (in->audio_ns) {
		d = (__s32)ticks_of(now - in->audio_ns, clock_rate) - (__s32)(ts - in->last_ts);
		if (d < 0)
			d = -d;
		in->jitter_x16 += d - ((in->jitter_x16 + 8) >> 4);
	}
	in->last_ts = ts;
	in->audio_ns = now;
}

/*
 * Judges an RTP packet of a leg. UNDECIDED: it is audio that somebody wants. The
 * configuration is read without the lock: a packet that meets a change half made
 * is at worst refused, because a relay's key and id must fit together.
 */
static __always_inline enum verdict judge_rtp(struct leg *leg, const struct packet *p, const struct rtphdr *rtp,
					      __u64 now)
{
	const struct leg_config *c = &leg->config;
	struct leg_ingress *in = &leg->ingress;
	__u8 type = rtp->type & RTP_TYPE;

	if (!c->peer_rtp.port)
		return DROP_MUTED;
	if (!same_endpoint(&c->peer_rtp, &p->source))
		return DROP_SOURCE;
	if (!c->may_receive)
		return DROP_HELD;
	measure_sequence(in, bpf_ntohl(rtp->ssrc), bpf_ntohs(rtp->seq));
	in->last_ns = now;
	if (type != c->audio_type && type != c->event_type)
		return DROP_TYPE;
	leg->counts.rx_packets++;
	leg->counts.rx_bytes += p->length;
	if (type == c->event_type)
		return TO_USER;
	measure_jitter(in, bpf_ntohl(rtp->ts), c->clock_rate, now);
	return c->copy_to_user || c->relay_to_id ? UNDECIDED : UNROUTED;
}

/* RTCP comes from its own port, or from RTP's when the far end shares one. */
static __always_inline enum verdict judge_rtcp(struct leg *leg, const struct packet *p)
{
	const struct leg_config *c = &leg->config;

	if (!c->peer_rtp.port)
		return DROP_MUTED;
	if (!same_endpoint(&c->peer_rtcp, &p->source) && !same_endpoint(&c->peer_rtp, &p->source))
		return DROP_SOURCE;
	leg->counts.rx_rtcp++;
	return TO_USER;
}

/* How a leg's packet leaves: numbers, type, addresses, and the way if it is known. */
struct departure {
	struct stamp stamp;
	__u8 type;
	struct endpoint from;
	struct endpoint to;
	struct leg_hop hop;
};

/* Takes the next place in a leg's outgoing stream. Called with its lock held. */
static __always_inline enum verdict depart(struct leg *leg, __u64 id, const struct origin *o, __u32 length,
					   __u64 now, struct departure *d)
{
	const struct leg_config *c = &leg->config;
	enum verdict v;

	if (leg->id != id)
		return DROP_NO_LEG;
	if (!c->peer_rtp.port)
		return DROP_MUTED;
	if (!c->may_send)
		return DROP_HELD;
	v = stamp(leg, o, now, &d->stamp);
	if (v != UNDECIDED)
		return v;
	d->type = c->audio_type;
	d->to = c->peer_rtp;
	d->hop = leg->hop;
	leg->counts.tx_packets++;
	leg->counts.tx_bytes += length;
	return UNDECIDED;
}
