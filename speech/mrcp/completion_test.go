package mrcp

import (
	"errors"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
	"mcp/speech/nlsml"
)

func completion(event, cause string) *wire.Message {
	m := wire.NewEvent(event, 1, wire.Complete, "c@speechrecog")
	if cause != "" {
		m.Header.Add(wire.HeaderCompletionCause, cause)
	}
	m.SetBody("application/nlsml+xml", []byte(`<result><interpretation confidence="0.3"><input>x</input></interpretation></result>`))
	return m
}

// Every cause of RFC 6787 section 9.4.11, one that is not in it, and none.
func TestRecognitionCauses(t *testing.T) {
	broken := errors.New("a failure of its own kind")
	for _, row := range []struct {
		cause   string
		outcome speech.Outcome
		said    int // alternatives
		err     error
	}{
		{"", speech.Match, 1, nil},
		{"000 success", speech.Match, 1, nil},
		{"001 no-match", speech.NoMatch, 1, nil},
		{"002 no-input-timeout", speech.NoInput, 0, nil},
		{"003 hotword-maxtime", speech.NoMatch, 1, nil},
		{"004 grammar-load-failure", 0, 0, speech.ErrGrammar},
		{"005 grammar-compilation-failure", 0, 0, speech.ErrGrammar},
		{"006 recognizer-error", 0, 0, broken},
		{"007 speech-too-early", speech.NoMatch, 1, nil},
		{"008 success-maxtime", speech.Match, 1, nil},
		{"009 uri-failure", 0, 0, speech.ErrFetch},
		{"010 language-unsupported", 0, 0, speech.ErrLanguage},
		{"011 cancelled", 0, 0, speech.ErrClosed},
		{"012 semantics-failure", 0, 0, speech.ErrGrammar},
		{"013 partial-match", speech.NoMatch, 1, nil},
		{"014 partial-match-maxtime", speech.TooMuchSpeech, 1, nil},
		{"015 no-match-maxtime", speech.TooMuchSpeech, 1, nil},
		{"016 grammar-definition-failure", 0, 0, speech.ErrGrammar},
		{"099 something-new", 0, 0, broken},
	} {
		result, err := recognized(completion(wire.EventRecognitionComplete, row.cause), nlsml.Fraction)
		var failure *Failure
		switch {
		case row.err == nil && (err != nil || result.Outcome != row.outcome || len(result.Alternatives) != row.said):
			t.Errorf("%s: %+v, %v", row.cause, result, err)
		case row.err != nil && (!errors.As(err, &failure) || failure.Cause != row.cause):
			t.Errorf("%s: %v", row.cause, err)
		case row.err != nil && row.err != broken && !errors.Is(err, row.err):
			t.Errorf("%s: %v, want %v", row.cause, err, row.err)
		}
	}
}

// Every cause of RFC 6787 section 8.4.3.
func TestSpeechCauses(t *testing.T) {
	for cause, want := range map[string]error{
		"": nil, "000 normal": nil, "001 barge-in": nil,
		"002 parse-failure": speech.ErrText, "006 lexicon-load-failure": speech.ErrFetch,
		"003 uri-failure": speech.ErrFetch, "005 language-unsupported": speech.ErrLanguage, "007 cancelled": speech.ErrClosed,
	} {
		if err := spoken(completion(wire.EventSpeakComplete, cause)); !errors.Is(err, want) || (err != nil) != (want != nil) {
			t.Errorf("%s: %v", cause, err)
		}
	}
	for _, cause := range []string{"004 error", "042 new"} {
		if spoken(completion(wire.EventSpeakComplete, cause)) == nil {
			t.Errorf("%s passes for success", cause)
		}
	}
}

func TestRefusals(t *testing.T) {
	for status, want := range map[int]error{200: nil, 201: nil, 405: speech.ErrUnavailable, 501: speech.ErrUnavailable, 504: speech.ErrUnavailable} {
		m := &wire.Message{Kind: wire.Response, Status: status, State: wire.Complete}
		if err := refusal(wire.MethodSpeak, m); !errors.Is(err, want) || (err != nil) != (want != nil) {
			t.Errorf("%d: %v", status, err)
		}
	}
	m := &wire.Message{Kind: wire.Response, Status: 407, State: wire.Complete}
	m.Header.Add(wire.HeaderCompletionCause, "004 grammar-load-failure")
	m.Header.Add(wire.HeaderCompletionReason, "no such file")
	err := refusal(wire.MethodDefineGrammar, m)
	if want := "speech server: DEFINE-GRAMMAR: 407 method or operation failed: 004 grammar-load-failure: no such file"; err.Error() != want || !errors.Is(err, speech.ErrGrammar) {
		t.Errorf("%v", err)
	}
}

func TestConfig(t *testing.T) {
	one := []Server{{URI: "sip:mresources@192.0.2.7:5060;transport=tcp"}}
	for _, cfg := range []Config{{Servers: one}, {Servers: []Server{{URI: "rtsp://192.0.2.7:4900", Weight: 3}}, Resources: []string{"recorder"}}} {
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
	}
	for name, cfg := range map[string]Config{
		"no server":  {},
		"uri":        {Servers: []Server{{URI: "http://x"}}},
		"weight":     {Servers: []Server{{URI: "sip:x", Weight: -1}}},
		"resource":   {Servers: one, Resources: []string{"speakverify"}},
		"response":   {Servers: one, ResponseTimeout: -1},
		"open":       {Servers: one, OpenTimeout: -1},
		"close":      {Servers: one, CloseTimeout: -time.Second},
		"keep-alive": {Servers: one, KeepAlive: -1},
		"idle":       {Servers: one, Idle: -1},
		"health":     {Servers: one, HealthInterval: -1},
		"retry":      {Servers: one, RetryAfter: -1},
		"ssml":       {Servers: one, SSMLType: "ssml"},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestGrammarNames(t *testing.T) {
	gs := newGrammars(Manners{})
	for _, row := range []struct {
		id, content, want string
		isNew             bool
	}{
		{"a", "<1/>", "a", true},
		{"a", "<1/>", "a", false},
		{"b", "<1/>", "a", false},
		{"a", "<2/>", "a-2", true},
		{"a", "<3/>", "a-3", true},
		{"", "<4/>", "", true},
		{"not a name", "<5/>", "", true},
	} {
		g := speech.Grammar{ID: row.id, Content: []byte(row.content)}
		name, isNew := gs.name(g)
		if isNew != row.isNew || row.want != "" && name != row.want || !validGrammarID(name) {
			t.Errorf("%+v: %s %v", row, name, isNew)
		}
		gs.defined(g, name)
	}
	refs := []reference{{uri: "session:a@mcp.store", id: "menu"}, {uri: "http://x/g", id: "web"}, {uri: "builtin:speech/digits"}}
	for uri, want := range map[string]string{
		"session:a@mcp.store": "menu", "session:a": "menu", "SESSION:A@other.store": "menu", "<session:a@x": "<session:a@x",
		"http://x/g": "web", "builtin:speech/digits": "builtin:speech/digits", "session:z@mcp.store": "session:z@mcp.store", "": "",
	} {
		list := []speech.Alternative{{GrammarID: uri}}
		if nameGrammars(list, refs); list[0].GrammarID != want {
			t.Errorf("%s: %s", uri, list[0].GrammarID)
		}
	}
}
