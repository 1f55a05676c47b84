package dialog

import (
	"errors"
	"testing"
	"time"

	"mcp/control/service/msml/doc"
)

// TestCollect holds <collect> (RFC 5707 section 9.7.5) to its timers and what it runs.
func TestCollect(t *testing.T) {
	for _, tt := range []struct {
		name, collect string
		cues          []cue
		events        []string
		end, digits   string
		took          time.Duration
	}{
		{"a pattern", `fdt="3s"><pattern digits="xx#"><send target="source" event="match"/></pattern>`,
			[]cue{{at: second, keys: "12#"}}, []string{"match"}, "dtmf.match", "12#", second},
		{"nothing pressed", `fdt="3s"><pattern digits="x"/><noinput><send target="source" event="none"/></noinput>`,
			nil, []string{"none"}, "dtmf.noinput", "", 3 * second},
		{"nothing pressed, three times", `fdt="1s"><pattern digits="x"/><noinput iterate="3"><send target="source" event="none"/></noinput>`,
			nil, []string{"none", "none", "none"}, "dtmf.noinput", "", 3 * second},
		{"too few", `idt="2s"><pattern digits="xx"/><nomatch><send target="source" event="no"/></nomatch>`,
			[]cue{{at: second, keys: "1"}}, []string{"no"}, "dtmf.nomatch", "1", 3 * second},
		{"another key", `><pattern digits="5"/><nomatch><send target="source" event="no"/></nomatch>`,
			[]cue{{at: second, keys: "6"}}, []string{"no"}, "dtmf.nomatch", "6", second},
		{"the first key", `><pattern digits="12"/><detect><send target="source" event="first"/></detect>`,
			[]cue{{at: second, keys: "12"}}, []string{"first"}, "dtmf.match", "12", second},
		{"twice", `iterate="2"><pattern digits="1"><send target="source" event="one"/></pattern>`,
			[]cue{{at: second, keys: "1"}, {at: 2 * second, keys: "1"}}, []string{"one", "one"}, "dtmf.match", "1", 2 * second},
		{"terminated", `><pattern digits="1"/>`, []cue{{at: second, event: "terminate"}}, nil, "terminate", "", second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rehearse(t, nil, func(r *rehearsal) {
				if err := r.start(`<collect ` + tt.collect + `</collect><exit namelist="dtmf.end dtmf.digits"/>`); err != nil {
					t.Fatal(err)
				}
				r.follow(tt.cues)
				for _, want := range tt.events {
					if e := <-r.told; e.Name != want || e.ID != "conn:a/dialog:d" {
						t.Errorf("told %+v, wanted %s", e, want)
					}
				}
				r.same(r.exit(), map[string]string{"dtmf.end": tt.end, "dtmf.digits": tt.digits})
				if took := time.Since(r.begun); took != tt.took {
					t.Errorf("it took %v, wanted %v", took, tt.took)
				}
			})
		})
	}
}

// TestGroup is the group of RFC 5707 section 13.5: the first key silences the prompt, the
// timer starts when it has ended, and the group ends with its members.
func TestGroup(t *testing.T) {
	const group = `<group topology="parallel">
		<play><audio uri="http://h/a"/><playexit><send target="dtmf" event="starttimer"/></playexit></play>
		<dtmf fdt="2s"><pattern digits="xx"><send target="group" event="terminate"/></pattern>
			<detect><send target="play" event="terminate"/></detect>
			<noinput><send target="group" event="terminate"/></noinput></dtmf>
		<groupexit><send target="source" event="done" namelist="play.end dtmf.digits dtmf.end"/></groupexit></group>`
	for _, tt := range []struct {
		name  string
		cues  []cue
		heard string
		want  map[string]string
		took  time.Duration
	}{
		{"keys", []cue{{at: second / 2, keys: "4"}, {at: second, keys: "2"}}, "a500ms", map[string]string{"play.end": "terminate", "dtmf.digits": "42", "dtmf.end": "dtmf.match"}, second},
		{"no keys", nil, "a1s", map[string]string{"play.end": "play.complete", "dtmf.end": "dtmf.noinput"}, 3 * second},
		{"ended by the client", []cue{{at: second / 4, event: "terminate"}}, "a250ms", map[string]string{"play.end": "terminate", "dtmf.end": "terminate"}, second / 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rehearse(t, recordings, func(r *rehearsal) {
				if err := r.start(group); err != nil {
					t.Fatal(err)
				}
				r.follow(tt.cues)
				done := <-r.told
				if r.same(values(done), tt.want); done.Name != "done" {
					t.Errorf("told %+v", done)
				}
				r.exit()
				if got, took := r.boards.score(), time.Since(r.begun); got != tt.heard || took != tt.took {
					t.Errorf("heard %s in %v, wanted %s in %v", got, took, tt.heard, tt.took)
				}
			})
		})
	}
}

// TestGenerators holds <tonegen> and <dtmfgen> (sections 9.7.2 and 9.7.3) to their lengths.
func TestGenerators(t *testing.T) {
	rehearse(t, nil, func(r *rehearsal) {
		if err := r.start(`<tonegen iterate="2"><tone duration="300ms" iterate="2"><tone1 freq="400" atten="-10"/><silence duration="100ms"/></tone></tonegen>
			<dtmfgen digits="12a"/><exit namelist="tonegen.end dtmfgen.end"/>`); err != nil {
			t.Fatal(err)
		}
		r.same(r.exit(), map[string]string{"tonegen.end": "tonegen.complete", "dtmfgen.end": "dtmfgen.complete"})
		if n := len(r.boards.pcm); n != samples(1600*time.Millisecond) || r.boards.keys != "12A" {
			t.Errorf("%d samples, keys %s", n, r.boards.keys)
		}
	})
	rehearse(t, nil, func(r *rehearsal) {
		if err := r.start(`<tonegen><tone duration="0"><tone1 freq="400" atten="-10"/></tone></tonegen><dtmfgen digits="12345"/><exit namelist="tonegen.end dtmfgen.end"/>`); err != nil {
			t.Fatal(err)
		}
		r.follow([]cue{{at: 130 * second, event: "terminate.now"}, {at: 130*second + 300*time.Millisecond, event: "terminate.keys"}})
		r.same(r.exit(), map[string]string{"tonegen.end": "terminate.now", "dtmfgen.end": "terminate.keys"})
		if n := len(r.boards.pcm); n != samples(130*second) || r.boards.keys != "1" {
			t.Errorf("%d samples, keys %s", n, r.boards.keys)
		}
	})
}

// TestPlaces: a name is taken once, a place that is over has no dialogs, a client's are
// ended with it and nobody else's, and what needs a connection is refused elsewhere.
func TestPlaces(t *testing.T) {
	rehearse(t, recordings, func(r *rehearsal) {
		const long = `<play><audio uri="http://h/a" iterate="forever"/></play>`
		code := func(err error) int {
			var fault *doc.Fault
			errors.As(err, &fault)
			if fault == nil {
				return 0
			}
			return fault.Code
		}
		if err := r.start(long); err != nil {
			t.Fatal(err)
		}
		if err := r.start(long); code(err) != doc.NameInUse {
			t.Errorf("the name twice: %v", err)
		}
		time.Sleep(second)
		r.place.Forsake(&Client{})
		time.Sleep(second)
		if r.place.Find("d") == nil {
			t.Error("another client's end has ended the dialog")
		}
		r.place.Forsake(r.client)
		r.exit()
		if r.place.Find("d") != nil {
			t.Error("the dialog goes on without its client")
		}
		r.place.Close()
		if err := r.start(long); code(err) != doc.NoSuchObject {
			t.Errorf("on a place that is over: %v", err)
		}
		r.place = &Place{ID: "conf:a", Stage: r.boards, Keys: r.place.Keys}
		for _, elements := range []string{
			`<play><tts>a</tts></play>`, `<speech><grammar uri="g"/></speech>`, `<mcp:progress xmlns:mcp="urn:mcp:msml"/>`,
		} {
			if err := r.start(elements); code(err) != doc.UnsupportedElement {
				t.Errorf("%s on a conference: %v", elements, err)
			}
		}
		if err := r.start(`<record maxtime="1s" format="audio/wav"/>`); err != nil {
			t.Error(err)
		}
		r.same(r.exit(), map[string]string{"dialog.exit.status": "520"})
	})
}
