package srtp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mcp/control/media/alloctest"
)

// ends are the two halves of one direction.
type ends struct {
	out Outbound
	in  Inbound
}

func newEnds(t testing.TB, p Profile) (*ends, Key) {
	t.Helper()
	k := newKey(t, p)
	e := &ends{}
	e.rekey(t, k)
	return e, k
}

func newKey(t testing.TB, p Profile) Key {
	t.Helper()
	k, err := RandomKey(p)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (e *ends) rekey(t testing.TB, k Key) {
	t.Helper()
	if err := errors.Join(e.out.Rekey(k), e.in.Rekey(k)); err != nil {
		t.Fatal(err)
	}
}

// packet is an RTP packet of 160 octets of audio, with room for protection.
func packet(ssrc uint32, sequence uint16) []byte {
	p := make([]byte, 172, 172+Overhead)
	p[0] = 0x80
	binary.BigEndian.PutUint16(p[2:], sequence)
	binary.BigEndian.PutUint32(p[4:], 160*uint32(sequence))
	binary.BigEndian.PutUint32(p[8:], ssrc)
	for i := range p[12:] {
		p[12+i] = byte(i) ^ byte(sequence)
	}
	return p
}

// report is a receiver report without blocks.
func report(ssrc uint32) []byte {
	p := make([]byte, 8, 8+Overhead)
	p[0], p[1], p[3] = 0x80, 201, 1
	binary.BigEndian.PutUint32(p[4:], ssrc)
	return p
}

func (e *ends) protected(t testing.TB, p []byte) []byte {
	t.Helper()
	out, err := e.out.RTP(p)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(out)
}

func TestEveryProfileBothWays(t *testing.T) {
	for _, p := range Profiles() {
		t.Run(string(p), func(t *testing.T) {
			e, _ := newEnds(t, p)
			for sequence := range uint16(300) {
				plain := packet(7, sequence)
				wire := e.protected(t, packet(7, sequence))
				if bytes.Contains(wire, plain[12:]) || len(wire) != len(plain)+p.tag() {
					t.Fatalf("%d octets became %x", len(plain), wire)
				}
				got, err := e.in.RTP(wire)
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("packet %d: %x, %v", sequence, got, err)
				}
			}
			wire, err := e.out.RTCP(report(7))
			if err != nil {
				t.Fatal(err)
			}
			again := bytes.Clone(wire)
			if got, err := e.in.RTCP(wire); err != nil || !bytes.Equal(got, report(7)) {
				t.Errorf("RTCP: %x, %v", got, err)
			}
			if _, err := e.in.RTCP(again); !errors.Is(err, ErrReplayed) {
				t.Errorf("RTCP again: %v", err)
			}
		})
	}
}

// TestKnownAnswers holds packets to those of libsrtp's own tests.
func TestKnownAnswers(t *testing.T) {
	octets := func(text string) []byte {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const plain = "800f1234decafbadcafebabeabababababababababababababababab"
	for _, tc := range []struct {
		profile      Profile
		secret, wire string
	}{
		{profile: AES128SHA80, secret: "e1f97a0d3e018be0d64fa32c06de4139" + "0ec675ad498afeebb6960b3aabe6",
			wire: "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"},
		{profile: GCM128, secret: "000102030405060708090a0b0c0d0e0f" + "a0a1a2a3a4a5a6a7a8a9aaab",
			wire: "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392"},
	} {
		k, err := NewKey(tc.profile, octets(tc.secret), KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		e := &ends{}
		e.rekey(t, k)
		wire := e.protected(t, append(make([]byte, 0, 100), octets(plain)...))
		if !bytes.Equal(wire, octets(tc.wire)) {
			t.Errorf("%s: %x", tc.profile, wire)
		}
		if got, err := e.in.RTP(octets(tc.wire)); err != nil || !bytes.Equal(got, octets(plain)) {
			t.Errorf("%s: %x, %v", tc.profile, got, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, p := range Profiles() {
		t.Run(string(p), func(t *testing.T) {
			e, _ := newEnds(t, p)
			good := e.protected(t, packet(7, 1))
			if _, err := e.in.RTP(bytes.Clone(good)); err != nil {
				t.Fatal(err)
			}
			if _, err := e.in.RTP(bytes.Clone(good)); !errors.Is(err, ErrReplayed) {
				t.Errorf("the same again: %v", err)
			}
			for sequence := uint16(2); sequence < 300; sequence++ {
				if _, err := e.in.RTP(e.protected(t, packet(7, sequence))); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := e.in.RTP(bytes.Clone(good)); !errors.Is(err, ErrReplayed) {
				t.Errorf("one from before the window: %v", err)
			}
			next := e.protected(t, packet(7, 300))
			for n := range next {
				if _, err := e.in.RTP(bytes.Clone(next[:n])); err == nil {
					t.Fatalf("%d of %d octets were taken", n, len(next))
				}
				bad := bytes.Clone(next)
				bad[n] ^= 1
				if _, err := e.in.RTP(bad); err == nil {
					t.Fatalf("octet %d of %d was changed, and the packet taken", n, len(next))
				}
			}
			if _, err := e.in.RTP(packet(7, 300)); err == nil {
				t.Error("a packet in the clear was taken")
			}
			if _, err := e.in.RTP(next); err != nil {
				t.Errorf("the true one, after all that: %v", err)
			}
		})
	}
}

// TestSequenceWraps goes three times around, with loss and reordering at the seam.
func TestSequenceWraps(t *testing.T) {
	e, _ := newEnds(t, AES128SHA80)
	var late []byte
	for n := uint64(32000); n < 3<<16; n++ {
		wire := e.protected(t, packet(7, uint16(n)))
		switch uint16(n) {
		case 65533:
			late = wire
			continue
		case 65534, 0:
			continue // lost
		}
		if _, err := e.in.RTP(wire); err != nil {
			t.Fatalf("packet %d: %v", n, err)
		}
		if uint16(n) == 2 && late != nil {
			if _, err := e.in.RTP(late); err != nil {
				t.Fatalf("a packet from before the wrap at %d: %v", n, err)
			}
		}
	}
}

func TestSourceChanges(t *testing.T) {
	e, _ := newEnds(t, GCM128)
	for ssrc := range uint32(maxSources) {
		if _, err := e.in.RTP(e.protected(t, packet(ssrc, 9))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.in.RTP(e.protected(t, packet(maxSources, 9))); !errors.Is(err, ErrSources) {
		t.Errorf("source %d: %v", maxSources, err)
	}
	if _, err := e.in.RTP(e.protected(t, packet(3, 10))); err != nil {
		t.Errorf("a source that is known: %v", err)
	}
}

// TestRekey has packets of both keys arrive in the window of RFC 4568 section 7.1.4.
func TestRekey(t *testing.T) {
	e, _ := newEnds(t, AES128SHA80)
	take := func(wire []byte) error { _, err := e.in.RTP(wire); return err }
	if err := take(e.protected(t, packet(7, 1))); err != nil {
		t.Fatal(err)
	}
	late, stale := e.protected(t, packet(7, 2)), e.protected(t, packet(7, 4))
	e.rekey(t, newKey(t, GCM256))
	if err := take(late); err != nil {
		t.Errorf("the old key, before the new one is used: %v", err)
	}
	if err := take(e.protected(t, packet(7, 3))); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if err := take(stale); err == nil {
		t.Error("the old key was taken after the new one had been used")
	}
}

func TestLifetime(t *testing.T) {
	secret := make([]byte, 30)
	k, err := NewKey(AES128SHA80, secret, KeyOptions{Lifetime: 3})
	if err != nil {
		t.Fatal(err)
	}
	e := &ends{}
	e.rekey(t, k)
	for sequence := range uint16(4) {
		_, err := e.in.RTP(e.protected(t, packet(7, sequence)))
		if (sequence == 3) != errors.Is(err, ErrExpired) {
			t.Errorf("packet %d: %v", sequence, err)
		}
	}
}

func TestIdentifier(t *testing.T) {
	secret := bytes.Repeat([]byte{5}, 28)
	marked, err := NewKey(GCM128, secret, KeyOptions{MKI: []byte{0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	e := &ends{}
	e.rekey(t, marked)
	wire := e.protected(t, packet(7, 1))
	if !bytes.HasSuffix(wire, []byte{0, 1}) {
		t.Errorf("no identifier at the end of %x", wire)
	}
	other := bytes.Clone(wire)
	other[len(other)-1] = 2
	if _, err := e.in.RTP(other); !errors.Is(err, ErrForged) {
		t.Errorf("another identifier: %v", err)
	}
	if got, err := e.in.RTP(wire); err != nil || !bytes.Equal(got, packet(7, 1)) {
		t.Errorf("%x, %v", got, err)
	}
}

func TestKeysAreChecked(t *testing.T) {
	for name, try := range map[string]func() error{
		"no profile": func() error { _, err := NewKey("NULL", nil, KeyOptions{}); return err },
		"short":      func() error { _, err := NewKey(AES128SHA80, make([]byte, 29), KeyOptions{}); return err },
		"long":       func() error { _, err := NewKey(AES128SHA80, make([]byte, 31), KeyOptions{}); return err },
		"long identifier": func() error {
			_, err := NewKey(GCM128, make([]byte, 28), KeyOptions{MKI: make([]byte, 33)})
			return err
		},
		"long lifetime": func() error { _, err := NewKey(GCM128, make([]byte, 28), KeyOptions{Lifetime: 1<<48 + 1}); return err },
		"no key":        func() error { return new(Inbound).Rekey(Key{}) },
		"unset":         func() error { _, err := new(Outbound).RTP(packet(1, 1)); return err },
	} {
		if err := try(); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeysAreNeverShown prints a key in every way that logs do.
func TestKeysAreNeverShown(t *testing.T) {
	k, err := NewKey(AES128SHA80, bytes.Repeat([]byte("secret"), 5), KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "key", k, "pointer", &k)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "key", k, "pointer", &k)
	fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d %v %+v", k, k, k, k, k, k, k, &k, struct{ K Key }{k})
	for _, shown := range []string{"secret" + "secret", hex.EncodeToString([]byte("secretsecret")), "115 101 99"} {
		if strings.Contains(b.String(), shown) {
			t.Errorf("%s", b.String())
		}
	}
}

func FuzzInbound(f *testing.F) {
	e, _ := newEnds(f, AES128SHA80)
	g, _ := newEnds(f, GCM128)
	bad := e.protected(f, packet(7, 1))
	bad[20] ^= 1
	f.Add(bad)
	f.Add([]byte{0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xc0, 0xde, 0, 9, 1})
	f.Add([]byte{0x8f, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, in := range []*Inbound{&e.in, &g.in} {
			if _, err := in.RTP(bytes.Clone(data)); err == nil {
				t.Fatalf("taken: %x", data)
			}
			if _, err := in.RTCP(bytes.Clone(data)); err == nil {
				t.Fatalf("taken as RTCP: %x", data)
			}
		}
	})
}

func TestPacketsDoNotAllocate(t *testing.T) {
	for _, p := range Profiles() {
		e, _ := newEnds(t, p)
		sequence := uint16(0)
		wire := make([]byte, 0, 172+Overhead)
		n := alloctest.PerRun(500, func() {
			sequence++
			wire = append(wire[:0], packet(7, 0)[:172]...)
			binary.BigEndian.PutUint16(wire[2:], sequence)
			out, err := e.out.RTP(wire)
			if err == nil {
				_, err = e.in.RTP(out)
			}
			if err != nil {
				t.Error(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a packet", p, n)
		}
	}
}

// BenchmarkProtect protects packets of 20 ms of G.711.
func BenchmarkProtect(b *testing.B) {
	for _, p := range Profiles() {
		b.Run(string(p), func(b *testing.B) {
			e, _ := newEnds(b, p)
			wire := packet(7, 0)
			b.ReportAllocs()
			for n := uint16(0); b.Loop(); n++ {
				binary.BigEndian.PutUint16(wire[2:], n)
				if _, err := e.out.RTP(wire[:172]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefuse takes what has a wrong tag, of the source that is heard.
func BenchmarkRefuse(b *testing.B) {
	for _, p := range Profiles() {
		b.Run(string(p), func(b *testing.B) {
			e, _ := newEnds(b, p)
			if _, err := e.in.RTP(e.protected(b, packet(7, 0))); err != nil {
				b.Fatal(err)
			}
			good := e.protected(b, packet(7, 1))
			good[len(good)-1] ^= 1
			wire := make([]byte, len(good))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.in.RTP(wire[:copy(wire, good)]); err == nil {
					b.Fatal("taken")
				}
			}
		})
	}
}

// BenchmarkUnprotect takes the protection off what BenchmarkProtect made; a copy
// of the packet and the making of it are not counted.
func BenchmarkUnprotect(b *testing.B) {
	const batch = 1 << 12
	for _, p := range Profiles() {
		b.Run(string(p), func(b *testing.B) {
			e, _ := newEnds(b, p)
			wires := make([][]byte, batch)
			at, n := batch, uint16(0)
			b.ReportAllocs()
			for b.Loop() {
				if at == batch {
					b.StopTimer()
					for i := range wires {
						wires[i] = e.protected(b, packet(7, n))
						n++
					}
					at = 0
					b.StartTimer()
				}
				if _, err := e.in.RTP(wires[at]); err != nil {
					b.Fatal(err)
				}
				at++
			}
		})
	}
}
