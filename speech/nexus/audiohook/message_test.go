package audiohook

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The documentation's example of a signed request.
const (
	exampleKey    = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
	exampleSecret = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="
	exampleTarget = "/api/v1/voicebiometrics/ws"
	exampleInput  = `("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" "audiohook-correlation-id" "x-api-key");keyid="SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";alg="hmac-sha256";created=1641013200;expires=3282026430`
	exampleMAC    = "NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4="
)

func exampleRequest() *http.Request {
	h := http.Header{}
	h.Set(headerOrganization, "d7934305-0972-4844-938e-9060eef73d05")
	h.Set(headerSession, "30b0e395-84d3-4570-ac13-9a62d8f514c0")
	h.Set(headerCorrelation, "e160e428-53e2-487c-977d-96989bf5c99d")
	h.Set(headerKey, exampleKey)
	u, _ := url.Parse("https://audiohook.example.com" + exampleTarget)
	return &http.Request{Method: "GET", URL: u, Host: "audiohook.example.com", Header: h}
}

func secretOf(t *testing.T) []byte {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(exampleSecret)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestSignatureOfTheDocumentation(t *testing.T) {
	r, secret := exampleRequest(), secretOf(t)
	mac := digest(base(components(), exampleInput, lookup(exampleTarget, "AudioHook.example.com:443", r.Header)), secret)
	if got := base64.StdEncoding.EncodeToString(mac); got != exampleMAC {
		t.Errorf("signature %s", got)
	}
	r.Header.Set(headerInput, "sig1="+exampleInput)
	r.Header.Set(headerSignature, "sig1=:"+exampleMAC+":")
	if err := Verify(r, secret, time.Unix(1641013205, 0)); err != nil {
		t.Error(err)
	}
	if err := Verify(r, secret, time.Unix(1641013215, 0)); !errors.Is(err, ErrSignature) {
		t.Errorf("a signature of 15 s ago: %v", err)
	}
}

// TestSignaturesOfOthers changes what is signed, one thing at a time.
func TestSignaturesOfOthers(t *testing.T) {
	secret, now := secretOf(t), time.Now()
	signed := func() *http.Request {
		r := exampleRequest()
		Sign(r.URL, r.Header, secret, now)
		return r
	}
	if err := Verify(signed(), secret, now); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*http.Request){
		"no signature":       func(r *http.Request) { r.Header.Del(headerSignature) },
		"no input":           func(r *http.Request) { r.Header.Del(headerInput) },
		"another target":     func(r *http.Request) { r.URL.Path = "/other" },
		"another host":       func(r *http.Request) { r.Host = "evil.example.com" },
		"another session":    func(r *http.Request) { r.Header.Set(headerSession, "x") },
		"another key":        func(r *http.Request) { r.Header.Set(headerKey, "x") },
		"less is signed":     func(r *http.Request) { edit(r, headerInput, `"x-api-key"`, "") },
		"a short nonce":      func(r *http.Request) { edit(r, headerInput, `nonce="`, `nonce="x";was="`) },
		"not base64":         func(r *http.Request) { edit(r, headerSignature, "=:", "=:!") },
		"created in another": func(r *http.Request) { edit(r, headerInput, "created=", "created=1;was=") },
	} {
		r := signed()
		change(r)
		if err := Verify(r, secret, now); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Verify(signed(), []byte("other"), now); !errors.Is(err, ErrSignature) {
		t.Errorf("another secret: %v", err)
	}
}

func edit(r *http.Request, header, old, new string) {
	r.Header.Set(header, strings.Replace(r.Header.Get(header), old, new, 1))
}

func TestMessagesAsTheyAreWritten(t *testing.T) {
	zero, five := uint64(0), uint64(5)
	parameters, err := json.Marshal(Open{
		OrganizationID: "org", ConversationID: "conv", Participant: Participant{ID: "p", ANI: "+1", DNIS: "1800"},
		Media: []Media{{Type: "audio", Format: "PCMU", Channels: []string{External}, Rate: 8000}}, Language: "en-US",
		Continued: []Continued{{ID: "s0", ServerSeq: 3, ClientSeq: 4}}, InputVariables: map[string]string{"bot": "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		message Message
		want    string
	}{
		{Message{Version: "2", ID: "s1", Type: "open", Seq: 1, ServerSeq: &zero, Position: FormatDuration(0), Parameters: parameters},
			`{"version":"2","id":"s1","type":"open","seq":1,"serverseq":0,"position":"PT0S","parameters":{"organizationId":"org","conversationId":"conv","participant":{"id":"p","ani":"+1","aniName":"","dnis":"1800"},"media":[{"type":"audio","format":"PCMU","channels":["external"],"rate":8000}],"language":"en-US","continuedSessions":[{"id":"s0","serverseq":3,"clientseq":4}],"inputVariables":{"bot":"b"}}}`},
		{Message{Version: "2", ID: "s1", Type: "closed", Seq: 7, ClientSeq: &five, Parameters: json.RawMessage("{}")},
			`{"version":"2","id":"s1","type":"closed","seq":7,"clientseq":5,"parameters":{}}`},
	}
	for _, tt := range tests {
		got, err := json.Marshal(tt.message)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s, %v\nwant %s", got, err, tt.want)
		}
		if m, err := Read(got); err != nil || m.Type != tt.message.Type || m.Seq != tt.message.Seq {
			t.Errorf("read again: %+v, %v", m, err)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]Duration{
		0: "PT0S", 1500 * time.Millisecond: "PT1.5S", -time.Second: "PT0S", 20 * time.Millisecond: "PT0.02S", time.Hour: "PT3600S",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
	for text, want := range map[Duration]time.Duration{"PT1.5S": 1500 * time.Millisecond, "PT.5S": 500 * time.Millisecond, "PT10.S": 10 * time.Second} {
		if got, err := text.Time(); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []Duration{"", "1.5", "PTS", "PT-1S", "PT1M", "PT1e9S", "PT99999999999S"} {
		if got, err := text.Time(); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func TestMessagesThatAreNone(t *testing.T) {
	for text, code := range map[string]int{
		"": 400, "[]": 400, `{"version":"1","id":"a","type":"x","seq":1}`: 400, `{"version":"2","id":"a","type":"x"}`: 400,
		`{"version":"2","type":"x","seq":1}`: 400, `{"version":"2","id":"a","seq":1}`: 400, `{"version":"2","id":"a","type":"x","seq":-1}`: 400,
		strings.Repeat(" ", MaxMessage+1): 413,
	} {
		var wrong *ProtocolError
		if _, err := Read([]byte(text)); !errors.As(err, &wrong) || wrong.Code != code {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// FuzzRead reads what servers may send, to the last parameter.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"version":"2","id":"a","type":"opened","seq":1,"clientseq":1,"parameters":{"media":[{"type":"audio","format":"PCMU","channels":["external"],"rate":8000}],"discardTo":"PT1S"}}`))
	f.Add([]byte(`{"version":"2","id":"a","type":"event","seq":2,"clientseq":1,"parameters":{"entities":[{"type":"bot_turn_response","data":{"disposition":"match","text":"yes","confidence":0.9}}]}}`))
	f.Add([]byte(`{"version":"2","id":"a","type":"disconnect","seq":3,"parameters":{"reason":"completed","outputVariables":{"a":"b"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Read(text)
		if err != nil {
			var wrong *ProtocolError
			if !errors.As(err, &wrong) {
				t.Fatalf("%v is no protocol error", err)
			}
			return
		}
		for _, into := range []any{&Opened{}, &Disconnect{}, &Failure{}, &Entities{}} {
			if err := m.parameters(into); err == nil {
				if o, ok := into.(*Opened); ok {
					_, _ = o.DiscardTo.Time()
				}
			}
		}
		_, _ = m.Entities()
		if _, err := json.Marshal(m); err != nil {
			t.Fatal(err)
		}
	})
}
