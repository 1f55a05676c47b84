package cms

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// key makes a private key once for all tests that need one of its size.
func newKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func certificate(t testing.TB, k *rsa.PrivateKey, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "recordings"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageKeyEncipherment,
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// open decrypts a file as a recipient does.
func open(t testing.TB, path string, c *x509.Certificate, k *rsa.PrivateKey) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]*pem.Block{
		"key": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}, "cert": {Type: "CERTIFICATE", Bytes: c.Raw},
	}
	for name, block := range files {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", path,
		"-recip", filepath.Join(dir, "cert"), "-inkey", filepath.Join(dir, "key"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = errors.New(err.Error() + ": " + stderr.String())
	}
	return out, err
}

func needOpenSSL(t testing.TB) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
}

// Whatever the pieces, every recipient opens the file after each of them: as a
// process that is killed leaves it.
func TestOpenSSLOpensItAtAnyTime(t *testing.T) {
	needOpenSSL(t)
	first, second := newKey(t, 2048), newKey(t, 3072)
	a, b := certificate(t, first, nil), certificate(t, second, nil)
	path := filepath.Join(t.TempDir(), "recording")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, []*x509.Certificate{a, b})
	if err != nil {
		t.Fatal(err)
	}
	var said []byte
	for n, size := range []int{0, 1, 15, 16, 17, 127, 128, 3200, 100000} {
		piece := bytes.Repeat([]byte{byte('a' + n)}, size)
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
		said = append(said, piece...)
		got, err := open(t, path, a, first)
		if err != nil || !bytes.Equal(got, said) {
			t.Errorf("after %d octets: %d octets, %v", len(said), len(got), err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, path, b, second); err != nil || !bytes.Equal(got, said) {
		t.Errorf("the other recipient: %d octets, %v", len(got), err)
	}
	stranger := newKey(t, 2048)
	if got, err := open(t, path, certificate(t, stranger, nil), stranger); err == nil && bytes.Equal(got, said) {
		t.Error("a stranger opens it")
	}
	disk, err := os.ReadFile(path)
	if err != nil || bytes.Contains(disk, bytes.Repeat([]byte("c"), 8)) {
		t.Errorf("there is plaintext on the disk: %v", err)
	}
}

// pipe is a destination that takes no piece back.
type pipe struct{ io.Writer }

func TestAStreamIsOpenedOnceItEnds(t *testing.T) {
	needOpenSSL(t)
	k := newKey(t, 2048)
	c := certificate(t, k, nil)
	var out bytes.Buffer
	w, err := NewWriter(pipe{&out}, []*x509.Certificate{c})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := io.WriteString(w, "every good boy deserves favour"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(nil); err == nil {
		t.Error("written after the end")
	}
	path := filepath.Join(t.TempDir(), "stream")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, path, c, k); err != nil || len(got) != 3000 {
		t.Errorf("%d octets, %v", len(got), err)
	}
}

func TestCertificatesThatCannotBeUsed(t *testing.T) {
	k := newKey(t, 2048)
	for name, tt := range map[string]struct {
		key    *rsa.PrivateKey
		change func(*x509.Certificate)
		why    string
	}{
		"good":        {key: k},
		"no usage":    {key: k, change: func(c *x509.Certificate) { c.KeyUsage = 0 }},
		"expired":     {key: k, change: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, why: "expired"},
		"early":       {key: k, change: func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, why: "in force"},
		"wrong usage": {key: k, change: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }, why: "encipherment"},
		"too short":   {key: newKey(t, 1024), why: "1024 bits"},
	} {
		var out bytes.Buffer
		_, err := NewWriter(&out, []*x509.Certificate{certificate(t, k, nil), certificate(t, tt.key, tt.change)})
		if tt.why == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, ErrCertificate) || !strings.Contains(err.Error(), tt.why) || out.Len() != 0 {
			t.Errorf("%s: %v, %d octets written", name, err, out.Len())
		}
	}
	if _, err := NewWriter(io.Discard, nil); !errors.Is(err, ErrCertificate) {
		t.Errorf("no recipient: %v", err)
	}
}

func TestParseCertificates(t *testing.T) {
	c := certificate(t, newKey(t, 2048), nil)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	for what, data := range map[string][]byte{"PEM": block, "DER": c.Raw, "two": append(append([]byte("bag\n"), block...), block...)} {
		if all, err := ParseCertificates(data); err != nil || !all[0].Equal(c) || (what == "two") != (len(all) == 2) {
			t.Errorf("%s: %d, %v", what, len(all), err)
		}
	}
	if _, err := ParseCertificates([]byte("rubbish")); !errors.Is(err, ErrCertificate) {
		t.Errorf("rubbish: %v", err)
	}
}

func FuzzParseCertificates(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if all, err := ParseCertificates(data); err == nil && len(all) == 0 {
			t.Error("no certificate and no error")
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	w, err := NewWriter(pipe{io.Discard}, []*x509.Certificate{certificate(b, k, nil)})
	if err != nil {
		b.Fatal(err)
	}
	piece := make([]byte, 8000)
	b.SetBytes(8000)
	for b.Loop() {
		if _, err := w.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
}
