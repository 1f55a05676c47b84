package bpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"mcp/bpf/ktime"
	"mcp/bpf/rawip"
	"mcp/bpf/testrun"
)

// speaker sends to one leg, as real far ends and as hostile ones do.
type speaker struct {
	leg  *modelLeg
	ssrc uint32
	seq  uint16
	ts   uint32
}

// Payload types that only some legs of the contest have.
const noiseType, otherEventType = 13, 96

// contest is the program and the model, given the same frames.
type contest struct {
	*rig
	t        *testing.T
	rnd      *rand.Rand
	model    *model
	legs     []*Leg
	speakers []*speaker
	expected map[string]uint64
	run      ebpf.RunOptions
	left     int // frames that left
	unsure   int
}

// TestProgramAgreesWithModel gives random and mutated frames to the relay and to
// a model of it, and compares verdicts and every byte that leaves. MODEL_PACKETS
// says how many; `make model` runs ten million.
func TestProgramAgreesWithModel(t *testing.T) {
	packets, _ := strconv.Atoi(os.Getenv("MODEL_PACKETS"))
	if packets == 0 {
		packets = 100_000
	}
	seed, err := strconv.ParseUint(os.Getenv("MODEL_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("%d packets, MODEL_SEED=%d", packets, seed)
	c := &contest{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)),
		rig: newRig(t, rigOptions{mode: ModeGeneric, static: true, mixed: true}),
	}
	must(t, c.plane.Receive(func(Event) {}))
	c.start()
	must(t, c.ns.Do(func() error {
		for n := range packets {
			if !c.round() || n%1000 == 999 && !c.countsAgree() {
				return fmt.Errorf("packet %d, MODEL_SEED=%d", n, seed)
			}
		}
		return nil
	}))
	if c.left < packets/4 || c.unsure > packets/1000+5 {
		t.Errorf("%d of %d packets left, %d undecided: that proves little", c.left, packets, c.unsure)
	}
}

// start opens the legs anew: IPv4 and IPv6 ones that relay within and between
// the two, with comfort noise or without, one that only copies, one
// that does nothing.
func (c *contest) start() {
	for _, l := range c.legs {
		_, err := l.Close()
		must(c.t, err)
	}
	c.legs, c.speakers = nil, nil
	c.model = &model{legs: make(map[netip.AddrPort]*modelLeg)}
	caller := func(i uint16) *modelLeg {
		return c.open(addrPort("10.1.0.1", 20000+2*i), addrPort("10.1.0.2", 4000+2*i), c.callerEnd.MAC, c.toCaller.MAC)
	}
	server := func(i uint16) *modelLeg {
		return c.open(addrPort("fd02::1", 20000+2*i), addrPort("fd02::2", 5000+2*i), c.serverEnd.MAC, c.toServer.MAC)
	}
	a, b, e, f, idle, copied := caller(0), caller(1), caller(2), caller(3), caller(4), caller(5)
	s, u := server(0), server(1)
	for from, to := range map[*modelLeg]*modelLeg{a: s, b: s, e: a, f: u, s: a, u: s, idle: nil, copied: nil} {
		from.to, from.copied = to, from == copied
	}
	s.event = otherEventType
	a.noise, b.noise, f.noise, s.noise = noiseType, noiseType+1, noiseType, noiseType+2
	for _, l := range c.legs {
		m := c.model.legs[l.Local()]
		config := legConfig(m.far, nil)
		config.Far.DSCP, config.Copy = m.class>>2, m.copied
		config.EventType, config.NoiseType = m.event, m.noise
		if m.to != nil {
			config.RelayTo = c.plane.leg(m.to.id)
		}
		must(c.t, l.Configure(config))
	}
	c.baseline()
}

func (c *contest) open(local, far netip.AddrPort, toMAC, myMAC []byte) *modelLeg {
	l, err := c.plane.AddLeg(local, c.rnd.Uint32())
	must(c.t, err)
	entry, err := l.read()
	must(c.t, err)
	m := &modelLeg{
		id: l.ID(), local: local, far: far, farRTCP: netip.AddrPortFrom(far.Addr(), far.Port()+1),
		toMAC: [6]byte(toMAC), myMAC: [6]byte(myMAC), class: byte(c.rnd.IntN(64)) << 2, audio: audioType, event: eventType,
		out: modelEgress{ssrc: entry.Egress.Ssrc, seq: entry.Egress.Place.LastSeq, next: entry.Egress.Place.LastTs},
	}
	c.legs = append(c.legs, l)
	c.model.legs[local] = m
	c.speakers = append(c.speakers, &speaker{leg: m, ssrc: c.rnd.Uint32(), seq: uint16(c.rnd.Uint32()), ts: c.rnd.Uint32()})
	return m
}

// round gives one frame to both.
func (c *contest) round() bool {
	frame := c.frame()
	c.run.Data = frame
	c.run.DataOut = append(c.run.DataOut[:0], make([]byte, len(frame)+256)...)
	c.run.Context = testrun.Context{DataEnd: uint32(len(frame)), IngressIfindex: uint32(c.toCaller.Index)}
	at := span{from: ktime.Now()}
	action, err := c.plane.objects.Relay.Run(&c.run)
	at.to = ktime.Now()
	must(c.t, err)
	want := c.model.judge(frame, at)
	if want.unsure {
		c.unsure++
		c.start()
		return true
	}
	c.expected[grouped(want.verdict)]++
	return c.agree(frame, want, action)
}

func (c *contest) agree(frame []byte, want outcome, action uint32) bool {
	out := c.run.DataOut
	switch {
	case want.verdict == "relayed":
		c.left++
		if action != xdpRedirect || !want.sameFrame(out) {
			c.t.Errorf("frame    %x\naction   %d\nleft as  %x\nexpected %x", frame, action, out, want.frame)
			return false
		}
	case strings.HasPrefix(want.verdict, "pass"):
		if action != xdpPass || !bytes.Equal(out, frame) {
			c.t.Errorf("frame %x\naction %d, want %s", frame, action, want.verdict)
			return false
		}
	case action != xdpDrop:
		c.t.Errorf("frame %x\naction %d, want %s", frame, action, want.verdict)
		return false
	}
	return true
}

// sameFrame compares all bytes; a timestamp that depends on the clock is taken
// over when it is in its range, with the checksum that goes with it.
func (o *outcome) sameFrame(out []byte) bool {
	if bytes.Equal(out, o.frame) || len(out) != len(o.frame) {
		return len(out) == len(o.frame)
	}
	udp := 14 + 20
	if !o.sender.local.Addr().Is4() {
		udp = 14 + 40
	}
	ts := binary.BigEndian.Uint32(out[udp+12:])
	was := binary.BigEndian.Uint32(o.frame[udp+12:])
	if ts-was > o.tsRange {
		return false
	}
	o.sender.out.adopt(ts)
	if check := binary.BigEndian.Uint16(o.frame[udp+6:]); check != 0 {
		sum := uint64(^check) + uint64(^uint16(was>>16)) + uint64(^uint16(was)) + uint64(ts>>16) + uint64(ts&0xffff)
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		binary.BigEndian.PutUint16(o.frame[udp+6:], rawip.NeverZero(^uint16(sum)))
	}
	binary.BigEndian.PutUint32(o.frame[udp+12:], ts)
	return bytes.Equal(out, o.frame)
}

// grouped joins the fates that depend on how fast userspace and the clock are.
func grouped(verdict string) string {
	if verdict == "drop_overrun" || verdict == "drop_rate" || verdict == "repeated" {
		return "to_user"
	}
	return verdict
}

func (c *contest) tallies() map[string]uint64 {
	sums := make(map[string]uint64)
	for name, n := range c.verdicts(c.t) {
		if name != "changed" {
			sums[grouped(name)] += n
		}
	}
	return sums
}

func (c *contest) baseline() { c.expected = c.tallies() }

func (c *contest) countsAgree() bool {
	ok := true
	for name, n := range c.tallies() {
		if strings.HasPrefix(name, "pass") && n > c.expected[name] {
			continue // the hosts' own chatter comes by, too
		}
		if n != c.expected[name] {
			c.t.Errorf("%s: the program counts %d, the model %d", name, n, c.expected[name])
			ok = false
		}
	}
	return ok
}
