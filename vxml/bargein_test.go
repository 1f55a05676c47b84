package vxml_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mcp/vxml"
)

// Each of several queued prompts decides, while it plays, whether it can be
// interrupted; when one is, none that follows is played, whatever it says
// (VoiceXML 2.0 section 4.1.5). A prompt lasts one second.
func TestBargeInOfEach(t *testing.T) {
	const queued = `<prompt>First.</prompt><prompt bargein="false">Second.</prompt><prompt>Third.</prompt>`
	const field = `<form><field name="a">` + queued + `<grammar mode="dtmf" root="r"><rule id="r">1</rule></grammar>
		<grammar mode="voice" root="r"><rule id="r">yes</rule></grammar>
		<noinput><log>silence</log><exit/></noinput><filled><log expr="a"/></filled></field></form>`
	const record = `<form><record name="a" dtmfterm="true">` + queued + `<noinput><log>silence</log><exit/></noinput></record></form>`
	key := func(after time.Duration) func(*phone) { return func(p *phone) { p.press(after, 0, "1") } }
	word := func(p *phone) {
		p.say(500*time.Millisecond, vxml.SpeechResult{Alternatives: []vxml.Alternative{{Utterance: "yes", Confidence: 1}}})
	}
	tests := []struct {
		name, body string
		act        func(*phone)
		said       []string
		logged     string
		at         time.Duration // when that was logged; 0: whenever
	}{
		{"a key during the first", field, key(500 * time.Millisecond), []string{"First."}, "1", 500 * time.Millisecond},
		{"a word during the first", field, word, []string{"First."}, "yes", 1500 * time.Millisecond},
		{"a key before the first", field, func(p *phone) { p.digits <- vxml.Digit{Key: '1'} }, nil, "1", 0},
		{"a key during the second is forgotten", field, key(1500 * time.Millisecond), []string{"First.", "Second.", "Third."}, "silence", 0},
		{"a key during the third", field, key(2500 * time.Millisecond), []string{"First.", "Second.", "Third."}, "1", 2500 * time.Millisecond},
		{"no key", field, func(*phone) {}, []string{"First.", "Second.", "Third."}, "silence", 0},
		{"record: a key during the first ends it, and it is asked again", record, key(500 * time.Millisecond),
			[]string{"First.", "First.", "Second.", "Third."}, "", 0},
		{"record: a key during the second is forgotten", record, key(1500 * time.Millisecond), []string{"First.", "Second.", "Third."}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &taping{phone: newPhone()}
				tt.act(p.phone)
				var said []string
				all := timed(t, p, tt.body)
				for _, e := range all {
					if e.kind == vxml.Said {
						said = append(said, e.text)
					}
				}
				if !slices.Equal(said, tt.said) {
					t.Errorf("said %q, want %q", said, tt.said)
				}
				if tt.logged == "" {
					return
				}
				if at := find(t, all, vxml.Logged, tt.logged); tt.at != 0 && at != tt.at {
					t.Errorf("%q after %v, want %v", tt.logged, at, tt.at)
				}
			})
		})
	}
}
