/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Who may send to a leg. By default the address and port that was signalled, and
 * nobody else. Where a leg may learn its far end (symmetric RTP, RFC 4961), it does
 * so once, in a short window, from an address that was signalled, and sends
 * nothing before; only a new offer or answer opens the window again.
 *
 * The addresses are learned with the leg held, and read without: a packet that meets
 * them half written matches neither the old nor the new ones and is refused.
 */
#pragma once

#include "hold.h"
#include "parse.h"
#include "rtp.h"
#include "time.h"

#define BURST_NS NSEC_PER_SEC            /* packets held up for so long may arrive at once */
#define RTCP_GAP_NS (50 * NSEC_PER_MSEC) /* far below the interval of RFC 3550 section 6.2 */
#define SSRC_HOLD_NS (100 * NSEC_PER_MSEC) /* a source that sent within this time is alive */

/* The ceiling on a leg's packets: a bucket that fills by one packet in gap_ns. */
static __always_inline bool within_rate(__u64 *paid_ns, __u32 gap_ns, __u64 now)
{
	__u64 paid = *paid_ns;

	if (!gap_ns)
		return true;
	if (paid > now + BURST_NS)
		return false;
	*paid_ns = (paid > now ? paid : now) + gap_ns;
	return true;
}

/* RFC 3550 A.1 with MIN_SEQUENTIAL of 2: is this the packet that proves a new source? The leg is held. */
static __always_inline bool is_proven(struct leg_gate *g, const struct packet *p, const struct rtphdr *rtp)
{
	__u32 ssrc = bpf_ntohl(rtp->ssrc);
	__u16 seq = bpf_ntohs(rtp->seq);

	if (g->on_probation && g->candidate_ssrc == ssrc && g->candidate_seq == seq &&
	    same_endpoint(&g->candidate, &p->source)) {
		g->on_probation = false;
		return true;
	}
	g->candidate = p->source;
	g->candidate_ssrc = ssrc;
	g->candidate_seq = seq + 1;
	g->on_probation = true;
	return false;
}

static __always_inline bool window_is_open(const struct leg *leg, __u64 now)
{
	return now < leg->gate.window_until_ns;
}

/* Whoever stays unheard until the window closes is where signalling said. */
static __always_inline const struct endpoint *far_end(const struct leg *leg, __u64 now)
{
	if (leg->gate.far_rtp.port || window_is_open(leg, now))
		return &leg->gate.far_rtp;
	return &leg->config.peer_rtp;
}

/* Why a leg without a far end can neither send nor receive. */
static __always_inline enum verdict why_closed(const struct leg *leg)
{
	return leg->config.peer_rtp.port ? DROP_UNLATCHED : DROP_MUTED;
}

static __always_inline bool is_noise(const struct leg_config *c, __u8 type)
{
	return c->noise_type && type == c->noise_type;
}

/* Is a payload type one that was agreed on? */
static __always_inline bool is_agreed(const struct leg_config *c, __u8 type)
{
	return type == c->audio_type || type == c->event_type || is_noise(c, type);
}

/* Judges a packet of a leg that is held, and learns the far end from the second of a source that may be it. */
static __always_inline enum verdict check_source_held(struct leg *leg, const struct packet *p, const struct rtphdr *rtp,
						      __u64 now)
{
	const struct endpoint *far = far_end(leg, now);
	const struct leg_config *c = &leg->config;

	if (far->port)
		return same_endpoint(far, &p->source) ? UNDECIDED : DROP_SOURCE;
	if (!c->peer_rtp.port)
		return DROP_MUTED;
	if (!same_address(&p->source, &c->peer_rtp) && !same_address(&p->source, &c->latch_from))
		return DROP_SOURCE;
	if (!is_agreed(c, rtp->type & RTP_TYPE))
		return DROP_TYPE;
	if (!is_proven(&leg->gate, p, rtp))
		return DROP_PROBATION;
	leg->gate.far_rtp = p->source;
	return UNDECIDED;
}

/*
 * A far end that is known is compared without the lock. One that is not is judged and
 * learned with the leg held throughout: once, and by one configuration.
 */
static __always_inline enum verdict check_source(struct leg *leg, const struct packet *p, const struct rtphdr *rtp,
						 __u64 now)
{
	const struct endpoint *far = far_end(leg, now);
	enum verdict v;

	if (far->port)
		return same_endpoint(far, &p->source) ? UNDECIDED : DROP_SOURCE;
	hold(leg);
	v = check_source_held(leg, p, rtp, now);
	release(leg);
	return v;
}

/*
 * One address may send as one source at a time. Another one takes over when the
 * present one has fallen silent and two packets in sequence have come, or at
 * once when the far end was signalled anew.
 */
static __always_inline enum verdict check_ssrc(struct leg *leg, const struct packet *p, const struct rtphdr *rtp,
					       __u64 now)
{
	const struct leg_ingress *in = &leg->ingress;
	bool proven;

	if (in->ssrc == bpf_ntohl(rtp->ssrc) || !in->last_ns || in->renewed)
		return UNDECIDED;
	if (since(in->last_ns, now) < SSRC_HOLD_NS)
		return DROP_SSRC;
	hold(leg);
	proven = is_proven(&leg->gate, p, rtp);
	release(leg);
	return proven ? UNDECIDED : DROP_PROBATION;
}

/*
 * RTCP comes from the signalled port, or from RTP's when the two are multiplexed
 * (RFC 5761); from a learned far end, from RTP's port or the next one.
 */
static __always_inline enum verdict check_rtcp_source(const struct leg *leg, const struct packet *p, __u64 now)
{
	const struct endpoint *far = far_end(leg, now);

	if (!far->port)
		return why_closed(leg);
	if (same_endpoint(far, &p->source))
		return UNDECIDED;
	if (!leg->config.latch_ms)
		return same_endpoint(&leg->config.peer_rtcp, &p->source) ? UNDECIDED : DROP_SOURCE;
	return same_address(far, &p->source) && p->source.port == (__u16)(far->port + 1) ? UNDECIDED : DROP_SOURCE;
}

/* Is the far end to hear anything, once its address is known? */
static __always_inline bool speaks(const struct leg_config *c)
{
	return c->may_send && c->peer_rtp.port;
}

/*
 * What was said while it was on hold, or routed elsewhere, is not missing where it
 * goes on: it goes on as another source's, and a leg's stream as if after one.
 */
static __always_inline void follow_on(struct leg *leg, const struct leg_config *c)
{
	const struct leg_config *before = &leg->config;

	if ((c->relay_to_id && c->relay_to_id != before->relay_to_id) || (c->may_receive && !before->may_receive))
		leg->ingress.turn++;
	if (leg->egress.started && speaks(c) && !speaks(before))
		leg->egress.source_id = NOBODY;
}

/* Takes a new configuration. Another far end, or another way to learn it, starts over. */
static __always_inline void reconfigure(struct leg *leg, const struct leg_config *c, __u64 now)
{
	struct leg_gate *g = &leg->gate;
	bool same = same_endpoint(&leg->config.peer_rtp, &c->peer_rtp) && leg->config.latch_ms == c->latch_ms &&
		    same_endpoint(&leg->config.latch_from, &c->latch_from);

	follow_on(leg, c);
	leg->config = *c;
	leg->hop.until_ns = 0;
	if (same)
		return;
	g->far_rtp = c->peer_rtp;
	g->window_until_ns = 0;
	g->on_probation = false;
	leg->ingress.renewed = true;
	if (c->latch_ms && c->peer_rtp.port) {
		g->far_rtp.port = 0;
		g->window_until_ns = now + c->latch_ms * NSEC_PER_MSEC;
	}
}
