package voicexml

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/media/mediatest"
	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/sip"
	"mcp/control/sip/header"
	"mcp/control/sip/header/headertest"
)

// dialled is the dialog of a call that is up until its caller hangs up.
type dialled struct{ invite }

var loopback = netip.MustParseAddr("127.0.0.1")

func (d dialled) Answer(context.Context, []byte) error                         { return nil }
func (d dialled) Reject(context.Context, int, string, map[string]string) error { return nil }
func (d dialled) ByeWith(context.Context, sip.Content) error                   { return nil }
func (d dialled) Notify(func(sip.Event))                                       {}
func (d dialled) Info(context.Context, sip.Content) error                      { return nil }
func (d dialled) Refer(context.Context, sip.Refer) (*sip.Subscription, error)  { return nil, nil }
func (d dialled) Reinvite(context.Context, sip.Change) ([]byte, error)         { return nil, nil }
func (d dialled) LocalHost() netip.Addr                                        { return loopback }
func (d dialled) RemoteHost() netip.Addr                                       { return loopback }
func (d dialled) Parts() []header.Part                                         { return nil }

// lender is a service that lends its call to a test.
type lender struct {
	calls    chan *call.Call
	returned chan struct{}
}

func (l *lender) Name() string                              { return "lender" }
func (l *lender) Select(call.Identity) (call.Choice, error) { return call.Choice{Service: l}, nil }
func (l *lender) Prepare(_ context.Context, c *call.Call) (call.Program, error) {
	return lent{l, c}, nil
}

type lent struct {
	by   *lender
	call *call.Call
}

func (l lent) Application() string { return "test:lent" }
func (l lent) Run(context.Context) call.Ending {
	l.by.calls <- l.call
	<-l.by.returned
	return call.Ending{}
}

// silent is a plane that plays recordings of which nobody hears anything, until a test
// ends them.
type silent struct {
	*mediatest.Plane
	playing chan<- media.Recording // nil: none asks for them
}

func (s silent) Play(_ media.PlaneLeg, r media.Recording) (media.Voice, error) {
	if s.playing != nil {
		s.playing <- r
	}
	return mute{}, nil
}

type mute struct{}

func (mute) Agree(media.Recording)   {}
func (mute) Hold(bool)               {}
func (mute) Seek(time.Duration)      {}
func (mute) Position() time.Duration { return 0 }
func (mute) Stop()                   {}

// lend makes a call that is up, until the test ends. Playing, if not nil, is told what is
// played to its caller.
func lend(tb testing.TB, watcher reporting.Watcher, playing chan<- media.Recording) *call.Call {
	tb.Helper()
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	engine, err := media.NewEngine(media.Config{}, silent{mediatest.NewPlane(), playing}, log)
	if err != nil {
		tb.Fatal(err)
	}
	recorder, err := reporting.Open(tb.TempDir(), reporting.Config{Interval: -1, Watcher: watcher}, log)
	if err != nil {
		tb.Fatal(err)
	}
	l := &lender{calls: make(chan *call.Call), returned: make(chan struct{})}
	server := call.NewServer(call.Config{}, call.Parts{Engine: engine, Selector: l, Recorder: recorder, Log: log})
	offer := sdp.Offer(sdp.Local{
		Addr: netip.AddrPortFrom(loopback, 9), Codecs: []sdp.Codec{{Name: "PCMU", ClockRate: 8000}}, Events: 101,
		Ptime: 20 * time.Millisecond, Direction: sdp.SendRecv, SessionID: 1, Version: 1,
	})
	headers := headertest.Fields("Call-ID", "abc@host", "Via", "SIP/2.0/UDP h", "From", "<sip:ann@sbc>;tag=1", "CSeq", "1 INVITE")
	d := dialled{invite{headers: headers, sdp: string(offer)}}
	var served sync.WaitGroup
	served.Go(func() { server.Serve(context.Background(), d) })
	tb.Cleanup(func() {
		close(l.returned)
		served.Wait()
		if err := errors.Join(recorder.Close(), engine.Close()); err != nil {
			tb.Error(err)
		}
	})
	return <-l.calls
}
