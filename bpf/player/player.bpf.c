//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Says prompts: run on live frames, once for each packet that is due. It shares
 * the maps of the relay, and its way of stamping and sending.
 */
#include "../include/count.h"
#include "../include/find.h"
#include "../include/hop.h"
#include "../include/play.h"
#include "../include/tap.h"
#include "../include/user.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* Keeps a type in the type information; no map mentions it. */
int record_types(enum page_layout *l)
{
	return l != NULL;
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
static __always_inline enum verdict say(struct xdp_md *ctx, const struct due *due, struct leg *leg, int *action)
{
	struct origin o = {.now = bpf_ktime_get_ns(), .ticks = due->ticks, .marker = due->marker};
	__u32 index = due->page;
	struct page *page = bpf_map_lookup_elem(&pages, &index);
	struct departure d = {};
	enum verdict v;
	__u16 length;
	bool found;

	if (!page || !is_sound(due) || frame_length(ctx) < MAX_HEADERS + due->length)
		return DROP_TOO_LONG;
	v = depart(leg, due->leg_id, &o, &d);
	if (v != UNDECIDED)
		return v;
	d.type = due->type & RTP_TYPE;
	length = ip_length(d.ipv4) + sizeof(struct udphdr) + sizeof(struct rtphdr) + due->length;
	found = find_hop(ctx, leg, &d, length, o.now);
	if (!put_audio(ctx, due, &d, page) || !put_headers(ctx, &d, due->length))
		return DROP_TOO_LONG;
	add(&leg->counts.tx_user, 1);
	add(&leg->counts.tx_user_bytes, sizeof(struct rtphdr) + due->length);
	show_sent(ctx, leg, &o, &(struct whereabouts){found ? STAMPED : HANDED, l3_offset(&d), length});
	if (!found)
		return hand(ctx, leg, length, o.now);
	*action = leave(&d.hop);
	return STAMPED;
}

SEC("xdp")
int play(struct xdp_md *ctx)
{
	struct due *due = take_due();
	int action = XDP_DROP;
	struct leg *leg;
	enum verdict v;

	if (!due)
		return XDP_DROP;
	leg = leg_in(due->slot);
	v = leg ? say(ctx, due, leg, &action) : DROP_NO_LEG;
	if (leg && v >= DROP_SOURCE)
		count_drop(leg, v);
	count(v, frame_length(ctx));
	due->fate = v;
	return action;
}
