package voicexml

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/media/mediatest"
	"mcp/control/reporting"
	"mcp/control/reporting/recent"
	"mcp/control/sdp"
	"mcp/control/service/voicexml/live"
	"mcp/control/sip"
	"mcp/control/sip/header"
	"mcp/vxml"
	"mcp/vxml/fetch"
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

// silent is a plane that plays recordings of which nobody hears anything.
type silent struct{ *mediatest.Plane }

func (silent) Play(media.PlaneLeg, media.Recording) (media.Voice, error) { return mute{}, nil }

type mute struct{}

func (mute) Agree(media.Recording)   {}
func (mute) Hold(bool)               {}
func (mute) Seek(time.Duration)      {}
func (mute) Position() time.Duration { return 0 }
func (mute) Stop()                   {}

// presser presses a key as soon as the caller hears something.
type presser struct {
	*recent.Calls
	keys chan<- vxml.Digit
}

func (p *presser) Begun(r *reporting.Record) func(reporting.Event) {
	shown := p.Calls.Begun(r)
	return func(e reporting.Event) {
		shown(e)
		if e.Name == string(reporting.StepPromptPlay) {
			p.keys <- vxml.Digit{Key: '1'}
		}
	}
}

// lend makes a call that is up, until the test ends.
func lend(tb testing.TB, watcher reporting.Watcher) *call.Call {
	tb.Helper()
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	engine, err := media.NewEngine(media.Config{}, silent{mediatest.NewPlane()}, log)
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
	headers := map[string][]string{"call-id": {"abc@host"}, "via": {"SIP/2.0/UDP h"}, "from": {"<sip:ann@sbc>;tag=1"}, "cseq": {"1 INVITE"}}
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

// BenchmarkDialogue prepares and runs dialogues on a call: page and prompt come from the
// cache, and the caller presses a key as soon as the prompt begins.
func BenchmarkDialogue(b *testing.B) {
	const page = `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><property name="inputmodes" value="dtmf"/>
<form><field name="digit"><grammar mode="dtmf" version="1.0" root="d" xmlns="http://www.w3.org/2001/06/grammar">
<rule id="d"><one-of><item>1</item><item>2</item></one-of></rule></grammar>
<prompt timeout="60s"><audio src="prompt.au"/></prompt></field></form></vxml>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		if r.URL.Path == "/main.vxml" {
			_, _ = io.WriteString(w, page)
			return
		}
		w.Header().Set("Content-Type", "audio/basic")
		_, _ = w.Write(bytes.Repeat([]byte{0xff}, 8000))
	}))
	defer server.Close()
	watcher := &presser{Calls: &recent.Calls{}}
	c := lend(b, watcher)
	in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: server.Client()})})
	s := New(Config{Default: server.URL + "/main.vxml", Live: &live.Hub{}}, in)
	b.ReportAllocs()
	for b.Loop() {
		made, err := s.Prepare(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		watcher.keys = made.(*program).phone.digits
		if e := made.Run(b.Context()); e.Cause != reporting.Completed || e.Err != nil {
			b.Fatalf("%+v", e)
		}
	}
}
