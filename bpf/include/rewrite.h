/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* Turns a packet that arrived into the packet that leaves. Its length never changes. */
#pragma once

#include "checksum.h"
#include "decide.h"

#define TTL 64

/*
 * How far the sender's UDP checksum was filled in. A local sender on veth or
 * loopback leaves it to hardware that is not there: the field then holds the
 * sum of the pseudo header alone.
 */
enum checksum_state {
	CHECKSUM_FULL,
	CHECKSUM_ABSENT,  /* zero, legal over IPv4 */
	CHECKSUM_PARTIAL,
};

static __always_inline __u32 udp_sum(struct xdp_md *ctx, const struct packet *p)
{
	return datagram_sum(ctx, (void *)p->udp - (void *)(long)ctx->data, p->length + sizeof(*p->udp));
}

static __always_inline enum checksum_state checksum_state(struct xdp_md *ctx, const struct packet *p)
{
	__u64 pseudo;

	if (!p->udp->check)
		return CHECKSUM_ABSENT;
	pseudo = pseudo_sum(&p->source, &p->destination, p->ipv4, p->udp->len);
	if (fold(pseudo) != p->udp->check)
		return CHECKSUM_FULL;
	/* One packet in 65536 only looks so. Then its checksum is right as it stands. */
	if (fold(pseudo + udp_sum(ctx, p)) == 0xffff)
		return CHECKSUM_FULL;
	return CHECKSUM_PARTIAL;
}

/* The first word of RTP's header as it lies in memory of these little-endian targets. */
static __always_inline __u32 rtp_word(const struct departure *d, __u32 flags)
{
	__u32 type = d->type | (d->stamp.marker ? RTP_MARKER : 0);

	return (flags & 0xff) | type << 8 | (__u32)bpf_htons(d->stamp.seq) << 16;
}

/* Writes the RTP header, by words because it is read by words, and says how its sum changed. */
static __always_inline __u64 rewrite_rtp(struct rtphdr *rtp, const struct departure *d)
{
	__u32 *words = (__u32 *)rtp;
	__u32 new0 = rtp_word(d, words[0]), new1 = bpf_htonl(d->stamp.ts), new2 = bpf_htonl(d->stamp.ssrc);
	__u64 change = change_of(words[0], new0) + change_of(words[1], new1) + change_of(words[2], new2);

	words[0] = new0;
	words[1] = new1;
	words[2] = new2;
	return change;
}

static __always_inline __u64 rewrite_ports(struct udphdr *udp, const struct departure *d)
{
	__be16 source = bpf_htons(d->from.port), dest = bpf_htons(d->to.port);
	__u64 change = change_of(udp->source, source) + change_of(udp->dest, dest);

	udp->source = source;
	udp->dest = dest;
	return change;
}

static __always_inline __u64 rewrite_ipv4(struct iphdr *ip, const struct departure *d)
{
	__u64 change = change_of(ip->saddr, word(&d->from, 3)) + change_of(ip->daddr, word(&d->to, 3));
	__u16 *life = (__u16 *)&ip->ttl; /* and the protocol */
	__u16 lived = (*life & 0xff00) | TTL;

	ip->saddr = word(&d->from, 3);
	ip->daddr = word(&d->to, 3);
	ip->check = updated(ip->check, change + change_of(*life, lived));
	*life = lived;
	return change;
}

static __always_inline __u64 rewrite_ipv6(struct ipv6hdr *ip, const struct departure *d)
{
	__u64 change = 0;
	int i;

#pragma unroll
	for (i = 0; i < 4; i++) {
		change += change_of(ip->saddr[i], word(&d->from, i)) + change_of(ip->daddr[i], word(&d->to, i));
		ip->saddr[i] = word(&d->from, i);
		ip->daddr[i] = word(&d->to, i);
	}
	ip->hop_limit = TTL;
	return change;
}

/* UDP says zero for "none", so a checksum of zero is written as all ones. */
static __always_inline __sum16 never_zero(__sum16 check)
{
	return check ? check : 0xffff;
}

static __always_inline __sum16 full_checksum(struct xdp_md *ctx, const struct packet *p, const struct departure *d)
{
	__u64 sum = pseudo_sum(&d->from, &d->to, p->ipv4, p->udp->len);

	p->udp->check = 0;
	return never_zero(~fold(sum + udp_sum(ctx, p)));
}

/*
 * Rewrites the packet. keep_partial: the kernel remembers that the checksum is
 * partial and will complete it (generic XDP without a way through userspace).
 */
static __always_inline void rewrite(struct xdp_md *ctx, const struct packet *p, const struct departure *d,
				    bool keep_partial)
{
	enum checksum_state state = checksum_state(ctx, p);
	__u64 change;

	if (p->ipv4)
		change = rewrite_ipv4(p->l3, d);
	else
		change = rewrite_ipv6(p->l3, d);
	change += rewrite_ports(p->udp, d);
	change += rewrite_rtp((struct rtphdr *)p->payload, d);
	if (state == CHECKSUM_FULL)
		p->udp->check = never_zero(updated(p->udp->check, change));
	else if (state == CHECKSUM_PARTIAL && keep_partial)
		p->udp->check = fold(pseudo_sum(&d->from, &d->to, p->ipv4, p->udp->len));
	else if (state == CHECKSUM_PARTIAL)
		p->udp->check = full_checksum(ctx, p, d);
}
