/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* The maps, pinned under their names. */
#pragma once

#include "types.h"
#include "libbpf/bpf_helpers.h"

/* The legs, in slots that the map ports leads to. Default size: 25,000 legs, and room; set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* nobody maps it: the values of such a map begin on a page, so that a leg's lines are the processor's */
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct leg);
} legs SEC(".maps");

/* Exactly one: the addresses that legs are open on. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct address_list);
} addresses SEC(".maps");

/* The slot of the leg at an address and port; see leg_at. The process that opens legs has it mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_ADDRESSES * PORTS_PER_ADDRESS);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

/* Packets by what became of them; one slot for each verdict, which is the key. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICTS);
	__type(key, __u32);
	__type(value, struct tally);
} stats SEC(".maps");

/* Packets for userspace. 4 MiB hold half a second of 25,000 voice frames a second, or 65,000 packets of key presses. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

/* Packets for a capture. 1 MiB holds 3,500 voice packets: 35 calls for a second. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} taps SEC(".maps");

/* Exactly one: who captures. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tapping);
} tapping SEC(".maps");

/* Exactly one: until when any leg is captured. The process that sends RTCP has it mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} captured SEC(".maps");

/* Interfaces whose transmission was proven; the only ones redirected to. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} tx_ports SEC(".maps");

/* Exactly one: whether routes and neighbours are still what they were. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct routing);
} routing SEC(".maps");

/* VLAN interfaces, by index: a route leads to them, but frames leave by the one below. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct vlan);
} vlans SEC(".maps");

/* Interfaces attached to, for userspace only; as many as tx_ports. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct iface);
} ifaces SEC(".maps");

/* Whose the leg in each slot of the map legs is; as many as those. The process that opens legs has it mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct owner);
} owners SEC(".maps");

#define NO_PREALLOC 1 /* BPF_F_NO_PREALLOC: userspace alone adds entries, which take memory only then */

/* How each of these maps is laid out, by the map's name; a few more than there are maps. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, NO_PREALLOC);
	__uint(max_entries, 32);
	__type(key, char[16]);
	__type(value, struct shape);
} shapes SEC(".maps");

/* Exactly one: what these pins are. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct layout);
} layout SEC(".maps");
