/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* RTP's fixed header, RFC 3550 section 5.1. */
#pragma once

#include "types.h"
#include "libbpf/bpf_helpers.h"
#include "libbpf/bpf_endian.h"

#define RTP_VERSION 2
#define RTP_MARKER 0x80
#define RTP_TYPE 0x7f
/* How far sequence numbers may jump before the source began anew, appendix A.1. */
#define MAX_DROPOUT 3000
#define MAX_MISORDER 100
#define MAX_LEAP 10 /* seconds a timestamp may run off the clock before the source set it anew */
/* Second octets of RTCP on a shared port, RFC 5761 section 4. */
#define RTCP_FIRST 192
#define RTCP_LAST 223
#define RTCP_MIN_LENGTH 8

struct rtphdr {
	__u8 flags; /* version, padding, extension, count of contributing sources */
	__u8 type;  /* marker and payload type */
	__be16 seq;
	__be32 ts;
	__be32 ssrc;
};

static __always_inline bool is_version_2(const __u8 *payload)
{
	return payload[0] >> 6 == RTP_VERSION;
}

static __always_inline bool is_rtcp_type(__u8 type)
{
	return type >= RTCP_FIRST && type <= RTCP_LAST;
}
