// Package signalling is the SIP section of the configuration and what is made of
// it.
package signalling

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/config"
	"mcp/control/sip"
	"mcp/control/sip/certs"
	"mcp/control/sip/digest"
)

// Config is the signalling section.
type Config struct {
	Listen      []string      `yaml:"listen" doc:"transports and addresses: udp, tcp or tls, such as tcp:0.0.0.0:5070, which is IPv4 alone, or udp:[::]:5070, which is IPv4 and IPv6"`
	Advertise   netip.Addr    `yaml:"advertise" doc:"address in Contact and Via; default: the one the peer is reached from"`
	TLS         TLS           `yaml:"tls" doc:"certificates; the files are read again when they change"`
	Routes      []string      `yaml:"routes" doc:"SIP URIs that calls go out through, the Resource Manager's nodes, in order of preference; empty: directly"`
	FailOver    time.Duration `yaml:"fail-over" doc:"how long a route may stay silent before the next is tried"`
	Connections int           `yaml:"connections" doc:"TCP and TLS connections at once"`
	Idle        time.Duration `yaml:"idle" doc:"how long a connection that no call uses may say nothing"`
	Session     time.Duration `yaml:"session-expires" gvp:"sip.sessionexpires s" doc:"how long a call may go without a sign of life (RFC 4028)"`
	MinSession  time.Duration `yaml:"min-se" gvp:"sip.min_se s" doc:"the least of that which far ends may ask for"`
	Account     Account       `yaml:"account" doc:"answers challenges to calls that go out (RFC 8760), of this realm only"`
	Callers     Account       `yaml:"callers" doc:"what callers must prove to know; empty: nothing"`
}

// TLS names PEM files.
type TLS struct {
	Certificate string `yaml:"certificate" names:"file" doc:"file of the certificate, with those that lead to its authority"`
	Key         string `yaml:"key" names:"file" doc:"file of its key"`
	Authorities string `yaml:"authorities" names:"file" trust:"alone" doc:"file of the authorities that peers are trusted by; empty: the system's"`
	Mutual      bool   `yaml:"mutual" doc:"refuse clients that show no certificate of these authorities"`
}

// Account is a user's name and password.
type Account struct {
	Realm        string `yaml:"realm" doc:"realm of the challenge; empty: no account"`
	User         string `yaml:"user" doc:"user name"`
	PasswordFile string `yaml:"password-file" names:"file" doc:"file with the password"`
}

// Validate checks an account.
func (a Account) Validate() error {
	if a.Realm != "" && (a.User == "" || a.PasswordFile == "") {
		return errors.New("a realm needs user and password-file")
	}
	return nil
}

func (a Account) password() (string, error) {
	text, err := os.ReadFile(a.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password of realm %s: %w", a.Realm, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// Validate checks the signalling section.
func (s Config) Validate() error {
	all := []error{
		config.Least("fail-over", s.FailOver, 0), config.Least("connections", s.Connections, 0), config.Least("idle", s.Idle, 0),
		config.Least("min-se", s.MinSession, time.Second), config.Least("session-expires", s.Session, s.MinSession),
	}
	for _, listen := range s.Listen {
		all = append(all, s.checkListener(listen))
	}
	for _, uri := range s.Routes {
		if !strings.HasPrefix(uri, "sip:") && !strings.HasPrefix(uri, "sips:") {
			all = append(all, fmt.Errorf("routes: %q is not a SIP URI", uri))
		}
	}
	return errors.Join(all...)
}

// checkListener wants a transport and an address, and a certificate for TLS.
func (s Config) checkListener(text string) error {
	transport, address, _ := strings.Cut(text, ":")
	if transport != "udp" && transport != "tcp" && transport != "tls" {
		return fmt.Errorf("listen: %q begins with none of udp:, tcp: and tls:", text)
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("listen: %q has no address and port, as tcp:0.0.0.0:5070 has", text)
	}
	if transport == "tls" && (s.TLS.Certificate == "" || s.TLS.Key == "") {
		return fmt.Errorf("listen: %q needs tls.certificate and tls.key", text)
	}
	return nil
}

// Defaults listens over TCP and UDP on the product's port.
func Defaults() Config {
	return Config{
		Listen:   []string{"tcp:0.0.0.0:5070", "udp:0.0.0.0:5070"},
		FailOver: 4 * time.Second, Connections: 8192, Idle: 10 * time.Minute,
		Session: 1800 * time.Second, MinSession: 90 * time.Second,
	}
}

// Open makes the platform's agent. Errors name the key at fault.
func (s Config) Open(metrics prometheus.Registerer, log *slog.Logger) (*sip.Agent, error) {
	cfg := sip.Config{
		Listen: s.Listen, Advertise: s.Advertise, UserAgent: "mcp", Connections: s.Connections, Idle: s.Idle,
		Routes: s.Routes, FailOver: s.FailOver, Session: s.Session, MinSession: s.MinSession,
	}
	if s.TLS != (TLS{}) {
		store, err := certs.Open(certs.Files(s.TLS), log)
		if err != nil {
			return nil, fmt.Errorf("sip.tls: %w", err)
		}
		cfg.Security = store
	}
	if s.Account.Realm != "" {
		password, err := s.Account.password()
		if err != nil {
			return nil, fmt.Errorf("sip.account: %w", err)
		}
		cfg.Credentials = digest.Credentials{{Realm: s.Account.Realm, User: s.Account.User, Password: password}}
	}
	if s.Callers.Realm != "" {
		password, err := s.Callers.password()
		if err != nil {
			return nil, fmt.Errorf("sip.callers: %w", err)
		}
		cfg.Callers = digest.NewServer(s.Callers.Realm, map[string]string{s.Callers.User: password})
	}
	agent, err := sip.New(cfg, log)
	if err != nil {
		return nil, fmt.Errorf("sip.listen: %w", err)
	}
	metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "mcp_sip_lost_datagrams_total", Help: "SIP messages over UDP that came faster than they were read, which the kernel dropped.",
	}, func() float64 { return float64(agent.Lost()) }))
	return agent, nil
}
