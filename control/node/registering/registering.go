// Package registering turns the configuration's section of discovery into the
// platform's registration with Consul.
package registering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"time"

	"mcp/control/config"
	"mcp/control/discovery"
	"mcp/control/health"
)

// Config is the section of the registration with Consul.
type Config struct {
	Consul     string            `yaml:"consul" doc:"URL of the Consul agent, such as https://127.0.0.1:8501; empty: no registration"`
	Token      string            `yaml:"token" secret:"true" doc:"ACL token"`
	TokenFile  string            `yaml:"token-file" names:"file" doc:"file with the ACL token, read anew each time; goes before token"`
	CAFile     string            `yaml:"ca-file" names:"file" trust:"alone" doc:"PEM file of the authorities that vouch for the agent; empty: the system's"`
	CertFile   string            `yaml:"cert-file" names:"file" doc:"PEM file of our certificate, for an agent that asks for one"`
	KeyFile    string            `yaml:"key-file" names:"file" doc:"PEM file of its private key"`
	Service    string            `yaml:"service" doc:"name of the service; provisioning looks for gvp-mcp"`
	ID         string            `yaml:"id" doc:"identifier of this instance; empty: name and host name"`
	Address    netip.Addr        `yaml:"address" doc:"address that callers reach the platform at; default: the one that sip.listen names, or where the route to the agent leaves; with an agent on loopback, its node's"`
	Port       uint16            `yaml:"port" doc:"SIP port to register; 0: the first that is listened on"`
	Tags       []string          `yaml:"tags" doc:"tags of the service"`
	Meta       map[string]string `yaml:"meta" doc:"metadata of the service"`
	Interval   time.Duration     `yaml:"interval" doc:"how often the registration is looked after"`
	Check      time.Duration     `yaml:"check-interval" doc:"how often the agent asks for readiness"`
	Deregister time.Duration     `yaml:"deregister-after" doc:"after how long without readiness the agent drops the service; 0: never"`
}

// Defaults registers nowhere.
func Defaults() Config {
	return Config{Service: "gvp-mcp", Interval: 10 * time.Second, Check: 30 * time.Second, Deregister: time.Hour}
}

// Validate implements the configuration reader's check of the section.
func (c Config) Validate() error {
	if c.Consul == "" {
		return nil
	}
	u, err := url.Parse(c.Consul)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("consul: %q is not an http or https URL", c.Consul)
	}
	if c.Service == "" {
		return errors.New("service: the service needs a name")
	}
	return errors.Join(config.Above("interval", c.Interval, 0), config.Above("check-interval", c.Check, 0), config.Least("deregister-after", c.Deregister, 0))
}

// Platform is what is registered: where it listens, bound already.
type Platform struct {
	SIP    net.Addr
	Probes net.Addr // nil: none
}

// Open makes the platform known to Consul; nil when no agent is configured.
func Open(c Config, p Platform, log *slog.Logger) (*discovery.Registrar, error) {
	if c.Consul == "" {
		return nil, nil
	}
	service, err := c.describe(p)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	return discovery.New(discovery.Config{
		Agent: discovery.Agent{
			URL: c.Consul, Token: c.Token, TokenFile: c.TokenFile,
			CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile,
		},
		Service: service, Interval: c.Interval,
		Locate: func(ctx context.Context, s *discovery.Service) error { return c.locate(ctx, p, s) },
	}, log)
}

// describe says what the platform is registered as.
func (c Config) describe(p Platform) (discovery.Service, error) {
	s := discovery.Service{Name: c.Service, ID: c.ID, Port: int(c.Port), Tags: c.Tags, Meta: c.Meta}
	if s.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			return s, fmt.Errorf("name this instance: %w", err)
		}
		s.ID = c.Service + "-" + host
	}
	if s.Port == 0 {
		_, port, err := net.SplitHostPort(p.SIP.String())
		if err != nil {
			return s, fmt.Errorf("find the SIP port: %w", err)
		}
		if s.Port, err = strconv.Atoi(port); err != nil {
			return s, fmt.Errorf("find the SIP port: %w", err)
		}
	}
	return s, nil
}

// locate finds where callers and the agent reach the platform, for which there may have
// to be a route to the agent. Without an address the agent takes that of its own node,
// which is right for one that is reached over loopback.
func (c Config) locate(ctx context.Context, p Platform, s *discovery.Service) error {
	address := c.Address
	if !address.IsValid() {
		address = bound(p.SIP)
	}
	near := address // as the agent sees it
	if !address.IsValid() {
		var err error
		if near, err = routeTo(ctx, c.Consul); err != nil {
			return err
		}
		if !near.IsLoopback() {
			address = near
		}
	}
	if address.IsValid() {
		s.Address = address.String()
	}
	if p.Probes == nil {
		return nil
	}
	_, port, err := net.SplitHostPort(p.Probes.String())
	if err != nil {
		return fmt.Errorf("find the probes' port: %w", err)
	}
	if own := bound(p.Probes); own.IsValid() {
		near = own
	}
	s.Check = discovery.Check{
		URL:      "http://" + net.JoinHostPort(near.String(), port) + health.Platform().Readiness,
		Interval: c.Check, Deregister: c.Deregister,
	}
	return nil
}

// bound is the address that a listener has, invalid where it has all.
func bound(at net.Addr) netip.Addr {
	address, err := netip.ParseAddrPort(at.String())
	if err != nil || address.Addr().IsUnspecified() {
		return netip.Addr{}
	}
	return address.Addr().Unmap()
}

// routeTo is the local address that packets to a URL's host leave from.
func routeTo(ctx context.Context, rawURL string) (netip.Addr, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return netip.Addr{}, err
	}
	port := u.Port()
	if port == "" {
		port = "8500" // any will do: nothing is sent
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("route to %s: %w", u.Host, err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}
