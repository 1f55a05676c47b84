package srtp

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// party is one end of a handshake.
type party struct {
	guard *Guard
	ended chan error
	with  Profile
}

// addresses are those of the two ends, and of somebody else beside the first.
var addresses = [3]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.2:5000"), netip.MustParseAddrPort("192.0.2.1:6666")}

// introduce makes two ends whose packets lose(n) says of whether the n-th gets lost.
func introduce(t *testing.T, lose func(n int) bool) (a, b *party) {
	t.Helper()
	ends := [2]*party{{ended: make(chan error, 8)}, {ended: make(chan error, 8)}}
	wires := [2]chan []byte{make(chan []byte, 1000), make(chan []byte, 1000)}
	quit := make(chan struct{})
	for i, p := range ends {
		p.guard = NewGuard(Wire{
			Send: func(packet []byte, to netip.AddrPort) error {
				if to == addresses[1-i] {
					wires[i] <- bytes.Clone(packet)
				}
				return nil
			},
			Far: func() netip.AddrPort { return addresses[1-i] },
			Keyed: func(with Profile, err error) {
				p.with = with
				p.ended <- err
			},
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := 0; ; n++ {
				select {
				case <-quit:
					return
				case packet := <-wires[i]:
					if lose == nil || !lose(n) {
						ends[1-i].guard.DTLS(packet, addresses[i])
					}
				}
			}
		}()
		t.Cleanup(func() { <-done })
	}
	t.Cleanup(func() { close(quit) })
	for _, p := range ends {
		t.Cleanup(p.guard.Close)
	}
	return ends[0], ends[1]
}

func identity(t testing.TB) *Identity {
	t.Helper()
	i, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func towards(t testing.TB, own, peer *Identity, active bool, profiles ...Profile) Agreement {
	t.Helper()
	h := Handshake{Identity: own, Active: active, Limit: 20 * time.Second}
	h.Peer[0] = peer.Fingerprint()
	copy(h.Profiles[:], append(profiles, Profiles()...)[:6])
	return Agreement{Handshake: h}
}

func (p *party) agree(t *testing.T, a Agreement) {
	t.Helper()
	if err := p.guard.Agree(a); err != nil {
		t.Fatal(err)
	}
}

// talk has each hear the other.
func talk(t *testing.T, a, b *party, sequence uint16) {
	t.Helper()
	for _, way := range [][2]*party{{a, b}, {b, a}} {
		if err := <-way[0].ended; err != nil {
			t.Fatal(err)
		}
	}
	for _, way := range [][2]*party{{a, b}, {b, a}} {
		wire, err := way[0].guard.Out().RTP(packet(9, sequence))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := way[1].guard.In().RTP(wire); err != nil || !bytes.Equal(got, packet(9, sequence)) {
			t.Errorf("%x, %v", got, err)
		}
	}
	if a.with != b.with || a.with == "" || a.with != a.guard.Profile() {
		t.Errorf("one has %q, the other %q", a.with, b.with)
	}
}

// TestHandshakes agrees on each profile that DTLS knows, and again on a new
// certificate.
func TestHandshakes(t *testing.T) {
	for _, profile := range []Profile{AES128SHA80, AES128SHA32, GCM128, GCM256} {
		t.Run(string(profile), func(t *testing.T) {
			a, b := introduce(t, nil)
			ours, theirs := identity(t), identity(t)
			if _, err := a.guard.Out().RTP(packet(9, 0)); !errors.Is(err, ErrKey) {
				t.Errorf("before there are keys: %v", err)
			}
			b.agree(t, towards(t, theirs, ours, false, profile))
			a.agree(t, towards(t, ours, theirs, true, profile))
			talk(t, a, b, 1)
			if a.with != profile {
				t.Errorf("agreed on %q", a.with)
			}
			again := identity(t)
			a.agree(t, towards(t, again, theirs, true, profile))
			b.agree(t, towards(t, theirs, again, false, profile))
			talk(t, a, b, 2)
		})
	}
}

// TestHandshakeOverALossyWay loses every third packet at random.
func TestHandshakeOverALossyWay(t *testing.T) {
	a, b := introduce(t, func(int) bool { return rand.IntN(4) == 0 })
	ours, theirs := identity(t), identity(t)
	a.agree(t, towards(t, ours, theirs, true))
	b.agree(t, towards(t, theirs, ours, false))
	talk(t, a, b, 1)
}

// A client that is asked for a cookie by somebody else goes on as though it had not been: the
// far end answers no other than its own.
func TestForgedCookie(t *testing.T) {
	a, b := introduce(t, nil)
	ours, theirs := identity(t), identity(t)
	b.agree(t, towards(t, theirs, ours, false))
	a.agree(t, towards(t, ours, theirs, true))
	a.guard.DTLS(message(helloVerifyRequest, 0, append([]byte{0xfe, 0xfd, 20}, randomly(20)...)), addresses[1])
	talk(t, a, b, 1)
	all := a.guard.association
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.won == nil || all.won.patience != 2*secondWord {
		t.Error("the client has not begun anew")
	}
}

func TestWrongFingerprint(t *testing.T) {
	for name, active := range map[string]bool{"client": true, "server": false} {
		t.Run(name, func(t *testing.T) {
			a, b := introduce(t, nil)
			ours, theirs := identity(t), identity(t)
			a.agree(t, towards(t, ours, identity(t), active))
			b.agree(t, towards(t, theirs, ours, !active))
			if err := <-a.ended; !errors.Is(err, ErrFingerprint) {
				t.Errorf("%v", err)
			}
			if _, err := a.guard.Out().RTP(packet(9, 0)); !errors.Is(err, ErrKey) {
				t.Errorf("there are keys: %v", err)
			}
		})
	}
}

func TestHandshakeThatNobodyAnswers(t *testing.T) {
	a, _ := introduce(t, nil)
	terms := towards(t, identity(t), identity(t), true)
	terms.Handshake.Limit = 300 * time.Millisecond
	a.agree(t, terms)
	if err := <-a.ended; !errors.Is(err, ErrHandshake) {
		t.Errorf("%v", err)
	}
}

func TestFingerprintsByEveryHash(t *testing.T) {
	i := identity(t)
	der := i.certificate.Certificate[0]
	for hash := range hashes {
		f, err := fingerprint(hash, der)
		if err != nil {
			t.Fatal(err)
		}
		other := f
		other.Digest = string([]byte{f.Digest[0] ^ 1}) + f.Digest[1:]
		h := Handshake{}
		h.Peer[2] = other
		if h.matches(der) {
			t.Errorf("%s: another digest matches", hash)
		}
		if h.Peer[3] = f; !h.matches(der) {
			t.Errorf("%s does not match", hash)
		}
	}
	h := Handshake{}
	h.Peer[0] = Fingerprint{"md5", ""}
	if h.matches(der) {
		t.Error("an unknown hash matches")
	}
}

func TestIdentityFromFiles(t *testing.T) {
	made := identity(t)
	key, err := x509.MarshalPKCS8PrivateKey(made.certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: made.certificate.Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read, err := LoadIdentity(filepath.Join(dir, "cert"), filepath.Join(dir, "key"))
	if err != nil || read.Fingerprint() != made.Fingerprint() {
		t.Errorf("%v", err)
	}
	if _, err := LoadIdentity(filepath.Join(dir, "cert"), filepath.Join(dir, "cert")); err == nil {
		t.Error("a key that is none was read")
	}
}
