package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// bob is a telephone that is called.
type bob struct {
	t      *testing.T
	agent  *sip.Agent
	script string
	refuse int // with this status, if not 0
	silent bool
	within func(*sip.Dialog, sip.Event) bool

	mu        sync.Mutex
	calls     []*caller.Summary
	asked     []sip.URI
	from      []string
	told      []string      // User-to-User
	campaigns []string      // X-Campaign
	replied   chan struct{} // one for each call that is over
}

func newBob(t *testing.T, script string) *bob {
	b := &bob{t: t, script: script, replied: make(chan struct{}, 16)}
	b.agent = serveAgent(t, b)
	return b
}

func (b *bob) uri() string { return "sip:bob@" + b.agent.Addrs()[0].String() + ";transport=tcp" }

// Invite implements sip.Handler.
func (b *bob) Invite(ctx context.Context, d *sip.Dialog) {
	defer func() { b.replied <- struct{}{} }()
	b.mu.Lock()
	b.asked, b.from = append(b.asked, d.RequestURI()), append(b.from, d.RemoteURI())
	b.told = append(b.told, strings.Join(d.Header("User-to-User"), ", "))
	b.campaigns = append(b.campaigns, strings.Join(d.Header("X-Campaign"), ", "))
	b.mu.Unlock()
	switch {
	case b.refuse != 0:
		_ = d.Reject(ctx, b.refuse, "", nil)
		return
	case b.silent:
		_ = d.Ring(ctx)
		for range d.Events() {
		}
		return
	}
	if replaced := d.Replaces(); replaced != nil {
		defer func() { _ = replaced.Bye(ctx, nil) }()
	}
	steps, err := caller.ParseScript(b.script)
	if err != nil {
		b.t.Error(err)
		return
	}
	summary, err := caller.NewPhone(b.agent, caller.Config{Quiet: 300 * time.Millisecond, Voice: hum, Asked: b.within}).Answer(ctx, d, steps)
	if err != nil && summary == nil {
		b.t.Errorf("bob: %v", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, summary)
}

// last waits for the end of a call and tells what Bob heard.
func (b *bob) last() *caller.Summary {
	b.t.Helper()
	select {
	case <-b.replied:
	case <-time.After(patience):
		b.t.Fatal("nobody called bob")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.calls) == 0 {
		return nil
	}
	return b.calls[len(b.calls)-1]
}

// transferring is a page that transfers the caller and tells the web server what
// came of it.
func (r *rig) transferring(transfer string) {
	r.pages.page("/main.vxml", `
		<catch event="connection.disconnect.transfer"><submit next="/told?event=sent"/></catch>
		<catch event="connection.disconnect"><submit next="/told?event=hangup"/></catch>
		<catch event="error"><var name="event" expr="_event"/><submit next="/told" namelist="event"/></catch>
		<form>`+transfer+`<filled><var name="seconds" expr="t$.duration"/><submit next="/told" namelist="t seconds"/></filled></transfer></form>`)
	r.pages.page("/told", `<form><block><disconnect/></block></form>`)
}

// told is what the page made of the transfer: its result or an event, and how long
// it lasted.
func (r *rig) told() (result string, seconds float64) {
	for _, asked := range r.pages.requests() {
		query, found := strings.CutPrefix(asked, "/told?")
		if !found {
			continue
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			r.t.Error(err)
		}
		result = strings.TrimSpace(values.Get("t") + " " + values.Get("event"))
		fmt.Sscan(values.Get("seconds"), &seconds)
	}
	return result, seconds
}

func TestBridge(t *testing.T) {
	r := newRig(t, nil)
	b := newBob(t, "say hum 700 400ms; wait 300ms; dtmf 5; wait 200ms")
	r.transferring(`<transfer name="t" type="bridge" dest="` + b.uri() + `" aai="a b;c" connecttimeout="5s">`)
	summary, err := r.dial(t.Context(), r.target(), "hear; say hum 400 400ms; dtmf 7; await")
	if err != nil {
		t.Fatal(err)
	}
	heardBob := b.last()
	if got := heard(summary); !slices.Equal(got, []float64{700}) {
		t.Errorf("the caller heard %v", tones(summary))
	}
	if got := heard(heardBob); !slices.Equal(got, []float64{400}) {
		t.Errorf("bob heard %v", tones(heardBob))
	}
	if heardBob.Received.Events == 0 || summary.Received.Events == 0 {
		t.Errorf("keys: bob received %d packets of events, the caller %d", heardBob.Received.Events, summary.Received.Events)
	}
	if b.asked[0].Params["aai"] != "a b;c" || !strings.Contains(b.from[0], "mcp@") {
		t.Errorf("bob was called as %+v from %s", b.asked[0], b.from[0])
	}
	if b.told[0] != "046120623b63;encoding=hex" {
		t.Errorf("bob was told %q", b.told[0])
	}
	if told, seconds := r.told(); told != "far_end_disconnect" || seconds < 0.5 {
		t.Errorf("the page told %q", told)
	}
	rec := r.record(1)
	if len(rec.Media) < 2 || rec.Media[0].Name != "party-1" || rec.Media[0].Received.Packets == 0 {
		t.Errorf("record: %+v", rec.Media)
	}
	r.nothingLeft()
}

// wantTransfer holds the call's record to the one transfer that there was.
func (r *rig) wantTransfer(kind, to, result string) {
	r.t.Helper()
	got := r.record(1).Transfers
	if len(got) != 1 || got[0].Kind != kind || got[0].To != to || got[0].Result != result {
		r.t.Errorf("the record has the transfers %+v, want %s to %s: %s", got, kind, to, result)
	}
}

func TestBridgeEnds(t *testing.T) {
	grammar := `<grammar mode="dtmf" version="1.0" root="r" type="application/srgs+xml"><rule id="r"><item>*</item></rule></grammar>`
	for _, tt := range []struct {
		name, attributes, content, script string
		bob                               func(*bob)
		want                              string
	}{
		{"after its time", `maxtime="400ms"`, "", "await", nil, "maxtime_disconnect"},
		{"by a key", "", grammar, "hear; dtmf *; await", nil, "near_end_disconnect"},
		{"by the caller", "", "", "hear; hangup", nil, "near_end_disconnect hangup"},
		{"busy", "", "", "await", func(b *bob) { b.refuse = 486 }, "busy"},
		{"declined", "", "", "await", func(b *bob) { b.refuse = 603 }, "unknown"},
		{"timed out elsewhere", "", "", "await", func(b *bob) { b.refuse = 408 }, "noanswer"},
		{"nobody answers", `connecttimeout="300ms"`, "", "await", func(b *bob) { b.silent = true }, "noanswer"},
		{"nobody of that name", "", "", "await", func(b *bob) { b.refuse = 404 }, "error.connection.baddestination"},
		{"strangers are not called", "", "", "await", func(b *bob) { b.refuse = 401 }, "error.connection.noauthorization"},
		{"nor by a proxy", "", "", "await", func(b *bob) { b.refuse = 407 }, "error.connection.noauthorization"},
		{"no resource", "", "", "await", func(b *bob) { b.refuse = 503 }, "error.connection.noresource"},
		{"no INVITE there", "", "", "await", func(b *bob) { b.refuse = 405 }, "error.unsupported.transfer.bridge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			b := newBob(t, "say hum 700 10s; await")
			if tt.bob != nil {
				tt.bob(b)
			}
			r.transferring(fmt.Sprintf(`<transfer name="t" bridge="true" dest="%s" %s>%s`, b.uri(), tt.attributes, tt.content))
			if _, err := r.dial(t.Context(), r.target(), tt.script); err != nil && !errors.Is(err, caller.ErrHungUp) {
				t.Fatal(err)
			}
			r.wantTransfer("bridge", b.uri(), strings.Fields(tt.want)[0])
			if told, _ := r.told(); told != tt.want {
				t.Errorf("the page told %q, want %q", told, tt.want)
			}
			b.last()
			r.nothingLeft()
		})
	}
}

func TestTransfersThatGoNowhere(t *testing.T) {
	for dest, want := range map[string]string{
		"tel:+4930123456":                   "error.connection.noroute",
		"tel:one":                           "error.connection.baddestination",
		"fax:1":                             "error.unsupported.uri",
		"sip:":                              "error.connection.baddestination",
		"sip:x@127.0.0.1:1;transport=tcp":   "network_busy",
		"sip:x@no-such-host.invalid;lr=yes": "error.connection.noroute",
	} {
		t.Run(dest, func(t *testing.T) {
			r := newRig(t, nil)
			r.transferring(`<transfer name="t" type="bridge" dest="` + dest + `">`)
			if _, err := r.dial(t.Context(), r.target(), "await"); err != nil {
				t.Fatal(err)
			}
			r.record(1)
			if told, _ := r.told(); told != want {
				t.Errorf("the page told %q, want %q", told, want)
			}
		})
	}
}

func TestNumbersGoThroughTheGateway(t *testing.T) {
	b := newBob(t, "hangup")
	r := newRig(t, func(c *node.Config) {
		c.Transfers.Gateway = "sip:" + b.agent.Addrs()[0].String() + ";transport=tcp"
	})
	r.transferring(`<transfer name="t" type="bridge" dest="tel:+49-30-123">`)
	if _, err := r.dial(t.Context(), r.target(), "await"); err != nil {
		t.Fatal(err)
	}
	b.last()
	if b.asked[0].User != "+4930123" {
		t.Errorf("the gateway was asked for %+v", b.asked[0])
	}
	r.nothingLeft()
}

func TestTransferAudioUntilTheAnswer(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	b := newBob(t, "")
	b.silent = true
	r.transferring(`<transfer name="t" type="bridge" dest="` + b.uri() + `" connecttimeout="600ms" transferaudio="/400/10s">`)
	summary, err := r.dial(t.Context(), r.target(), "await")
	if err != nil {
		t.Fatal(err)
	}
	if got := tones(summary); len(got) != 1 || got[0].Hz != 400 || got[0].Duration > 5*time.Second {
		t.Errorf("the caller heard %v", got)
	}
	if told, _ := r.told(); told != "noanswer" {
		t.Errorf("the page told %q", told)
	}
	r.nothingLeft()
}

// referee lets the caller's phone do as it is referred.
func (r *rig) referee(status int, targets chan<- header.Party) func(*sip.Dialog, sip.Event) bool {
	return func(_ *sip.Dialog, ev sip.Event) bool {
		referral, ok := ev.(*sip.Referral)
		if !ok {
			return false
		}
		targets <- referral.To
		if status >= 300 {
			_ = referral.Reject(status, "")
			return true
		}
		go func() {
			// Accepted it is even if the platform's BYE overtakes the first NOTIFY.
			_ = referral.Accept(context.Background())
			steps := []caller.Step{{Verb: caller.Say, Text: "hum 1000 300ms"}}
			_, err := caller.NewPhone(r.agent, caller.Config{To: referral.To.URI, Headers: referral.To.Headers(), Voice: hum, Answered: func() {
				_ = referral.Notify(context.Background(), 200, "OK")
			}}).Call(context.Background(), steps)
			if err != nil {
				_ = referral.Notify(context.Background(), 486, "Busy Here")
			}
		}()
		return true
	}
}

func TestBlindTransfer(t *testing.T) {
	for _, tt := range []struct {
		status int
		want   string
	}{
		{200, "sent"}, {404, "error.connection.baddestination"},
		{405, "error.unsupported.transfer.blind"}, {503, "error.connection.noresource"}, {403, "unknown"},
	} {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			r := newRig(t, nil)
			b := newBob(t, "await")
			r.transferring(`<transfer name="t" type="blind" dest="` + b.uri() + `" aai="x">`)
			targets := make(chan header.Party, 1)
			phone := caller.NewPhone(r.agent, caller.Config{To: r.target(), Asked: r.referee(tt.status, targets)})
			if _, err := phone.Call(t.Context(), []caller.Step{{Verb: caller.Await}}); err != nil {
				t.Fatal(err)
			}
			if to := <-targets; !strings.HasPrefix(to.URI, b.uri()) || !strings.HasSuffix(to.URI, ";aai=x") || to.Header("User-to-User") != "0478;encoding=hex" {
				t.Errorf("referred to %q", to.URI)
			}
			rec := r.record(1)
			r.wantTransfer("blind", b.uri(), strings.Replace(tt.want, "sent", "connection.disconnect.transfer", 1))
			if told, _ := r.told(); told != tt.want {
				t.Errorf("the page told %q, want %q", told, tt.want)
			}
			if tt.status == 200 {
				if got := heard(b.last()); !slices.Equal(got, []float64{1000}) {
					t.Errorf("bob heard %v", got)
				}
				if rec.End.Cause != reporting.Disconnected && rec.End.Cause != reporting.Transferred {
					t.Errorf("record: %+v", rec.End)
				}
			}
			r.nothingLeft()
		})
	}
}

func TestConsultationTransfer(t *testing.T) {
	r := newRig(t, nil)
	b := newBob(t, "await")
	r.transferring(`<transfer name="t" type="consultation" dest="` + b.uri() + `">`)
	targets := make(chan header.Party, 1)
	phone := caller.NewPhone(r.agent, caller.Config{To: r.target(), Asked: r.referee(200, targets)})
	if _, err := phone.Call(t.Context(), []caller.Step{{Verb: caller.Await}}); err != nil {
		t.Fatal(err)
	}
	r.wantTransfer("consultation", b.uri(), "connection.disconnect.transfer")
	if to := <-targets; !strings.HasPrefix(to.Query, "Replaces=") {
		t.Errorf("referred to %+v", to)
	}
	b.last()
	if got := heard(b.last()); !slices.Equal(got, []float64{1000}) {
		t.Errorf("bob heard %v", got)
	}
	r.record(1)
	if told, _ := r.told(); told != "sent" {
		t.Errorf("the page told %q", told)
	}
	r.nothingLeft()
}

func TestConsultationThatTheCallerRefuses(t *testing.T) {
	r := newRig(t, nil)
	b := newBob(t, "await")
	r.transferring(`<transfer name="t" type="consultation" dest="` + b.uri() + `">`)
	phone := caller.NewPhone(r.agent, caller.Config{To: r.target()})
	if _, err := phone.Call(t.Context(), []caller.Step{{Verb: caller.Await}}); err != nil {
		t.Fatal(err)
	}
	b.last()
	r.record(1)
	if told, _ := r.told(); told != "error.unsupported.transfer.consultation" {
		t.Errorf("the page told %q", told)
	}
	r.nothingLeft()
}

func TestAudioBypassesThePlatform(t *testing.T) {
	r := newRig(t, func(c *node.Config) { c.Transfers.Redirect = true })
	b := newBob(t, "wait 400ms; say hum 700 400ms; wait 200ms")
	r.transferring(`<transfer name="t" type="bridge" dest="` + b.uri() + `">`)
	summary, err := r.dial(t.Context(), r.target(), "hear; say hum 400 300ms; await")
	if err != nil {
		t.Fatal(err)
	}
	heardBob := b.last()
	if got := heard(summary); !slices.Equal(got, []float64{700}) {
		t.Errorf("the caller heard %v", tones(summary))
	}
	if got := heard(heardBob); !slices.Equal(got, []float64{400}) {
		t.Errorf("bob heard %v", tones(heardBob))
	}
	for _, leg := range r.record(1).Media {
		if leg.Sent.Packets > 10 {
			t.Errorf("leg %s sent %d packets", leg.Name, leg.Sent.Packets)
		}
	}
	if told, _ := r.told(); told != "far_end_disconnect" {
		t.Errorf("the page told %q", told)
	}
	r.nothingLeft()
}
