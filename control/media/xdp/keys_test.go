package xdp

import (
	"math/rand/v2"
	"testing"

	"mcp/bpf/bpftest"
	"mcp/control/media/dtmf"
)

// The plane leaves out packets of a key press that tell nothing new: with them or
// without, the same keys are found, whatever is lost, repeated or overtaken.
func TestTheSameKeysAreFoundWithoutRepetitions(t *testing.T) {
	h := newHost(t)
	p := h.plane(t)
	caller, control := h.socket(t, 4000), h.socket(t, 4001)
	box := inbox{rtp: make(chan []byte, 10_000), rtcp: make(chan []byte, 1)}
	l := open(t, p, 20000, box)
	agreed := far(4000)
	agreed.Ptime = 0 // no ceiling
	must(t, l.Connect(agreed))
	const presses = 500
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var all, told dtmf.Detector
	var want, got []byte
	sent := 0
	for n, payloads := range randomPresses(rand.New(rand.NewPCG(seed, 0)), presses) {
		for _, payload := range payloads {
			packet := bpftest.RTP{Type: 101, Seq: uint16(sent), TS: uint32(n) * 1600, SSRC: 7, Payload: payload}
			_, err := caller.WriteToUDPAddrPort(packet.Bytes(), at(20000))
			must(t, err)
			want = all.Packet(want, packet.SSRC, packet.TS, packet.Payload)
			sent++
		}
	}
	_, err := control.WriteToUDPAddrPort([]byte{0x80, 201, 0, 1, 0, 0, 0, 7}, at(20001))
	must(t, err)
	wait(t, box.rtcp)
	received := len(box.rtp)
	for range received {
		packet, err := bpftest.ParseRTP(<-box.rtp)
		must(t, err)
		got = told.Packet(got, packet.SSRC, packet.TS, packet.Payload)
	}
	if string(got) != string(want) || len(want) < presses/2 {
		t.Errorf("of all packets %s, of those that are told %s", want, got)
	}
	if received > sent/2 {
		t.Errorf("%d of %d packets are told", received, sent)
	}
	if s, err := l.Stats(); err != nil || s.RxPackets != uint64(sent) || s.RxUser != uint64(received) || len(s.Dropped) > 0 {
		t.Errorf("%+v, %v, of %d", s, err, sent)
	}
}

// randomPresses are the payloads of key presses: of each ten that it goes on and three
// of its end, some of which are lost, repeated or overtaken.
func randomPresses(r *rand.Rand, presses int) [][][]byte {
	all := make([][][]byte, presses)
	for n := range all {
		key := byte(r.IntN(16))
		for i := range 13 {
			ended, duration := byte(10), uint16(160*min(i+1, 11))
			if i >= 10 {
				ended |= 0x80
			}
			if r.IntN(200) == 0 {
				duration = 0xffff
			}
			for range []int{1, 1, 1, 1, 0, 2}[r.IntN(6)] {
				all[n] = append(all[n], []byte{key, ended, byte(duration >> 8), byte(duration)})
			}
		}
		for range r.IntN(3) {
			if len(all[n]) > 1 {
				i := r.IntN(len(all[n]) - 1)
				all[n][i], all[n][i+1] = all[n][i+1], all[n][i]
			}
		}
	}
	return all
}
