// Package planetest holds every media.Plane to the same behaviour, by real
// packets between the plane and far ends. What the planes' costs are differs;
// what a far end sees may not.
package planetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media"
)

// Setup is a plane to be tested, and two hosts that can reach it.
type Setup struct {
	Plane media.Plane
	A, B  Host
}

// Host is where far ends are, perhaps in another network namespace.
type Host struct {
	Addr   netip.Addr
	Other  netip.Addr // of somebody else in its network; zero: there is none, but other ports
	Local  netip.Addr // of the platform, where legs towards this host open
	Listen func(network, address string) (net.PacketConn, error)
}

// Run runs the suite. Open makes a plane for each test, closes it with the
// test's clean-up, and may find it closed by then.
func Run(t *testing.T, open func(t *testing.T) Setup) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(newBench(t, open(t))) })
	}
}

var tests = map[string]func(*bench){
	"RelaysBothWays":           relaysBothWays,
	"KeepsWhatIsNotTheStamp":   keepsWhatIsNotTheStamp,
	"KeepsTheShapeOfOneSource": keepsTheShapeOfOneSource,
	"SendContinuesTheStream":   sendContinuesTheStream,
	"SourcesFollowEachOther":   sourcesFollowEachOther,
	"SourcesReturn":            sourcesReturn,
	"SourcesShareTheStream":    sourcesShareTheStream,
	"CopiesAndRelays":          copiesAndRelays,
	"RefusesOtherSources":      refusesOtherSources,
	"RefusesWhatIsNotAudio":    refusesWhatIsNotAudio,
	"MutedUntilConnected":      mutedUntilConnected,
	"EventsGoToTheReceiver":    eventsGoToTheReceiver,
	"ControlGoesToTheReceiver": controlGoesToTheReceiver,
	"Holds":                    holds,
	"HoldsWhatIsSent":          holdsWhatIsSent,
	"WhatStaysBehindIsNotLost": whatStaysBehindIsNotLost,
	"FollowsTheFarEnd":         followsTheFarEnd,
	"Latches":                  latches,
	"LatchesAnew":              latchesAnew,
	"LatchingWindowCloses":     latchingWindowCloses,
	"ReportsFollowTheLatch":    reportsFollowTheLatch,
	"LocksTheSource":           locksTheSource,
	"KeepsTheCeiling":          keepsTheCeiling,
	"KeepsTheCeilingOfReports": keepsTheCeilingOfReports,
	"RefusesAThirdHost":        refusesAThirdHost,
	"RefusesTheOtherIPVersion": refusesTheOtherIPVersion,
	"RelaysNoise":              relaysNoise,
	"SendsNoiseByTheClock":     sendsNoiseByTheClock,
	"SharesOnePort":            sharesOnePort,
	"MarksWhatItSends":         marksWhatItSends,
	"CountsLossAndJitter":      countsLossAndJitter,
	"OpensOnEvenPortsOnly":     opensOnEvenPortsOnly,
	"CloseStopsALeg":           closeStopsALeg,
	"CloseStopsThePlane":       closeStopsThePlane,
	"FiftyLegsLeaveNothing":    fiftyLegsLeaveNothing,
}

// patience is how long something may take on a busy machine.
const patience = 20 * time.Second

const (
	audioType = 0
	otherType = 8 // audio's on the other leg
	eventType = 101
	rate      = 8000
	ptime     = 20 * time.Millisecond
	ticks     = 160
)

// bench is one test's plane, far ends and legs.
type bench struct {
	*testing.T
	Setup
}

func newBench(t *testing.T, s Setup) *bench { return &bench{t, s} }

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// eventually waits for what needs no packet to be seen.
func (b *bench) eventually(what string, done func() bool) {
	b.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// leg is a leg of the plane, its receiver and what the test knows of it.
type leg struct {
	media.PlaneLeg
	bench *bench
	local netip.AddrPort
	ssrc  uint32
	inbox
}

func (b *bench) open(towards Host) *leg {
	b.Helper()
	l, err := b.tryOpen(towards)
	b.must(err)
	return l
}

// tryOpen opens a leg on some even port that nobody has.
func (b *bench) tryOpen(towards Host) (*leg, error) {
	for {
		local := netip.AddrPortFrom(towards.Local, uint16(20000+2*rand.IntN(5000)))
		l := &leg{bench: b, local: local, ssrc: rand.Uint32(), inbox: newInbox()}
		opened, err := b.openAt(l)
		if errors.Is(err, media.ErrPortTaken) {
			continue
		}
		l.PlaneLeg = opened
		return l, err
	}
}

func (b *bench) openAt(l *leg) (media.PlaneLeg, error) {
	return b.Plane.Open(media.LegConfig{Local: l.local, SSRC: l.ssrc, Receiver: l.inbox})
}

// connected opens a leg with a far end on a host.
func (b *bench) connected(h Host, audio uint8) (*leg, *farEnd) {
	b.Helper()
	l, f := b.open(h), b.farEnd(h)
	f.leg = l
	b.must(l.Connect(f.agreed(audio)))
	return l, f
}

// joined is two connected legs, the first relayed to the second.
func (b *bench) joined() (from, to *leg, speaker, listener *farEnd) {
	b.Helper()
	from, speaker = b.connected(b.A, audioType)
	to, listener = b.connected(b.B, otherType)
	b.must(from.Route(media.Route{To: to.PlaneLeg}))
	return from, to, speaker, listener
}

// stats waits until a leg's counters are as a test wants them.
func (l *leg) stats(what string, as func(media.LegStats) bool) {
	l.bench.Helper()
	var s media.LegStats
	defer func() {
		if l.bench.Failed() {
			l.bench.Logf("leg %s: %+v", l.local, s)
		}
	}()
	l.bench.eventually(what, func() bool {
		var err error
		s, err = l.Stats()
		l.bench.must(err)
		return as(s)
	})
}

// dropped waits until a leg has refused that many packets for a reason.
func (l *leg) dropped(reason string, n uint64) {
	l.bench.Helper()
	l.stats(fmt.Sprintf("%d packets refused: %s", n, reason), func(s media.LegStats) bool { return s.Dropped[reason] == n })
}
