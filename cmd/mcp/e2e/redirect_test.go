package e2e

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/media/codec"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// follower is a far end that speaks one tone without end, and does what the other one
// offers: it speaks where to, whenever, and in what codec that says.
type follower struct {
	*wanderer
	hz    float64
	mu    sync.Mutex // guards the wanderer but for its ear, and what follows
	sends bool
	local sdp.Local
	over  chan struct{} // closed when the dialog has ended
}

func newFollower(t *testing.T, hz float64) *follower {
	f := &follower{wanderer: &wanderer{t: t, ear: newEar(t, "127.0.0.1")}, hz: hz, over: make(chan struct{})}
	f.stream.SSRC = uint32(hz)
	f.local = sdp.Local{
		Addr: f.ear.conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: sdp.DefaultCodecs(), Events: eventsNone, SessionID: 1, Version: 1,
	}
	var talking sync.WaitGroup
	stop := make(chan struct{})
	talking.Go(func() { f.talk(stop) })
	t.Cleanup(func() { close(stop); talking.Wait() })
	return f
}

// talk speaks the tone in frames of 20 ms.
func (f *follower) talk(stop <-chan struct{}) {
	frames := caller.Hum(f.hz, time.Second) // a whole number of waves
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for at := 0; ; at = (at + 160) % len(frames) {
		select {
		case <-ticker.C:
			f.frame(frames[at : at+160])
		case <-stop:
			return
		}
	}
}

func (f *follower) frame(pcm []int16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stream.Sequence++
	f.stream.Timestamp += 160
	if !f.sends {
		return
	}
	e, err := codec.NewEncoder(f.spoken)
	if err != nil {
		f.t.Error(err)
		return
	}
	f.stream.Type = f.spoken.PayloadType
	packet, err := e.Encode(f.stream.Append(nil), pcm)
	if err != nil {
		f.t.Error(err)
	}
	_, _ = f.ear.conn.WriteToUDPAddrPort(packet, f.to) // whoever it is may have gone
}

// take does what both have agreed on.
func (f *follower) take(n sdp.Negotiated) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to, f.sends = n.Remote, n.Send
	f.spoken = map[uint8]codec.Codec{0: codec.PCMU, 8: codec.PCMA}[n.Codec.PayloadType]
}

// answer is nil for an offer that does not suit.
func (f *follower) answer(offer []byte) []byte {
	said, err := sdp.Parse(offer)
	if err != nil {
		f.t.Error(err)
		return nil
	}
	answer, agreed, err := sdp.Answer(said, f.local)
	if errors.Is(err, sdp.ErrNoCommonCodec) {
		return nil
	}
	if err != nil {
		f.t.Error(err)
		return nil
	}
	f.take(agreed)
	return answer
}

// Invite implements sip.Handler.
func (f *follower) Invite(ctx context.Context, d *sip.Dialog) {
	f.dialog = d
	if err := d.Answer(ctx, f.answer(d.RemoteSDP())); err != nil {
		f.t.Error(err)
	}
	f.serve()
}

// serve takes what comes of the dialog until it is over.
func (f *follower) serve() {
	defer close(f.over)
	for ev := range f.dialog.Events() {
		again, ok := ev.(*sip.Reinvite)
		if !ok {
			_ = sip.Decline(ev)
		} else if answer := f.answer(again.Offer); answer != nil {
			_ = again.Accept(context.Background(), answer)
		} else {
			_ = again.Reject(context.Background(), 488, "")
		}
	}
}

// offers offers its audio in a direction and a codec, and does what the other one
// answers.
func (f *follower) offers(d sdp.Direction, in codec.Codec) {
	f.t.Helper()
	local := f.local
	local.Direction = d
	local.Codecs = []sdp.Codec{{Name: in.Name, PayloadType: in.PayloadType, ClockRate: in.ClockRate}}
	answer, err := f.dialog.Reinvite(f.t.Context(), sip.Change{Offer: sdp.Offer(local)})
	if err != nil {
		f.t.Fatal(err)
	}
	said, err := sdp.Parse(answer)
	if err != nil {
		f.t.Fatal(err)
	}
	agreed, err := sdp.Negotiate(local, said)
	if err != nil {
		f.t.Fatal(err)
	}
	f.take(agreed)
}

// hears waits for the tone of whom it speaks with, in a codec.
func (f *follower) hears(hz float64, in codec.Codec) {
	f.t.Helper()
	from := f.ear.samples(in)
	var got []caller.Tone
	await(f.t, "a tone at the far end", func() bool {
		f.ear.mu.Lock()
		defer f.ear.mu.Unlock()
		got = caller.Tones(f.ear.pcm[in.PayloadType][from:], pitches, 60*time.Millisecond, 60*time.Millisecond)
		return len(got) > 0 && got[0].Duration >= 200*time.Millisecond
	})
	if len(got) != 1 || got[0].Hz != hz {
		f.t.Errorf("%v Hz hears %v in %s, want %v Hz", f.hz, got, in.Name, hz)
	}
}

// hearsNothing waits until audio has stayed away for as long as several packets take.
func (f *follower) hearsNothing() {
	f.t.Helper()
	heard := func() int { return f.ear.samples(codec.PCMU) + f.ear.samples(codec.PCMA) }
	last, since := heard(), time.Now()
	await(f.t, "silence at the far end", func() bool {
		if n := heard(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 200*time.Millisecond
	})
}

// redirected has two far ends speak with each other past the platform.
func (r *rig) redirected(t *testing.T, ann, bob *follower) {
	t.Helper()
	to := "sip:bob@" + serveAgent(t, bob).Addrs()[0].String() + ";transport=tcp"
	r.transferring(`<transfer name="t" type="bridge" method="mediaredirect" dest="` + to + `">`)
	d, err := r.agent.Invite(t.Context(), sip.Outgoing{To: r.target(), Offer: sdp.Offer(ann.local)})
	if err != nil {
		t.Fatal(err)
	}
	ann.dialog = d
	go ann.serve()
	for one, other := range map[*follower]*follower{ann: bob, bob: ann} {
		await(t, "the far ends to speak with each other", func() bool {
			one.mu.Lock()
			defer one.mu.Unlock()
			return one.to == other.local.Addr
		})
	}
}

// leave hangs up, and waits for the end of both calls.
func (f *follower) leave(other *follower) {
	f.t.Helper()
	if err := f.dialog.Bye(context.WithoutCancel(f.t.Context()), nil); err != nil {
		f.t.Error(err)
	}
	<-f.over
	<-other.over
}

// TestRedirectedEndsHoldAndChange has two far ends, whose audio bypasses the platform,
// hold each other, resume, and change to another codec: each hears the other's tone
// when, and in what codec, that is agreed on, and never by way of the platform.
func TestRedirectedEndsHoldAndChange(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ann, bob := newFollower(t, 400), newFollower(t, 700)
	r.redirected(t, ann, bob)
	spoken := codec.PCMU
	talk := func() { ann.hears(700, spoken); bob.hears(400, spoken) }
	talk()
	for one, other := range map[*follower]*follower{ann: bob, bob: ann} {
		one.offers(sdp.SendOnly, spoken)
		one.hearsNothing()
		other.hears(one.hz, spoken)
		one.offers(sdp.Inactive, spoken)
		one.hearsNothing()
		other.hearsNothing()
		one.offers(sdp.SendRecv, spoken)
		talk()
		spoken = map[uint8]codec.Codec{0: codec.PCMA, 8: codec.PCMU}[spoken.PayloadType]
		one.offers(sdp.SendRecv, spoken)
		talk()
	}
	ann.leave(bob)
	for _, leg := range r.record(1).Media {
		if leg.Received.Packets > 50 {
			t.Errorf("%d packets came to the platform on leg %s", leg.Received.Packets, leg.Name)
		}
	}
	r.nothingLeft()
}

// TestRedirectedAudioComesBack has one far end change to a codec that the other does
// not have while their audio bypasses the platform: they go on talking through it.
func TestRedirectedAudioComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ann, bob := newFollower(t, 400), newFollower(t, 700)
	bob.local.Codecs = sdp.DefaultCodecs()[:1]
	r.redirected(t, ann, bob)
	ann.hears(700, codec.PCMU)
	bob.hears(400, codec.PCMU)
	ann.offers(sdp.SendRecv, codec.PCMA)
	ann.hears(700, codec.PCMA)
	bob.hears(400, codec.PCMU)
	ann.leave(bob)
	for _, leg := range r.record(1).Media {
		if leg.Received.Packets < 10 {
			t.Errorf("%d packets came to the platform on leg %s", leg.Received.Packets, leg.Name)
		}
	}
	r.nothingLeft()
}
