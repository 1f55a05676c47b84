package signalling

import (
	"crypto/tls"
	"log/slog"
	"net/netip"

	"mcp/control/sip"
	"mcp/control/sip/certs"
	"mcp/control/sip/digest"
)

// Caller makes an agent on a host that calls the platform's own listener over a
// transport, and knows what callers must prove to know.
func (s Config) Caller(transport string, host netip.Addr, log *slog.Logger) (*sip.Agent, error) {
	cfg := sip.Config{Listen: []string{transport + ":" + netip.AddrPortFrom(host, 0).String()}, UserAgent: "mcp"}
	if transport == "tls" {
		store, err := certs.Open(certs.Files(s.TLS), log)
		if err != nil {
			return nil, err
		}
		cfg.Security = ourselves{store}
	}
	if s.Callers.Realm != "" {
		password, err := s.Callers.password()
		if err != nil {
			return nil, err
		}
		cfg.Credentials = digest.Credentials{{Realm: s.Callers.Realm, User: s.Callers.User, Password: password}}
	}
	return sip.New(cfg, log)
}

// ourselves connects to this very process, whose certificate names no loopback address.
type ourselves struct{ *certs.Store }

// Client implements sip's security of connections.
func (o ourselves) Client(name string) *tls.Config {
	c := o.Store.Client(name)
	c.InsecureSkipVerify = true
	return c
}
