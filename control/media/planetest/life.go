package planetest

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

func countsLossAndJitter(b *bench) {
	from, to, speaker, listener := b.joined()
	to.stats("nothing sent", func(s media.LegStats) bool { return s.Tx.At.IsZero() })
	speaker.next.Sequence = 65500 // wraps on the way
	const sent, lost = 90, 10
	var last rtpstream.Header
	for i := range sent + lost {
		if i%10 == 5 {
			speaker.next.Sequence++
			speaker.next.Timestamp += ticks
			continue
		}
		speaker.say(someAudio(ticks))
		last = listener.hear().header()
	}
	to.stats("what has left", func(s media.LegStats) bool {
		return s.Tx.Sequence == last.Sequence && s.Tx.Timestamp == last.Timestamp && time.Since(s.Tx.At).Abs() < patience
	})
	from.stats("all counted", func(s media.LegStats) bool {
		return s.RxPackets == sent && s.RxLost == lost && s.RxBytes == sent*(12+ticks)
	})
	from.stats("what reports tell", func(s media.LegStats) bool {
		highest := uint32(65500 + sent + lost - 1)
		return s.Source.SSRC == speaker.next.SSRC && s.Source.Highest == highest && s.Source.Lost == lost && s.Source.Jitter > 8
	})
	// They came faster than their timestamps say: by nearly a frame each.
	from.stats("jitter", func(s media.LegStats) bool { return s.RxJitter > time.Millisecond && s.RxJitter < patience })
	speaker.next.Timestamp += 1 << 30 // the far end's clock is set anew, which is no jitter
	speaker.say(someAudio(ticks))
	from.stats("jitter of one clock", func(s media.LegStats) bool { return s.RxPackets == sent+1 && s.RxJitter < patience })
}

func opensOnEvenPortsOnly(b *bench) {
	any := netip.IPv4Unspecified()
	for _, local := range []netip.AddrPort{
		{}, netip.AddrPortFrom(b.A.Local, 0), netip.AddrPortFrom(b.A.Local, 20001), netip.AddrPortFrom(any, 20000),
	} {
		if _, err := b.Plane.Open(media.LegConfig{Local: local}); err == nil {
			b.Errorf("a leg opened at %s", local)
		}
	}
}

func closeStopsALeg(b *bench) {
	from, to, speaker, listener := b.joined()
	b.heardFirst(speaker, listener)
	told := 0
	last := func(s media.LegStats) {
		told++
		if s.TxPackets != 1 {
			b.Errorf("the last to be told is %+v", s)
		}
		b.must(to.SendRTCP(report))
	}
	final, err := to.Close(last)
	b.must(err)
	if final.TxPackets != 1 {
		b.Errorf("%+v", final)
	}
	again, err := to.Close(last)
	if err != nil || again.TxPackets != final.TxPackets || told != 1 {
		b.Errorf("closed again: %+v, %v, told %d times", again, err, told)
	}
	if got, _ := listener.read(listener.rtcp); !bytes.Equal(got, report) {
		b.Errorf("the last report is %x", got)
	}
	speaker.say(someAudio(ticks))
	from.dropped("no_leg", 1)
	if to.Connect(listener.agreed(otherType)) == nil || to.Send(media.Payload{Data: someAudio(ticks)}) == nil {
		b.Error("a closed leg works")
	}
	if s, err := to.Stats(); err != nil || s.TxPackets != final.TxPackets {
		b.Errorf("a closed leg's counters are %+v, %v", s, err)
	}
	// The port is free, and its next leg is another.
	next := &leg{bench: b, local: to.local, ssrc: to.ssrc + 1, inbox: newInbox()}
	next.PlaneLeg, err = b.openAt(next)
	b.must(err)
	if _, err := b.openAt(next); !errors.Is(err, media.ErrPortTaken) {
		b.Errorf("opened twice: %v", err)
	}
	b.must(next.Connect(listener.agreed(otherType)))
	speaker.say(someAudio(ticks))
	from.dropped("no_leg", 2)
	listener.leg = next
	b.must(from.Route(media.Route{To: next.PlaneLeg}))
	b.heardFirst(speaker, listener)
}

func closeStopsThePlane(b *bench) {
	from, to, speaker, listener := b.joined()
	b.heardFirst(speaker, listener)
	b.must(b.Plane.Close())
	b.must(b.Plane.Close())
	if _, err := b.Plane.Open(media.LegConfig{Local: from.local}); err == nil {
		b.Error("a closed plane opens legs")
	}
	if to.Send(media.Payload{Data: someAudio(ticks)}) == nil {
		b.Error("a leg of a closed plane sends")
	}
	if s, err := from.Close(nil); err != nil || s.RxPackets != 1 {
		b.Errorf("%+v, %v", s, err)
	}
}

func fiftyLegsLeaveNothing(b *bench) {
	const pairs = 25
	for range 2 {
		var working sync.WaitGroup
		for range pairs {
			working.Go(func() { b.talkAndClose() })
		}
		working.Wait()
	}
}

// talkAndClose is a short call; the plane's owner sees what it left.
func (b *bench) talkAndClose() {
	from, err := b.tryOpen(b.A)
	if err != nil {
		b.Error(err)
		return
	}
	to, err := b.tryOpen(b.B)
	if err != nil {
		b.Error(err)
		return
	}
	err = errors.Join(from.Route(media.Route{To: to.PlaneLeg, Copy: true}), to.Route(media.Route{To: from.PlaneLeg}))
	_, fromErr := from.Close(nil)
	_, toErr := to.Close(nil)
	if err := errors.Join(err, fromErr, toErr); err != nil {
		b.Error(err)
	}
	for _, l := range []*leg{from, to} {
		reopened, err := b.openAt(l)
		if errors.Is(err, media.ErrPortTaken) {
			continue // by one of the others
		}
		if err != nil {
			b.Error(err)
			continue
		}
		if _, err := reopened.Close(nil); err != nil {
			b.Error(err)
		}
	}
}
