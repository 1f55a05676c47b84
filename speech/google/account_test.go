package google_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/google"
	"mcp/speech/google/googletest"
)

// authority makes a certificate for 127.0.0.1 and writes its PEM.
func authority(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "googletest"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		write(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serviceAccount writes the credentials of an account that nobody has.
func serviceAccount(t *testing.T, email string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "p", "private_key_id": "1", "client_id": "2", "client_email": email,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"token_uri":   "https://127.0.0.1:1/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "account.json", text)
}

// issuer is who made a self-signed token.
func issuer(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Iss, Scope string
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Scope == "" {
		return ""
	}
	return claims.Iss
}

// TestTenantsHaveTheirOwnCredentials proves over TLS whose token a request carries.
func TestTenantsHaveTheirOwnCredentials(t *testing.T) {
	certificate, ca := authority(t)
	var seen []string
	r := newRig(t, "PCMU", func(s *googletest.Config, c *google.Config) {
		s.TLS = certificate
		s.Token = func(token string) bool {
			seen = append(seen, issuer(token))
			return issuer(token) != ""
		}
		c.Insecure, c.CA = false, ca
		c.Credentials = serviceAccount(t, "all@p")
		c.Tenants = map[string]string{"bank": serviceAccount(t, "bank@p"), "broken": write(t, "broken.json", []byte("{"))}
	})
	r.must(r.speak(speech.Utterance{SSML: ssml}))
	r.line.Who.Tenant = "bank"
	other, err := r.engine.Attach(t.Context(), r.line)
	r.must(err)
	defer func() { r.must(other.Close(t.Context())) }()
	speaking, err := other.Speak(t.Context(), speech.Utterance{SSML: "<speak>Hello</speak>"})
	r.must(err)
	r.wait("the end of a prompt", speaking.Done())
	r.must(speaking.Err())
	if len(seen) != 2 || seen[0] != "all@p" || seen[1] != "bank@p" {
		t.Errorf("tokens were issued by %q", seen)
	}
	r.line.Who.Tenant = "broken"
	var fault *google.Fault
	if _, err := r.engine.Attach(t.Context(), r.line); !errors.As(err, &fault) || fault.Class != "google_credential" || !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("a tenant with a broken file: %v", err)
	}
	if n := r.count("mcp_speech_google_errors_total", "class", "google_credential"); n != 1 {
		t.Errorf("%v such errors were counted", n)
	}
}

func TestCertificatesThatAreNotTrusted(t *testing.T) {
	certificate, _ := authority(t)
	_, other := authority(t)
	r := newRig(t, "PCMU", func(s *googletest.Config, c *google.Config) {
		s.TLS = certificate
		c.Insecure, c.CA, c.Credentials = false, other, serviceAccount(t, "all@p")
	})
	var fault *google.Fault
	if err := r.speak(speech.Utterance{SSML: ssml}); !errors.As(err, &fault) || fault.Class != "ssl_root_cert" {
		t.Errorf("speaking: %v", err)
	}
	recognizing := r.listen(speech.Recognition{})
	if _, err := r.result(recognizing); !errors.As(err, &fault) || fault.Class != "ssl_root_cert" {
		t.Errorf("listening: %v", err)
	}
}

func TestWhatCannotBeConfigured(t *testing.T) {
	invalid := map[string]google.Config{
		"rate":               {Voice: google.Voice{Rate: 9}},
		"pitch":              {Voice: google.Voice{Pitch: -21}},
		"boost":              {Ears: google.Ears{Boost: 21}},
		"stream":             {Voice: google.Voice{Stream: "perhaps"}},
		"endpoint":           {TTSEndpoint: "nowhere"},
		"insecure in public": {Insecure: true},
		"insecure elsewhere": {Insecure: true, TTSEndpoint: "127.0.0.1:1", ASREndpoint: "10.0.0.1:1"},
	}
	for name, c := range invalid {
		if c.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
	}
	if err := (google.Config{}).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
	account := serviceAccount(t, "a@p")
	for class, c := range map[string]google.Config{
		"google_credential": {Credentials: "/nonexistent"},
		"ssl_root_cert":     {CA: account, Credentials: account},
	} {
		var fault *google.Fault
		if _, err := google.New(c, slog.New(slog.DiscardHandler)); !errors.As(err, &fault) || fault.Class != class {
			t.Errorf("%s: %v", class, err)
		}
	}
}
