/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Internet checksums, RFC 1071 and RFC 1624. Sums are kept unfolded over words
 * in memory order, which one's complement arithmetic allows.
 */
#pragma once

#include "endpoint.h"

#define BLOCK 32         /* bytes summed at one bounds check */
#define MAX_UDP 1504     /* blocks to hold MAX_RTP and the UDP header */
#define MAX_OFFSET 0x1ff /* of a UDP header: a request, two tags and the longest IP header fit */

/* Of at most 65536 words, which leave the sum below 2^48. */
static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	return (sum & 0xffff) + (sum >> 16);
}

/* What changing a word adds to a sum. */
static __always_inline __u64 change_of(__u32 old, __u32 new)
{
	return (__u64)(__u32)~old + new;
}

/* The checksum after words changed. */
static __always_inline __sum16 updated(__sum16 check, __u64 change)
{
	return ~fold((__u16)~check + change);
}

/* The sum over UDP's pseudo header, RFC 768 and RFC 8200 section 8.1. */
static __always_inline __u64 pseudo_sum(const struct endpoint *from, const struct endpoint *to, bool ipv4, __be16 length)
{
	__u64 sum = bpf_htons(IPPROTO_UDP) + length;

	sum += (__u64)word(from, 3) + word(to, 3);
	if (!ipv4)
		sum += (__u64)word(from, 0) + word(from, 1) + word(from, 2) + word(to, 0) + word(to, 1) + word(to, 2);
	return sum;
}

/*
 * The sum over a whole UDP datagram, folded. A loop: only for packets whose
 * sender left the checksum out. A global function, so that the verifier walks
 * the loop once and not on every path that leads here.
 */
__noinline __u32 datagram_sum(struct xdp_md *ctx, __u32 offset, __u32 length)
{
	void *end = (void *)(long)ctx->data_end;
	void *at = (void *)(long)ctx->data + (offset & MAX_OFFSET);
	__u32 *words;
	__u64 sum = 0;
	int i, j;

	for (i = 0; i < MAX_UDP / BLOCK && length >= BLOCK && at + BLOCK <= end; i++) {
		words = at;
#pragma unroll
		for (j = 0; j < BLOCK / 4; j++)
			sum += words[j];
		at += BLOCK;
		length -= BLOCK;
	}
	for (i = 0; i < BLOCK / 2 && length >= 2 && at + 2 <= end; i++) {
		sum += *(__u16 *)at;
		at += 2;
		length -= 2;
	}
	if (length == 1 && at + 1 <= end)
		sum += *(__u8 *)at;
	return fold(sum);
}
