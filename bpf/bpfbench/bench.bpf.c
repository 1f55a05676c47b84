//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * What media is measured with: a generator run on live frames, one that hands its
 * packets to a program to be timed alone, a sink that counts, one that listens to
 * how evenly packets come, and the least a program could do between them.
 */
#include "../include/checksum.h"
#include "../include/rtp.h"
#include "../include/types.h"
#include "../include/libbpf/bpf_helpers.h"

#define MAX_STREAMS 1024
#define HEADER_WORDS 14 /* Ethernet, IPv4, UDP and RTP, and two octets of payload */
#define HOST 28 /* the third octet of the address they come from */
#define UDP_CHECK 40
#define RTP 42
#define FRAME_TICKS 160
#define PTIME_NS 20000000ULL
#define MAX_LISTENED 16384
#define BINS 32768
#define BIN_NS 10000
#define NEW_STREAM_NS 1000000000ULL /* of silence, after which another stream begins */

char _license[] SEC("license") = "Dual BSD/GPL";

/* One stream's headers, with sequence number and timestamp zero. */
struct stream {
	__u32 header[HEADER_WORDS];
	__u32 sent;
};

/* As many as a measurement spreads its packets over. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_STREAMS);
	__type(key, __u32);
	__type(value, struct stream);
} streams SEC(".maps");

/* Frames the sink saw. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

/* When the last packet of each stream that is listened to came. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_LISTENED);
	__type(key, __u32);
	__type(value, __u64);
} heard SEC(".maps");

/* How many packets came so much too early or too late after the one before; the last: more. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BINS);
	__type(key, __u32);
	__type(value, __u64);
} unevenness SEC(".maps");

/* The one way out of the null program. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} way_out SEC(".maps");

/* The program that step hands its packets to; empty: none. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} timed SEC(".maps");

const volatile __u32 stream_count = 1;
const volatile __u32 null_macs[3];

/* The streams that are listened to, by port and host; one in listen_every is. */
const volatile __u32 listen_port = 36; /* where the port is: 34 the source's, 36 the destination's */
const volatile __u32 listen_first;
const volatile __u32 listen_ports = 1; /* a host has */
const volatile __u32 listen_every = 1;

/* Shared by runs; the generator has one thread. */
__u32 turn;

/*
 * Fills a frame with the next packet of the next stream. Every header field is
 * written, because frames come back as the relay left them.
 */
static __always_inline bool make_next(struct xdp_md *ctx)
{
	__u8 *frame = (void *)(long)ctx->data;
	__u32 *words = (__u32 *)frame;
	__u32 which = turn++ % stream_count;
	struct stream *s = bpf_map_lookup_elem(&streams, &which);
	__be32 ts;
	__be16 seq;
	int i;

	if (!s || (void *)(words + HEADER_WORDS) > (void *)(long)ctx->data_end)
		return false;
#pragma unroll
	for (i = 0; i < HEADER_WORDS; i++)
		words[i] = s->header[i];
	seq = bpf_htons(s->sent);
	ts = bpf_htonl(s->sent * FRAME_TICKS);
	s->sent++;
	*(__be16 *)(frame + RTP + 2) = seq;
	*(__be32 *)(frame + RTP + 4) = ts;
	*(__sum16 *)(frame + UDP_CHECK) = updated(s->header[UDP_CHECK / 4] & 0xffff, (__u64)seq + ts);
	return true;
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	return make_next(ctx) ? XDP_TX : XDP_DROP;
}

/* Run over and over on one frame, which holds another packet each time. */
SEC("xdp")
int step(struct xdp_md *ctx)
{
	if (make_next(ctx))
		bpf_tail_call(ctx, &timed, 0);
	return XDP_DROP;
}

static __always_inline void see(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&seen, &zero);

	if (n)
		(*n)++;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	see();
	return XDP_DROP;
}

/* Notes how far from even a packet came after the one before. */
static __always_inline void note(__u32 stream, __u64 now)
{
	__u64 *last = bpf_map_lookup_elem(&heard, &stream), gap, *n;
	__u32 bin;

	if (!last)
		return;
	gap = now - *last;
	*last = now;
	if (gap > NEW_STREAM_NS)
		return;
	gap = (gap > PTIME_NS ? gap - PTIME_NS : PTIME_NS - gap) / BIN_NS;
	bin = gap < BINS ? gap : BINS - 1;
	n = bpf_map_lookup_elem(&unevenness, &bin);
	if (n)
		__sync_fetch_and_add(n, 1);
}

/* A sink that listens. */
SEC("xdp")
int listen(struct xdp_md *ctx)
{
	__u8 *frame = (void *)(long)ctx->data;
	__u32 stream, port_at = listen_port == 34 ? 34 : 36;

	see();
	if ((void *)(frame + RTP) > (void *)(long)ctx->data_end || *(__be16 *)(frame + 12) != bpf_htons(ETH_P_IP))
		return XDP_DROP;
	stream = frame[HOST] * listen_ports + (bpf_ntohs(*(__be16 *)(frame + port_at)) - listen_first) / 2;
	if (stream % listen_every == 0)
		note(stream / listen_every, bpf_ktime_get_ns());
	return XDP_DROP;
}

/* Redirects every frame, with new addresses in front: what any relay does at least. */
SEC("xdp")
int null(struct xdp_md *ctx)
{
	__u32 *words = (void *)(long)ctx->data;

	if ((void *)(words + 3) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	words[0] = null_macs[0];
	words[1] = null_macs[1];
	words[2] = null_macs[2];
	return bpf_redirect_map(&way_out, 0, XDP_ABORTED);
}
