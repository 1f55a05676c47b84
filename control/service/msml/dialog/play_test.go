package dialog

import (
	"strings"
	"testing"
	"time"
)

const second = time.Second

// recordings are two that are there at once; long, whose second half arrives five seconds
// later than its first; and broken, whose second half never does.
var recordings = map[string][]piece{
	"a": whole('a', second), "b": whole('b', second/2),
	"long":   {{0, letter('a', 2*second)}, {5 * second, letter('b', 2*second)}},
	"broken": {{0, letter('a', 2*second)}, {second, nil}},
}

// TestPlay holds <play> (RFC 5707 section 9.7.1) to what is heard, of what is there and of
// what arrives.
func TestPlay(t *testing.T) {
	for _, tt := range []struct {
		name, play string // attributes, then elements after a bar
		cues       []cue
		heard      string
		end, amt   string
		took       time.Duration
	}{
		{"in a row", `|<audio uri="http://h/a"/><audio uri="http://h/b" iterate="2"/><var type="silence" value="100ms"/>`, nil,
			"a1s b1s -100ms", "play.complete", "2100ms", 2100 * time.Millisecond},
		{"again, after an interval", `iterate="2" interval="3s"|<audio uri="http://h/b"/>`, nil, "b1s", "play.complete", "1000ms", 4 * second},
		{"for ever, until maxtime", `maxtime="3500ms"|<audio uri="http://h/a" iterate="forever"/>`, nil,
			"a3.5s", "play.complete.maxtime", "3500ms", 3500 * time.Millisecond},
		{"from an offset", `offset="800ms"|<audio uri="http://h/a"/><audio uri="http://h/b"/>`, nil, "a200ms b500ms", "play.complete", "700ms", 700 * time.Millisecond},
		{"suspended at first", `initial="suspend"|<audio uri="http://h/b"/>`, []cue{{at: 2 * second, event: "resume"}}, "b500ms", "play.complete", "500ms", 2500 * time.Millisecond},
		{"paused and resumed", `|<audio uri="http://h/a"/>`, []cue{{at: second / 2, event: "pause"}, {at: 3 * second, event: "resume"}}, "a1s", "play.complete", "1000ms", 3500 * time.Millisecond},
		{"restarted", `|<audio uri="http://h/a"/>`, []cue{{at: second / 2, event: "restart"}}, "a1.5s", "play.complete", "1500ms", 1500 * time.Millisecond},
		{"forward to its end", `skip="700ms"|<audio uri="http://h/a"/>`, []cue{{at: second / 2, event: "forward"}}, "a500ms", "play.complete", "500ms", second / 2},
		{"terminated", `|<audio uri="http://h/a"/>`, []cue{{at: second / 2, event: "terminate"}}, "a500ms", "terminate", "500ms", second / 2},

		{"as it arrives", `|<audio uri="http://h/long"/>`, nil, "a2s b2s", "play.complete", "4000ms", 7 * second},
		{"arriving, among others", `|<audio uri="http://h/b"/><audio uri="http://h/long"/><audio uri="http://h/a"/>`, nil,
			"b500ms a2s b2s a1s", "play.complete", "5500ms", 8 * second},
		{"arriving, twice", `|<audio uri="http://h/long" iterate="2"/>`, nil, "a2s b2s a2s b2s", "play.complete", "8000ms", 11 * second},
		{"arriving, forward to what is not there", `skip="2s"|<audio uri="http://h/long"/>`, []cue{{at: second, event: "forward"}}, "a800ms b1.2s", "play.complete", "2000ms", 6200 * time.Millisecond},
		{"arriving, backward", `skip="700ms"|<audio uri="http://h/long"/>`, []cue{{at: second, event: "backward"}}, "a2.7s b2s", "play.complete", "4700ms", 7 * second},
		{"arriving, paused until it is there", `|<audio uri="http://h/long"/>`, []cue{{at: second, event: "pause"}, {at: 20 * second, event: "resume"}}, "a2s b2s", "play.complete", "4000ms", 23200 * time.Millisecond},
		{"arriving, terminated while it waits", `|<audio uri="http://h/long"/>`, []cue{{at: 4 * second, event: "terminate"}}, "a2s", "terminate", "2000ms", 4 * second},
		{"arriving, until maxtime", `maxtime="3s"|<audio uri="http://h/long"/>`, nil, "a2s", "play.complete.maxtime", "2000ms", 3200 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rehearse(t, recordings, func(r *rehearsal) {
				attributes, elements, _ := strings.Cut(tt.play, "|")
				if err := r.start(`<play ` + attributes + `>` + elements + `</play><exit namelist="play.end play.amt"/>`); err != nil {
					t.Fatal(err)
				}
				r.follow(tt.cues)
				r.same(r.exit(), map[string]string{"play.end": tt.end, "play.amt": tt.amt})
				if got, took := r.boards.score(), time.Since(r.begun); got != tt.heard || took.Round(100*time.Millisecond) < tt.took || took > tt.took+second/4 {
					t.Errorf("%s in %v, wanted %s in %v", got, took, tt.heard, tt.took)
				}
			})
		})
	}
}

// A recording that breaks off is heard as far as it came, and ends the dialog with the code
// of its fetching; one that cannot be had does so before anything is heard.
func TestPlayOfWhatCannotBeHad(t *testing.T) {
	for _, tt := range []struct{ name, audio, heard, status string }{
		{"broken off", "broken", "a2s", "423"},
		{"not there", "nowhere", "", "423"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rehearse(t, recordings, func(r *rehearsal) {
				if err := r.start(`<play><audio uri="http://h/` + tt.audio + `"/></play>`); err != nil {
					t.Fatal(err)
				}
				r.same(r.exit(), map[string]string{"dialog.exit.status": tt.status})
				if got := r.boards.score(); got != tt.heard {
					t.Errorf("heard %s", got)
				}
			})
		})
	}
}

// What another dialog plays to a connection takes the place of what plays there.
func TestDisplacement(t *testing.T) {
	for _, audio := range []string{"a", "long"} {
		rehearse(t, recordings, func(r *rehearsal) {
			if err := r.start(`<play><audio uri="http://h/` + audio + `"/></play><exit namelist="play.end play.amt"/>`); err != nil {
				t.Fatal(err)
			}
			time.Sleep(700 * time.Millisecond)
			r.boards.displace()
			r.same(r.exit(), map[string]string{"play.end": "terminate"})
			if took := time.Since(r.begun); took != 700*time.Millisecond {
				t.Errorf("%s ended after %v", audio, took)
			}
		})
	}
}

// Keys end a prompt that they may, and are there for who collects them next.
func TestBarge(t *testing.T) {
	rehearse(t, recordings, func(r *rehearsal) {
		if err := r.start(`<play barge="true"><audio uri="http://h/long"/></play>
			<collect idt="1s"><pattern digits="xx"/></collect><exit namelist="play.end play.amt dtmf.digits dtmf.end"/>`); err != nil {
			t.Fatal(err)
		}
		r.follow([]cue{{at: second, keys: "4"}, {at: 3 * second / 2, keys: "2"}})
		r.same(r.exit(), map[string]string{"play.end": "terminate", "play.amt": "800ms", "dtmf.digits": "42", "dtmf.end": "dtmf.match"})
	})
}
