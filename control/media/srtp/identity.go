package srtp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Identity is the certificate that DTLS shows to far ends. They believe it because
// signalling has told its fingerprint, whoever has signed it (RFC 5763 section 5).
type Identity struct {
	certificate tls.Certificate
}

// lasting is how long a certificate of our own making is good: longer than the
// process that holds its key.
const lasting = 10 * 365 * 24 * time.Hour

// NewIdentity makes a key and signs a certificate with it.
func NewIdentity() (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a DTLS key: %w", err)
	}
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "mcp"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(lasting),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a DTLS certificate: %w", err)
	}
	return &Identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

// LoadIdentity reads PEM files.
func LoadIdentity(certificate, key string) (*Identity, error) {
	c, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read the DTLS certificate: %w", err)
	}
	return &Identity{c}, nil
}

// Fingerprint is the certificate's digest by sha-256 (RFC 8122).
func (i *Identity) Fingerprint() Fingerprint {
	f, err := fingerprint("sha-256", i.certificate.Certificate[0])
	if err != nil {
		return Fingerprint{} // never: the hash is known
	}
	return f
}

// Fingerprint is a certificate's digest, by a hash named as in SDP.
type Fingerprint struct{ Hash, Digest string }

// hashes are those of fingerprints that are believed.
var hashes = map[string]crypto.Hash{"sha-256": crypto.SHA256, "sha-384": crypto.SHA384, "sha-512": crypto.SHA512}

var errHash = errors.New("unknown hash")

func fingerprint(hash string, der []byte) (Fingerprint, error) {
	h, known := hashes[hash]
	if !known || !h.Available() {
		return Fingerprint{}, fmt.Errorf("%w %.20q", errHash, hash)
	}
	w := h.New()
	w.Write(der)
	return Fingerprint{hash, string(w.Sum(nil))}, nil
}
