package e2e

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/codec"
	"mcp/control/media/resample"
	"mcp/control/media/rtpstream"
	"mcp/control/node"
	"mcp/control/sdp"
	"mcp/control/sip"
	"mcp/speech/nexus/nexustest"
)

// wide is a caller who speaks G.722 alone.
type wide struct {
	t    *testing.T
	conn *net.UDPConn
	to   netip.AddrPort

	mu    sync.Mutex
	heard []int16 // at 16 kHz
}

// listen decodes what comes until the socket is closed.
func (w *wide) listen() {
	d, err := codec.NewDecoder(codec.G722)
	if err != nil {
		w.t.Error(err)
		return
	}
	var buf [2048]byte
	for {
		n, _, err := w.conn.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			return
		}
		h, ok := rtpstream.Parse(buf[:n])
		if !ok || h.Type != codec.G722.PayloadType {
			continue
		}
		w.mu.Lock()
		w.heard, err = d.Decode(w.heard, buf[rtpstream.HeaderLength:n])
		w.mu.Unlock()
		if err != nil {
			w.t.Error(err)
		}
	}
}

// untilQuiet waits until somebody was heard and has stopped.
func (w *wide) untilQuiet() {
	last, since := 0, time.Now()
	await(w.t, "the prompt to be heard", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.heard) != last {
			last, since = len(w.heard), time.Now()
		}
		return last > 8000 && time.Since(since) > time.Second
	})
}

// say sends samples at 16 kHz in their time.
func (w *wide) say(pcm []int16) {
	e, err := codec.NewEncoder(codec.G722)
	if err != nil {
		w.t.Fatal(err)
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	h := rtpstream.Header{Type: codec.G722.PayloadType, SSRC: 4711}
	for ; len(pcm) >= 320; pcm = pcm[320:] {
		h.Sequence++
		packet, err := e.Encode(h.Append(nil), pcm[:320])
		if err != nil {
			w.t.Fatal(err)
		}
		h.Timestamp += 160
		if _, err := w.conn.WriteToUDPAddrPort(packet, w.to); err != nil {
			w.t.Error(err)
		}
		<-ticker.C
	}
}

// TestWidebandCaller lets a caller that speaks nothing but G.722 hear the speech
// server, which speaks G.711, and be recorded.
func TestWidebandCaller(t *testing.T) {
	r := newRig(t, func(c *node.Config) { c.Media.Codecs = []string{"G722", "PCMU"} })
	r.pages.page("/main.vxml", `<form><record name="r" finalsilence="1s" type="audio/x-wav"><prompt>one two three</prompt><filled>
		<submit next="/end" method="post" enctype="multipart/form-data" namelist="r"/></filled></record></form>`)
	got := r.receive("/end")
	w, dialog := r.callWide()
	said := resample.Whole(r.speech.engine.Beeps(5), 8000, 16000)
	w.untilQuiet()
	w.say(said)
	w.say(make([]int16, 3*16000))
	for range dialog.Events() {
	}
	r.wantBeeps(got.audio)
	w.mu.Lock()
	defer w.mu.Unlock()
	prompt := resample.Whole(w.heard, 16000, 8000)
	wantHeard(t, "the prompt", r.speech.engine.Beeps(3)[:4800], prompt)
	if _, err := audiofile.Decode("", got.audio); err != nil {
		t.Error(err)
	}
	r.nothingLeft()
}

// eventsNone offers no telephone-event.
const eventsNone = -1

// callWide places a call that speaks nothing but G.722.
func (r *rig) callWide() (*wide, *sip.Dialog) {
	t := r.t
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	w := &wide{t: t, conn: conn}
	var listening sync.WaitGroup
	listening.Go(w.listen)
	t.Cleanup(func() {
		_ = conn.Close()
		listening.Wait()
	})
	local := sdp.Local{
		Addr:   conn.LocalAddr().(*net.UDPAddr).AddrPort(),
		Codecs: []sdp.Codec{{Name: "G722", PayloadType: 9, ClockRate: 8000}}, Events: eventsNone, Direction: sdp.SendRecv, SessionID: 1, Version: 1,
	}
	dialog, err := r.agent.Invite(t.Context(), sip.Outgoing{To: r.target(), Offer: sdp.Offer(local)})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := sdp.Parse(dialog.RemoteSDP())
	if err != nil {
		t.Fatal(err)
	}
	w.to = answer.Audio.RTP
	return w, dialog
}

// TestWidebandCallersReachEveryEngine lets such a caller hear and be heard by engines
// that have the call's audio over connections of their own, in G.711.
func TestWidebandCallersReachEveryEngine(t *testing.T) {
	for name, add := range map[string]func(*testing.T) func(*node.Config){
		"google": func(t *testing.T) func(*node.Config) {
			_, _, add := withGoogle(t, "Yes.")
			return func(c *node.Config) { add(c); c.Speech.ASR, c.Speech.TTS = "google", "google" }
		},
		"nexus": func(t *testing.T) func(*node.Config) {
			_, add := withBot(t, nexustest.Config{}, "yes")
			return add
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := add(t)
			r := newRig(t, func(c *node.Config) { change(c); c.Media.Codecs = []string{"G722", "PCMU"} })
			prompt := map[string]string{"google": "<prompt>one two three</prompt>"}[name]
			r.pages.page("/main.vxml", `<form><field name="f">`+prompt+voiceGrammar+`<filled><submit next="/end.vxml" namelist="f"/></filled></field></form>`)
			r.pages.page("/end.vxml", `<form><block><exit/></block></form>`)
			w, dialog := r.callWide()
			w.untilQuiet()
			w.say(resample.Whole(r.speech.engine.Beeps(2), 8000, 16000))
			w.say(make([]int16, 2*16000))
			for range dialog.Events() {
			}
			if asked := r.pages.requests(); asked[len(asked)-1] != "/end.vxml?f=yes" {
				t.Errorf("pages asked for: %v", asked)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			loud := 0
			for _, sample := range w.heard {
				if sample > 1000 || sample < -1000 {
					loud++
				}
			}
			if loud < 4800 { // of three beeps or more, 150 ms each
				t.Errorf("the caller heard %d loud samples", loud)
			}
			r.nothingLeft()
		})
	}
}
