/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* The programs by which userspace captures a leg's packets, and adds its own to the capture. */
#pragma once

#include "find.h"
#include "hold.h"
#include "tap.h"

/* Makes the capture the one under way, or prolongs it; false: another one is. */
static __always_inline bool claim(const struct tap_request *req, __u64 now)
{
	__u64 token = req->token, until = now + req->period_ns;
	__u32 first = 0, pid = req->pid;
	struct tapping *t = bpf_map_lookup_elem(&tapping, &first);
	__u64 *any = bpf_map_lookup_elem(&captured, &first);
	bool mine;

	if (!t || !any)
		return false;
	bpf_spin_lock(&t->lock);
	mine = now >= t->until_ns || t->token == token;
	if (mine) {
		t->token = token;
		t->pid = pid;
		t->until_ns = until;
		*any = until;
	}
	bpf_spin_unlock(&t->lock);
	return mine;
}

/* Shows a leg's packets to a capture from now on, for a while. */
SEC("xdp")
int tap(struct xdp_md *ctx)
{
	struct tap_request *req = (void *)(long)ctx->data;
	struct leg *leg;
	__u64 now;

	if ((void *)(req + 1) > (void *)(long)ctx->data_end)
		return 0;
	now = bpf_ktime_get_ns();
	if (!claim(req, now))
		return TAP_BUSY;
	leg = hold_named(req->slot, req->leg_id);
	if (!leg)
		return TAP_NO_LEG;
	leg->tap_until_ns = now + req->period_ns;
	release(leg);
	return TAP_SET;
}

/*
 * Shows a capture what userspace sent without a stamp: RTCP. It is called while there
 * is one. A leg says good-bye when it has ended: its entry has the rest still, until
 * another leg takes the slot.
 */
SEC("xdp")
int sent(struct xdp_md *ctx)
{
	struct sent_request *req = (void *)(long)ctx->data;
	struct sight sight = {
		.now = bpf_ktime_get_ns(), .verdict = STAMPED, .direction = TAP_SENT,
		.offset = sizeof(*req), .length = ctx->data_end - ctx->data - sizeof(*req),
	};
	struct leg *leg;
	__u32 slot;

	if ((void *)(req + 1) > (void *)(long)ctx->data_end)
		return PASS_MALFORMED;
	sight.leg_id = req->leg_id;
	slot = req->slot;
	leg = bpf_map_lookup_elem(&legs, &slot);
	if (!leg || (leg->id && leg->id != sight.leg_id))
		return DROP_NO_LEG;
	if (is_tapped(leg, sight.now))
		show(ctx, &sight);
	return STAMPED;
}
