package digest

import (
	"strings"
	"testing"
	"time"
)

var invite = Request{Method: "INVITE", URI: "sip:ivr@192.0.2.1"}

// The example of RFC 2617 section 3.5, whose arithmetic SIP shares.
func TestAnswerOfTheRFC(t *testing.T) {
	c := Credentials{{Realm: "testrealm@host.com", User: "Mufasa", Password: "Circle Of Life"}}
	got, ok := c.Answer([]string{`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`},
		Request{Method: "GET", URI: "/dir/index.html"})
	// Without qop, as RFC 2069 had it: MD5(HA1:nonce:HA2) of the same values.
	if !ok || !strings.Contains(got.Value, `response="670fd8c2df070c60b045671b8b24ff02"`) {
		t.Error(got)
	}
}

func TestStrongestChallengeIsAnswered(t *testing.T) {
	c := Credentials{{Realm: "gvp", User: "mcp", Password: "secret"}}
	got, ok := c.Answer([]string{
		`Digest realm="gvp", nonce="a", algorithm=MD5, qop="auth"`,
		`Digest realm="gvp", nonce="b", algorithm=SHA-256, qop="auth, auth-int"`,
		`Digest realm="other", nonce="c", algorithm=SHA-512-256, qop="auth"`,
		`Digest realm="gvp", nonce="d", algorithm=AKAv1-MD5, qop="auth"`,
		`Basic realm="gvp"`,
	}, invite)
	if !ok || !strings.Contains(got.Value, `nonce="b"`) || !strings.Contains(got.Value, "SHA-256") {
		t.Error(got)
	}
}

func TestOtherRealmsAreNotAnswered(t *testing.T) {
	c := Credentials{{Realm: "gvp", User: "mcp", Password: "secret"}}
	for _, challenge := range []string{`Digest realm="evil", nonce="a"`, `Digest realm="GVP", nonce="a"`, "nonsense", ""} {
		if got, ok := c.Answer([]string{challenge}, invite); ok {
			t.Errorf("%s is answered with %v", challenge, got)
		}
	}
}

func TestServer(t *testing.T) {
	now := time.Unix(1000000, 0)
	s := NewServer("gvp", map[string]string{"rm": "secret", "empty": ""})
	rm := Credentials{{Realm: "gvp", User: "rm", Password: "secret"}}
	for i := range s.Challenges(now, false) {
		challenge := s.Challenges(now.Add(time.Duration(-i)), false)[i]
		made, ok := rm.Answer([]string{challenge}, invite)
		if !ok || made.Stale {
			t.Fatal(challenge)
		}
		proof := made.Value
		for what, r := range map[string]Request{"method": {Method: "BYE", URI: invite.URI}, "URI": {Method: "INVITE", URI: "sip:x"}} {
			if user, stale := s.Verify(proof, r, now); user != "" || stale {
				t.Errorf("proves another %s", what)
			}
		}
		if user, stale := s.Verify(proof, invite, now.Add(nonceLife+1)); user != "" || !stale {
			t.Error("proves too late")
		}
		if user, stale := s.Verify(proof, invite, now); user != "rm" || stale {
			t.Errorf("%s proves nothing", proof)
		}
		if user, stale := s.Verify(proof, invite, now); user != "" || !stale {
			t.Error("proves twice")
		}
		if again, ok := rm.Answer(s.Challenges(now, true), invite); !ok || !again.Stale {
			t.Error("a challenge after a proof that was too old does not say so")
		}
	}
	challenge := s.Challenges(now, false)[:1]
	for what, c := range map[string]Credential{
		"wrong password": {"gvp", "rm", "guess"}, "unknown user": {"gvp", "nobody", "secret"}, "unknown user without": {"gvp", "nobody", ""},
	} {
		for late := range time.Duration(2) {
			proof, _ := Credentials{c}.Answer(challenge, invite)
			if user, stale := s.Verify(proof.Value, invite, now.Add(late*2*nonceLife)); user != "" || stale {
				t.Errorf("%s proves %q, stale: %v", what, user, stale)
			}
		}
	}
	other := NewServer("gvp", map[string]string{"rm": "secret"})
	proof, _ := rm.Answer(other.Challenges(now, false), invite)
	if user, stale := s.Verify(proof.Value, invite, now); user != "" || stale {
		t.Error("a nonce that is not ours")
	}
	for _, bad := range []string{"", "Digest", "Basic cm06c2VjcmV0", `Digest username="rm"`} {
		if user, stale := s.Verify(bad, invite, now); user != "" || stale {
			t.Errorf("%q proves something", bad)
		}
	}
}

// The memory for used nonces is bounded.
func TestServerIsBounded(t *testing.T) {
	now := time.Unix(1000000, 0)
	s := NewServer("gvp", map[string]string{"rm": "secret"})
	for i := range maxNonces + 10 {
		s.first(s.nonce(now.Add(time.Duration(i))), 1, now)
	}
	if len(s.used) != maxNonces {
		t.Errorf("%d nonces", len(s.used))
	}
	later := now.Add(2 * nonceLife)
	if !s.first(s.nonce(later), 1, later) || len(s.used) != 1 {
		t.Errorf("%d nonces later", len(s.used))
	}
}
