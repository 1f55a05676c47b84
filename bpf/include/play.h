/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * How prompts are said: one run says a packet of each stream of a slot.
 *
 * Who paces the runs and who decides what is said do not wait for each other: a
 * packet is claimed before it is said, and whoever takes the claims back waits
 * only for the one packet that is being said.
 */
#pragma once

#include "prompts.h"
#include "rewrite.h"

/* How often a place is asked for while another run takes it. */
#define MOST_TRIES 3

static __always_inline struct pace *this_pace(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&paces, &first);
}

static __always_inline __u32 left_of(__u64 turn)
{
	return turn & ((1 << TURN_LEFT) - 1);
}

/*
 * Prompts of a row whose legs are fetched at the same time. Legs that are due together
 * lie anywhere in memory, which is far where there are many: it is waited for once
 * and not for each.
 */
#define FETCHED 8

_Static_assert(ROW % FETCHED == 0, "those that are fetched at the same time lie in one row");

/* Reads of legs, from a place on in the map prompts, and does nothing with what it reads. */
static __always_inline void fetch(__u32 place)
{
	const struct prompt *p;
	const struct leg *leg;
	__u64 unused;
	int i;

	for (i = 0; i < FETCHED; i++, place++) {
		p = bpf_map_lookup_elem(&prompts, &place);
		leg = p ? bpf_map_lookup_elem(&legs, &p->leg_slot) : NULL;
		if (!leg)
			return;
		unused = *(volatile __u64 *)&leg->id;
		asm volatile("" : : "r"(unused));
		unused = *(volatile __u64 *)&leg->counts.tx_user;
		asm volatile("" : : "r"(unused));
	}
}

/* The prompt at the last place that is left of a turn; none if the slot has become shorter. */
static __always_inline struct prompt *prompt_of(__u64 turn, __u32 *place)
{
	__u32 index = left_of(turn) - 1, which = turn >> TURN_LEFT & ((1 << TURN_SLOT) - 1);
	const struct slot *slot = bpf_map_lookup_elem(&slots, &which);

	if (!slot || index >= slot->end || index >= ROWS * ROW)
		return NULL;
	*place = slot->rows[index / ROW] * ROW + index % ROW;
	if (index % FETCHED == FETCHED - 1 || index == slot->end - 1)
		fetch(*place - index % FETCHED);
	return bpf_map_lookup_elem(&prompts, place);
}

/*
 * Takes the next stream of the turn, which is at a place in the map. None: all are
 * taken, or others take them; the run is repeated while any are left.
 */
static __always_inline struct prompt *next_prompt(struct pace *pace, __u32 *place)
{
	int tries;

#pragma unroll
	for (tries = 0; tries < MOST_TRIES; tries++) {
		__u64 turn = *(volatile __u64 *)&pace->turn;

		if (!left_of(turn))
			return NULL;
		if (__sync_val_compare_and_swap(&pace->turn, turn, turn - 1) == turn)
			return prompt_of(turn, place);
	}
	return NULL;
}

union claimed {
	__u64 word;
	struct claim claim;
};

/* The part that a stream turns to when it has said what is left. */
static __always_inline struct part *part_after(__u32 place, const struct claim *c)
{
	struct ring *ring = bpf_map_lookup_elem(&rings, &place);

	return ring ? &ring->parts[c->turns % AHEAD] : NULL;
}

/* Goes on to a part that was claimed. */
static __always_inline void turn_to(struct prompt *p, const struct part *part)
{
	p->page = part->page;
	p->offset = part->offset;
	p->turned = part->tell;
}

/* Claims a packet, if any is left of a part; what is granted is known then. False: there was none. */
static __always_inline bool claim_once(struct prompt *p, __u32 place, __u64 now, union claimed *got, bool *again)
{
	__u64 *word = (__u64 *)&p->claim, old = *(volatile __u64 *)word;
	struct part *part = NULL, next;

	*again = false;
	got->word = old;
	if (got->claim.taken || (!got->claim.left && !got->claim.parts))
		return false;
	if (!got->claim.left) {
		part = part_after(place, &got->claim);
		if (!part || !part->packets)
			return false;
		next = *part; /* userspace may write another here once this one is claimed */
		part->begun_ns = now;
		got->claim.left = next.packets;
		got->claim.parts--;
		got->claim.turns++;
	}
	got->claim.left--;
	got->claim.taken = 1;
	*again = __sync_val_compare_and_swap(word, old, got->word) != old;
	if (*again)
		return false;
	if (part)
		turn_to(p, &next);
	return true;
}

/* Claims a packet; once more if userspace granted something at the same moment. */
static __always_inline bool claim(struct prompt *p, __u32 place, __u64 now, union claimed *got)
{
	bool again;

	return claim_once(p, place, now, got, &again) || (again && claim_once(p, place, now, got, &again));
}

/* The packet is said. The sum is used, so that it is a full memory barrier on every machine. */
static __always_inline void unclaim(struct prompt *p)
{
	__u64 before = __sync_fetch_and_add((__u64 *)&p->claim, -(1ULL << 56));

	asm volatile("" : : "r"(before));
}

/* Has userspace look at a stream, once until it does. */
static __always_inline void report(struct pace *pace, struct prompt *p, __u32 place)
{
	__u32 index;
	__u64 *slot;

	if (__sync_lock_test_and_set(&p->told, 1))
		return;
	index = __sync_fetch_and_add(&pace->reported, 1) & report_mask;
	slot = bpf_map_lookup_elem(&reports, &index);
	if (slot)
		*(volatile __u64 *)slot = place + 1;
}

static __always_inline bool is_sound(const struct prompt *p)
{
	return p->length && p->length < MAX_AUDIO && p->offset < PAGE_OWN;
}

/*
 * Takes the next place for a prompt that goes on as it did. Whoever changes
 * anything about a leg holds it, and that shows in the place (hold.h): while
 * nobody has, the way and all else that was found out before is still true, and
 * the exchange proves it. False: the leg must be looked at.
 */
static __always_inline bool go_on(struct prompt *p, struct leg *to, __u64 now)
{
	__u64 *word = place_word(to), old = *(volatile __u64 *)word;
	union place was = {.word = old}, next = {.word = old};
	struct leg *leg = after_place(to, old);
	struct leg_egress *e = &leg->egress;

	if (!p->has_way || p->marker || p->changes != was.at.changes || leg->id != p->leg_id || e->ticks != p->ticks)
		return false;
	next.at.last_seq++;
	next.at.last_ts += p->ticks;
	if (__sync_val_compare_and_swap(word, old, next.word) != old)
		return false;
	e->last_ns = now;
	p->way.stamp.seq = next.at.last_seq;
	p->way.stamp.ts = next.at.last_ts;
	p->way.stamp.marker = false;
	return true;
}

/* Takes the next place in the leg's stream, and learns the way. */
static __always_inline enum verdict begin(struct prompt *p, struct leg *leg)
{
	struct origin o = {.now = bpf_ktime_get_ns(), .ticks = p->ticks, .marker = p->marker};
	__u64 id = p->leg_id;
	enum verdict v;

	hold(leg);
	v = depart_held(leg, id, &o, &p->way);
	p->changes = leg->egress.place.changes + 1; /* once it is released */
	release(leg);
	p->has_way = v == UNDECIDED;
	return v;
}

/* Where RTP's header begins in the frame that leaves. */
static __always_inline __u32 rtp_offset(const struct departure *d)
{
	return l3_offset(d) + ip_length(d->ipv4) + sizeof(struct udphdr);
}

/* Kept from being mixed with other sums, as the verifier lets pointers be subtracted only as a whole. */
static __always_inline __u32 frame_length(struct xdp_md *ctx)
{
	__u64 length = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	asm volatile("" : "+r"(length));
	return length;
}

static __always_inline bool fit(struct xdp_md *ctx, __u32 length)
{
	int more = (int)length - (int)frame_length(ctx);

	return !more || !bpf_xdp_adjust_tail(ctx, more);
}

/*
 * Writes UDP's and RTP's headers; sum is the audio's. The frame is one that left
 * before and holds what was written then, so every field is written.
 */
static __always_inline bool write_udp(struct xdp_md *ctx, const struct departure *d, __u16 audio, __u64 sum)
{
	__u32 first = rtp_word(d, RTP_VERSION << 6), ts = bpf_htonl(d->stamp.ts), ssrc = bpf_htonl(d->stamp.ssrc);
	struct udphdr *udp = (void *)(long)ctx->data + rtp_offset(d) - sizeof(*udp);
	__u32 *words = (__u32 *)(udp + 1);

	if ((void *)words + sizeof(struct rtphdr) > (void *)(long)ctx->data_end)
		return false;
	words[0] = first;
	words[1] = ts;
	words[2] = ssrc;
	udp->source = bpf_htons(d->from.port);
	udp->dest = bpf_htons(d->to.port);
	udp->len = bpf_htons(sizeof(*udp) + sizeof(struct rtphdr) + audio);
	sum += pseudo_sum(&d->from, &d->to, d->ipv4, udp->len);
	sum += (__u64)udp->source + udp->dest + udp->len + first + ts + ssrc;
	udp->check = never_zero(~fold(sum));
	return true;
}

#define USUAL_AUDIO 160 /* octets: 20 ms of G.711 */

/* Copies as much audio as most packets have, and sums it up meanwhile: it is read only once, and without a loop. */
static __always_inline bool write_usual(struct xdp_md *ctx, __u32 start, const __u64 *audio, __u64 *sum)
{
	__u64 *to = (void *)(long)ctx->data + (start & MAX_OFFSET), even = 0, odd = 0;
	int i;

	if ((void *)to + USUAL_AUDIO > (void *)(long)ctx->data_end)
		return false;
#pragma unroll
	for (i = 0; i < USUAL_AUDIO / 8; i++) {
		__u64 words = audio[i];

		to[i] = words;
		even += (__u32)words;
		odd += words >> 32;
	}
	*sum = even + odd;
	return true;
}

/* Writes audio to its place in the frame, and sums it up. */
static __always_inline bool write_audio(struct xdp_md *ctx, __u32 start, void *audio, __u32 length, __u64 *sum)
{
	if (length == USUAL_AUDIO)
		return write_usual(ctx, start, audio, sum);
	if (bpf_xdp_store_bytes(ctx, start, audio, length))
		return false;
	*sum = (__u32)bpf_csum_diff(NULL, 0, audio, length, 0);
	return true;
}

/* Makes the frame a prompt's next packet. No pointer into it is good afterwards. */
static __always_inline bool make_frame(struct xdp_md *ctx, const struct prompt *p, struct page *page)
{
	__u32 offset = p->offset, length = p->length & (MAX_AUDIO - 4), start = rtp_offset(&p->way) + sizeof(struct rtphdr);
	__u8 *audio;
	__u64 sum;

	asm volatile("" : "+r"(offset), "+r"(length));
	if (offset >= PAGE_OWN || length >= MAX_AUDIO || !length)
		return false;
	audio = page->audio + offset;
	if (!fit(ctx, start + length) || !write_audio(ctx, start, audio, length, &sum))
		return false;
	if (!write_headers(ctx, &p->way, start - l3_offset(&p->way) + length))
		return false;
	return write_udp(ctx, &p->way, length, sum);
}
