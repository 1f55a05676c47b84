package mrcp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"
	"go.uber.org/goleak"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/v1"
	"mcp/speech/mrcp/v2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait; the machine may be busy.
const patience = 30 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func testLog(t *testing.T) *slog.Logger {
	if os.Getenv("MRCP_LOG") != "" {
		return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

// rig is a client with its server.
type rig struct {
	engine *mrcptest.Canned
	server *mrcptest.Server
	dialer *mrcptest.Dialer
	client *mrcp.Client
}

// version is a version of the protocol.
type version int

const (
	version1 version = 1
	version2 version = 2
)

// eachVersion runs a test over both carriages, beside each other.
func eachVersion(t *testing.T, test func(*testing.T, version)) {
	for _, v := range []version{version1, version2} {
		t.Run(fmt.Sprintf("MRCPv%d", v), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

// newRig is a client with its server that speak this version.
func (v version) newRig(t *testing.T, cfg mrcp.Config, hears ...string) *rig {
	t.Helper()
	if v == version2 {
		return newRig(t, cfg, hears...)
	}
	return newRigOver1(t, cfg, v1.Config{}, hears...)
}

func newRigOver1(t *testing.T, cfg mrcp.Config, carried v1.Config, hears ...string) *rig {
	t.Helper()
	return newRigOf(t, mrcptest.Config{RTSP: true}, hears, func(r *rig) {
		cfg.Servers = []mrcp.Server{{URI: r.server.URI()}}
		r.client = mrcp.NewClient(cfg, v1.New(carried, testLog(t)), testLog(t))
	})
}

func quickTimeouts() line.Timeouts {
	const ms = time.Millisecond
	return line.Timeouts{NoInput: 10 * time.Second, Complete: 400 * ms, Incomplete: 700 * ms, MaxSpeech: 5 * time.Second}
}

func newRig(t *testing.T, cfg mrcp.Config, hears ...string) *rig {
	t.Helper()
	return newRigOver(t, cfg, v2.Config{}, hears...)
}

func newRigOver(t *testing.T, cfg mrcp.Config, carried v2.Config, hears ...string) *rig {
	t.Helper()
	return newRigOf(t, mrcptest.Config{}, hears, func(r *rig) {
		if len(cfg.Servers) == 0 {
			cfg.Servers = []mrcp.Server{{URI: "sip:mresources@127.0.0.1"}}
		}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		r.client = mrcp.NewClient(cfg, v2.New(carried, r.dialer, testLog(t)), testLog(t))
	})
}

// newRigWithSpare is a rig whose client also has another's server, sip:second.
func newRigWithSpare(t *testing.T, cfg mrcp.Config) (r, spare *rig) {
	t.Helper()
	spare = newRig(t, mrcp.Config{})
	return newRigOf(t, mrcptest.Config{}, nil, func(r *rig) {
		r.dialer.Servers = map[string]*mrcptest.Server{"sip:second": spare.server}
		r.client = mrcp.NewClient(cfg, v2.New(v2.Config{}, r.dialer, testLog(t)), testLog(t))
	}), spare
}

// newRigOf is a rig whose client is made by connect.
func newRigOf(t *testing.T, served mrcptest.Config, hears []string, connect func(*rig)) *rig {
	t.Helper()
	r := &rig{engine: mrcptest.NewCanned(hears...)}
	served.Timeouts = quickTimeouts()
	var err error
	if r.server, err = mrcptest.NewServer(served, r.engine, testLog(t)); err != nil {
		t.Fatal(err)
	}
	r.dialer = &mrcptest.Dialer{Server: r.server}
	connect(r)
	t.Cleanup(func() {
		if err := errors.Join(r.client.Close(), r.server.Close()); err != nil {
			t.Error(err)
		}
		if n := r.server.Sessions() + r.server.Connections() + r.dialer.Dialogs() + r.client.Stats().Sessions + r.client.Stats().Connections; n != 0 {
			t.Errorf("left: %d sessions, %d connections, %d dialogs; client: %+v", r.server.Sessions(), r.server.Connections(), r.dialer.Dialogs(), r.client.Stats())
		}
	})
	return r
}

// caller is the far end of the audio: it counts what it hears and can speak.
type caller struct {
	socket  *net.UDPConn
	wg      sync.WaitGroup
	mu      sync.Mutex
	packets []rtp.Header
	seq     uint16
	stamp   uint32
}

func newCaller(t testing.TB) *caller {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{socket: socket}
	c.wg.Go(c.listen)
	t.Cleanup(c.close)
	return c
}

func (c *caller) close() {
	_ = c.socket.Close()
	c.wg.Wait()
}

func (c *caller) listen() {
	buffer := make([]byte, 2000)
	for {
		n, err := c.socket.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		var p rtp.Packet
		if err == nil && p.Unmarshal(buffer[:n]) == nil {
			c.mu.Lock()
			c.packets = append(c.packets, p.Header)
			c.mu.Unlock()
		}
	}
}

func (c *caller) heard() []rtp.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]rtp.Header(nil), c.packets...)
}

func (c *caller) media() speech.Media {
	return speech.Media{Addr: c.socket.LocalAddr().(*net.UDPAddr).AddrPort(), Events: 101, Codecs: []speech.Codec{
		{PayloadType: 8, Name: "PCMA", ClockRate: 8000}, {PayloadType: 0, Name: "PCMU", ClockRate: 8000}}}
}

// say sends audio in real time.
func (c *caller) say(t testing.TB, to netip.AddrPort, pcm []int16) {
	ticker := time.NewTicker(line.Frame)
	defer ticker.Stop()
	for ; len(pcm) >= line.FrameSamples; pcm = pcm[line.FrameSamples:] {
		<-ticker.C
		payload := make([]byte, line.FrameSamples)
		for i := range payload {
			payload[i] = g711.EncodeAlawFrame(pcm[i])
		}
		raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8, SequenceNumber: c.seq, Timestamp: c.stamp, SSRC: 7}, Payload: payload}).Marshal()
		if err != nil {
			t.Error(err)
			return
		}
		c.seq++
		c.stamp += line.FrameSamples
		if _, err := c.socket.WriteToUDPAddrPort(raw, to); err != nil {
			t.Error(err)
			return
		}
	}
}

func open(t testing.TB, ctx context.Context, client *mrcp.Client, c *caller) speech.Session {
	t.Helper()
	s, err := client.Open(ctx, c.media())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wait(t testing.TB, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: nothing happened", what)
	}
}

// eventually polls, where there is nothing to wait for.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not happen", what)
		}
	}
}

func ssml(text string) string {
	return `<?xml version="1.0"?><speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">` + text + `</speak>`
}

func yesNo() speech.Grammar {
	return speech.Grammar{ID: "yesno", MediaType: "application/srgs+xml", Content: []byte(`<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" root="r"><rule id="r">yes</rule></grammar>`)}
}

func TestSpeakAndRecognize(t *testing.T) { eachVersion(t, testSpeakAndRecognize) }

func testSpeakAndRecognize(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{}, "yes")
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	if m := s.Media(); m.Codecs[0].Name != "PCMA" || !m.Addr.IsValid() || m.Events != 101 {
		t.Errorf("media %+v", m)
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("one two three"), Language: "en-US", Voice: "v", Vendor: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	if sp.Err() != nil || strings.Join(r.engine.Said(), "|") != "one two three" {
		t.Errorf("%v, said %q", sp.Err(), r.engine.Said())
	}
	eventually(t, "30 packets", func() bool { return len(far.heard()) == 30 })
	checkStream(t, far.heard(), 8)

	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}, Language: "en-US", Confidence: 0.5, NBest: 2, StartTimers: true})
	if err != nil {
		t.Fatal(err)
	}
	far.say(t, s.Media().Addr, r.engine.Beeps(2))
	wait(t, rec.Started(), "start of input")
	wait(t, rec.Done(), "result")
	result, err := rec.Result()
	if err != nil || result.Outcome != speech.Match || len(result.Alternatives) != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if a := result.Alternatives[0]; a.GrammarID != "yesno" || a.Utterance != "yes" || a.Instance != "yes" || a.Confidence != 0.9 || a.Mode != "voice" {
		t.Errorf("%+v", a)
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	wait(t, s.Done(), "close")
	if v == version2 && r.dialer.Byes() != 1 {
		t.Errorf("%d BYEs", r.dialer.Byes())
	}
	if _, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")}); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("speak after close: %v", err)
	}
}

// checkStream wants one SSRC, no gap in the sequence, time that never goes back.
func checkStream(t *testing.T, packets []rtp.Header, payloadType uint8) {
	t.Helper()
	for i, p := range packets {
		if p.PayloadType != payloadType || i == 0 && !p.Marker {
			t.Errorf("packet %d: %+v", i, p)
		}
		if i == 0 {
			continue
		}
		if before := packets[i-1]; p.SSRC != before.SSRC || p.SequenceNumber != before.SequenceNumber+1 || p.Timestamp-before.Timestamp < line.FrameSamples || p.Timestamp-before.Timestamp > 1<<20 {
			t.Errorf("packet %d: %+v after %+v", i, p, before)
		}
	}
}

func TestBargeIn(t *testing.T) { eachVersion(t, testBargeIn) }

func testBargeIn(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{}, "yes")
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml(strings.Repeat("word ", 100))})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "speech", func() bool { return len(far.heard()) > 3 })
	far.say(t, s.Media().Addr, r.engine.Beeps(2))
	wait(t, sp.Done(), "end of speech")
	if err := sp.Err(); err != nil {
		t.Errorf("barged in with %v", err)
	}
	if err := sp.BargeIn(ctx); err != nil {
		t.Errorf("barge-in after the fact: %v", err)
	}
	wait(t, rec.Done(), "result")
	if result, err := rec.Result(); err != nil || result.Outcome != speech.Match {
		t.Errorf("%+v, %v", result, err)
	}
	before := len(far.heard())
	if before > 90 {
		t.Errorf("%d packets although barged in", before)
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestNoBargeInGoesOn(t *testing.T) { eachVersion(t, testNoBargeInGoesOn) }

func testNoBargeInGoesOn(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{}, "yes")
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml(strings.Repeat("word ", 100)), NoBargeIn: true})
	if err != nil {
		t.Fatal(err)
	}
	far.say(t, s.Media().Addr, r.engine.Beeps(2))
	wait(t, rec.Done(), "result")
	select {
	case <-sp.Done():
		t.Error("the speech was interrupted")
	default:
	}
	// Asked to, it stops even so: BARGE-IN-OCCURRED does nothing, STOP follows.
	if err := sp.BargeIn(ctx); err != nil || sp.Err() != nil {
		t.Errorf("%v, %v", err, sp.Err())
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestStopSpeechAndSpeakAgain(t *testing.T) { eachVersion(t, testStopSpeechAndSpeakAgain) }

func testStopSpeechAndSpeakAgain(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{})
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	for range 20 {
		sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml(strings.Repeat("word ", 100))})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")}); err == nil {
			t.Error("two speeches at a time")
		}
		go func() { _ = sp.Stop(ctx) }()
		wait(t, sp.Done(), "stop")
		if err := sp.Stop(ctx); err != nil || sp.Err() != nil {
			t.Errorf("%v, %v", err, sp.Err())
		}
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// hearer begins recognitions and checks their outcomes.
type hearer struct {
	t   *testing.T
	ctx context.Context
	s   speech.Session
}

func (h hearer) begin(change func(*speech.Recognition)) speech.Recognizing {
	h.t.Helper()
	recognition := speech.Recognition{Grammars: []speech.Grammar{yesNo()}, StartTimers: true}
	change(&recognition)
	rec, err := h.s.Recognize(h.ctx, recognition)
	if err != nil {
		h.t.Fatal(err)
	}
	return rec
}

func (h hearer) outcome(rec speech.Recognizing, want speech.Outcome) {
	h.t.Helper()
	wait(h.t, rec.Done(), "result")
	if result, err := rec.Result(); err != nil || result.Outcome != want {
		h.t.Errorf("%+v, %v; want outcome %d", result, err, want)
	}
}

func TestOutcomes(t *testing.T) { eachVersion(t, testOutcomes) }

func testOutcomes(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{}, "", "yes", "yes")
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	h := hearer{t, ctx, s}
	h.outcome(h.begin(func(n *speech.Recognition) { n.NoInput = 300 * time.Millisecond }), speech.NoInput)

	rec := h.begin(func(*speech.Recognition) {})
	far.say(t, s.Media().Addr, r.engine.Beeps(1))
	h.outcome(rec, speech.NoMatch)

	rec = h.begin(func(n *speech.Recognition) { n.Confidence = 0.95 })
	far.say(t, s.Media().Addr, r.engine.Beeps(1))
	h.outcome(rec, speech.NoMatch)

	rec = h.begin(func(n *speech.Recognition) { n.MaxSpeech = 500 * time.Millisecond })
	far.say(t, s.Media().Addr, r.engine.Beeps(5))
	h.outcome(rec, speech.Match) // success-maxtime

	rec = h.begin(func(n *speech.Recognition) { n.MaxSpeech = 500 * time.Millisecond })
	far.say(t, s.Media().Addr, r.engine.Beeps(5))
	h.outcome(rec, speech.TooMuchSpeech)

	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestTimersAndStop(t *testing.T) { eachVersion(t, testTimersAndStop) }

func testTimersAndStop(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{})
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	h := hearer{t, ctx, s}
	// The no-input timer does not run before it is started.
	rec := h.begin(func(n *speech.Recognition) { n.StartTimers, n.NoInput = false, 100*time.Millisecond })
	far.say(t, s.Media().Addr, make([]int16, 4000))
	select {
	case <-rec.Done():
		t.Error("no-input before the timer was started")
	default:
	}
	if err := rec.StartTimers(ctx); err != nil {
		t.Error(err)
	}
	h.outcome(rec, speech.NoInput)
	if err := rec.StartTimers(ctx); err != nil {
		t.Errorf("timers after the end: %v", err)
	}

	rec = h.begin(func(*speech.Recognition) {})
	if _, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}}); err == nil {
		t.Error("two recognitions at a time")
	}
	if err := rec.Stop(ctx); err != nil {
		t.Error(err)
	}
	if _, err := rec.Result(); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("result after stop: %v", err)
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestFailures(t *testing.T) { eachVersion(t, testFailures) }

func testFailures(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{})
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	var failure *mrcp.Failure
	if _, err := s.Speak(ctx, speech.Utterance{SSML: "<speak>"}); !errors.As(err, &failure) || failure.Status != 407 || failure.Cause != "002 parse-failure" {
		t.Errorf("malformed ssml: %v", err)
	}
	if _, err := s.Speak(ctx, speech.Utterance{}); err == nil {
		t.Error("nothing to say was said")
	}
	if _, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{{URI: "http://127.0.0.1:1/none.grxml"}}}); !errors.Is(err, speech.ErrFetch) {
		t.Errorf("unreachable grammar: %v", err)
	}
	if _, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{{URI: "session:nothing@here"}}}); !errors.Is(err, speech.ErrGrammar) {
		t.Errorf("undefined grammar: %v", err)
	}
	if _, err := s.Recognize(ctx, speech.Recognition{}); err == nil {
		t.Error("recognizes without a grammar")
	}
	// After all of that the session is as good as new.
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("fine")})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}
