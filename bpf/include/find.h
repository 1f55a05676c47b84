/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* From an address and port to the leg that is open there. */
#pragma once

#include "endpoint.h"
#include "maps.h"

static __always_inline struct leg *leg_in(__u32 slot)
{
	struct leg *leg;

	if (slot == NO_SLOT)
		return NULL;
	leg = bpf_map_lookup_elem(&legs, &slot);
	return leg && leg->id ? leg : NULL;
}

/* The leg a packet is for. RTCP arrives one port above RTP, in the same place. */
static __always_inline struct leg *leg_at(const struct endpoint *local)
{
	__u32 first = 0, place = local->port >> 1, *slot;
	const struct address_list *list;
	int i;

	list = bpf_map_lookup_elem(&addresses, &first);
	if (!list)
		return NULL;
#pragma unroll
	for (i = 0; i < MAX_ADDRESSES; i++) {
		if (i >= list->count)
			return NULL;
		if (same_address(&list->at[i], local))
			break;
	}
	if (i == MAX_ADDRESSES)
		return NULL;
	place += i * PORTS_PER_ADDRESS;
	slot = bpf_map_lookup_elem(&ports, &place);
	return slot ? leg_in(*slot) : NULL;
}
