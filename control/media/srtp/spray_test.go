package srtp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// message is a record with one message of a handshake that nobody has signed.
func message(kind byte, sequence uint16, body []byte) []byte {
	p := []byte{handshakeRecord, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0}
	p = binary.BigEndian.AppendUint16(p, uint16(messageHeader+len(body)))
	length := []byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}
	p = append(append(p, kind), length...)
	p = binary.BigEndian.AppendUint16(p, sequence)
	return append(append(append(p, 0, 0, 0), length...), body...)
}

func randomly(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	return p
}

// forgedHello could be anybody's first ClientHello, or the second with a cookie.
func forgedHello(cookie []byte) []byte {
	body := append([]byte{0xfe, 0xfd}, randomly(32)...)
	body = append(append(append(body, 0), byte(len(cookie))), cookie...)
	body = append(body, 0, 2, 0xc0, 0x2b, 1, 0)
	sequence := uint16(0)
	if len(cookie) > 0 {
		sequence = 1
	}
	return message(clientHello, sequence, body)
}

// forgery is one of what somebody may send who knows nothing of a handshake but its
// addresses.
func forgery(n int) []byte {
	highest := message(clientHello, 0, nil)
	copy(highest[5:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	broken := message(serverHello, 0, randomly(40))
	broken[12]++ // is longer than it is
	return [...][]byte{
		{alertRecord, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40},
		{63, 1, 2, 3},
		randomly(60),
		highest,
		broken,
		{changeCipherSpec, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1},
		append([]byte{handshakeRecord, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 40}, randomly(40)...),
		append([]byte{23, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 40}, randomly(40)...),
		forgedHello(nil)[:30],
		// These come from beside the far end only. Who forges its address, too, makes us
		// answer the far end as though it had begun with them.
		forgedHello(nil),
		forgedHello(randomly(20)),
		message(helloVerifyRequest, 0, append([]byte{0xfe, 0xfd, 20}, randomly(20)...)),
		message(certificate, 2, randomly(300)),
		message(clientKeyExchange, 3, randomly(70)),
	}[n%kinds]
}

const (
	kinds      = 14 // of forgeries
	believable = 9  // the first of them that could be true
)

// spray sends an end forgeries until it is told to stop, as though they came from
// where the far end is, and from beside it.
func spray(to *party, far, beside netip.AddrPort, quit <-chan struct{}) (sent int) {
	for {
		select {
		case <-quit:
			return sent
		case <-time.After(100 * time.Microsecond):
			for range kinds {
				p := forgery(sent)
				if sent%kinds < believable {
					to.guard.DTLS(bytes.Clone(p), far)
				}
				to.guard.DTLS(p, beside)
				sent++
			}
		}
	}
}

// TestHandshakesUnderSpray has others send whatever they like meanwhile, as many
// handshakes as HANDSHAKES says: every one ends with keys.
func TestHandshakesUnderSpray(t *testing.T) {
	handshakes := 50
	if n, err := strconv.Atoi(os.Getenv("HANDSHAKES")); err == nil {
		handshakes = n
	}
	ours, theirs := identity(t), identity(t)
	var most uint64
	forged, from := 0, time.Now()
	for range handshakes {
		t.Run("", func(t *testing.T) {
			a, b := introduce(t, func(int) bool {
				time.Sleep(3 * time.Millisecond) // the way is long enough for others to get in between
				return false
			})
			b.agree(t, towards(t, theirs, ours, false))
			quit := make(chan struct{})
			var sprayed sync.WaitGroup
			sprayed.Go(func() { forged += spray(b, addresses[0], addresses[2], quit) })
			a.agree(t, towards(t, ours, theirs, true))
			var others int
			sprayed.Go(func() { others = spray(a, addresses[1], addresses[2], quit) })
			defer func() { // the goroutines write what is summed up
				close(quit)
				sprayed.Wait()
				forged += others
			}()
			talk(t, a, b, 1)
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		})
	}
	t.Logf("%d handshakes and %d forgeries in %s, %d MiB of heap at most", handshakes, forged, time.Since(from).Round(time.Millisecond), most>>20)
}

// TestTrialsAreBounded keeps as many handshakes as there is room for, and the one of
// him who is where signalling said, whoever else begins.
func TestTrialsAreBounded(t *testing.T) {
	var answered sync.Once
	forged := make(chan struct{})
	a, b := introduce(t, func(int) (lost bool) {
		answered.Do(func() { // the cookie for what is forged, which the far end would take for its own
			lost = true
			close(forged)
		})
		return lost
	})
	ours, theirs := identity(t), identity(t)
	b.agree(t, towards(t, theirs, ours, false))
	b.guard.DTLS(forgedHello(nil), addresses[0])
	<-forged
	for range 20 * maxTrials {
		b.guard.DTLS(forgedHello(nil), addresses[2])
	}
	all := b.guard.association
	all.mu.Lock()
	with, _ := all.trials[0].with()
	if len(all.trials) != maxTrials || with != addresses[0] {
		t.Errorf("%d trials, the first with %s", len(all.trials), with)
	}
	all.mu.Unlock()
	a.agree(t, towards(t, ours, theirs, true))
	talk(t, a, b, 1)
}

// FuzzInspect takes whatever comes for a handshake; what it takes can be numbered.
func FuzzInspect(f *testing.F) {
	for n := range kinds {
		f.Add(forgery(n), n%2 == 0)
	}
	f.Fuzz(func(t *testing.T, p []byte, client bool) {
		if _, ok := inspect(p, client); !ok {
			return
		}
		for rest := p; len(rest) > 0; {
			r, after, ok := nextRecord(rest)
			if !ok {
				t.Fatalf("%x was taken", p)
			}
			r.number(1 << 40)
			rest = after
		}
	})
}

// BenchmarkForgedHandshake is what a forged packet costs: one that is none, and a
// ClientHello, which makes room for itself.
func BenchmarkForgedHandshake(b *testing.B) {
	own := identity(b)
	g := NewGuard(Wire{
		Send: func([]byte, netip.AddrPort) error { return nil }, Far: func() netip.AddrPort { return addresses[0] }, Keyed: func(Profile, error) {},
	})
	defer g.Close()
	if err := g.Agree(towards(b, own, own, false)); err != nil {
		b.Fatal(err)
	}
	for name, forged := range map[string]func() []byte{
		"rubbish": func() []byte { return []byte{63, 1, 2, 3} },
		"message": func() []byte { return message(clientKeyExchange, 3, make([]byte, 70)) },
		"hello":   func() []byte { return forgedHello(nil) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.DTLS(forged(), addresses[2])
			}
		})
	}
}
