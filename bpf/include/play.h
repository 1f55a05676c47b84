/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Prompts: recordings in pages that userspace fills, and the list of what is due
 * to be said. Both are mapped into userspace's memory.
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
	/* what a frame is at most longer than its audio */
	MAX_HEADERS = sizeof(struct ethhdr) + sizeof(struct vlanhdr) + sizeof(struct ipv6hdr) +
		      sizeof(struct udphdr) + sizeof(struct rtphdr),
};

struct page {
	__u8 audio[PAGE_BYTES];
};

/* One packet that is due: what userspace asks for, and what became of it. */
struct due {
	__u64 leg_id;
	__u32 slot;
	__u32 page;
	__u32 ticks;   /* the timeline advances by this much after the packet */
	__u16 offset;  /* in the page's own part */
	__u16 length;
	__u8 type;     /* RTP payload type */
	__u8 marker;
	__u16 reserved;
	enum verdict fate;
};

/* How far a run has come with the list. */
struct run_state {
	__u32 next;
	__u32 count;
};

enum { BPF_F_MMAPABLE = 1U << 10 };

/* As many as userspace may fill; set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct page);
} pages SEC(".maps");

/* What one run sends. 100,000 streams of 20 ms have 5,000 packets due each millisecond. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct due);
} due_list SEC(".maps");

/* Exactly one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct run_state);
} run_states SEC(".maps");

/* Takes the next entry of the list; none when the list is done. */
static __always_inline struct due *take_due(void)
{
	__u32 first = 0, index;
	struct run_state *run = bpf_map_lookup_elem(&run_states, &first);

	if (!run)
		return NULL;
	index = __sync_fetch_and_add(&run->next, 1);
	return index < run->count ? bpf_map_lookup_elem(&due_list, &index) : NULL;
}

static __always_inline bool is_sound(const struct due *due)
{
	return due->length && due->length <= MAX_AUDIO && due->offset < PAGE_OWN;
}

static __always_inline __u32 headers_length(const struct departure *d)
{
	return sizeof(struct ethhdr) + (d->hop.tag_proto ? sizeof(struct vlanhdr) : 0) + ip_length(d->ipv4);
}

/* Kept from being mixed with other sums, as the verifier lets pointers be subtracted only as a whole. */
static __always_inline __u32 frame_length(struct xdp_md *ctx)
{
	__u64 length = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	asm volatile("" : "+r"(length));
	return length;
}

/* Gives the frame its length and its audio. No pointer into it is good afterwards. */
static __always_inline bool put_audio(struct xdp_md *ctx, const struct due *due, const struct departure *d,
				      struct page *page)
{
	__u32 offset = due->offset, last = due->length - 1;
	__u32 start = headers_length(d) + sizeof(struct udphdr) + sizeof(struct rtphdr);

	if (offset >= PAGE_OWN)
		return false;
	last &= MAX_AUDIO - 1; /* proves the length to the verifier */
	if (bpf_xdp_adjust_tail(ctx, (int)(start + last + 1) - (int)frame_length(ctx)))
		return false;
	return !bpf_xdp_store_bytes(ctx, start, page->audio + offset, last + 1);
}

/*
 * Writes every header, and every field of it: the frame is one that left before,
 * and holds what was written then.
 */
static __always_inline bool put_headers(struct xdp_md *ctx, const struct departure *d, __u16 audio)
{
	struct packet p = {.udp_offset = headers_length(d), .length = sizeof(struct rtphdr) + audio};
	__u32 *words;

	if (!write_headers(ctx, d, departing_length(&p, d)))
		return false;
	p.udp = (void *)(long)ctx->data + p.udp_offset;
	words = (__u32 *)(p.udp + 1);
	if ((void *)words + sizeof(struct rtphdr) > (void *)(long)ctx->data_end)
		return false;
	words[0] = rtp_word(d, RTP_VERSION << 6);
	words[1] = bpf_htonl(d->stamp.ts);
	words[2] = bpf_htonl(d->stamp.ssrc);
	p.udp->source = bpf_htons(d->from.port);
	p.udp->dest = bpf_htons(d->to.port);
	p.udp->len = bpf_htons(p.length + sizeof(*p.udp));
	p.udp->check = full_checksum(ctx, &p, pseudo_sum(&d->from, &d->to, d->ipv4, p.udp->len));
	return true;
}
