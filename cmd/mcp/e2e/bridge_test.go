package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/sip"
)

// TestRecordingGoesOnDuringABridge records a whole call, what two who are bridged say
// to each other included: through the platform even where the audio would bypass it.
func TestRecordingGoesOnDuringABridge(t *testing.T) {
	t.Parallel()
	for name, redirect := range map[string]bool{"through the platform": false, "that would bypass it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			r := newRig(t, func(c *node.Config) {
				c.Upload.Folder, c.Transfers.Redirect = folder, redirect
				c.Recording.Calls, c.Recording.Type = "sides", "audio/wav;codec=pcm"
			})
			b := newBob(t, "say hum 700 400ms; wait 500ms")
			r.transferring(`<transfer name="t" type="bridge" dest="` + b.uri() + `">`)
			summary, err := r.dial(t.Context(), r.target(), "hear; say hum 400 300ms; await")
			if err != nil {
				t.Fatal(err)
			}
			if got, back := heard(summary), heard(b.last()); !slices.Equal(got, []float64{700}) || !slices.Equal(back, []float64{400}) {
				t.Errorf("the caller heard %v, bob %v", got, back)
			}
			var found []string
			await(t, "the recording's metadata", func() bool {
				found, _ = filepath.Glob(filepath.Join(folder, "*.json"))
				return len(found) == 1
			})
			wav, err := os.ReadFile(found[0][:len(found[0])-len(".json")])
			if err != nil {
				t.Fatal(err)
			}
			left, right := channels(wav[len(wav)%4:])
			for side, want := range map[string][]float64{"caller": {400}, "party": {700}} {
				pcm := map[string][]int16{"caller": left, "party": right}[side]
				var got []float64
				for _, tone := range pitched(pcm) {
					got = append(got, tone.Hz)
				}
				if !slices.Equal(got, want) {
					t.Errorf("the %s's side holds %v, want %v", side, got, want)
				}
			}
			r.nothingLeft()
		})
	}
}

// TestRedirectedCallerHearsThePageAgain has the audio bypass the platform by the
// page's wish, and come back when the party has hung up.
func TestRedirectedCallerHearsThePageAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.pages.tunes()
	b := newBob(t, "wait 300ms; say hum 700 400ms")
	r.pages.page("/main.vxml", `<form><transfer name="t" type="bridge" dest="`+b.uri()+`" method="mediaredirect">
		<filled><prompt><audio src="/1000/300ms"/></prompt><disconnect/></filled></transfer></form>`)
	summary, err := r.dial(t.Context(), r.target(), "await")
	if err != nil {
		t.Fatal(err)
	}
	if got := heard(summary); !slices.Equal(got, []float64{700, 1000}) {
		t.Errorf("the caller heard %v", tones(summary))
	}
	for _, leg := range r.record(1).Media {
		if leg.Name == "party-1" && leg.Received.Packets > 10 {
			t.Errorf("%d packets of the party's came to the platform", leg.Received.Packets)
		}
	}
	b.last()
	r.nothingLeft()
}

// TestRedirectEnds by the caller, or when its time is over; where a telephone wants its
// audio to stay where it is, the two talk through the platform.
func TestRedirectEnds(t *testing.T) {
	t.Parallel()
	stays := func(_ *sip.Dialog, ev sip.Event) bool {
		again, ok := ev.(*sip.Reinvite)
		if ok {
			_ = again.Reject(context.Background(), 488, "")
		}
		return ok
	}
	const talk, talks = "hear; say hum 400 300ms; await", "wait 400ms; say hum 700 400ms; wait 600ms"
	for _, tt := range []struct {
		name, attributes, script, party string
		asked, within                   func(*sip.Dialog, sip.Event) bool
		want                            string
		hears                           []float64
	}{
		{name: "by the caller", script: "wait 700ms; hangup", party: "wait 10s", want: "near_end_disconnect hangup"},
		{name: "after its time", attributes: `maxtime="400ms"`, script: "await", party: "wait 10s", want: "maxtime_disconnect"},
		{name: "the caller stays", script: talk, party: talks, asked: stays, want: "far_end_disconnect", hears: []float64{400}},
		{name: "the party stays", script: talk, party: talks, within: stays, want: "far_end_disconnect", hears: []float64{400}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *node.Config) { c.Transfers.Redirect = true })
			b := newBob(t, tt.party)
			b.within = tt.within
			r.transferring(`<transfer name="t" type="bridge" dest="` + b.uri() + `" ` + tt.attributes + `>`)
			phone := caller.NewPhone(r.agent, caller.Config{To: r.target(), Quiet: 300 * time.Millisecond, Voice: hum, Asked: tt.asked})
			if _, err := phone.Call(t.Context(), steps(t, tt.script)); err != nil && !errors.Is(err, caller.ErrHungUp) {
				t.Fatal(err)
			}
			if got := heard(b.last()); !slices.Equal(got, tt.hears) {
				t.Errorf("bob heard %v, want %v", got, tt.hears)
			}
			r.record(1)
			if told, _ := r.told(); told != tt.want {
				t.Errorf("the page told %q, want %q", told, tt.want)
			}
			r.nothingLeft()
		})
	}
}

// TestConsultationsThatFail leaves the caller with its page, and tells why.
func TestConsultationsThatFail(t *testing.T) {
	t.Parallel()
	refers := func(status int) func(*sip.Dialog, sip.Event) bool {
		return func(_ *sip.Dialog, ev sip.Event) bool {
			referral, ok := ev.(*sip.Referral)
			if ok {
				go func() {
					_ = referral.Accept(context.Background())
					_ = referral.Notify(context.Background(), status, "")
				}()
			}
			return ok
		}
	}
	for _, tt := range []struct {
		name, attributes string
		bob              func(*bob)
		asked            func(*sip.Dialog, sip.Event) bool
		want             string
	}{
		{"busy", "", func(b *bob) { b.refuse = 486 }, nil, "busy"},
		{"nobody answers", `connecttimeout="300ms"`, func(b *bob) { b.silent = true }, nil, "noanswer"},
		{"the party has gone when the caller calls", "", nil, refers(486), "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			b := newBob(t, "await")
			if tt.bob != nil {
				tt.bob(b)
			}
			r.transferring(`<transfer name="t" type="consultation" dest="` + b.uri() + `" ` + tt.attributes + `>`)
			phone := caller.NewPhone(r.agent, caller.Config{To: r.target(), Asked: tt.asked})
			if _, err := phone.Call(t.Context(), []caller.Step{{Verb: caller.Await}}); err != nil {
				t.Fatal(err)
			}
			b.last()
			r.wantTransfer("consultation", b.uri(), tt.want)
			if told, _ := r.told(); told != tt.want {
				t.Errorf("the page told %q, want %q", told, tt.want)
			}
			r.nothingLeft()
		})
	}
}
