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
int layout_types(enum page_layout *p, enum slot_layout *s, enum turn_layout *t, enum part_layout *l)
{
	return p || s || t || l;
}

int value_types(struct part *a, enum verdict *v)
{
	return a || v;
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
static __always_inline void turn_over(struct prompt *p)
{
	__u32 index = p->page;
	struct page *page;

	p->offset += p->length;
	if (p->offset < PAGE_OWN)
		return;
	page = bpf_map_lookup_elem(&pages, &index);
	if (!page)
		return;
	p->page = page->next;
	p->offset -= PAGE_OWN;
}

/* Nobody is to hear the stream now, which is no trouble. */
static __always_inline bool is_unheard(enum verdict v)
{
	return v == DROP_HELD || v == DROP_MUTED || v == DROP_UNLATCHED;
}

/* Counts a packet, and tells userspace what it must know. */
static __always_inline void note(struct pace *pace, struct prompt *p, __u32 place, const struct claim *c, enum verdict v)
{
	bool gone = v == STAMPED || v == HANDED, dry = !c->left && !c->parts;
	bool look = p->turned || dry || (!c->parts && c->left == p->low);

	p->turned = 0;
	p->marker = !gone;
	if (gone) {
		p->refused = 0;
		add(&pace->said, 1);
	} else if (v != UNDECIDED) {
		p->refused = is_unheard(v) ? 0 : p->refused + 1;
		p->fate = v;
		add(&pace->refused, 1);
		look = look || p->refused == p->patience;
	}
	if (v == HANDED)
		add(&pace->handed, 1);
	if (p->tell) {
		p->tell = 0;
		p->begun_ns = pace->now_ns;
		look = true;
	}
	if (dry)
		p->dry_ns = pace->now_ns;
	if (look)
		report(pace, p, place);
}

/* Says the packet that was claimed; in silence if the stream is muted. */
static __always_inline enum verdict speak(struct xdp_md *ctx, struct pace *pace, struct prompt *p, int *action)
{
	struct leg *leg;
	enum verdict v;

	if (p->muted)
		return UNDECIDED;
	leg = leg_in(p->leg_slot);
	v = leg ? say(ctx, p, leg, pace->now_ns, action) : DROP_NO_LEG;
	if (leg && v >= DROP_SOURCE)
		count_drop(leg, v);
	pace->frame_length = frame_length(ctx);
	count(v, pace->frame_length);
	return v;
}

SEC("xdp")
int play(struct xdp_md *ctx)
{
	struct pace *pace = this_pace();
	int action = XDP_DROP;
	struct prompt *p;
	union claimed got;
	enum verdict v;
	__u32 place;

	if (!pace)
		return XDP_DROP;
	p = next_prompt(pace, &place);
	if (!p || !claim(p, place, pace->now_ns, &got))
		return XDP_DROP;
	v = speak(ctx, pace, p, &action);
	turn_over(p);
	note(pace, p, place, &got.claim, v);
	unclaim(p);
	return action;
}
