package selftest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/media/codec"
	"mcp/control/media/dtmf"
	"mcp/control/media/rtpstream"
	"mcp/control/media/tone"
	"mcp/control/sdp"
	"mcp/control/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// farEnd is a platform that a test can make wrong.
type farEnd struct {
	t     *testing.T
	calls atomic.Int32
	full  atomic.Bool
	// status refuses; zero: the call is answered.
	status int
	// greets says what is played at once, and answers what for a key; 0: nothing.
	greets  byte
	answers func(key byte) byte
}

// Capacity implements sip.Gate.
func (f *farEnd) Capacity() (map[string]string, *sip.Refusal) {
	if f.full.Load() {
		return nil, &sip.Refusal{Status: 503}
	}
	return nil, nil
}

// Admit implements sip.Gate.
func (f *farEnd) Admit() *sip.Refusal { _, r := f.Capacity(); return r }

// Invite implements sip.Handler.
func (f *farEnd) Invite(ctx context.Context, d *sip.Dialog) {
	f.calls.Add(1)
	if f.status != 0 {
		_ = d.Reject(ctx, f.status, "", nil)
		return
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		f.t.Error(err)
		return
	}
	defer conn.Close()
	offer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		f.t.Error(err)
		return
	}
	answer, agreed, err := sdp.Answer(offer, sdp.Local{Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Events: eventType})
	if err != nil {
		f.t.Error(err)
		return
	}
	if err := d.Answer(ctx, answer); err != nil {
		return
	}
	heard := make(chan byte, 1)
	done := make(chan struct{})
	go func() { defer close(done); listen(conn, heard) }()
	f.play(conn, agreed.Remote, f.greets)
	for d.Events() != nil {
		select {
		case key := <-heard:
			if f.answers != nil {
				f.play(conn, agreed.Remote, f.answers(key))
			}
			continue
		case <-d.Events():
		}
		break
	}
	_ = conn.Close()
	<-done
}

// listen tells of the keys that are pressed.
func listen(conn *net.UDPConn, heard chan<- byte) {
	var detector dtmf.Detector
	var buf [1500]byte
	for {
		n, _, err := conn.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			return
		}
		h, ok := rtpstream.Parse(buf[:n])
		if !ok || h.Type != eventType {
			continue
		}
		for _, key := range detector.Packet(nil, h.SSRC, h.Timestamp, buf[rtpstream.HeaderLength:n]) {
			heard <- key
		}
	}
}

// play sends the tones of a key, all packets at once.
func (f *farEnd) play(conn *net.UDPConn, to netip.AddrPort, key byte) {
	if key == 0 {
		return
	}
	part, err := tone.Key(key, -8, 120*time.Millisecond)
	if err != nil {
		f.t.Error(err)
		return
	}
	audio, err := codec.PCMU.Encode(tone.PCM(8000, part))
	if err != nil {
		f.t.Error(err)
		return
	}
	h := rtpstream.Header{SSRC: 1}
	for ; len(audio) >= 160; audio = audio[160:] {
		if _, err := conn.WriteToUDPAddrPort(append(h.Append(nil), audio[:160]...), to); err != nil {
			return
		}
		h.Sequence, h.Timestamp = h.Sequence+1, h.Timestamp+160
	}
}

func same(key byte) byte { return key }

// serve runs an agent until the test ends.
func serve(t *testing.T, h sip.Handler) *sip.Agent {
	t.Helper()
	a, err := sip.New(sip.Config{Listen: []string{"udp:127.0.0.1:0"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Serve(ctx, h) }()
	t.Cleanup(func() { stop(); <-done })
	return a
}

func newTester(t *testing.T, f *farEnd, interval, timeout time.Duration) *Tester {
	t.Helper()
	f.t = t
	target := netip.MustParseAddrPort(serve(t, f).Addrs()[0].String())
	return New(Config{Target: target, Transport: "udp", Interval: interval, Timeout: timeout},
		serve(t, sip.Nobody{}), f, slog.New(slog.DiscardHandler))
}

// Each part of a platform that is out of order is named.
func TestStages(t *testing.T) {
	tests := []struct {
		name    string
		far     farEnd
		timeout time.Duration
		stage   Stage // empty: it passes
		says    string
	}{
		{name: "in order", far: farEnd{greets: 'A', answers: same}, timeout: 20 * time.Second},
		{name: "refuses", far: farEnd{status: 500}, timeout: 20 * time.Second, stage: Signalling, says: "500"},
		{name: "is mute", far: farEnd{}, timeout: 300 * time.Millisecond, stage: Media, says: "no audio came"},
		{name: "plays something else", far: farEnd{greets: '5'}, timeout: 20 * time.Second, stage: Media, says: "5 instead of A"},
		{name: "is deaf", far: farEnd{greets: 'A'}, timeout: time.Second, stage: Dialogue, says: "packets of audio"},
		{name: "confuses keys", far: farEnd{greets: 'A', answers: func(key byte) byte { return '0' + (key-'0'+1)%10 }}, timeout: 20 * time.Second, stage: Dialogue, says: "instead of"},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			err := newTester(t, &tt.far, time.Hour, tt.timeout).Check(t.Context())
			var failed *Error
			switch {
			case tt.stage == "" && err == nil:
			case !errors.As(err, &failed), failed.Stage != tt.stage, !strings.Contains(err.Error(), tt.says):
				t.Errorf("%v, want %s with %q", err, tt.stage, tt.says)
			}
		})
	}
}

// Nobody who listens is signalling's failure too, and says where nobody is.
func TestNobodyListens(t *testing.T) {
	target := netip.MustParseAddrPort("127.0.0.1:9")
	tester := New(Config{Target: target, Transport: "tcp", Timeout: 10 * time.Second},
		serveTCP(t), &farEnd{}, slog.New(slog.DiscardHandler))
	var failed *Error
	if err := tester.Check(t.Context()); !errors.As(err, &failed) || failed.Stage != Signalling || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

func serveTCP(t *testing.T) *sip.Agent {
	t.Helper()
	a, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Serve(ctx, sip.Nobody{}) }()
	t.Cleanup(func() { stop(); <-done })
	return a
}

// An outcome is believed for a while, and a full platform is left alone.
func TestOutcomesAreKept(t *testing.T) {
	far := &farEnd{greets: 'A', answers: same}
	tester := newTester(t, far, time.Hour, 20*time.Second)
	far.full.Store(true)
	if err := tester.Check(t.Context()); !errors.Is(err, ErrUntested) || far.calls.Load() != 0 {
		t.Errorf("full before the first test: %v, %d calls", err, far.calls.Load())
	}
	far.full.Store(false)
	for range 3 {
		if err := tester.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := far.calls.Load(); n != 1 {
		t.Errorf("%d calls instead of one", n)
	}
	tester.at = time.Now().Add(-2 * time.Hour)
	far.full.Store(true)
	if err := tester.Check(t.Context()); err != nil || far.calls.Load() != 1 {
		t.Errorf("full: %v, %d calls", err, far.calls.Load())
	}
	far.full.Store(false)
	if err := tester.Check(t.Context()); err != nil || far.calls.Load() != 2 {
		t.Errorf("old: %v, %d calls", err, far.calls.Load())
	}
}

// One who does not know the name of the tests is a caller like others.
func TestNameIsSecret(t *testing.T) {
	names := map[string]bool{}
	for range 10 {
		tester := New(Config{}, nil, nil, slog.New(slog.DiscardHandler))
		if len(tester.name) < 30 || names[tester.name] {
			t.Errorf("name %q", tester.name)
		}
		names[tester.name] = true
	}
}

func ExampleError() {
	fmt.Println(&Error{Media, errors.New("no audio came to 127.0.0.1:46000")})
	// Output: media: no audio came to 127.0.0.1:46000
}
