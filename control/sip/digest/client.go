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

// Answer makes the value of Authorization or Proxy-Authorization for the
// strongest challenge that can be answered; false when there is none.
func (c Credentials) Answer(challenges []string, r Request) (string, bool) {
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
		return "", false
	}
	proof, err := digest.Digest(best, digest.Options{
		Method: r.Method, URI: r.URI, Count: 1, Username: who.User, Password: who.Password,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil },
	})
	if err != nil {
		return "", false
	}
	return proof.String(), true
}
