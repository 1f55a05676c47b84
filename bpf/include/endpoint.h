/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* Addresses and ports, of either IP version in one form. */
#pragma once

#include "types.h"
#include "libbpf/bpf_helpers.h"
#include "libbpf/bpf_endian.h"

static __always_inline void set_ipv4(struct endpoint *e, __be32 addr, __be16 port)
{
	__u64 *halves = (__u64 *)e->addr;

	halves[0] = 0;
	halves[1] = (__u64)addr << 32 | bpf_htonl(0xffff); /* in memory's order, which is little-endian */
	e->port = bpf_ntohs(port);
}

static __always_inline void set_ipv6(struct endpoint *e, const __be32 *addr, __be16 port)
{
	__u32 *words = (__u32 *)e->addr;

	words[0] = addr[0];
	words[1] = addr[1];
	words[2] = addr[2];
	words[3] = addr[3];
	e->port = bpf_ntohs(port);
}

static __always_inline __be32 word(const struct endpoint *e, int i)
{
	return ((const __be32 *)e->addr)[i];
}

static __always_inline __u64 half(const struct endpoint *e, int i)
{
	return ((const __u64 *)e->addr)[i];
}

static __always_inline bool is_ipv4(const struct endpoint *e)
{
	return !half(e, 0) && word(e, 2) == bpf_htonl(0xffff);
}

/* The last half first: it is where addresses differ. */
static __always_inline bool same_address(const struct endpoint *a, const struct endpoint *b)
{
	return half(a, 1) == half(b, 1) && half(a, 0) == half(b, 0);
}

static __always_inline bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && same_address(a, b);
}
