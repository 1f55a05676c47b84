package e2e

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// wanderer is a caller who changes the codec and the address of its audio in mid-call.
type wanderer struct {
	t      *testing.T
	dialog *sip.Dialog
	ear    *ear             // where it listens now
	spoken codec.Codec      // of its latest offer
	to     netip.AddrPort   // of the platform
	stream rtpstream.Header // one stream all the time
	offers uint64
}

// ear is a socket that decodes what comes, by payload type.
type ear struct {
	conn *net.UDPConn
	done sync.WaitGroup
	mu   sync.Mutex
	pcm  map[uint8][]int16
}

func newEar(t *testing.T, host string) *ear {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), 0)))
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{conn: conn, pcm: map[uint8][]int16{}}
	e.done.Go(func() { e.listen(t) })
	t.Cleanup(func() { _ = conn.Close(); e.done.Wait() })
	return e
}

func (e *ear) listen(t *testing.T) {
	var buf [2048]byte
	for {
		n, _, err := e.conn.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			return
		}
		h, ok := rtpstream.Parse(buf[:n])
		spoken := map[uint8]codec.Codec{0: codec.PCMU, 8: codec.PCMA}[h.Type]
		if !ok || spoken.Name == "" {
			continue
		}
		d, err := codec.NewDecoder(spoken)
		if err != nil {
			t.Error(err)
			return
		}
		e.mu.Lock()
		if e.pcm[h.Type], err = d.Decode(e.pcm[h.Type], buf[rtpstream.HeaderLength:n]); err != nil {
			t.Error(err)
		}
		e.mu.Unlock()
	}
}

// samples counts what was heard in a codec.
func (e *ear) samples(in codec.Codec) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.pcm[in.PayloadType])
}

// offer describes the wanderer in a codec.
func (w *wanderer) offer(in codec.Codec) sdp.Local {
	w.spoken = in
	w.offers++
	return sdp.Local{
		Addr:   w.ear.conn.LocalAddr().(*net.UDPAddr).AddrPort(),
		Codecs: []sdp.Codec{{Name: in.Name, PayloadType: in.PayloadType, ClockRate: in.ClockRate}}, Events: eventsNone,
		Direction: sdp.SendRecv, SessionID: 1, Version: w.offers,
	}
}

// agree takes the platform's answer.
func (w *wanderer) agree(offered sdp.Local, answer []byte) {
	w.t.Helper()
	session, err := sdp.Parse(answer)
	if err != nil {
		w.t.Fatal(err)
	}
	agreed, err := sdp.Negotiate(offered, session)
	if err != nil || agreed.Codec.PayloadType != w.spoken.PayloadType {
		w.t.Fatalf("agreed on %+v: %v", agreed, err)
	}
	w.to = agreed.Remote
}

// wander calls the platform in PCMU.
func (r *rig) wander(t *testing.T) *wanderer {
	w := &wanderer{t: t, ear: newEar(t, "127.0.0.1"), stream: rtpstream.Header{SSRC: 4711}}
	local := w.offer(codec.PCMU)
	d, err := r.agent.Invite(t.Context(), sip.Outgoing{To: r.target(), Offer: sdp.Offer(local)})
	if err != nil {
		t.Fatal(err)
	}
	w.dialog = d
	w.agree(local, d.RemoteSDP())
	return w
}

// move sends a re-INVITE, which must be accepted. Where the audio went until then
// nothing must come any more, but for what is on its way.
func (w *wanderer) move(in codec.Codec, to *ear) {
	w.t.Helper()
	left, was := w.ear, w.spoken
	if to != nil {
		w.ear = to
	}
	local := w.offer(in)
	answer, err := w.dialog.Reinvite(w.t.Context(), sip.Change{Offer: sdp.Offer(local)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.agree(local, answer)
	late := left.samples(was)
	w.t.Cleanup(func() {
		if n := left.samples(was) - late; n > 5*160 {
			w.t.Errorf("%d samples of %s came to %s after it was left", n, was.Name, left.conn.LocalAddr())
		}
	})
}

// say speaks in time.
func (w *wanderer) say(hz float64) {
	w.t.Helper()
	e, err := codec.NewEncoder(w.spoken)
	if err != nil {
		w.t.Fatal(err)
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	pcm := append(caller.Hum(hz, 300*time.Millisecond), make([]int16, 1600)...)
	for ; len(pcm) >= 160; pcm = pcm[160:] {
		w.stream.Type = w.spoken.PayloadType
		packet, err := e.Encode(w.stream.Append(nil), pcm[:160])
		if err != nil {
			w.t.Fatal(err)
		}
		w.stream.Sequence++
		w.stream.Timestamp += 160
		if _, err := w.ear.conn.WriteToUDPAddrPort(packet, w.to); err != nil {
			w.t.Error(err)
		}
		<-ticker.C
	}
}

// hears waits until a tone, and nothing else, is heard in the codec of the latest offer
// where that says.
func (w *wanderer) hears(hz float64) {
	w.t.Helper()
	var got []caller.Tone
	from := w.ear.samples(w.spoken)
	await(w.t, "what the caller is to hear", func() bool {
		w.ear.mu.Lock()
		defer w.ear.mu.Unlock()
		got = caller.Tones(w.ear.pcm[w.spoken.PayloadType][from:], pitches, 60*time.Millisecond, 60*time.Millisecond)
		return len(got) > 0 && got[0].Duration >= 200*time.Millisecond
	})
	if len(got) != 1 || got[0].Hz != hz {
		w.t.Errorf("the caller heard %v in %s at %s, want %v Hz", got, w.spoken.Name, w.ear.conn.LocalAddr(), hz)
	}
}

// changes are the re-INVITEs of both tests, each followed by a check.
func (w *wanderer) changes(check func()) {
	check()
	w.move(codec.PCMA, nil) // another codec
	check()
	w.move(codec.PCMA, newEar(w.t, "127.0.0.2")) // another address and port
	check()
	w.move(codec.PCMU, newEar(w.t, "127.0.0.1")) // both
	check()
}

// TestReinvitesInAPrompt changes codec, address and both while a prompt plays.
func TestReinvitesInAPrompt(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	r.pages.page("/main.vxml", `<form><block><prompt><audio src="/400/10s"/></prompt></block></form>`)
	w := r.wander(t)
	w.changes(func() { w.hears(400) })
	if err := w.dialog.Bye(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if leg := r.record(1).Media[0]; leg.Name != "caller" || leg.Received.Packets != 0 || leg.Sent.Packets < 40 {
		t.Errorf("record: %+v", leg)
	}
	r.nothingHeld()
}

// TestReinvitesInABridge changes codec, address and both while two talk: each hears the
// other all along, whether their codecs agree or not.
func TestReinvitesInABridge(t *testing.T) {
	r := newRig(t, nil)
	b := newBob(t, "say hum 700 20s; await")
	r.transferring(`<transfer name="t" type="bridge" dest="` + b.uri() + `">`)
	w := r.wander(t)
	said := []float64{400, 1000, 1300, 1600}
	next := 0
	w.changes(func() {
		w.hears(700)
		w.say(said[next])
		next++
	})
	if err := w.dialog.Bye(context.WithoutCancel(t.Context()), nil); err != nil {
		t.Error(err)
	}
	// A busy machine may speak with gaps.
	if summary := b.last(); !slices.Equal(slices.Compact(heard(summary)), said) {
		t.Errorf("bob heard %v, want %v", tones(summary), said)
	}
	for _, leg := range r.record(1).Media {
		if n := leg.Sent.Relayed; r.cfg.Media.Plane != "socket" && (n < 20 || n+20 > leg.Sent.Packets) {
			t.Errorf("leg %s: %d of %d packets sent were relayed, which half of the codecs allow", leg.Name, n, leg.Sent.Packets)
		}
	}
	r.nothingHeld()
}

// TestReinvitesOnTheKernel runs both again on the XDP plane.
func TestReinvitesOnTheKernel(t *testing.T) {
	t.Parallel()
	passOnKernel(t, "^TestReinvitesIn", "TestReinvitesInAPrompt", "TestReinvitesInABridge")
}
