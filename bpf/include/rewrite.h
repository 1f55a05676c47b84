/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Turns a packet that arrived into the packet that leaves. UDP and RTP are
 * rewritten where they are; the headers before them are written anew, so that
 * VLAN tags, IP options and the IP version may differ between the two sides.
 */
#pragma once

#include "checksum.h"
#include "stream.h"

#define TTL 64
#define IP_DONT_FRAGMENT 0x4000

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
	return datagram_sum(ctx, p->udp_offset, p->length + sizeof(*p->udp));
}

static __always_inline enum checksum_state checksum_state(struct xdp_md *ctx, const struct packet *p, __u64 pseudo)
{
	if (!p->udp->check)
		return CHECKSUM_ABSENT;
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

/* UDP says zero for "none", so a checksum of zero is written as all ones. */
static __always_inline __sum16 never_zero(__sum16 check)
{
	return check ? check : 0xffff;
}

static __always_inline __sum16 full_checksum(struct xdp_md *ctx, const struct packet *p, __u64 pseudo)
{
	p->udp->check = 0;
	return never_zero(~fold(pseudo + udp_sum(ctx, p)));
}

/*
 * Rewrites UDP and RTP. keep_partial: the kernel remembers that the checksum is
 * partial and will complete it (generic XDP without a way through userspace).
 */
static __always_inline void rewrite_udp(struct xdp_md *ctx, const struct packet *p, const struct departure *d,
					bool keep_partial)
{
	__u64 before = pseudo_sum(&p->source, &p->destination, p->ipv4, p->udp->len);
	__u64 after = pseudo_sum(&d->from, &d->to, d->ipv4, p->udp->len);
	enum checksum_state state = checksum_state(ctx, p, before);
	__u64 change = rewrite_ports(p->udp, d) + rewrite_rtp((struct rtphdr *)p->payload, d);

	if (state == CHECKSUM_FULL)
		p->udp->check = never_zero(updated(p->udp->check, change + change_of(fold(before), fold(after))));
	else if (state == CHECKSUM_PARTIAL && keep_partial)
		p->udp->check = fold(after);
	else if (state == CHECKSUM_PARTIAL || !d->ipv4)
		p->udp->check = full_checksum(ctx, p, after);
}

/* By words, as they lie in memory: the checksum reads none that was written in pieces. */
static __always_inline void write_ipv4(struct iphdr *ip, const struct departure *d, __u16 length)
{
	__u32 first = 0x45 | d->traffic_class << 8 | (__u32)bpf_htons(length) << 16;
	__u32 second = (__u32)bpf_htons(IP_DONT_FRAGMENT) << 16;
	__u32 third = TTL | IPPROTO_UDP << 8;
	__u64 sum = (__u64)first + second + third + word(&d->from, 3) + word(&d->to, 3);
	__u32 *words = (__u32 *)ip;

	words[0] = first;
	words[1] = second;
	words[2] = third | (__u32)(__u16)~fold(sum) << 16;
	words[3] = word(&d->from, 3);
	words[4] = word(&d->to, 3);
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, const struct departure *d, __u16 length)
{
	int i;

	ip->version_flow = bpf_htonl(0x60000000 | d->traffic_class << 20);
	ip->payload_len = bpf_htons(length - sizeof(*ip));
	ip->nexthdr = IPPROTO_UDP;
	ip->hop_limit = TTL;
#pragma unroll
	for (i = 0; i < 4; i++) {
		ip->saddr[i] = word(&d->from, i);
		ip->daddr[i] = word(&d->to, i);
	}
}

static __always_inline __u32 ip_length(bool ipv4)
{
	return ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/* The length of the packet that leaves, from IP's header on. */
static __always_inline __u16 departing_length(const struct packet *p, const struct departure *d)
{
	return ip_length(d->ipv4) + sizeof(*p->udp) + p->length;
}

/* Where IP's header begins in the frame that leaves. */
static __always_inline __u32 l3_offset(const struct departure *d)
{
	return sizeof(struct ethhdr) + (d->hop.tag_proto ? sizeof(struct vlanhdr) : 0);
}

/* Writes Ethernet's header, but for the addresses when the way is not known, and IP's. */
static __always_inline bool write_headers(struct xdp_md *ctx, const struct departure *d, __u16 length)
{
	__be16 proto = d->ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	const __u32 *macs = (const __u32 *)d->hop.to_mac;
	__u32 *words = (void *)eth;
	struct vlanhdr *tag;
	void *l3 = eth + 1;

	if (l3 + sizeof(*tag) > end)
		return false;
	words[0] = macs[0];
	words[1] = macs[1];
	words[2] = macs[2];
	eth->h_proto = proto;
	if (d->hop.tag_proto) {
		tag = l3;
		l3 = tag + 1;
		eth->h_proto = d->hop.tag_proto;
		tag->tci = d->hop.tag_tci;
		tag->proto = proto;
	}
	if (l3 + sizeof(struct ipv6hdr) > end)
		return false;
	if (d->ipv4)
		write_ipv4(l3, d, length);
	else
		write_ipv6(l3, d, length);
	return true;
}

/*
 * Makes of the packet what leaves. The frame's start moves when the new headers
 * have another length than the old ones; no pointer into it is good afterwards.
 */
static __always_inline bool rewrite(struct xdp_md *ctx, const struct packet *p, const struct departure *d,
				    bool keep_partial)
{
	__u32 headers = l3_offset(d) + ip_length(d->ipv4);
	int move = (int)p->udp_offset - (int)headers;

	rewrite_udp(ctx, p, d, keep_partial);
	if (move && bpf_xdp_adjust_head(ctx, move))
		return false;
	return write_headers(ctx, d, departing_length(p, d));
}
