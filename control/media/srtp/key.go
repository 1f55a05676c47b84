package srtp

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// maxMKI bounds a master key identifier, in octets; RFC 4568 section 6.1 allows
// more than packets have room for.
const maxMKI = 32

// Lifetimes of RFC 3711 section 9.2, in packets.
const (
	MaxLifetime        = 1 << 48 // of RTP
	maxControlLifetime = 1 << 31
)

// ErrKey says that a key cannot be one of its profile.
var ErrKey = errors.New("unusable SRTP key")

// Key is a master key with its salt, for one direction. Printing one shows which
// profile it is for, and nothing of the secret.
type Key struct {
	profile  Profile
	secret   string // key and salt
	mki      string
	lifetime uint64
}

// KeyOptions are what may be said of a key besides.
type KeyOptions struct {
	MKI      []byte // master key identifier that each packet carries; empty: none
	Lifetime uint64 // packets; zero: the longest
}

// NewKey makes a key of the octets of master key and salt.
func NewKey(p Profile, secret []byte, o KeyOptions) (Key, error) {
	key, salt := p.lengths()
	switch {
	case !p.Known():
		return Key{}, fmt.Errorf("%w: no profile %q", ErrKey, string(p))
	case len(secret) != key+salt:
		return Key{}, fmt.Errorf("%w: %s wants %d octets, not %d", ErrKey, p, key+salt, len(secret))
	case len(o.MKI) > maxMKI:
		return Key{}, fmt.Errorf("%w: identifier of %d octets", ErrKey, len(o.MKI))
	case o.Lifetime > MaxLifetime:
		return Key{}, fmt.Errorf("%w: lifetime of %d packets", ErrKey, o.Lifetime)
	}
	if o.Lifetime == 0 {
		o.Lifetime = MaxLifetime
	}
	return Key{profile: p, secret: string(secret), mki: string(o.MKI), lifetime: o.Lifetime}, nil
}

// RandomKey makes a new key.
func RandomKey(p Profile) (Key, error) {
	key, salt := p.lengths()
	secret := make([]byte, key+salt)
	rand.Read(secret) // never fails
	return NewKey(p, secret, KeyOptions{})
}

// Profile is what the key is for.
func (k Key) Profile() Profile { return k.profile }

// Secret is the octets of master key and salt.
func (k Key) Secret() []byte { return []byte(k.secret) }

// Format implements fmt.Formatter, for every verb: a key is never shown.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s key (secret)", string(k.profile)) }

// MarshalText implements encoding.TextMarshaler, by which logs write it.
func (k Key) MarshalText() ([]byte, error) { return fmt.Append(nil, k), nil }
