package siprec

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/rtpstream"
	"mcp/control/media/socket"
	"mcp/control/media/tone"
	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/service/siprec/siprectest"
	"mcp/control/sip"
)

// active is how many calls are being recorded.
func active(b *bench) float64 { return testutil.ToFloat64(b.client.metrics.active) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// bench is a platform whose calls are recorded, and a caller that says 440 Hz and is
// told 1000 Hz.
type bench struct {
	*testing.T
	client *Client
	server *call.Server
	caller *sip.Agent
	target string
	served func(context.Context, *call.Call) // while the call is up
}

type program struct {
	b *bench
	c *call.Call
}

func (b *bench) Name() string                              { return "scripted" }
func (b *bench) Select(call.Identity) (call.Choice, error) { return call.Choice{Service: b}, nil }
func (b *bench) Prepare(_ context.Context, c *call.Call) (call.Program, error) {
	return program{b, c}, nil
}

func (p program) Application() string { return "test" }

func (p program) Run(ctx context.Context) call.Ending {
	clip, err := media.NewClip(tone.PCM(8000, tone.Part{Hz: []float64{1000}, Level: -10, For: time.Second}), p.c.Codec())
	if err != nil {
		p.b.Error(err)
	}
	if _, err := p.c.Media().PlayWith(p.c.Caller(), clip, media.PlayOptions{Repeat: 1000}); err != nil {
		p.b.Error(err)
	}
	if p.b.served != nil {
		p.b.served(ctx, p.c)
	}
	select {
	case <-p.c.HungUp():
	case <-ctx.Done():
	}
	return call.Ending{Cause: reporting.Completed}
}

type noRecords struct{}

func (noRecords) Record(context.Context, *reporting.Record) error { return nil }
func (noRecords) Check(context.Context) error                     { return nil }
func (noRecords) Begin(*reporting.Record) *reporting.Trail        { return nil }
func (noRecords) Serve(*reporting.Record)                         {}
func (noRecords) Answered(*reporting.Record)                      {}

func newBench(t *testing.T, c Config) *bench {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	plane := socket.New("test", log)
	engine, err := media.NewEngine(media.Config{PortMin: 20000, PortMax: 45000}, plane, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(engine.Close(), plane.Close()); err != nil {
			t.Error(err)
		}
	})
	b := &bench{T: t}
	outward := b.agent(sip.Nobody{}, log)
	c.Codecs = sdp.DefaultCodecs()
	b.client = New(c, outward, log)
	t.Cleanup(func() { _ = b.client.Close() })
	b.server = call.NewServer(call.Config{}, call.Parts{
		Engine: engine, Selector: b, Recorder: noRecords{}, Dialler: outward, Recordings: []call.Recordings{b.client}, Log: log,
	})
	b.caller = b.agent(sip.Nobody{}, log)
	b.target = "sip:ivr@" + b.agent(b.server, log).Addrs()[0].String() + ";transport=tcp"
	return b
}

func (b *bench) agent(h sip.Handler, log *slog.Logger) *sip.Agent {
	a, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}, T1: 50 * time.Millisecond}, log)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() { _ = a.Serve(ctx, h) })
	b.Cleanup(func() { stop(); served.Wait() })
	return a
}

func (b *bench) srs(o siprectest.Options) *siprectest.Server {
	s, err := siprectest.Start(o, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// placed is a call to the platform.
type placed struct {
	*sip.Dialog
	over chan struct{} // closed once it is
}

// dial calls the platform and speaks until the call is over.
func (b *bench) dial() (*placed, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d, err := b.caller.Invite(ctx, sip.Outgoing{To: b.target, From: "sip:alice@example.com", Offer: sdp.Offer(sdp.Local{
		Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: sdp.DefaultCodecs(), SessionID: 1, Version: 1,
	}), Headers: map[string]string{"X-Genesys-CallUUID": "00AB", "Session-ID": "ab30317f1a784dc48ff824d0d3715d86"}})
	if err != nil {
		conn.Close()
		return nil, err
	}
	answer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		b.Fatal(err)
	}
	var speaking sync.WaitGroup
	over := make(chan struct{})
	speaking.Go(func() { speak(conn, answer.Audio.RTP, over) })
	speaking.Go(func() {
		for range d.Events() {
		}
		close(over)
	})
	b.Cleanup(func() { _ = d.Bye(context.Background(), nil); speaking.Wait() })
	return &placed{d, over}, nil
}

// speak says 440 Hz.
func speak(conn *net.UDPConn, to netip.AddrPort, over <-chan struct{}) {
	defer conn.Close()
	pcm := tone.PCM(8000, tone.Part{Hz: []float64{440}, Level: -10, For: time.Second})
	payload, _ := codec.PCMU.Encode(pcm) // a law is no reason to fail
	h := rtpstream.Header{SSRC: 7}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-over:
			return
		case <-tick.C:
			at := i % 50 * 160
			_, _ = conn.WriteToUDPAddrPort(append(h.Append(nil), payload[at:at+160]...), to)
			h.Sequence, h.Timestamp = h.Sequence+1, h.Timestamp+160
		}
	}
}

func (b *bench) session(s *siprectest.Server) *siprectest.Session {
	b.Helper()
	select {
	case r := <-s.Sessions():
		return r
	case <-time.After(patience):
		b.Fatal("the recording server is not called")
		return nil
	}
}

// eventually waits for what comes in its own time.
func (b *bench) eventually(what string, there func() bool) {
	b.Helper()
	for end := time.Now().Add(patience); !there(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("waited in vain for %s", what)
		}
	}
}

// wantVoices holds a second of both streams to the caller's tone and the platform's.
func (b *bench) wantVoices(r *siprectest.Session) {
	b.Helper()
	for i, hz := range []float64{440, 1000} {
		s := r.Streams[i]
		n := len(s.Packets())
		b.eventually("a second of stream "+s.Label, func() bool { return len(s.Packets()) >= n+60 })
		pcm, err := s.PCM()
		if err != nil {
			b.Fatal(err)
		}
		pcm = pcm[len(pcm)-6400:]
		if there, other := measure.Tone(pcm, 8000, hz), measure.Tone(pcm, 8000, 1440-hz); there < -13 || there > -7 || other > -35 {
			b.Errorf("stream %s: %.1f dBm0 at %g Hz and %.1f at %g Hz", s.Label, there, hz, other, 1440-hz)
		}
	}
}

func TestACallIsRecordedBySIPREC(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	srs := b.srs(siprectest.Options{})
	b.client.config.Server = srs.URI()
	private := make(chan bool)
	b.served = func(_ context.Context, c *call.Call) {
		for on := range private {
			c.Private(on)
		}
	}
	d, err := b.dial()
	if err != nil {
		t.Fatal(err)
	}
	r := b.session(srs)
	if got := r.Dialog.Header("Require"); len(got) != 1 || got[0] != "siprec" {
		t.Errorf("Require: %q", got)
	}
	if got := r.Dialog.Header("Contact"); len(got) != 1 || !contains(got[0], ";+sip.src") {
		t.Errorf("Contact: %q", got)
	}
	if got := r.Dialog.Header("X-Genesys-CallUUID"); len(got) != 1 || got[0] != "00AB" {
		t.Errorf("X-Genesys-CallUUID: %q", got)
	}
	if len(r.Streams) != 2 || r.Streams[0].Label != "1" || r.Streams[1].Label != "2" || r.Streams[0].Direction != "sendonly" || r.Streams[1].Direction != "sendonly" {
		t.Fatalf("streams %+v", r.Streams)
	}
	b.wantVoices(r)
	private <- true
	b.eventually("silence", func() bool { return quiet(t, r.Streams[0]) && quiet(t, r.Streams[1]) })
	private <- false
	b.wantVoices(r)
	close(private)
	if err := d.Bye(context.Background(), nil); err != nil {
		t.Error(err)
	}
	<-r.Ended
	if !r.HungUp() {
		t.Error("the recording session ends without BYE")
	}
	b.eventually("the count", func() bool {
		return testutil.ToFloat64(b.client.metrics.ended.WithLabelValues("completed")) == 1 && active(b) == 0
	})
	for _, s := range r.Streams { // one stream, without a jump
		packets := s.Packets()
		for i := 1; i < len(packets); i++ {
			if packets[i].SSRC != packets[0].SSRC || packets[i].SequenceNumber != packets[i-1].SequenceNumber+1 || int32(packets[i].Timestamp-packets[i-1].Timestamp) < 0 {
				t.Fatalf("stream %s: packet %d follows %+v: %+v", s.Label, i, packets[i-1].Header, packets[i].Header)
			}
		}
	}
}

// quiet tells whether the latest 100 ms are silence.
func quiet(t *testing.T, s *siprectest.Stream) bool {
	t.Helper()
	pcm, err := s.PCM()
	if err != nil {
		t.Fatal(err)
	}
	return len(pcm) > 800 && measure.Level(pcm[len(pcm)-800:]) < -60
}

// The product's active recording: two streams, and nothing of RFC 7866.
func TestACallIsRecordedPlainly(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Plain: true})
	srs := b.srs(siprectest.Options{Codec: codec.PCMA})
	b.client.config.Server = srs.URI()
	if _, err := b.dial(); err != nil {
		t.Fatal(err)
	}
	r := b.session(srs)
	if r.Dialog.Header("Require") != nil || contains(r.Dialog.Header("Contact")[0], "+sip.src") || len(r.Metadata()) != 0 || len(r.Streams) != 2 {
		t.Errorf("a plain call has %v, %d metadata, %d streams", r.Dialog.Headers(), len(r.Metadata()), len(r.Streams))
	}
	b.wantVoices(r)
	if r.Streams[0].Codec.Name != "PCMA" {
		t.Errorf("spoken is %s", r.Streams[0].Codec.Name)
	}
}

func TestServerForEachCall(t *testing.T) {
	t.Parallel()
	c := New(Config{Server: "sip:record={id}@rm:5060"}, nil, nil)
	if got := c.server("0190"); got != "sip:record=0190@rm:5060" {
		t.Error(got)
	}
}

// answering is somebody who takes every call.
type answering struct{}

func (answering) Invite(ctx context.Context, d *sip.Dialog) {
	if offer, err := sdp.Parse(d.RemoteSDP()); err == nil {
		answer, _, _ := sdp.Answer(offer, sdp.Local{Addr: netip.MustParseAddrPort("127.0.0.1:9"), SessionID: 2, Version: 1})
		_ = d.Answer(ctx, answer)
	}
	for range d.Events() {
	}
}

// Whoever is called besides, and leaves again, is told of.
func TestTheServerHearsOfParties(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Vital: true}) // the first metadata is out when the party is called
	srs := b.srs(siprectest.Options{})
	b.client.config.Server = srs.URI()
	bob := "sip:bob@" + b.agent(answering{}, slog.New(slog.DiscardHandler)).Addrs()[0].String() + ";transport=tcp"
	hangUp := make(chan struct{})
	b.served = func(_ context.Context, c *call.Call) {
		p, err := c.Dial(call.Destination{To: bob, Patience: patience})
		if err != nil {
			t.Error(err)
			return
		}
		<-p.Answered()
		<-hangUp
		p.HangUp()
		<-p.Gone()
	}
	if _, err := b.dial(); err != nil {
		t.Fatal(err)
	}
	r := b.session(srs)
	told := func() document {
		var d document
		all := r.Metadata()
		if err := xml.Unmarshal(all[len(all)-1], &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	b.eventually("who was called", func() bool { return len(told().Participants) == 3 })
	if d := told(); d.Participants[2].Name.AOR != bob || d.Presence[2].Until != "" || d.Presence[0].Until != "" {
		t.Errorf("%+v", d)
	}
	close(hangUp)
	b.eventually("that it has left", func() bool { return told().Presence[2].Until != "" })
}

// What a server does wrong harms no call.
func TestAServerThatFailsHarmsNoCall(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]siprectest.Options{
		"refuses": {Refuse: 403}, "is down": {Refuse: 503}, "says nothing": {Deaf: true}, "wants another codec": {Codec: codec.G722},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{Patience: 300 * time.Millisecond, Pause: time.Millisecond})
			b.client.config.Server = b.srs(o).URI()
			d, err := b.dial()
			if err != nil {
				t.Fatal(err)
			}
			least := 1.0
			if o.Refuse == 503 || o.Deaf {
				least = 2 // tries
			}
			b.eventually("the failures", func() bool { return testutil.ToFloat64(b.client.metrics.ended.WithLabelValues("failed")) >= least })
			if err := d.Bye(context.Background(), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCallsThatMustBeRecordedAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Vital: true})
	b.client.config.Server = b.srs(siprectest.Options{Refuse: 503}).URI()
	_, err := b.dial()
	var refused *sip.RejectedError
	if !errors.As(err, &refused) || refused.Status != 503 {
		t.Errorf("the call is answered: %v", err)
	}
}

func TestCallsThatMustBeRecordedEndWithTheirServer(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Vital: true})
	srs := b.srs(siprectest.Options{})
	b.client.config.Server = srs.URI()
	d, err := b.dial()
	if err != nil {
		t.Fatal(err)
	}
	r := b.session(srs)
	b.wantVoices(r)
	if err := r.Dialog.Bye(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-d.over:
	case <-time.After(patience):
		t.Error("the call goes on")
	}
}

// A server that hangs up is called again, and one that asks for it gets the metadata.
func TestARecordingIsResumed(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Pause: time.Millisecond})
	srs := b.srs(siprectest.Options{})
	b.client.config.Server = srs.URI()
	if _, err := b.dial(); err != nil {
		t.Fatal(err)
	}
	first := b.session(srs)
	if err := first.Dialog.Bye(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	second := b.session(srs)
	b.wantVoices(second)
	if err := second.AskForSnapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.eventually("the snapshot", func() bool { return len(second.Metadata()) == 2 })
	if _, err := second.Dialog.Reinvite(context.Background(), sip.Change{Offer: second.Offer("inactive")}); err != nil {
		t.Fatal(err)
	}
	n := len(second.Streams[0].Packets())
	if _, err := second.Dialog.Reinvite(context.Background(), sip.Change{Offer: second.Offer("recvonly")}); err != nil {
		t.Fatal(err)
	}
	b.eventually("audio after the hold", func() bool { return len(second.Streams[0].Packets()) > n+10 })
	if got := testutil.ToFloat64(b.client.metrics.ended.WithLabelValues("lost")); got != 1 {
		t.Errorf("%g sessions are lost", got)
	}
}
