// Package digest proves who we are to whom we call, and asks those who call us
// to prove it (RFC 3261 section 22, RFC 8760). The arithmetic is that of the
// digest library.
package digest

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/icholy/digest"
)

// Credential is what we answer to one realm. Challenges of other realms are not
// answered: whoever asks might only want something to guess the password from
// (CVE-2021-41158).
type Credential struct {
	Realm, User, Password string
}

// Credentials are those for all realms that we answer to.
type Credentials []Credential

// Request is what a proof is made for.
type Request struct {
	Method, URI string
	Body        []byte
}

// strength orders the algorithms, the best first; others are not answered.
var strength = []string{"SHA-512-256", "SHA-256", "MD5", ""}

// Proof is an answer to a challenge.
type Proof struct {
	Value string // of Authorization or Proxy-Authorization
	// Stale tells that the proof before was good but for the age of its nonce (RFC 7616
	// section 3.3), so that this one is not the same again.
	Stale bool
}

// Answer makes the proof for the strongest challenge that can be answered; false when
// there is none.
func (c Credentials) Answer(challenges []string, r Request) (Proof, bool) {
	best, bestAt := (*digest.Challenge)(nil), len(strength)
	var who Credential
	for _, text := range challenges {
		ch, err := digest.ParseChallenge(text)
		if err != nil {
			continue
		}
		for i, q := range ch.QOP {
			ch.QOP[i] = strings.ToLower(strings.TrimSpace(q))
		}
		at := slices.Index(strength, strings.ToUpper(ch.Algorithm))
		known := slices.IndexFunc(c, func(one Credential) bool { return one.Realm == ch.Realm })
		if at >= 0 && at < bestAt && known >= 0 && digest.CanDigest(ch) {
			best, bestAt, who = ch, at, c[known]
		}
	}
	if best == nil {
		return Proof{}, false
	}
	proof, err := digest.Digest(best, digest.Options{
		Method: r.Method, URI: r.URI, Count: 1, Username: who.User, Password: who.Password,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil },
	})
	if err != nil {
		return Proof{}, false
	}
	return Proof{Value: proof.String(), Stale: best.Stale}, true
}
