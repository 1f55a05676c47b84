//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Says prompts: run on live frames, once for each stream that is due. It shares
 * the maps of the relay, and its way of stamping and sending.
 */
#include "../include/count.h"
#include "../include/find.h"
#include "../include/hop.h"
#include "../include/play.h"
#include "../include/tap.h"
#include "../include/user.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* Keeps types in the type information; no map mentions them. */
int record_types(enum page_layout *p, enum run_layout *r, enum verdict *v)
{
	return p || r || v;
}

/* Userspace sends what cannot be sent from here: no neighbour yet, or a local far end. */
static __always_inline enum verdict hand(struct xdp_md *ctx, const struct leg *leg, __u16 length, __u64 now)
{
	struct parcel parcel = {
		.leg_id = leg->id,
		.now = now,
		.kind = EVENT_SEND,
		.offset = sizeof(struct ethhdr),
		.length = length,
	};

	return deliver(ctx, &parcel) ? HANDED : DROP_OVERRUN;
}

/* Makes the frame the next packet of a leg's stream. */
static __always_inline enum verdict say(struct xdp_md *ctx, struct prompt *p, struct leg *leg, __u64 now, int *action)
{
	struct departure *d = &p->way;
	__u32 index = p->page;
	struct page *page = bpf_map_lookup_elem(&pages, &index);
	struct origin o = {.now = now};
	enum verdict v;
	__u16 length;
	bool found;

	if (!page || !is_sound(p))
		return DROP_TOO_LONG;
	v = go_on(p, leg, now) ? UNDECIDED : begin(p, leg);
	if (v != UNDECIDED)
		return v;
	d->type = p->type & RTP_TYPE;
	length = ip_length(d->ipv4) + sizeof(struct udphdr) + sizeof(struct rtphdr) + p->length;
	found = is_known(&d->hop, length, now) || ask_hop(ctx, d, length, now);
	if (!make_frame(ctx, p, page))
		return DROP_TOO_LONG;
	add(&leg->counts.tx_user, 1);
	add(&leg->counts.tx_user_bytes, sizeof(struct rtphdr) + p->length);
	show_sent(ctx, leg, &o, &(struct whereabouts){found ? STAMPED : HANDED, l3_offset(d), length});
	if (!found)
		return hand(ctx, leg, length, now);
	*action = leave(&d->hop);
	return STAMPED;
}

/* Goes on in the recording. */
static __always_inline void note(struct run *run, struct prompt *p, __u32 place, enum verdict v)
{
	bool left = v == STAMPED || v == HANDED;

	p->offset += p->length;
	p->left--;
	p->marker = !left;
	p->refused = left ? 0 : p->refused + 1;
	if (left)
		run->said++;
	else
		p->fate = v;
	if (v == HANDED)
		run->handed++;
	if (!left || !p->left)
		report(run, place);
}

SEC("xdp")
int play(struct xdp_md *ctx)
{
	struct run *run = this_run();
	int action = XDP_DROP;
	struct prompt *p;
	struct leg *leg;
	enum verdict v;
	__u32 place;

	if (!run)
		return XDP_DROP;
	p = next_prompt(run, &place);
	if (!p || !p->left)
		return XDP_DROP;
	leg = leg_in(p->slot);
	v = leg ? say(ctx, p, leg, run->now_ns, &action) : DROP_NO_LEG;
	if (leg && v >= DROP_SOURCE)
		count_drop(leg, v);
	run->frame_length = frame_length(ctx);
	count(v, run->frame_length);
	note(run, p, place, v);
	fetch_next(run);
	return action;
}
