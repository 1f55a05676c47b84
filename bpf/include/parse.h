/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* From a frame to a UDP datagram. Reads only; what it cannot follow is passed. */
#pragma once

#include "endpoint.h"

#define MAX_TAGS 2 /* IEEE 802.1ad: a service and a customer tag */

struct packet {
	void *end;
	void *l3;
	struct udphdr *udp;
	__u8 *payload; /* of UDP */
	__u16 length;  /* of the payload */
	__u16 l3_length;
	__u16 l3_offset;  /* from the frame's start */
	__u16 udp_offset;
	bool ipv4;
	struct endpoint source;
	struct endpoint destination;
};

/* Finds the network header behind up to two VLAN tags. */
static __always_inline enum verdict parse_ethernet(struct packet *p, void *data, __be16 *proto)
{
	struct ethhdr *eth = data;
	struct vlanhdr *tag;
	int i;

	if ((void *)(eth + 1) > p->end)
		return PASS_MALFORMED;
	*proto = eth->h_proto;
	p->l3 = eth + 1;
	p->l3_offset = sizeof(*eth);
#pragma unroll
	for (i = 0; i < MAX_TAGS; i++) {
		if (*proto != bpf_htons(ETH_P_8021Q) && *proto != bpf_htons(ETH_P_8021AD))
			break;
		tag = p->l3;
		if ((void *)(tag + 1) > p->end)
			return PASS_MALFORMED;
		*proto = tag->proto;
		p->l3 = tag + 1;
		p->l3_offset += sizeof(*tag);
	}
	return UNDECIDED;
}

/* Checks the UDP header behind an IP header against the space that gives it. */
static __always_inline enum verdict parse_udp(struct packet *p, __u32 header, __u16 space)
{
	void *udp = p->l3 + header;
	__u16 length;

	p->udp = udp;
	p->udp_offset = p->l3_offset + header;
	p->payload = udp + sizeof(*p->udp);
	if ((void *)p->payload > p->end)
		return PASS_MALFORMED;
	length = bpf_ntohs(p->udp->len);
	if (length < sizeof(*p->udp) || length > space)
		return PASS_MALFORMED;
	p->length = length - sizeof(*p->udp);
	return UNDECIDED;
}

static __always_inline enum verdict parse_ipv4(struct packet *p)
{
	struct iphdr *ip = p->l3;
	enum verdict v;
	__u32 header;

	if ((void *)(ip + 1) > p->end)
		return PASS_MALFORMED;
	header = (ip->version_ihl & 0xf) * 4;
	p->l3_length = bpf_ntohs(ip->tot_len);
	if (ip->version_ihl >> 4 != 4 || header < IP_MIN_LENGTH || p->l3_length < header ||
	    p->l3 + p->l3_length > p->end)
		return PASS_MALFORMED;
	if (ip->protocol != IPPROTO_UDP)
		return PASS_NOT_UDP;
	if (ip->frag_off & bpf_htons(IP_FRAGMENT_BITS))
		return PASS_FRAGMENT;
	v = parse_udp(p, header, p->l3_length - header);
	if (v != UNDECIDED)
		return v;
	p->ipv4 = true;
	set_ipv4(&p->source, ip->saddr, p->udp->source);
	set_ipv4(&p->destination, ip->daddr, p->udp->dest);
	return UNDECIDED;
}

/*
 * Extension headers are left to the stack: no far end sends voice behind one. So
 * are v4-mapped addresses, which have no place on a wire.
 */
static __always_inline enum verdict parse_ipv6(struct packet *p)
{
	struct ipv6hdr *ip = p->l3;
	enum verdict v;
	__u16 space;

	if ((void *)(ip + 1) > p->end || (ip->version_flow & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
		return PASS_MALFORMED;
	if (ip->nexthdr == IPPROTO_FRAGMENT)
		return PASS_FRAGMENT;
	if (ip->nexthdr != IPPROTO_UDP)
		return PASS_NOT_UDP;
	space = bpf_ntohs(ip->payload_len);
	if ((void *)(ip + 1) + space > p->end)
		return PASS_MALFORMED;
	p->l3_length = sizeof(*ip) + space;
	v = parse_udp(p, sizeof(*ip), space);
	if (v != UNDECIDED)
		return v;
	set_ipv6(&p->source, ip->saddr, p->udp->source);
	set_ipv6(&p->destination, ip->daddr, p->udp->dest);
	return is_ipv4(&p->source) || is_ipv4(&p->destination) ? PASS_MALFORMED : UNDECIDED;
}

static __always_inline enum verdict parse(struct xdp_md *ctx, struct packet *p)
{
	enum verdict v;
	__be16 proto;

	p->end = (void *)(long)ctx->data_end;
	v = parse_ethernet(p, (void *)(long)ctx->data, &proto);
	if (v != UNDECIDED)
		return v;
	if (proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(p);
	if (proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(p);
	return PASS_NOT_IP;
}
