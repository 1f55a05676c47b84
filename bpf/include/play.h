/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Prompts: recordings in pages that userspace fills, and what each stream says of
 * them next. Both are mapped into userspace's memory, and one run says a packet of
 * each stream that is due.
 */
#pragma once

#include "rewrite.h"

/*
 * A page also holds the beginning of the one that follows it in the recording,
 * so that a frame lies in one piece wherever it begins. A page's own part is a
 * whole number of frames of each usual length, at an octet a tick of 8 kHz.
 */
enum page_layout {
	PAGE_OWN = 7680,
	MAX_AUDIO = 512, /* of one packet; a power of two */
	PAGE_BYTES = PAGE_OWN + MAX_AUDIO,
};

struct page {
	__u8 audio[PAGE_BYTES];
};

/*
 * Streams that are due together lie together, in rows: a run reads them one after
 * the other, and the machine fetches the next while one is being said.
 */
enum run_layout {
	ROW = 32,   /* streams; a page of memory */
	ROWS = 256, /* of one run */
	RUN = ROWS * ROW,
};

/*
 * What a stream says next: so many packets of a page, which userspace grants; it
 * looks again when they are said. The way that they leave is kept between them.
 */
struct prompt {
	__u64 leg_id;
	__u32 slot;
	__u32 page;
	__u16 offset;  /* in the page's own part */
	__u16 length;  /* of a packet, in whole words */
	__u16 left;    /* packets to say; 0: none */
	__u16 refused; /* packets in a row that did not leave */
	__u16 ticks;   /* the timeline advances by this much after a packet */
	__u16 changes; /* of the leg, as the way is good for; see go_on */
	__u8 type;     /* RTP payload type */
	__u8 marker;
	__u8 fate;     /* of the packet that was refused last, an enum verdict */
	__u8 has_way;
	struct departure way;
};

/* What a run says, how far it has come, and what it has to tell. */
struct run {
	__u64 now_ns;
	__u32 count;         /* streams */
	__u32 next;
	__u32 said;          /* packets that left */
	__u32 handed;        /* of those, by userspace's hand */
	__u32 frame_length;  /* of the last one; frames that begin so need not be fitted */
	__u32 reported;
	__u32 rows[ROWS];    /* in the map prompts */
	__u32 reports[RUN];  /* places in the map prompts: nothing is left, or a packet was refused */
};

/* As many as userspace may fill; set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct page);
} pages SEC(".maps");

/* In rows; as many as there are legs, and rows that are not full. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct prompt);
} prompts SEC(".maps");

/* Exactly one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct run);
} runs SEC(".maps");

static __always_inline struct run *this_run(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&runs, &first);
}

/* Takes the next stream of a run, which is at a place in the map; none when the run is done. */
static __always_inline struct prompt *next_prompt(struct run *run, __u32 *place)
{
	__u32 index = run->next;

	if (index >= run->count || index >= RUN)
		return NULL;
	run->next = index + 1;
	*place = run->rows[index / ROW] * ROW + index % ROW;
	return bpf_map_lookup_elem(&prompts, place);
}

/*
 * Reads of the leg that comes next, and does nothing with it: the machine goes on
 * with this packet while it fetches the leg from memory, where it is when there
 * are many.
 */
static __always_inline void fetch_next(const struct run *run)
{
	__u32 index = run->next, place;
	const struct prompt *p;
	const struct leg *leg;
	__u64 unused;

	if (index >= run->count || index >= RUN)
		return;
	place = run->rows[index / ROW] * ROW + index % ROW;
	p = bpf_map_lookup_elem(&prompts, &place);
	if (!p)
		return;
	leg = bpf_map_lookup_elem(&legs, &p->slot);
	if (!leg)
		return;
	unused = *(volatile __u64 *)&leg->id;
	asm volatile("" : : "r"(unused));
	unused = *(volatile __u64 *)&leg->counts.tx_user;
	asm volatile("" : : "r"(unused));
}

/* Has userspace look at a stream. */
static __always_inline void report(struct run *run, __u32 place)
{
	__u32 n = run->reported;

	if (n < RUN) {
		run->reports[n] = place;
		run->reported = n + 1;
	}
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

/* Makes the frame a prompt's next packet. No pointer into it is good afterwards. */
static __always_inline bool make_frame(struct xdp_md *ctx, const struct prompt *p, struct page *page)
{
	__u32 offset = p->offset, length = p->length & (MAX_AUDIO - 4), start = rtp_offset(&p->way) + sizeof(struct rtphdr);
	__u8 *audio;

	asm volatile("" : "+r"(offset), "+r"(length));
	if (offset >= PAGE_OWN || length >= MAX_AUDIO || !length)
		return false;
	audio = page->audio + offset;
	if (!fit(ctx, start + length) || bpf_xdp_store_bytes(ctx, start, audio, length))
		return false;
	if (!write_headers(ctx, &p->way, start - l3_offset(&p->way) + length))
		return false;
	return write_udp(ctx, &p->way, length, (__u32)bpf_csum_diff(NULL, 0, (__be32 *)audio, length, 0));
}
