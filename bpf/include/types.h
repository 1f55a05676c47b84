/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Everything that kernel and userspace both know: keys, values, records and
 * reasons. The Go side is generated from here; nothing is written twice. Addresses
 * are octets as they travel; all numbers are in host order, so that a dump of
 * the maps can be read.
 */
#pragma once

#include "kernel.h"

/* Grows whenever a map's layout changes; pins of another layout are refused. */
enum layout_version { LAYOUT_VERSION = 11 };

#define MAX_RTP 1472 /* what fits an Ethernet frame; longer packets are not voice */
#define KEY_EVENT 32 /* RTP with a telephone-event, protected perhaps */
#define SMALL_EVENT 256
#define LARGE_EVENT 2048
#define NO_TYPE 255 /* a payload type no packet has */
#define NOBODY (~0ULL) /* an id no leg has */

/* How legs are found: the number of the address in the map addresses, and the port. */
enum index {
	MAX_ADDRESSES = 8,
	PORTS_PER_ADDRESS = 32768, /* a leg has an even port, and the odd one above */
	NO_SLOT = 0,               /* the first slot of the map legs stays empty */
};

/* An address and port; IPv4 addresses are v4-mapped (RFC 4291 section 2.5.5.2). */
struct endpoint {
	__u8 addr[16] __attribute__((aligned(8)));
	__u16 port; /* 0: no endpoint */
	__u16 reserved[3];
};

/*
 * What becomes of a packet. Every way out of every program is one of these, and
 * each is counted in the map stats. The prefix says the fate: PASS_ packets are
 * untouched, DROP_ packets were a leg's and are refused.
 */
enum verdict {
	UNDECIDED,      /* goes on to the next step; never counted */
	PASS_NOT_IP,
	PASS_NOT_UDP,
	PASS_FRAGMENT,
	PASS_MALFORMED, /* lengths contradict each other */
	PASS_NOT_LEG,
	RELAYED,        /* sent to the other far end by this program */
	HANDED,         /* relayed, but userspace must send it: no neighbour yet, local, tagged */
	TO_USER,        /* telephone-event, RTCP, or audio that is only copied */
	REPEATED,       /* telephone-event that userspace knows of already */
	UNROUTED,       /* accepted audio that nobody wants at the moment */
	STAMPED,        /* userspace's own packet, ready to leave */
	CHANGED,        /* a leg took its new configuration */
	DROP_SOURCE,    /* not from the far end's address and port */
	DROP_SSRC,      /* another source while the present one is alive */
	DROP_PROBATION, /* the first packet of a new source: the next one in sequence proves it */
	DROP_RATE,      /* more than the leg's ceiling */
	DROP_NOT_RTP,   /* STUN, DTLS, or too short for RTP or RTCP */
	DROP_TYPE,      /* neither the audio's nor the events' nor comfort noise's payload type */
	DROP_HELD,      /* the direction attribute forbids it */
	DROP_MUTED,     /* the far end is not known */
	DROP_UNLATCHED, /* the far end's true address is not known yet */
	DROP_LATE,      /* belongs to a source that was replaced, or comes before the present one */
	DROP_NO_LEG,    /* the leg it goes to is gone */
	DROP_TOO_LONG,
	DROP_OVERRUN,   /* userspace did not keep up */
	VERDICTS,
};

/*
 * What userspace decides about a leg. Written by the program change only. What
 * each packet needs comes last, and first in the gate that follows in a leg.
 */
struct leg_config {
	struct endpoint peer_rtp;  /* as signalled: the only RTP source, and where RTP goes; none: muted */
	struct endpoint peer_rtcp;
	struct endpoint latch_from; /* its address may be the far end's, too: where signalling comes from */
	__u32 latch_ms;            /* how long the true source may be learned; 0: never */
	__u32 reserved;
	__u64 relay_to_id;         /* the leg that sends this one's audio on; 0: none */
	__u32 relay_to;            /* its slot */
	__u32 clock_rate;          /* Hz */
	__u32 frame_ticks;         /* timestamp units of one frame (ptime) */
	__u32 packet_gap_ns;       /* the shortest a sender may keep up; 0: no ceiling */
	__u8 audio_type;
	__u8 event_type;           /* NO_TYPE: none */
	__u8 may_send;
	__u8 may_receive;
	__u8 copy_to_user;
	__u8 relay_events;         /* 0: telephone-event goes to userspace alone */
	__u8 traffic_class;        /* of what is sent: DSCP times four (RFC 2474) */
	__u8 noise_type;           /* of comfort noise (RFC 3389), which goes where the audio goes; 0: none */
};

/* Who may send to a leg: RTP from one address and port, and from one source there. */
struct leg_gate {
	struct endpoint far_rtp;   /* as signalled, or as learned; none: not known yet */
	__u64 rtp_paid_ns;         /* when the RTP received so far would be due at the ceiling's rate */
	__u64 rtcp_paid_ns;
	__u64 window_until_ns;     /* the far end may be learned until then; 0: never */
	struct endpoint candidate; /* who sent the packet that is on probation */
	__u32 candidate_ssrc;
	__u16 candidate_seq;       /* that it must go on with */
	__u8 on_probation;
	__u8 reserved;
};

/* What userspace was told last of a telephone-event: what says the same again is not told. */
struct leg_event {
	__u32 ts;
	__u8 code;
	__u8 ended;
	__u8 longest; /* it lasts as long as can be said: the next packet may go on with it */
	__u8 told;    /* 0: nothing of this source yet */
};

/*
 * The stream arriving from the far end, RFC 3550 appendix A.1, A.3 and A.8. Not
 * locked: one source's packets arrive on one CPU after the other.
 */
struct leg_ingress {
	__u64 last_ns;     /* arrival of the latest packet; 0: none yet */
	__u64 audio_ns;    /* arrival of the latest audio packet; 0: none yet */
	__u32 ssrc;
	__u32 cycles;      /* sequence wraps times 65536 */
	__u32 base_seq;
	__u32 received;    /* since base_seq */
	__u32 last_ts;     /* of the latest audio packet */
	__u32 jitter_x16;  /* timestamp units, scaled by 16 */
	__u16 max_seq;
	__u16 next_bad_seq;
	__u8 bad_seq_set;
	__u8 renewed;      /* the far end was signalled anew: any source may be next */
	__u8 turn;         /* counts to whom else it was routed, and its holds: each time it is another source there */
	__u8 reserved;
	__s64 lost_before; /* of the sources before the present one */
	struct leg_event event;
};

/*
 * How far a stream has come. One word, so that a packet can take the next place
 * by one atomic exchange; see stream.h.
 */
struct leg_place {
	__u32 last_ts;     /* highest sent */
	__u16 last_seq;    /* highest sent */
	__u16 changes;     /* odd while somebody holds the leg */
} __attribute__((aligned(8)));

/*
 * The stream leaving towards the far end: one for the whole call, though several
 * CPUs may relay into it while userspace sends.
 */
struct leg_egress {
	struct leg_place place;
	__u64 last_ns;     /* when last_ts left first */
	__u64 source_id;   /* leg it is relayed from; 0: userspace; NOBODY: it was interrupted */
	__u32 ssrc;
	__u32 source_ssrc;
	__u32 ticks;       /* the last packet's length: no next source begins before its end */
	__u32 ts_offset;   /* from the source's to ours */
	__u16 seq_offset;
	__u16 floor_seq;   /* the lowest the present source may still fill in */
	__u8 started;
	__u8 source_turn;
	__u16 former_seq;  /* the source before: its own highest */
	__u32 former_ssrc;
	__u32 reserved2;
	__u64 former_id;
	__u64 replaced_ns; /* when it was replaced */
};

/* The way to the far end as the kernel's tables last told it. */
struct leg_hop {
	__u64 until_ns;    /* ask again then; 0: not known */
	__u32 ifindex;
	__u16 length;      /* the longest packet known to fit the MTU */
	__u16 changes;     /* of routing, when they told */
	__u8 to_mac[6] __attribute__((aligned(4))); /* the two in a frame's order */
	__u8 from_mac[6];
	__be16 tag_proto;  /* of a VLAN tag; 0: none */
	__be16 tag_tci;
};

struct leg_counts {
	__u64 tx_user;     /* packets of userspace */
	__u64 tx_user_bytes;
	__u64 tx_relayed;  /* packets of other legs */
	__u64 tx_relayed_bytes;
	__u64 rx_packets;  /* accepted RTP */
	__u64 rx_bytes;
	__u64 rx_relayed;  /* of those, relayed in the kernel */
	__u64 rx_handed;   /* of those, stamped here and sent by userspace */
	__u64 rx_user;     /* of those, handed to userspace's receiver */
	__u64 rx_rtcp;
	__u64 drop_source;
	__u64 drop_ssrc;
	__u64 drop_probation;
	__u64 drop_rate;
	__u64 drop_not_rtp;
	__u64 drop_type;
	__u64 drop_held;
	__u64 drop_muted;
	__u64 drop_unlatched;
	__u64 drop_late;
	__u64 drop_no_leg;
	__u64 drop_too_long;
	__u64 drop_overrun;
};

#define CACHE_LINE 64

/*
 * One leg: a local endpoint and all that is known of the far end behind it. What
 * each packet needs lies together, in few of the machine's cache lines: with many
 * calls, waiting for memory is what a packet costs. A prompt's packet needs the
 * first two lines alone. A relayed one needs the line that ends with the gate's
 * rate, and besides of the leg it comes by, the counters and the line of ingress;
 * of the leg it leaves by, the first two and that of the way.
 */
struct leg {
	struct bpf_spin_lock lock;
	__u32 reserved;
	__u64 id; /* never used twice: a stale route or record cannot hit a later leg; 0: no leg, and the rest is an earlier one's */
	__u64 tap_until_ns; /* a capture sees the leg's packets until then; 0: none does */
	struct leg_egress egress;
	struct leg_counts counts;
	__u64 reserved2[3]; /* so that the line begins where it should */
	struct leg_config config;
	struct leg_gate gate;
	struct leg_ingress ingress __attribute__((aligned(CACHE_LINE)));
	struct leg_hop hop __attribute__((aligned(CACHE_LINE)));
	struct endpoint local;
} __attribute__((aligned(2 * CACHE_LINE)));

_Static_assert(__builtin_offsetof(struct leg, counts.rx_packets) == 2 * CACHE_LINE, "a prompt needs two lines");
_Static_assert(__builtin_offsetof(struct leg, config.relay_to_id) % CACHE_LINE == 0, "a relayed packet's line begins");
_Static_assert(__builtin_offsetof(struct leg, gate.rtcp_paid_ns) % CACHE_LINE == 0, "a relayed packet's line ends");

/* The local addresses that legs are open on. A leg's place is found by the number of its address. */
struct address_list {
	__u32 count;
	struct endpoint at[MAX_ADDRESSES]; /* the port is 0 */
};

/* What the control process notices of the kernel's tables. */
struct routing {
	__u64 watched_until_ns; /* somebody watches them */
	__u32 changes;          /* of routes, neighbours and interfaces, that were noticed */
	__u32 reserved;
};

/* What a VLAN interface adds to a frame, and where the frame leaves. */
struct vlan {
	__u32 ifindex;
	__be16 proto;
	__be16 tci;
};

/* How many packets met one fate. The fate is the key, too; here it is readable. */
struct tally {
	enum verdict fate;
	__u32 reserved;
	__u64 packets;
	__u64 bytes;
};

/* An interface the relay is attached to, for operators and for adoption. */
struct iface {
	char name[16];
	__u32 native;
	char reason[172];
};

/* Whose a leg is: for userspace only. */
struct owner {
	__u64 leg_id; /* 0, or another leg's than the one in the slot: nothing is known of that */
	__u64 opened_unix_ns;
	char call[64];
	char role[16];
};

/* How a map is laid out, in words; see package shape. */
struct shape {
	char text[8192];
};

/* What the pins belong to. */
struct layout {
	enum layout_version version;
	__u32 generic;
	__u64 netns; /* inode number of the network namespace */
	char reason[240];
};

enum event_kind {
	EVENT_RTP = 1,     /* an RTP packet for the leg's receiver */
	EVENT_RTCP,        /* an RTCP packet for the leg's receiver */
	EVENT_SEND,        /* a whole IP packet, stamped: send it */
};

/* What the ring buffer carries; the packet's bytes follow. */
struct packet_event {
	__u64 leg_id;
	__u64 arrived_ns;
	enum event_kind kind;
	__u32 length;
};

/*
 * Input of the program send: this header, then room for an IP and a UDP header,
 * then an RTP packet. Output: the same, with an IP packet ready to leave.
 */
struct send_request {
	__u32 slot;
	__u32 ticks;      /* the timeline advances by this much after the packet */
	__u64 leg_id;
};

/* Input of the program change. */
struct change_request {
	__u32 slot;
	__u32 reserved;
	__u64 leg_id;
	struct leg_config config;
};

/* Input of the program end: which leg. Output: where its far end was and what it carried, too. */
struct end_request {
	__u32 slot;
	__u32 reserved;
	__u64 leg_id;
	struct endpoint far_rtp;
	struct leg_egress egress;
	struct leg_counts counts;
	struct leg_ingress ingress;
};

/* The capture under way, and how it goes: see tap.h. */
struct tapping {
	__u64 until_ns;   /* it ends then unless it is renewed; past: there is none */
	__u64 token;      /* a number that it chose for itself */
	__u64 overruns;   /* packets that found no room in the map taps, since the plane was loaded */
	__u32 pid;        /* of the capturing process, as it sees itself */
	struct bpf_spin_lock lock;
};

enum tap_direction {
	TAP_RECEIVED = 1,
	TAP_SENT,
};

/* What the map taps carries; the packet's bytes follow, from IP's header on. */
struct tap_record {
	__u64 leg_id;
	__u64 source_id;  /* sent: the leg it is relayed from; 0: this machine made it */
	__u64 at_ns;
	enum verdict verdict;
	enum tap_direction direction;
	__u32 length;     /* of the packet; no more than LARGE_EVENT of it follow */
	__u32 reserved;
};

/* Input of the program tap. */
struct tap_request {
	__u32 slot;
	__u32 pid;
	__u64 leg_id;
	__u64 token;
	__u64 period_ns;  /* how long the capture goes on unless it is renewed; 0: it ends */
};

/* What the program tap answers. */
enum tap_answer {
	TAP_SET = 1,
	TAP_NO_LEG,       /* the leg is gone */
	TAP_BUSY,         /* another capture is under way */
};

/* Input of the program sent: this header, then an IP packet. */
struct sent_request {
	__u32 slot;
	__u32 reserved;
	__u64 leg_id;
};
