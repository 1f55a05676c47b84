/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* What becomes of a packet that arrived for a leg. */
#pragma once

#include "gate.h"
#include "measure.h"

static __always_inline bool is_event(const struct leg *leg, const struct rtphdr *rtp)
{
	return (rtp->type & RTP_TYPE) == leg->config.event_type;
}

/*
 * Judges an RTP packet of a leg. UNDECIDED: somebody wants it. The configuration
 * is read without the lock: a packet that meets a change half made is at worst
 * refused, because a relay's slot and id must fit together.
 */
static __always_inline enum verdict judge_rtp(struct leg *leg, const struct packet *p, const struct rtphdr *rtp,
					      __u64 now)
{
	const struct leg_config *c = &leg->config;
	struct leg_ingress *in = &leg->ingress;
	__u8 type = rtp->type & RTP_TYPE;
	enum verdict v;

	v = check_source(leg, p, rtp, now);
	if (v != UNDECIDED)
		return v;
	if (!within_rate(&leg->gate.rtp_paid_ns, c->packet_gap_ns, now))
		return DROP_RATE;
	if (!c->may_receive)
		return DROP_HELD;
	v = check_ssrc(leg, p, rtp, now);
	if (v != UNDECIDED)
		return v;
	in->renewed = false;
	measure_sequence(in, bpf_ntohl(rtp->ssrc), bpf_ntohs(rtp->seq));
	in->last_ns = now;
	if (!is_agreed(c, type))
		return DROP_TYPE;
	leg->counts.rx_packets++;
	leg->counts.rx_bytes += p->length;
	if (type == c->event_type)
		return UNDECIDED;
	measure_jitter(in, bpf_ntohl(rtp->ts), c->clock_rate, now);
	return c->copy_to_user || c->relay_to_id ? UNDECIDED : UNROUTED;
}

static __always_inline enum verdict judge_rtcp(struct leg *leg, const struct packet *p, __u64 now)
{
	enum verdict v = check_rtcp_source(leg, p, now);

	if (v != UNDECIDED)
		return v;
	if (!within_rate(&leg->gate.rtcp_paid_ns, RTCP_GAP_NS, now))
		return DROP_RATE;
	leg->counts.rx_rtcp++;
	return TO_USER;
}
