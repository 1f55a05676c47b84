package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/node"
	"mcp/control/node/sealing"
)

// certificate makes a certificate and its key as files.
func certificate(t *testing.T, dir string, expires time.Duration) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "recordings"},
		KeyUsage: x509.KeyUsageKeyEncipherment, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(expires),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCallsAreRecorded records a whole call, encrypted, and holds each side to what
// was said there.
func TestCallsAreRecorded(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	certificate(t, dir, time.Hour)
	r := newRig(t, func(c *node.Config) {
		c.Upload.Folder = filepath.Join(dir, "recordings")
		c.Recording.Calls, c.Recording.Type, c.Recording.Certificates = "sides", "audio/wav;codec=pcm", sealing.Config{Files: []string{filepath.Join(dir, "cert.pem")}, Interval: time.Minute}
	})
	r.pages.page("/main.vxml", `<form><field name="f"><prompt>one two three</prompt>`+voiceGrammar+`<filled><prompt>four five</prompt><disconnect/></filled></field></form>`)
	if _, err := r.call(t.Context(), "listen; say six seven eight; await"); err != nil {
		t.Fatal(err)
	}
	r.nothingLeft()
	var path string
	await(t, "the recording's metadata", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "recordings", "*.json"))
		if len(found) == 1 {
			path = strings.TrimSuffix(found[0], ".json")
		}
		return len(found) == 1
	})
	var told map[string]any
	text, err := os.ReadFile(path + ".json")
	if err != nil || json.Unmarshal(text, &told) != nil || told["sip_call_id"] == "" || told["end"] != "stopped" {
		t.Errorf("metadata %s, %v", text, err)
	}
	wav, err := exec.Command("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", path,
		"-recip", filepath.Join(dir, "cert.pem"), "-inkey", filepath.Join(dir, "key.pem")).Output()
	if err != nil {
		t.Fatalf("openssl cms -decrypt: %v", err)
	}
	left, right := channels(wav[len(wav)%4:])
	wantHeard(t, "the caller's side", r.speech.engine.Beeps(3)[:4800], left)
	wantHeard(t, "the platform's side", r.speech.engine.Beeps(3)[:4800], right)
	if _, err := audiofile.Decode("audio/wav", wav); err != nil {
		t.Error(err)
	}
}

// TestPageHasItsCallRecorded records from where the page orders it by its log.
func TestPageHasItsCallRecorded(t *testing.T) {
	folder := t.TempDir()
	r := newRig(t, func(c *node.Config) { c.Upload.Folder = folder })
	r.pages.page("/main.vxml", `<form><block><log xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension"
		gvp:dest="calllog">enable callrec recsrc=mixed type=audio/wav;codec=pcm; directory /var absolute;</log>
		<prompt>one two three</prompt><disconnect/></block></form>`)
	if _, err := r.call(t.Context(), "await"); err != nil {
		t.Fatal(err)
	}
	r.nothingLeft()
	name := filepath.Join(folder, r.record(1).ID+"-callrec.wav")
	await(t, "the recording's metadata", func() bool { _, err := os.Stat(name + ".json"); return err == nil })
	wav, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	wantHeard(t, "the platform", r.speech.engine.Beeps(3)[:4800], samples(wav[len(wav)%2:]))
}

// samples is linear audio of one channel, header and all.
func samples(b []byte) (out []int16) {
	for ; len(b) >= 2; b = b[2:] {
		out = append(out, int16(uint16(b[0])|uint16(b[1])<<8))
	}
	return out
}

// channels are the two sides of linear audio, header and all.
func channels(b []byte) (left, right []int16) {
	for ; len(b) >= 4; b = b[4:] {
		left = append(left, int16(uint16(b[0])|uint16(b[1])<<8))
		right = append(right, int16(uint16(b[2])|uint16(b[3])<<8))
	}
	return left, right
}

// TestNoCertificateNoRecording lets a call pass whose recording cannot be
// encrypted any more, and writes nothing of it.
func TestNoCertificateNoRecording(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, -time.Hour)
	r := newRig(t, func(c *node.Config) {
		c.Upload.Folder = filepath.Join(dir, "recordings")
		c.Recording.Calls, c.Recording.Certificates = "mixed", sealing.Config{Files: []string{filepath.Join(dir, "cert.pem")}, Interval: time.Minute}
	})
	r.pages.page("/main.vxml", `<form><block><prompt>one two</prompt><disconnect/></block></form>`)
	if _, err := r.call(t.Context(), "await"); err != nil {
		t.Fatal(err)
	}
	if got := r.metric(`mcp_recordings_refused_total{reason="certificate"}`); got != "1" {
		t.Errorf("%s recordings are said to be refused", got)
	}
	if found, err := os.ReadDir(filepath.Join(dir, "recordings")); err != nil || len(found) != 0 {
		t.Errorf("%v is written, %v", found, err)
	}
	r.nothingLeft()
}
