package store

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"mcp/control/media/audiofile"
	"mcp/control/media/clock"
	"mcp/control/media/measure"
	"mcp/control/media/record"
	"mcp/control/media/record/cms"
	"mcp/control/media/tone"
)

// asVictim, in the environment, makes the test's binary a process that records
// into a folder until it is killed.
const asVictim = "RECORD_INTO"

func TestMain(m *testing.M) {
	if folder := os.Getenv(asVictim); folder != "" {
		victim(folder)
	}
	goleak.VerifyTestMain(m)
}

// signal is what is recorded: a period of it is nothing that chance writes.
func signal() []int16 {
	return tone.PCM(8000, tone.Part{Hz: []float64{400}, Level: -10, For: 20 * time.Millisecond})
}

// says puts the signal into a recording in place of a leg.
type says struct{ sink *record.Sink }

func (s says) Tick() { s.sink.Frame(signal()) }

func victim(folder string) {
	text, err := os.ReadFile(filepath.Join(folder, "cert.pem"))
	if err != nil {
		panic(err)
	}
	c := clock.New()
	s, err := New(Config{Folder: folder, Clock: c, Certificates: func() ([]*x509.Certificate, error) {
		return cms.ParseCertificates(text)
	}}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	r, err := s.Begin(Request{ID: "victim", Options: record.Options{Format: wavFormat}})
	if err != nil {
		panic(err)
	}
	sink, err := r.Sink(0, 8000)
	if err != nil {
		panic(err)
	}
	c.Add(says{sink})
	select {}
}

var wavFormat = record.Format{Container: record.WAV, Coding: record.Linear, Rate: 8000, Channels: 1}

// owner is who can open recordings.
type owner struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
	dir  string
}

func newOwner(t testing.TB, valid time.Duration) *owner {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "recordings"}, KeyUsage: x509.KeyUsageKeyEncipherment,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	o := &owner{key: k, dir: t.TempDir()}
	if o.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	o.file(t, "cert.pem", "CERTIFICATE", der)
	o.file(t, "key.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k))
	return o
}

func (o *owner) file(t testing.TB, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// open decrypts as `openssl cms` does.
func (o *owner) open(t testing.TB, path string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	out, err := exec.Command("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", path,
		"-recip", filepath.Join(o.dir, "cert.pem"), "-inkey", filepath.Join(o.dir, "key.pem")).Output()
	if err != nil {
		t.Fatalf("openssl cms -decrypt: %v", err)
	}
	return out
}

func wantSignal(t testing.TB, wav []byte, least time.Duration) {
	t.Helper()
	pcm, err := audiofile.Decode("audio/wav", wav)
	if err != nil {
		t.Fatal(err)
	}
	if n := int(least * 8000 / time.Second); len(pcm) < n {
		t.Fatalf("%d samples, want %d", len(pcm), n)
	}
	pcm = pcm[len(pcm)/4:]
	if l := measure.Tone(pcm, 8000, 400); math.Abs(l+11) > 2 {
		t.Errorf("the signal is at %.1f dBm0", l)
	}
}

func newStore(t testing.TB, certificates func() ([]*x509.Certificate, error)) *Store {
	t.Helper()
	s, err := New(Config{Folder: filepath.Join(t.TempDir(), "recordings"), Clock: new(clock.Clock), Certificates: certificates}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// make makes a recording of so many frames and returns its path.
func makeOne(t testing.TB, s *Store, q Request, frames int) *Recording {
	t.Helper()
	r, err := s.Begin(q)
	if err != nil {
		t.Fatal(err)
	}
	sink, err := r.Sink(0, 8000)
	if err != nil {
		t.Fatal(err)
	}
	for range frames {
		sink.Frame(signal())
		r.Tick()
	}
	r.Stop()
	<-r.Finished()
	return r
}

func TestAnEncryptedRecordingIsNeverInTheClear(t *testing.T) {
	a, b := newOwner(t, time.Hour), newOwner(t, time.Hour)
	s := newStore(t, func() ([]*x509.Certificate, error) { return []*x509.Certificate{a.cert, b.cert}, nil })
	r := makeOne(t, s, Request{ID: "one", Options: record.Options{Format: wavFormat}, Metadata: map[string]any{"call": "42"}}, 200)
	wantSignal(t, a.open(t, r.Path), 4*time.Second)
	wantSignal(t, b.open(t, r.Path), 4*time.Second)
	disk, err := os.ReadFile(r.Path)
	if err != nil || !strings.HasSuffix(r.Path, "one.wav.p7m") {
		t.Fatalf("%s: %v", r.Path, err)
	}
	var plain []byte
	for _, v := range signal()[40:80] {
		plain = append(plain, byte(v), byte(uint16(v)>>8))
	}
	if bytes.Contains(disk, plain) || bytes.Contains(disk, []byte("RIFF")) {
		t.Error("there is plaintext on the disk")
	}
	var told map[string]any
	text, err := os.ReadFile(r.Path + ".json")
	if err != nil || json.Unmarshal(text, &told) != nil || told["id"] != "one" || told["call"] != "42" || told["end"] != "stopped" || told["duration_ms"] != 4000.0 {
		t.Errorf("metadata %s: %v", text, err)
	}
	left, err := os.ReadDir(s.config.Folder)
	if err != nil || len(left) != 2 {
		t.Errorf("%v: %v", left, err)
	}
}

func TestNoCertificateNoRecording(t *testing.T) {
	old, good := newOwner(t, -time.Hour), newOwner(t, time.Hour)
	missing := errors.New("nobody answers")
	for what, source := range map[string]func() ([]*x509.Certificate, error){
		"expired": func() ([]*x509.Certificate, error) { return []*x509.Certificate{good.cert, old.cert}, nil },
		"none":    func() ([]*x509.Certificate, error) { return nil, nil },
		"missing": func() ([]*x509.Certificate, error) { return nil, missing },
	} {
		s := newStore(t, source)
		if _, err := s.Begin(Request{Options: record.Options{Format: wavFormat}}); !errors.Is(err, cms.ErrCertificate) {
			t.Errorf("%s: %v", what, err)
		}
		if left, err := os.ReadDir(s.config.Folder); err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", what, left, err)
		}
		if n := testutil.ToFloat64(s.metrics.refused.WithLabelValues("certificate")); n != 1 {
			t.Errorf("%s: %g refusals are told", what, n)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	s := newStore(t, nil)
	makeOne(t, s, Request{ID: "taken", Options: record.Options{Format: wavFormat}}, 1)
	for _, id := range []string{"taken", "../up", "a/b", ".hidden", "."} {
		if _, err := s.Begin(Request{ID: id, Options: record.Options{Format: wavFormat}}); !errors.Is(err, ErrID) {
			t.Errorf("id %q: %v", id, err)
		}
	}
	if _, err := s.Begin(Request{}); !errors.Is(err, record.ErrFormat) {
		t.Errorf("no format: %v", err)
	}
	if left, err := os.ReadDir(s.config.Folder); err != nil || len(left) != 2 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// In the clear a header that is kept true makes a file that any program plays.
func TestClearRecordingsHaveTheirLength(t *testing.T) {
	s := newStore(t, nil)
	r := makeOne(t, s, Request{Options: record.Options{Format: wavFormat}}, 100)
	b, err := os.ReadFile(r.Path)
	if err != nil {
		t.Fatal(err)
	}
	wantSignal(t, b, 2*time.Second)
	if size := uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16; int(size) != len(b)-8 {
		t.Errorf("the header says %d of %d octets", size, len(b)-8)
	}
}

// A process that is killed leaves what it has recorded, for whom it was recorded.
func TestKilledWhileRecording(t *testing.T) {
	o := newOwner(t, time.Hour)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asVictim+"="+o.dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.dir, "victim.wav.p7m")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 30000 {
			break
		}
		if time.Now().After(deadline) {
			t.Error("nothing is recorded")
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	wantSignal(t, o.open(t, path), 1500*time.Millisecond)
	s, err := New(Config{Folder: o.dir, Clock: new(clock.Clock)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if n, err := s.Recover(); n != want || err != nil {
			t.Errorf("%d recovered, %v, want %d", n, err, want)
		}
	}
	if _, err := os.Stat(path + ".json"); err != nil {
		t.Error(err)
	}
}
