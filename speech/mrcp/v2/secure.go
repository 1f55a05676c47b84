package v2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
)

var errFingerprint = errors.New("the certificate is not the one that the answer names")

// secure makes TLS of a connection, as its client. A certificate that the
// server's answer named is accepted whoever signed it, because the answer came
// from the server (RFC 8122 section 6.2); any other must verify.
func secure(ctx context.Context, nc net.Conn, at channelAt, cfg *tls.Config) (net.Conn, error) {
	cfg = cfg.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = at.addr.Addr().String()
	}
	if named := at.fingerprint; strings.HasPrefix(strings.ToLower(named), "sha-256 ") {
		cfg.InsecureSkipVerify = true // what follows is stricter
		cfg.VerifyConnection = func(state tls.ConnectionState) error {
			if !strings.EqualFold(fingerprint(state.PeerCertificates[0].Raw), named) {
				return errFingerprint
			}
			return nil
		}
	}
	secured := tls.Client(nc, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = nc.Close() // nothing was sent over it
		return nil, fmt.Errorf("tls with %v: %w", at.addr, err)
	}
	return secured, nil
}
