package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"github.com/icholy/digest"
)

const (
	// nonceLife is for how long a challenge can be answered.
	nonceLife = 2 * time.Minute
	// maxNonces bounds those that are remembered as used.
	maxNonces = 10000
)

// Server asks callers who they are. A challenge costs it no memory: the nonce
// itself says when it was made, and that we made it.
type Server struct {
	realm  string
	users  map[string]string // passwords by user
	secret [32]byte

	mu   sync.Mutex
	used map[string]use
}

type use struct {
	count int
	ends  time.Time
}

// NewServer makes a Server of one realm.
func NewServer(realm string, users map[string]string) *Server {
	s := &Server{realm: realm, users: users, used: map[string]use{}}
	_, _ = rand.Read(s.secret[:]) // which never fails
	return s
}

// Challenges are the values of WWW-Authenticate, the better algorithm first. Stale says
// that a proof was good but for its age, or its having served before.
func (s *Server) Challenges(now time.Time, stale bool) []string {
	var values []string
	for _, algorithm := range []string{"SHA-256", "MD5"} {
		ch := digest.Challenge{Realm: s.realm, Nonce: s.nonce(now), Algorithm: algorithm, QOP: []string{"auth"}, Stale: stale}
		values = append(values, ch.String())
	}
	return values
}

// Verify returns the user that a request's Authorization proves, empty when it proves
// none. Stale tells that whoever made it knows the password, and may try again.
func (s *Server) Verify(authorization string, r Request, now time.Time) (user string, stale bool) {
	c, err := digest.ParseCredentials(authorization)
	if err != nil || c.Realm != s.realm || c.QOP != "auth" || c.URI != r.URI {
		return "", false
	}
	ours, fresh := s.age(c.Nonce, now)
	if !ours || !s.knows(c, r) {
		return "", false
	}
	if !fresh || !s.first(c.Nonce, c.Nc, now) {
		return "", true
	}
	return c.Username, false
}

// knows tells whether credentials were made with a password of ours.
func (s *Server) knows(c *digest.Credentials, r Request) bool {
	algorithm := strings.ToUpper(c.Algorithm)
	if algorithm != "SHA-256" && algorithm != "MD5" && algorithm != "" {
		return false
	}
	password, known := s.users[c.Username]
	want, err := digest.Digest(
		&digest.Challenge{Realm: c.Realm, Nonce: c.Nonce, Algorithm: c.Algorithm, Opaque: c.Opaque, QOP: []string{c.QOP}},
		digest.Options{Method: r.Method, URI: r.URI, Count: c.Nc, Cnonce: c.Cnonce, Username: c.Username, Password: password},
	)
	return err == nil && known && subtle.ConstantTimeCompare([]byte(want.Response), []byte(strings.ToLower(c.Response))) == 1
}

func (s *Server) nonce(now time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixNano()))
	return base64.RawURLEncoding.EncodeToString(append(b[:], s.seal(b[:])...))
}

func (s *Server) seal(stamp []byte) []byte {
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write(stamp)
	return mac.Sum(nil)[:16]
}

// age says whether a nonce is ours, and not too old.
func (s *Server) age(nonce string, now time.Time) (ours, fresh bool) {
	raw, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(raw) != 24 || !hmac.Equal(raw[8:], s.seal(raw[:8])) {
		return false, false
	}
	age := now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(raw))))
	return true, age >= 0 && age <= nonceLife
}

// first says whether a nonce count is used for the first time; what was heard on
// the way must not serve a second time.
func (s *Server) first(nonce string, count int, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if count <= s.used[nonce].count {
		return false
	}
	if len(s.used) >= maxNonces {
		for n, u := range s.used {
			if now.After(u.ends) {
				delete(s.used, n)
			}
		}
		if len(s.used) >= maxNonces {
			return false
		}
	}
	s.used[nonce] = use{count, now.Add(nonceLife)}
	return true
}
