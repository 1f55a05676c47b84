package keypad

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"mcp/control/media/dtmf"
)

// What is sent is what the platform's own detector takes for the keys.
func TestKeysAreUnderstood(t *testing.T) {
	presses := []Press{{'4', 40 * time.Millisecond}, {'4', 300 * time.Millisecond}, {'0', 600 * time.Millisecond}, {'9', 800 * time.Millisecond}}
	p := &Phone{presses: presses, began: time.Now()}
	p.packet[0] = 2 << 6
	var detector dtmf.Detector
	var keys []byte
	packets := 0
	for at := time.Duration(0); at < time.Second; at += update {
		raw := p.due(p.began.Add(at))
		if raw == nil {
			continue
		}
		packets++
		var packet rtp.Packet
		if err := packet.Unmarshal(raw); err != nil || packet.PayloadType != PayloadType {
			t.Fatalf("%x: %v", raw, err)
		}
		keys = detector.Packet(keys, packet.SSRC, packet.Timestamp, packet.Payload)
	}
	if string(keys) != "4409" || packets != 4*(updates+ends) || len(p.presses) != 0 {
		t.Errorf("understood %q of %d packets", keys, packets)
	}
}

func TestDropEndsTheSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil) // a packet that is sent would panic
		p, done := b.Dial(netip.AddrPort{}, []Press{{'1', time.Hour}})
		b.serve(0, time.Now())
		b.Drop(p)
		b.serve(0, time.Now().Add(2*time.Hour))
		select {
		case <-done:
			t.Error("it was pressed")
		default:
		}
	})
}
