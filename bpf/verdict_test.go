package bpf

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"mcp/bpf/bpftest"
)

const (
	xdpDrop     = 1
	xdpPass     = 2
	xdpRedirect = 4
)

// verdictRow is the good packet with one thing changed.
type verdictRow struct {
	name    string
	mutate  func(*bpftest.Frame)
	action  uint32
	verdict string
	dropped string // reason in the leg's statistics
}

var verdictRows = []verdictRow{
	{name: "good", mutate: func(f *bpftest.Frame) {}, action: xdpRedirect, verdict: "relayed"},
	{name: "no UDP checksum", mutate: func(f *bpftest.Frame) { f.Checksum = bpftest.ChecksumNone }, action: xdpRedirect, verdict: "relayed"},
	{name: "checksum left to offload", mutate: func(f *bpftest.Frame) { f.Checksum = bpftest.ChecksumPartial }, action: xdpRedirect, verdict: "relayed"},
	{name: "IP options", mutate: func(f *bpftest.Frame) { f.Options = []byte{1, 1, 1, 0} }, action: xdpRedirect, verdict: "relayed"},
	{name: "most IP options", mutate: func(f *bpftest.Frame) { f.Options = make([]byte, 40) }, action: xdpRedirect, verdict: "relayed"},
	{name: "odd length", mutate: func(f *bpftest.Frame) { f.Payload = f.Payload[:len(f.Payload)-1] }, action: xdpRedirect, verdict: "relayed"},
	{name: "odd length, checksum left to offload", mutate: func(f *bpftest.Frame) {
		f.Payload = f.Payload[:len(f.Payload)-1]
		f.Checksum = bpftest.ChecksumPartial
	}, action: xdpRedirect, verdict: "relayed"},
	{name: "Ethernet padding", mutate: func(f *bpftest.Frame) { f.Padding = 18 }, action: xdpRedirect, verdict: "relayed"},
	{name: "bare RTP header", mutate: func(f *bpftest.Frame) { f.Payload = f.Payload[:12] }, action: xdpRedirect, verdict: "relayed"},
	{name: "VLAN", mutate: func(f *bpftest.Frame) { f.VLANs = []uint16{7} }, action: xdpRedirect, verdict: "relayed"},
	{name: "QinQ", mutate: func(f *bpftest.Frame) { f.VLANs = []uint16{7, 8} }, action: xdpRedirect, verdict: "relayed"},
	{name: "three tags", mutate: func(f *bpftest.Frame) { f.VLANs = []uint16{7, 8, 9} }, action: xdpPass, verdict: "pass_not_ip"},
	{name: "first fragment", mutate: func(f *bpftest.Frame) { f.Fragment = 0x2000 }, action: xdpPass, verdict: "pass_fragment"},
	{name: "last fragment", mutate: func(f *bpftest.Frame) { f.Fragment = 0x0010 }, action: xdpPass, verdict: "pass_fragment"},
	{name: "do not fragment", mutate: func(f *bpftest.Frame) { f.Fragment = 0x4000 }, action: xdpRedirect, verdict: "relayed"},
	{name: "TCP", mutate: func(f *bpftest.Frame) { f.Protocol = 6 }, action: xdpPass, verdict: "pass_not_udp"},
	{name: "UDP length too long", mutate: func(f *bpftest.Frame) { f.UDPLength = 1000 }, action: xdpPass, verdict: "pass_malformed"},
	{name: "UDP length too short", mutate: func(f *bpftest.Frame) { f.UDPLength = 7 }, action: xdpPass, verdict: "pass_malformed"},
	{name: "other port", mutate: func(f *bpftest.Frame) { f.Dst = addrPort("10.1.0.1", 20004) }, action: xdpPass, verdict: "pass_not_leg"},
	{name: "other address", mutate: func(f *bpftest.Frame) { f.Dst = addrPort("10.1.0.9", 20000) }, action: xdpPass, verdict: "pass_not_leg"},
	{name: "wrong source port", mutate: func(f *bpftest.Frame) { f.Src = addrPort("10.1.0.2", 4002) }, action: xdpDrop, verdict: "drop_source", dropped: "source"},
	{name: "wrong source address", mutate: func(f *bpftest.Frame) { f.Src = addrPort("10.1.0.3", 4000) }, action: xdpDrop, verdict: "drop_source", dropped: "source"},
	{name: "STUN", mutate: func(f *bpftest.Frame) {
		f.Payload = append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...)
	}, action: xdpDrop, verdict: "drop_not_rtp", dropped: "not_rtp"},
	{name: "DTLS", mutate: func(f *bpftest.Frame) { f.Payload[0] = 22 }, action: xdpDrop, verdict: "drop_not_rtp", dropped: "not_rtp"},
	{name: "too short for RTP", mutate: func(f *bpftest.Frame) { f.Payload = f.Payload[:11] }, action: xdpDrop, verdict: "drop_not_rtp", dropped: "not_rtp"},
	{name: "contributing sources cut off", mutate: func(f *bpftest.Frame) { f.Payload = f.Payload[:20]; f.Payload[0] = 0x83 }, action: xdpDrop, verdict: "drop_not_rtp", dropped: "not_rtp"},
	{name: "nothing in it", mutate: func(f *bpftest.Frame) { f.Payload = nil }, action: xdpDrop, verdict: "drop_not_rtp", dropped: "not_rtp"},
	{name: "unknown payload type", mutate: func(f *bpftest.Frame) { f.Payload[1] = 18 }, action: xdpDrop, verdict: "drop_type", dropped: "type"},
	{name: "telephone-event", mutate: func(f *bpftest.Frame) { f.Payload[1] = eventType }, action: xdpDrop, verdict: "to_user"},
	{name: "longest", mutate: func(f *bpftest.Frame) { f.Payload = append(f.Payload, make([]byte, 1300)...) }, action: xdpRedirect, verdict: "relayed"},
	{name: "longest, checksum left to offload", mutate: func(f *bpftest.Frame) {
		f.Payload = append(f.Payload, make([]byte, 1300)...)
		f.Checksum = bpftest.ChecksumPartial
	}, action: xdpRedirect, verdict: "relayed"},
	{name: "too long", mutate: func(f *bpftest.Frame) { f.Payload = append(f.Payload, make([]byte, 1301)...) }, action: xdpDrop, verdict: "drop_too_long", dropped: "too_long"},
	{name: "RTCP", mutate: func(f *bpftest.Frame) {
		f.Src, f.Dst = addrPort("10.1.0.2", 4001), addrPort("10.1.0.1", 20001)
		f.Payload = []byte{0x80, 201, 0, 1, 1, 2, 3, 4}
	}, action: xdpDrop, verdict: "to_user"},
	{name: "RTCP on RTP's port", mutate: func(f *bpftest.Frame) { f.Payload = []byte{0x80, 200, 0, 1, 1, 2, 3, 4} }, action: xdpDrop, verdict: "to_user"},
	{name: "RTCP from elsewhere", mutate: func(f *bpftest.Frame) {
		f.Src, f.Dst = addrPort("10.1.0.2", 4003), addrPort("10.1.0.1", 20001)
		f.Payload = []byte{0x80, 201, 0, 1, 1, 2, 3, 4}
	}, action: xdpDrop, verdict: "drop_source", dropped: "source"},
	{name: "RTP on RTCP's port", mutate: func(f *bpftest.Frame) { f.Dst = addrPort("10.1.0.1", 20001) }, action: xdpDrop, verdict: "drop_not_rtp", dropped: "not_rtp"},
}

func TestVerdicts(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	for i, row := range verdictRows {
		t.Run(row.name, func(t *testing.T) {
			frame := r.fromCaller(voice(uint16(i), uint32(i)*frameTicks))
			row.mutate(&frame)
			before, legBefore := r.verdicts(t), r.stats(t, r.callerLeg)
			in := frame.Bytes()
			action, out := r.run(t, in)
			if action != row.action {
				t.Errorf("action is %d, want %d", action, row.action)
			}
			checkOneVerdict(t, before, r.verdicts(t), row.verdict)
			legAfter := r.stats(t, r.callerLeg)
			for reason, n := range legAfter.Dropped {
				want := legBefore.Dropped[reason]
				if reason == row.dropped {
					want++
				}
				if n != want {
					t.Errorf("leg counts %d dropped for %q, want %d", n, reason, want)
				}
			}
			switch action {
			case xdpPass:
				if string(out) != string(in) {
					t.Error("a packet that passes was changed")
				}
			case xdpRedirect:
				r.checkRelayed(t, frame, out)
			}
		})
	}
}

func checkOneVerdict(t *testing.T, before, after map[string]uint64, want string) {
	t.Helper()
	for name, n := range after {
		expected := before[name]
		if name == want {
			expected++
		}
		if strings.HasPrefix(name, "pass_") && n > expected {
			continue // the hosts' own chatter comes by, too
		}
		if n != expected {
			t.Errorf("%s counts %d more, want %d", name, n-before[name], expected-before[name])
		}
	}
}

// checkRelayed recomputes all of a relayed frame from scratch.
func (r *rig) checkRelayed(t *testing.T, in bpftest.Frame, out []byte) {
	t.Helper()
	d, err := bpftest.Dissect(out)
	if err != nil {
		t.Fatalf("relayed frame: %v", err)
	}
	if d.SrcMAC != [6]byte(r.toServer.MAC) || d.DstMAC != [6]byte(r.serverEnd.MAC) {
		t.Errorf("frame goes from %x to %x", d.SrcMAC, d.DstMAC)
	}
	if d.Src != r.serverLocal || d.Dst != r.serverPeer || d.TTL != 64 {
		t.Errorf("packet goes from %s to %s with TTL %d", d.Src, d.Dst, d.TTL)
	}
	if in.Checksum == bpftest.ChecksumNone && d.Checksum != 0 {
		t.Error("a checksum appeared")
	}
	got, err := bpftest.ParseRTP(d.Payload)
	must(t, err)
	if got.SSRC != serverSSRC || got.Type != audioType {
		t.Errorf("stream is %x, type %d", got.SSRC, got.Type)
	}
	if string(d.Payload[12:]) != string(in.Payload[12:]) {
		t.Error("payload was changed")
	}
}

func TestRelayIPv6(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true, ipv6: true})
	r.openLegs(t)
	for i, sum := range []bpftest.Checksum{bpftest.ChecksumFull, bpftest.ChecksumPartial} {
		frame := r.fromCaller(voice(uint16(i), uint32(i)*frameTicks))
		frame.Checksum = sum
		action, out := r.run(t, frame.Bytes())
		if action != xdpRedirect {
			t.Fatalf("action is %d", action)
		}
		r.checkRelayed(t, frame, out)
	}
	fragment := r.fromCaller(voice(9, 9))
	fragment.Protocol = 44
	if action, _ := r.run(t, fragment.Bytes()); action != xdpPass {
		t.Errorf("fragment: action is %d", action)
	}
	if n := r.verdicts(t)["pass_fragment"]; n != 1 {
		t.Errorf("%d fragments counted", n)
	}
}

// Datagrams behind IPv6 extension headers (RFC 8200 section 4) are left to the
// stack, untouched, though they are for a leg.
func TestExtensionHeaders(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true, ipv6: true})
	r.openLegs(t)
	const headers = 14 + 40
	for _, row := range []struct {
		name    string
		kind    byte
		verdict string
	}{
		{"hop-by-hop options", 0, "pass_not_udp"},
		{"routing", 43, "pass_not_udp"},
		{"fragment", 44, "pass_fragment"},
		{"encapsulating security payload", 50, "pass_not_udp"},
		{"authentication", 51, "pass_not_udp"},
		{"no next header", 59, "pass_not_udp"},
		{"destination options", 60, "pass_not_udp"},
		{"mobility", 135, "pass_not_udp"},
	} {
		frame := r.fromCaller(voice(1, 1)).Bytes()
		binary.BigEndian.PutUint16(frame[14+4:], binary.BigEndian.Uint16(frame[14+4:])+8)
		frame[14+6] = row.kind
		frame = slices.Insert(frame, headers, 17, 0, 1, 4, 0, 0, 0, 0) // then UDP; options of padding
		before := r.verdicts(t)[row.verdict]
		if action, out := r.run(t, frame); action != xdpPass || !bytes.Equal(out, frame) {
			t.Errorf("%s: action is %d", row.name, action)
		}
		if r.verdicts(t)[row.verdict] == before {
			t.Errorf("%s: not counted as %s", row.name, row.verdict)
		}
	}
	if s := r.stats(t, r.callerLeg); s.RxPackets != 0 {
		t.Errorf("%+v", s)
	}
}

// A frame cut off anywhere passes or is dropped for a reason; none is relayed.
func TestShortFrames(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		r := newRig(t, rigOptions{mode: ModeGeneric, static: true, ipv6: ipv6})
		r.openLegs(t)
		frame := r.fromCaller(voice(1, 1)).Bytes()
		for length := 14; length < len(frame); length++ {
			in := frame[:length]
			if action, out := r.run(t, in); action != xdpPass || string(out) != string(in) {
				t.Errorf("length %d: action is %d", length, action)
			}
		}
		if n := r.verdicts(t)["pass_malformed"]; n != uint64(len(frame)-14) {
			t.Errorf("%d malformed frames counted, want %d", n, len(frame)-14)
		}
	}
}

// All first octets (RFC 7983) with all short lengths: only what is RTP or RTCP by
// its version and long enough is taken for it.
func TestFirstOctets(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	const longest = 64
	want := map[string]uint64{}
	for octet := range 256 {
		for length := range longest + 1 {
			payload := make([]byte, longest)
			payload[0] = byte(octet)
			binary.BigEndian.PutUint16(payload[2:], uint16(octet*longest+length))
			frame := r.fromCaller(bpftest.RTP{})
			frame.Payload = payload[:length]
			action, _ := r.run(t, frame.Bytes())
			isRTP := octet>>6 == 2 && length >= 12+4*(octet&15)
			if isRTP != (action == xdpRedirect) || !isRTP && action != xdpDrop {
				t.Errorf("first octet %#x, length %d: action is %d", octet, length, action)
			}
			if !isRTP {
				want["drop_not_rtp"]++
			}
		}
	}
	if got := r.verdicts(t)["drop_not_rtp"]; got != want["drop_not_rtp"] {
		t.Errorf("%d are not RTP, want %d", got, want["drop_not_rtp"])
	}
}
