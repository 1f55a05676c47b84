package main

import (
	"net/netip"
	"time"

	"mcp/bpf"
)

// legJSON is a leg for machines. Its field names stay.
type legJSON struct {
	At         time.Time    `json:"at"`
	ID         string       `json:"id"`
	Slot       uint32       `json:"slot"`
	Local      string       `json:"local"`
	Far        string       `json:"far,omitempty"`           // where RTP goes
	Signalled  string       `json:"far_signalled,omitempty"` // as offer or answer said
	Owner      ownerJSON    `json:"owner,omitzero"`
	State      string       `json:"state"`
	Codec      codecJSON    `json:"codec"`
	Received   receivedJSON `json:"received"`
	Sent       sentJSON     `json:"sent"`
	Route      routeJSON    `json:"route"`
	Drops      reasons      `json:"drops,omitempty"`
	DropsTotal uint64       `json:"drops_total"`
	Captured   bool         `json:"captured"`
}

type reasons map[string]uint64

type ownerJSON struct {
	Call     string     `json:"call"`
	Role     string     `json:"role"`
	OpenedAt *time.Time `json:"opened_at,omitempty"`
}

func ownerReport(o bpf.Owner) ownerJSON {
	j := ownerJSON{Call: o.Call, Role: o.Role}
	if o.Opened.UnixNano() > 0 {
		j.OpenedAt = &o.Opened
	}
	return j
}

type codecJSON struct {
	AudioType *uint8 `json:"audio_type"`
	EventType *uint8 `json:"event_type"`
}

type receivedJSON struct {
	Packets          uint64     `json:"packets"`
	Bytes            uint64     `json:"bytes"`
	RTCP             uint64     `json:"rtcp_packets"`
	Lost             int64      `json:"lost"`
	LossPercent      float64    `json:"loss_percent"`
	JitterMS         float64    `json:"jitter_ms"`
	SSRC             uint32     `json:"ssrc,omitempty"`
	LastAt           *time.Time `json:"last_at,omitempty"`
	Relayed          uint64     `json:"relayed"`
	Handed           uint64     `json:"handed"`
	User             uint64     `json:"user"`
	PacketsPerSecond *float64   `json:"packets_per_second,omitempty"` // with --watch
}

type sentJSON struct {
	Packets          uint64   `json:"packets"`
	Bytes            uint64   `json:"bytes"`
	Relayed          uint64   `json:"relayed"`
	PacketsPerSecond *float64 `json:"packets_per_second,omitempty"` // with --watch
}

type routeJSON struct {
	LegID string `json:"leg_id,omitempty"`
	Local string `json:"local,omitempty"`
	User  bool   `json:"user"`
}

func legReport(s snapshot, l bpf.LegInfo) legJSON {
	j := legJSON{
		At: s.at, ID: legID(l.ID), Slot: l.Slot, Local: l.Local.String(), Far: portText(l.Far), Signalled: portText(l.Signalled),
		Owner: ownerReport(l.Owner), State: stateOf(l),
		Codec:    codecJSON{AudioType: typeOrNone(l.AudioType), EventType: typeOrNone(l.EventType)},
		Received: receivedReport(l), Sent: sentJSON{Packets: l.Stats.TxPackets, Bytes: l.Stats.TxBytes, Relayed: l.Stats.TxRelayed},
		Route: routeJSON{User: l.Copy},
		Drops: l.Stats.Dropped, DropsTotal: dropsOf(l), Captured: l.Captured,
	}
	if l.RelayTo != 0 {
		j.Route.LegID, j.Route.Local = legID(l.RelayTo), portText(s.all[l.RelayTo].Local)
	}
	if before, known := s.before[l.ID]; known && s.past > 0 {
		in := rate(before.Stats.RxPackets, l.Stats.RxPackets, s.past)
		out := rate(before.Stats.TxPackets, l.Stats.TxPackets, s.past)
		j.Received.PacketsPerSecond, j.Sent.PacketsPerSecond = &in, &out
	}
	return j
}

func receivedReport(l bpf.LegInfo) receivedJSON {
	r := receivedJSON{
		Packets: l.Stats.RxPackets, Bytes: l.Stats.RxBytes, RTCP: l.Stats.RTCP, Lost: l.Stats.RxLost,
		LossPercent: lossOf(l), JitterMS: float64(l.Stats.RxJitter) / float64(time.Millisecond),
		Relayed: l.Stats.RxRelayed, Handed: l.Stats.RxHanded, User: l.Stats.RxUser,
	}
	if source := l.Stats.Source; !source.At.IsZero() {
		r.SSRC, r.LastAt = source.SSRC, &source.At
	}
	return r
}

// portText is empty where there is no address.
func portText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func typeOrNone(payloadType uint8) *uint8 {
	if payloadType == bpf.NoType {
		return nil
	}
	return &payloadType
}
