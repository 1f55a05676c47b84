package cms

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// ErrCertificate says that a recording cannot be encrypted to a certificate. It is
// not to be made in the clear, then.
var ErrCertificate = errors.New("certificate cannot be used")

// leastBits is the shortest RSA key that is taken (NIST SP 800-131A).
const leastBits = 2048

// Check tells whether keys may be wrapped to a certificate now: it is in force,
// its key is RSA of 2048 bits or more, and its usage, if stated, allows it (RFC
// 5280 section 4.2.1.3). Whose it is is not checked: who configures it knows.
func Check(c *x509.Certificate, now time.Time) error {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	var why string
	switch {
	case now.Before(c.NotBefore):
		why = "is not in force before " + c.NotBefore.Format(time.RFC3339)
	case now.After(c.NotAfter):
		why = "expired at " + c.NotAfter.Format(time.RFC3339)
	case !ok:
		why = fmt.Sprintf("has a %s key; RSA is needed", c.PublicKeyAlgorithm)
	case key.N.BitLen() < leastBits:
		why = fmt.Sprintf("has a key of %d bits; %d are needed", key.N.BitLen(), leastBits)
	case c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageKeyEncipherment|x509.KeyUsageDataEncipherment) == 0:
		why = "does not allow key encipherment"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s %s", ErrCertificate, c.Subject, why)
}

// ParseCertificates reads certificates in PEM, or one in DER.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
		}
		all = append(all, c)
	}
	if len(all) > 0 {
		return all, nil
	}
	c, err := x509.ParseCertificate(data)
	if err != nil {
		return nil, fmt.Errorf("%w: neither PEM nor DER: %w", ErrCertificate, err)
	}
	return []*x509.Certificate{c}, nil
}
