/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Prompts, as they are kept: recordings in pages that userspace fills, what each
 * stream says of them next, and which streams are due together. All are mapped into
 * userspace's memory.
 */
#pragma once

#include "maps.h"
#include "stream.h"

/*
 * A page also holds the beginning of the one that follows it in the recording,
 * so that a frame lies in one piece wherever it begins. A page's own part is a
 * whole number of frames of each usual length, at an octet a tick of 8 kHz.
 */
enum page_layout {
	PAGE_OWN = 7680,
	MAX_AUDIO = 512, /* more than one packet has; a power of two */
	PAGE_AUDIO = PAGE_OWN + MAX_AUDIO - 4,
};

struct page {
	__u8 audio[PAGE_AUDIO];
	__u32 next; /* page of the recording, once it has more */
};

/*
 * Streams that are due together lie together, in rows: a run reads them one after
 * the other, and the machine fetches the next while one is being said. Their legs
 * are fetched by the program; see fetch in play.h.
 */
enum slot_layout {
	ROW = 32,        /* streams; a page of memory */
	ROWS = 256,      /* of one slot */
	MIN_SPAN = 10,   /* milliseconds of a packet */
	MAX_SPAN = 60,
	SLOTS = 1785,    /* of all spans: 10 of 10 ms, 11 of 11 ms, ... */
};

/* What is due at one millisecond of a span: the streams in the first places of its rows. */
struct slot {
	__u64 end; /* places; those where nothing is left are passed over */
	__u32 rows[ROWS];
};

/*
 * What a stream may say: packets of the part that it is at, and parts after that.
 * It is a word of its own, that is exchanged.
 */
struct claim {
	__u32 left;  /* packets of this part */
	__u16 parts; /* that follow */
	__u8 turns;  /* parts that were begun after others so far; at this place of the ring the next one lies */
	__u8 taken;  /* a packet is being said */
};

enum part_layout {
	AHEAD = 8, /* parts that may follow; a power of two */
};

/* What a stream says when it has said all before: a clip, or the same once more. */
struct part {
	__u64 begun_ns; /* when it was turned to */
	__u32 page;
	__u32 packets;
	__u16 offset;   /* in the page's own part */
	__u8 tell;      /* userspace looks when it begins */
};

struct ring {
	struct part parts[AHEAD];
};

/*
 * What a stream says next, as far as userspace grants it. While anything is left or
 * a packet is taken the program alone changes the rest. The way that packets leave is
 * kept between them.
 */
struct prompt {
	struct claim claim;
	__u64 leg_id;
	__u64 begun_ns; /* when the first packet left that was to be told of */
	__u64 dry_ns;   /* when the last packet left that was granted */
	__u32 leg_slot;
	__u32 page;
	__u16 offset;   /* in the page's own part */
	__u16 length;   /* of a packet, in whole words */
	__u16 refused;  /* packets in a row that did not leave */
	__u16 patience; /* packets that may be refused in a row before userspace is told */
	__u16 ticks;    /* the timeline advances by this much after a packet */
	__u16 changes;  /* of the leg, as the way is good for; see go_on in play.h */
	__u16 low;      /* packets left when userspace is told, that it may grant more */
	__u8 type;      /* RTP payload type */
	__u8 marker;
	__u8 muted;     /* packets pass in silence */
	__u8 tell;      /* when the next packet left */
	__u8 fate;      /* of the packet that was refused last, an enum verdict */
	__u8 has_way;
	__u8 turned;    /* to a part that userspace must look at */
	__u32 told;     /* it was reported, and not looked at since */
	struct departure way;
};

/*
 * Where the runs have come to, in one word that is exchanged, as several may be under
 * way at once: the places that are left of the slot, the slot, and the millisecond
 * that it is due in.
 */
enum turn_layout {
	TURN_LEFT = 14, /* bits; from the last place of the slot to its first */
	TURN_SLOT = 11,
};

_Static_assert(ROW * ROWS < 1 << TURN_LEFT && SLOTS < 1 << TURN_SLOT, "a turn has room for every slot and place");

/* Keeps the pace: where the runs have come to, and what they count. */
struct pace {
	__u64 turn;         /* see turn_layout */
	__u64 begin_ns;     /* of millisecond zero */
	__u64 now_ns;
	__u64 wake_at;      /* the millisecond that is slept until */
	__u64 ticks;        /* milliseconds in which something was due */
	__u64 missed;       /* of those, that were not done in time */
	__u64 stalls;       /* times that all was put off */
	__u64 busy_ns;
	__u64 said;         /* packets that left */
	__u64 handed;       /* of those, by userspace's hand */
	__u64 refused;      /* packets that did not */
	__u32 frame_length; /* of the last one; frames that begin so need not be fitted */
	__u32 reported;     /* reports so far; each lies at its number, modulo the map's size */
	__u32 streams[MAX_SPAN + 1]; /* that play, by the milliseconds of a packet: userspace's count */
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

/* What follows, at the same places as the prompts; as many are set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct ring);
} rings SEC(".maps");

/* Places in the map prompts that userspace must look at, and one more; 0: not written yet, or read. A power of two, and as many as prompts, which report once each. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, __u64);
} reports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

/* Exactly one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pace);
} paces SEC(".maps");

/* Written at load: the size of the map reports, less one. */
const volatile __u32 report_mask = 32767;
