package nexus_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"mcp/speech"
	"mcp/speech/nexus"
	"mcp/speech/nexus/audiohook"
	"mcp/speech/nexus/nexustest"
	"mcp/speech/speechtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// rig is an engine with a bot and one call.
type rig struct {
	*testing.T
	server  *nexustest.Server
	client  *audiohook.Client
	canned  speechtest.Canned
	engine  *nexus.Engine
	line    *speechtest.Line
	session speech.Session
}

func newRig(t *testing.T, codec string, change func(*nexustest.Config, *audiohook.Config)) *rig {
	t.Helper()
	far := nexustest.Config{Pause: 300 * time.Millisecond}
	near := audiohook.Config{OpenTimeout: 2 * time.Second, CloseTimeout: time.Second}
	if change != nil {
		change(&far, &near)
	}
	r := &rig{T: t, canned: speechtest.NewCanned("yes", "no", "goodbye"), line: speechtest.NewLine(codec)}
	var err error
	r.server, err = nexustest.NewServer(far, r.canned, slog.New(slog.DiscardHandler))
	r.must(err)
	t.Cleanup(func() {
		r.must(r.server.Close())
		for _, v := range r.server.Violations() {
			t.Error(v)
		}
	})
	if near.URL == "" {
		near.URL = r.server.URL()
	}
	r.must(near.Validate())
	r.client, err = audiohook.New(near, slog.New(slog.DiscardHandler))
	r.must(err)
	t.Cleanup(func() { r.must(r.client.Close()) })
	r.engine = nexus.New(nexus.Config{Settle: 50 * time.Millisecond, Soon: time.Nanosecond}, r.client, slog.New(slog.DiscardHandler))
	r.session, err = r.engine.Attach(t.Context(), r.line)
	r.must(err)
	t.Cleanup(func() { r.must(r.session.Close(t.Context())) })
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) await(what string, holds func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("waited in vain for %s", what)
		}
	}
}

// ask begins a turn whose prompt has been heard.
func (r *rig) ask(q speech.Recognition) speech.Recognizing {
	r.Helper()
	q.StartTimers = true
	recognizing, err := r.session.Recognize(r.Context(), q)
	r.must(err)
	return recognizing
}

// talking is the only session, which both ends know to be open.
func (r *rig) talking() *nexustest.Session {
	r.Helper()
	r.await("a session", func() bool { return len(r.server.Sessions()) == 1 && r.line.Listeners() == 1 })
	s := r.server.Sessions()[0]
	r.line.Speak(bytes.Repeat([]byte{0xff}, 800))
	r.await("what is said", func() bool { return len(s.Audio()) == 800 })
	return s
}

func (r *rig) answer(recognizing speech.Recognizing) (speech.Result, error) {
	r.Helper()
	select {
	case <-recognizing.Done():
	case <-time.After(patience):
		r.Fatal("no answer")
	}
	return recognizing.Result()
}

// latest is the latest session at the server, once it is open.
func (r *rig) latest() *nexustest.Session {
	r.Helper()
	r.await("a session", func() bool { all := r.server.Sessions(); return len(all) > 0 && r.line.Listeners() > 0 })
	all := r.server.Sessions()
	return all[len(all)-1]
}

// greeted waits until the bot has greeted the caller.
func (r *rig) greeted() {
	r.Helper()
	session := r.latest()
	r.await("the greeting", func() bool {
		return len(session.Opening().Continued) > 0 || len(session.Messages("playback_started")) > 0
	})
}

// says lets the caller say so many words, once the bot has said what it wants to.
func (r *rig) says(words int) {
	r.Helper()
	r.greeted()
	silence := make([]int16, speechtest.Rate/2)
	pcm := slices.Concat(silence, r.canned.Beeps(words), silence)
	for piece := range slices.Chunk(speechtest.Encode(pcm, r.line.Audio.Name == "PCMA"), 160) {
		r.line.Speak(piece)
	}
}

func (r *rig) count(name string, labels map[string]string) float64 {
	r.Helper()
	registry := prometheus.NewPedanticRegistry()
	r.must(registry.Register(r.engine))
	families, err := registry.Gather()
	r.must(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			n := 0
			for _, l := range m.GetLabel() {
				if labels[l.GetName()] == l.GetValue() {
					n++
				}
			}
			if f.GetName() == name && n == len(labels) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestTurnsOfAConversation(t *testing.T) {
	for name, change := range map[string]func(*nexustest.Config, *audiohook.Config){
		"PCMU": nil, "PCMA": nil,
		"L16": func(s *nexustest.Config, _ *audiohook.Config) { s.L16 = true },
		"signed": func(s *nexustest.Config, c *audiohook.Config) {
			s.APIKey, s.Secret = "key-1", "c2VjcmV0"
			c.APIKey, c.Secret, c.Organization = s.APIKey, s.Secret, "d7934305-0972-4844-938e-9060eef73d05"
		},
	} {
		t.Run(name, func(t *testing.T) {
			codec := "PCMU"
			if name == "PCMA" {
				codec = name
			}
			r := newRig(t, codec, change)
			first := r.ask(speech.Recognition{Language: "en-GB", Properties: map[string]string{
				"com.genesyslab.asr.botName": "parrot", "com.genesyslab.asrengine": "nexus", "timeout": "5s",
			}})
			<-first.Started()
			r.says(1)
			result, err := r.answer(first)
			r.must(err)
			if a := result.Alternatives; result.Outcome != speech.Match || len(a) != 1 || a[0].Utterance != "yes" || a[0].Confidence != 0.9 || a[0].Transcript {
				t.Errorf("first: %+v", result)
			}
			second := r.ask(speech.Recognition{})
			r.says(1)
			if result, err = r.answer(second); err != nil || result.Alternatives[0].Utterance != "no" {
				t.Errorf("second: %+v, %v", result, err)
			}
			last := r.ask(speech.Recognition{})
			r.says(1)
			result, err = r.answer(last)
			r.must(err)
			if want := "<text>goodbye</text><confidence>0.9</confidence><outputVariables><outcome>done</outcome></outputVariables>"; result.Alternatives[0].Instance != want {
				t.Errorf("last: %+v", result)
			}
			session := r.server.Sessions()[0]
			o := session.Opening()
			if o.Language != "en-GB" || o.Participant.ANI != "+15551000" || o.Participant.DNIS != "1800" || o.ConversationID != r.line.Who.Conversation ||
				len(o.InputVariables) != 1 || o.InputVariables["botName"] != "parrot" {
				t.Errorf("open: %+v", o)
			}
			r.await("the end", func() bool { return r.server.Open() == 0 && r.line.Listeners() == 0 })
			var reason audiohook.Reason
			r.must(json.Unmarshal(session.Messages("close")[0].Parameters, &reason))
			if reason.Reason != "disconnect" || len(r.server.Sessions()) != 1 {
				t.Errorf("closed for %q in %d sessions", reason.Reason, len(r.server.Sessions()))
			}
			r.heard(codec, "How may I help you", "You said yes", "You said no", "Good bye")
			if n := r.count("mcp_speech_nexus_turns_total", map[string]string{"outcome": "match"}); n != 3 {
				t.Errorf("%v turns", n)
			}
		})
	}
}

// heard checks what the caller heard of the bot. It may have said one thing right after
// another.
func (r *rig) heard(codec string, texts ...string) {
	r.Helper()
	var got []byte
	for _, said := range r.line.Said() {
		audio, _ := said.Audio()
		got = append(got, audio...)
	}
	var pcm []int16
	for _, text := range texts {
		pcm = append(pcm, r.canned.Beeps(len(strings.Fields(text)))...)
	}
	want := speechtest.Encode(pcm, codec == "PCMA")
	if len(got) != len(want) || !near(got, want, codec == "PCMA") {
		r.Errorf("the bot was heard for %d octets, want %d, or otherwise", len(got), len(want))
	}
}

// near tells whether audio differs by no more than going to and fro between codecs does.
func near(a, b []byte, alaw bool) bool {
	x, y := speechtest.Decode(a, alaw), speechtest.Decode(b, alaw)
	for i := range x {
		if d := int(x[i]) - int(y[i]); d > 600 || d < -600 {
			return false
		}
	}
	return true
}

func TestKeysAreTheBots(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	q := r.ask(speech.Recognition{})
	r.greeted()
	for _, key := range []byte("4711#") {
		r.line.Press(key)
	}
	result, err := r.answer(q)
	if err != nil || result.Alternatives[0].Utterance != "4711" {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestBotsAreInterrupted(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	q := r.ask(speech.Recognition{})
	session := r.latest()
	r.await("the bot to speak", func() bool { return len(session.Messages("playback_started")) == 1 })
	r.says(1)
	result, err := r.answer(q)
	if err != nil || result.Outcome != speech.Match {
		t.Errorf("%+v, %v", result, err)
	}
	if _, stopped := r.line.Said()[0].Audio(); !stopped {
		t.Error("the bot went on")
	}
	if n := len(session.Messages("playback_completed")); n == 0 {
		t.Error("the bot was not told")
	}
}

func TestServersPauseAndReconnect(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	r.server.Fail(nexustest.Faults{Reconnect: true})
	q := r.ask(speech.Recognition{})
	r.await("another session", func() bool { return len(r.server.Sessions()) == 2 && r.server.Open() == 1 })
	old, session := r.server.Sessions()[0], r.server.Sessions()[1]
	r.await("it to be open", func() bool { return len(session.Opening().Continued) == 1 })
	var reason audiohook.Reason
	r.must(json.Unmarshal(old.Messages("close")[0].Parameters, &reason))
	if reason.Reason != "reconnect" || session.Opening().ConversationID != old.Opening().ConversationID {
		t.Errorf("the old session was closed for %q", reason.Reason)
	}
	session.Send(t.Context(), "pause", struct{}{})
	r.await("the pause", func() bool { return len(session.Messages("paused")) == 1 })
	before := len(session.Audio())
	for range 50 {
		r.line.Speak(bytes.Repeat([]byte{0xff}, 160))
	}
	r.line.Lose(speech.Sound{Audio: bytes.Repeat([]byte{0xff}, 160), Lost: 500 * time.Millisecond})
	r.line.Press('1') // what it is told comes after the audio: nothing else waits for that
	r.await("the key", func() bool { return len(session.Messages("dtmf")) == 1 })
	session.Send(t.Context(), "resume", struct{}{})
	r.await("the audio", func() bool { return len(session.Messages("resumed")) == 1 })
	if n := len(session.Audio()) - before; n != 0 {
		t.Errorf("%d octets came in the pause", n)
	}
	r.line.Lose(speech.Sound{Audio: bytes.Repeat([]byte{0xff}, 160), Lost: 250 * time.Millisecond})
	r.await("the gap", func() bool { return len(session.Messages("discarded")) == 1 })
	var gap audiohook.Stretch
	r.must(json.Unmarshal(session.Messages("discarded")[0].Parameters, &gap))
	if gap.Discarded != "PT0.25S" {
		t.Errorf("gap: %+v", gap)
	}
	r.says(1)
	if result, err := r.answer(q); err != nil || result.Outcome != speech.Match {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestLostConversationsAreResumed proves that a lost connection costs the conversation
// nothing but the audio that was said meanwhile, of which the bot is told.
func TestLostConversationsAreResumed(t *testing.T) {
	r := newRig(t, "PCMU", func(_ *nexustest.Config, c *audiohook.Config) { c.OpenTimeout = patience })
	q := r.ask(speech.Recognition{})
	old := r.talking()
	r.server.Fail(nexustest.Faults{Status: 503})
	old.Drop()
	r.await("another to be asked for", func() bool { return r.server.Refused() > 0 })
	r.line.Speak(bytes.Repeat([]byte{0xff}, 400))
	r.line.Press('7')
	r.await("it to be taken off the line", func() bool { return r.line.Waiting() == 0 })
	r.server.Fail(nexustest.Faults{})
	r.await("another session", func() bool { return len(r.server.Sessions()) == 2 })
	session := r.server.Sessions()[1]
	r.await("the key", func() bool { return len(session.Messages("dtmf")) == 1 })
	if c := session.Opening().Continued; len(c) != 1 || c[0].ID != old.ID() {
		t.Errorf("continued %+v", c)
	}
	gap := audiohook.Stretch{Discarded: "PT0S"}
	if missed := session.Messages("discarded"); len(missed) > 0 {
		r.must(json.Unmarshal(missed[0].Parameters, &gap))
		if gap.Start != "PT0.1S" {
			t.Errorf("gap: %+v", gap)
		}
	}
	discarded, err := gap.Discarded.Time()
	r.must(err)
	r.await("all to be accounted for", func() bool { return len(session.Audio())+int(discarded.Milliseconds())*8 == 400 })
	r.says(1)
	if result, err := r.answer(q); err != nil || result.Outcome != speech.Match {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestConversationsThatCannotBeResumed proves that one is given up in time.
func TestConversationsThatCannotBeResumed(t *testing.T) {
	r := newRig(t, "PCMU", func(_ *nexustest.Config, c *audiohook.Config) { c.OpenTimeout = 300 * time.Millisecond })
	q := r.ask(speech.Recognition{})
	s := r.talking()
	r.server.Fail(nexustest.Faults{Status: 503})
	s.Drop()
	if _, err := r.answer(q); !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	r.await("nothing to be left", func() bool { return r.line.Listeners() == 0 && r.server.Open() == 0 })
	if n := r.count("mcp_speech_nexus_errors_total", map[string]string{"use": "voicebot", "class": "protocol"}); n != 1 {
		t.Errorf("%v errors were counted", n)
	}
}

// TestCallsThatEndWhileTheirConversationIsLost proves that they do so at once.
func TestCallsThatEndWhileTheirConversationIsLost(t *testing.T) {
	r := newRig(t, "PCMU", func(_ *nexustest.Config, c *audiohook.Config) { c.OpenTimeout = time.Hour })
	r.ask(speech.Recognition{})
	s := r.talking()
	r.server.Fail(nexustest.Faults{Status: 503})
	s.Drop()
	r.await("another to be asked for", func() bool { return r.server.Refused() > 0 })
	r.must(r.session.Close(t.Context()))
	if r.line.Listeners() != 0 {
		t.Error("somebody still listens")
	}
}

// TestBotsThatFail proves what each failure is to the dialogue and to those who count.
func TestBotsThatFail(t *testing.T) {
	tests := []struct {
		name   string
		faults nexustest.Faults
		change func(*nexustest.Config, *audiohook.Config)
		class  string
		code   float64 // of the error message to the server; 0: none
	}{
		{"unreachable", nexustest.Faults{}, func(_ *nexustest.Config, c *audiohook.Config) { c.URL = "ws://127.0.0.1:1/" }, "open_session", 0},
		{"busy", nexustest.Faults{Status: 429}, nil, "open_session", 0},
		{"key not known", nexustest.Faults{}, func(s *nexustest.Config, c *audiohook.Config) { s.APIKey, c.APIKey = "a", "b" }, "open_session", 0},
		{"signature not right", nexustest.Faults{}, func(s *nexustest.Config, c *audiohook.Config) {
			s.APIKey, c.APIKey, s.Secret, c.Secret = "a", "a", "c2VjcmV0", "b3RoZXI="
		}, "open_session", 0},
		{"unauthorized", nexustest.Faults{Unauthorized: true}, nil, "open_session", 0},
		{"slow", nexustest.Faults{Mute: true}, func(_ *nexustest.Config, c *audiohook.Config) { c.OpenTimeout = 200 * time.Millisecond }, "open_session", 0},
		{"format not offered", nexustest.Faults{Format: true}, nil, "open_session", 400},
		{"audio too early", nexustest.Faults{Early: true}, nil, "open_session", 409},
		{"garbage", nexustest.Faults{Garbage: true}, nil, "protocol", 400},
		{"sequence number skipped", nexustest.Faults{Sequence: true}, nil, "protocol", 400},
		{"message too large", nexustest.Faults{Huge: true}, nil, "protocol", 413},
		{"no pong", nexustest.Faults{Pongless: true}, func(_ *nexustest.Config, c *audiohook.Config) { c.Ping = 50 * time.Millisecond }, "protocol", 408},
		{"cut in mid-word", nexustest.Faults{Cut: true}, func(_ *nexustest.Config, c *audiohook.Config) { c.OpenTimeout = time.Second }, "protocol", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "PCMU", tt.change)
			r.server.Fail(tt.faults)
			q := r.ask(speech.Recognition{})
			if tt.faults.Cut {
				r.await("a session", func() bool { return r.server.Open() == 1 && r.line.Listeners() == 1 })
				r.server.Fail(nexustest.Faults{Cut: true, Status: 503})
				r.says(1)
			}
			_, err := r.answer(q)
			var fault *nexus.Fault
			if !errors.Is(err, speech.ErrUnavailable) || !errors.As(err, &fault) || fault.Class != tt.class {
				t.Errorf("the turn: %v", err)
			}
			if n := r.count("mcp_speech_nexus_errors_total", map[string]string{"use": "voicebot", "class": tt.class}); n != 1 {
				t.Errorf("%v errors were counted", n)
			}
			if tt.code > 0 {
				var f audiohook.Failure
				session := r.server.Sessions()[0]
				r.await("the server to be told", func() bool { return len(session.Messages("error")) == 1 })
				if err := json.Unmarshal(session.Messages("error")[0].Parameters, &f); err != nil || float64(f.Code) != tt.code {
					t.Errorf("the server was told %+v", f)
				}
			}
			r.await("nothing to be left", func() bool { return r.line.Listeners() == 0 && r.server.Open() == 0 })
			r.server.Fail(nexustest.Faults{})
			if tt.class == "protocol" && !tt.faults.Pongless { // the next turn is another conversation
				again := r.ask(speech.Recognition{})
				r.says(1)
				if result, err := r.answer(again); err != nil || result.Outcome != speech.Match {
					t.Errorf("after that: %+v, %v", result, err)
				}
			}
		})
	}
}

func TestCertificateNotTrusted(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	for trusted, file := range map[bool]string{true: ca, false: ""} {
		r := newRig(t, "PCMU", func(s *nexustest.Config, c *audiohook.Config) {
			s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
			c.CA = file
		})
		q := r.ask(speech.Recognition{})
		if trusted {
			r.says(1)
		}
		var fault *nexus.Fault
		if _, err := r.answer(q); (err == nil) != trusted || err != nil && (!errors.As(err, &fault) || fault.Class != "open_session") {
			t.Errorf("trusted %t: %v", trusted, err)
		}
	}
}

func TestTurnsThatAreGivenUp(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	waiting, err := r.session.Recognize(t.Context(), speech.Recognition{})
	r.must(err)
	r.must(waiting.Stop(t.Context())) // before the prompt was heard: nothing was opened
	if _, err := r.answer(waiting); !errors.Is(err, speech.ErrClosed) || len(r.server.Sessions()) != 0 {
		t.Errorf("%v, %d sessions", err, len(r.server.Sessions()))
	}
	q := r.ask(speech.Recognition{})
	r.latest()
	r.must(q.Stop(t.Context()))
	again := r.ask(speech.Recognition{}) // the conversation goes on
	r.says(1)
	if result, err := r.answer(again); err != nil || result.Outcome != speech.Match || len(r.server.Sessions()) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	last := r.ask(speech.Recognition{})
	r.must(r.session.Close(t.Context()))
	if _, err := r.answer(last); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	var reason audiohook.Reason
	r.must(json.Unmarshal(r.server.Sessions()[0].Messages("close")[0].Parameters, &reason))
	if reason.Reason != "end" {
		t.Errorf("closed for %q", reason.Reason)
	}
	if _, err := r.session.Speak(t.Context(), speech.Utterance{}); !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("a bot speaks prompts: %v", err)
	}
}

func TestWhatCannotBeConfigured(t *testing.T) {
	for name, c := range map[string]audiohook.Config{
		"nothing": {}, "http": {URL: "http://a/b"}, "plain elsewhere": {URL: "ws://10.0.0.1/"}, "secret": {URL: "wss://a/", APIKey: "k", Secret: "!"},
		"secret without key": {URL: "wss://a/", Secret: "c2VjcmV0"}, "organization": {URL: "wss://a/", Organization: "acme"},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
	}
	if err := (audiohook.Config{URL: "wss://bot.example.com/a"}).Validate(); err != nil {
		t.Error(err)
	}
}

// dumb is a bot that neither greets nor answers.
type dumb struct{}

func (dumb) Greet(audiohook.Open) string { return "" }

func (dumb) Answer(string, string) nexustest.Reply { return nexustest.Reply{Disposition: "match"} }

// TestTurnsThatAreNeverAnswered fail after a time, as does the conversation; the next
// turn begins another.
func TestTurnsThatAreNeverAnswered(t *testing.T) {
	r := newRig(t, "PCMU", func(far *nexustest.Config, _ *audiohook.Config) { far.Brain = dumb{} })
	engine := nexus.New(nexus.Config{Answer: 100 * time.Millisecond}, r.client, slog.New(slog.DiscardHandler))
	session, err := engine.Attach(t.Context(), r.line)
	r.must(err)
	for turn := 1; turn <= 2; turn++ {
		recognizing, err := session.Recognize(t.Context(), speech.Recognition{StartTimers: true})
		r.must(err)
		var fault *nexus.Fault
		if _, err := r.answer(recognizing); !errors.As(err, &fault) || fault.Class != "no_answer" || !errors.Is(err, speech.ErrUnavailable) {
			t.Errorf("turn %d ends with %v", turn, err)
		}
		r.await("the conversation to end", func() bool { return r.server.Open() == 0 })
		if n := len(r.server.Sessions()); n != turn {
			t.Errorf("%d conversations after turn %d", n, turn)
		}
	}
	r.must(session.Close(t.Context()))
}
