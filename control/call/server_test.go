package call

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/media"
	"mcp/control/media/socket"
	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

var loopback = netip.MustParseAddr("127.0.0.1")

// bench is a platform with one service, and a caller's agent in front of it.
type bench struct {
	t       *testing.T
	server  *Server
	engine  *media.Engine
	caller  *sip.Agent
	target  string
	records chan *reporting.Record
	service *scripted
}

// scripted is a service that does what a test says.
type scripted struct {
	prepare func(context.Context, *Call) error
	run     func(context.Context, *Call) Ending
}

type scriptedProgram struct {
	service *scripted
	call    *Call
}

func (s *scripted) Name() string                    { return "scripted" }
func (s *scripted) Select(Identity) (Choice, error) { return Choice{Service: s}, nil }

func (s *scripted) Prepare(ctx context.Context, c *Call) (Program, error) {
	if s.prepare != nil {
		if err := s.prepare(ctx, c); err != nil {
			return nil, err
		}
	}
	return scriptedProgram{s, c}, nil
}

func (p scriptedProgram) Application() string            { return "test:script" }
func (p scriptedProgram) Run(ctx context.Context) Ending { return p.service.run(ctx, p.call) }

type recorderFunc func(*reporting.Record)

func (f recorderFunc) Record(_ context.Context, r *reporting.Record) error { f(r); return nil }
func (f recorderFunc) Check(context.Context) error                         { return nil }
func (f recorderFunc) Begin(*reporting.Record) *reporting.Trail            { return nil }
func (f recorderFunc) Serve(*reporting.Record)                             {}
func (f recorderFunc) Answered(*reporting.Record)                          {}

func newBench(t *testing.T, config Config, service *scripted) *bench {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	plane := socket.New("test", log)
	engine, err := media.NewEngine(media.Config{PortMin: 20000, PortMax: 45000}, plane, log)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, engine: engine, records: make(chan *reporting.Record, 256), service: service}
	b.server = NewServer(config, Parts{
		Engine: engine, Selector: service, Log: log,
		Recorder: recorderFunc(func(r *reporting.Record) { b.records <- r }),
	})
	platform := b.agent(b.server, log)
	b.caller = b.agent(sip.Nobody{}, log)
	b.target = "sip:ivr@" + platform.Addrs()[0].String() + ";transport=tcp"
	t.Cleanup(func() {
		if err := errors.Join(engine.Close(), plane.Close()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) agent(h sip.Handler, log *slog.Logger) *sip.Agent {
	a, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}, T1: 50 * time.Millisecond}, log)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		if err := a.Serve(ctx, h); err != nil && !errors.Is(err, context.Canceled) {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(func() { stop(); served.Wait() })
	return a
}

// offer is a caller's description; the port is never sent to.
func offer() []byte {
	return sdp.Offer(sdp.Local{
		Addr:   netip.AddrPortFrom(loopback, 9),
		Codecs: []sdp.Codec{{Name: "PCMU", PayloadType: 0, ClockRate: 8000}}, Events: 101,
		Ptime: 20 * time.Millisecond, Direction: sdp.SendRecv, SessionID: 1, Version: 1,
	})
}

func (b *bench) dial(body []byte) (*sip.Dialog, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.caller.Invite(ctx, sip.Outgoing{To: b.target, Offer: body})
}

func (b *bench) record() *reporting.Record {
	b.t.Helper()
	select {
	case r := <-b.records:
		return r
	case <-time.After(patience):
		b.t.Fatal("no call record")
		return nil
	}
}

// empty waits until nothing is left of any call.
func (b *bench) empty() {
	b.t.Helper()
	for deadline := time.Now().Add(patience); b.server.Active() > 0; {
		if time.Now().After(deadline) {
			b.t.Fatalf("%d calls are still there", b.server.Active())
		}
		time.Sleep(time.Millisecond)
	}
}

func untilHungUp(ctx context.Context, c *Call) Ending {
	select {
	case <-c.HungUp():
	case <-ctx.Done():
	}
	return Ending{Cause: reporting.Completed}
}

func TestServiceThatEndsHangsUp(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: func(context.Context, *Call) Ending {
		return Ending{Cause: reporting.Completed, Dialogue: &reporting.Dialogue{Pages: 1}}
	}})
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	for range d.Events() { // until the platform's BYE closes it
	}
	r := b.record()
	if r.End.Cause != reporting.Completed || r.End.By != reporting.Application || r.AnsweredAt == nil {
		t.Errorf("record %+v", r.End)
	}
	if len(r.Media) != 1 || r.Media[0].Name != "caller" || r.Media[0].Codec != "PCMU" || r.Media[0].Remote != "127.0.0.1:9" {
		t.Errorf("media %+v", r.Media)
	}
	if r.Application != "test:script" || r.Dialogue == nil || r.Dialogue.Pages != 1 {
		t.Errorf("application %q, dialogue %+v", r.Application, r.Dialogue)
	}
	b.empty()
}

func TestCallerHangsUp(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: untilHungUp})
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Bye(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if r := b.record(); r.End.Cause != reporting.HangUp || r.End.By != reporting.Caller {
		t.Errorf("record %+v", r.End)
	}
	b.empty()
}

func TestApplicationHangsUpAndGoesOn(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: func(ctx context.Context, c *Call) Ending {
		c.HangUp()
		<-c.HungUp()
		return Ending{Cause: reporting.Completed}
	}})
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	for range d.Events() {
	}
	if r := b.record(); r.End.Cause != reporting.Disconnected || r.End.By != reporting.Application {
		t.Errorf("record %+v", r.End)
	}
	b.empty()
}

// A caller whose audio stays away is gone, though its dialog is not.
func TestSilentCallerIsHungUpOn(t *testing.T) {
	b := newBench(t, Config{MediaTimeout: time.Second}, &scripted{run: untilHungUp})
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	var reason string
	for ev := range d.Events() {
		if bye, ok := ev.(sip.ByeReceived); ok {
			reason = strings.Join(bye.Reasons, ", ")
		}
	}
	if !strings.Contains(reason, "media timeout") {
		t.Errorf("the BYE's reason is %q", reason)
	}
	r := b.record()
	if r.End.Cause != reporting.MediaTimeout || r.End.By != reporting.Fault || r.Durations.Talk < 1000 || r.Durations.Talk > 5000 {
		t.Errorf("record %+v, %+v", r.End, r.Durations)
	}
	b.empty()
}

func TestServiceThatOutstaysItsGraceIsStopped(t *testing.T) {
	b := newBench(t, Config{Grace: time.Millisecond}, &scripted{run: func(ctx context.Context, c *Call) Ending {
		<-ctx.Done()
		return Ending{Cause: reporting.Completed}
	}})
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Bye(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.record()
	b.empty()
}

func TestRefusals(t *testing.T) {
	noCodec := strings.NewReplacer("RTP/AVP 0 101", "RTP/AVP 18", "a=rtpmap:0 PCMU/8000\r\n", "").Replace(string(offer()))
	metadata := strings.Replace(string(offer()), "c=IN IP4 127.0.0.1", "c=IN IP4 169.254.169.254", 1)
	cases := []struct {
		name   string
		body   []byte
		fail   error
		status int
		cause  reporting.Cause
	}{
		{"service names the status", offer(), &Refusal{Status: 404, Reason: "Not Found"}, 404, reporting.Refused},
		{"service fails", offer(), errors.New("no page"), 500, reporting.Refused},
		{"no common codec", []byte(noCodec), nil, 488, reporting.NoMedia},
		{"a place for no media", []byte(metadata), nil, 488, reporting.NoMedia},
		{"malformed description", []byte("v=0\r\nnonsense"), nil, 400, reporting.Refused},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Config{}, &scripted{
				prepare: func(context.Context, *Call) error { return c.fail },
				run:     untilHungUp,
			})
			_, err := b.dial(c.body)
			var rejected *sip.RejectedError
			if !errors.As(err, &rejected) || rejected.Status != c.status {
				t.Fatalf("got %v, want status %d", err, c.status)
			}
			if r := b.record(); r.End.Cause != c.cause || r.End.SIPStatus != c.status || r.AnsweredAt != nil {
				t.Errorf("record %+v", r.End)
			}
			b.empty()
		})
	}
}

func TestCallsBeyondTheLimitAreRefused(t *testing.T) {
	b := newBench(t, Config{Max: 1}, &scripted{run: untilHungUp})
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.dial(offer())
	var rejected *sip.RejectedError
	if !errors.As(err, &rejected) || rejected.Status != 503 {
		t.Fatalf("got %v, want 503", err)
	}
	if err := d.Bye(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.record()
	b.empty()
}

func TestCancelDuringPreparation(t *testing.T) {
	preparing := make(chan struct{})
	b := newBench(t, Config{}, &scripted{
		prepare: func(ctx context.Context, _ *Call) error {
			close(preparing)
			<-ctx.Done()
			return ctx.Err()
		},
		run: untilHungUp,
	})
	ctx, giveUp := context.WithCancel(t.Context())
	go func() { <-preparing; giveUp() }()
	if _, err := b.caller.Invite(ctx, sip.Outgoing{To: b.target, Offer: offer()}); err == nil {
		t.Fatal("the call was answered")
	}
	if r := b.record(); r.End.Cause != reporting.Cancelled || r.End.SIPStatus != 487 {
		t.Errorf("record %+v", r.End)
	}
	b.empty()
}

// TestMediaFlowsBeforeTheService proves that the leg is connected as the offer
// said: what the caller sends from its offered port is counted.
func TestMediaIsConnected(t *testing.T) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	counted := make(chan uint64, 1)
	b := newBench(t, Config{}, &scripted{run: func(ctx context.Context, c *Call) Ending {
		for {
			s, err := c.Caller().Stats()
			if err != nil || s.RxPackets > 0 || ctx.Err() != nil {
				counted <- s.RxPackets
				return untilHungUp(ctx, c)
			}
			time.Sleep(time.Millisecond)
		}
	}})
	local := sdp.Local{
		Addr:   conn.LocalAddr().(*net.UDPAddr).AddrPort(),
		Codecs: []sdp.Codec{{Name: "PCMU", PayloadType: 0, ClockRate: 8000}}, Events: 101,
		Direction: sdp.SendRecv, SessionID: 1, Version: 1,
	}
	d, err := b.dial(sdp.Offer(local))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		t.Fatal(err)
	}
	agreed, err := sdp.Negotiate(local, answer)
	if err != nil {
		t.Fatal(err)
	}
	packet := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4}, make([]byte, 160)...)
	if _, err := conn.WriteToUDPAddrPort(packet, agreed.Remote); err != nil {
		t.Fatal(err)
	}
	if n := <-counted; n != 1 {
		t.Errorf("%d packets counted, want 1", n)
	}
	if err := d.Bye(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if r := b.record(); r.Media[0].Received.Packets != 1 {
		t.Errorf("record counts %+v", r.Media[0].Received)
	}
	b.empty()
}

func TestHundredCallsLeaveNothing(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: untilHungUp})
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for range 2 {
				d, err := b.dial(offer())
				if err != nil {
					t.Error(err)
					return
				}
				if err := d.Bye(t.Context(), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	seen := map[string]bool{}
	for range 100 {
		r := b.record()
		if seen[r.ID] {
			t.Errorf("two records of call %s", r.ID)
		}
		seen[r.ID] = true
	}
	b.empty()
}

func TestShutDownEndsCalls(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	up := make(chan struct{})
	b := newBench(t, Config{}, &scripted{run: func(ctx context.Context, c *Call) Ending {
		close(up)
		return untilHungUp(ctx, c)
	}})
	agent, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- agent.Serve(ctx, b.server) }()
	b.target = "sip:ivr@" + agent.Addrs()[0].String() + ";transport=tcp"
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	<-up
	stop()
	for range d.Events() {
	}
	if r := b.record(); r.End.Cause != reporting.ShutDown || r.End.By != reporting.Platform {
		t.Errorf("record %+v", r.End)
	}
	if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A call that says that it replaces another (RFC 3891) ends that one when it is up.
func TestCallTakesTheOthersPlace(t *testing.T) {
	b := newBench(t, Config{}, &scripted{run: untilHungUp})
	first, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	replaces := first.CallID() + ";to-tag=" + first.RemoteTag() + ";from-tag=" + first.LocalTag()
	second, err := b.caller.Invite(t.Context(), sip.Outgoing{To: b.target, Offer: offer(), Headers: map[string]string{"Replaces": replaces}})
	if err != nil {
		t.Fatal(err)
	}
	for range first.Events() { // until the platform's BYE closes it
	}
	if r := b.record(); r.SIPCallID != first.CallID() {
		t.Errorf("record of %s, not of the call that was replaced", r.SIPCallID)
	}
	if err := second.Bye(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.record()
	b.empty()
}
