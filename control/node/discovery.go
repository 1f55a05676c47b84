package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"time"

	"mcp/control/discovery"
	"mcp/control/health"
)

// Discovery is the section of the registration with Consul.
type Discovery struct {
	Consul     string            `yaml:"consul" doc:"URL of the Consul agent, such as https://127.0.0.1:8501; empty: no registration"`
	Token      string            `yaml:"token" secret:"true" doc:"ACL token"`
	TokenFile  string            `yaml:"token-file" doc:"file with the ACL token, read anew each time; goes before token"`
	CAFile     string            `yaml:"ca-file" doc:"PEM file of the authorities that vouch for the agent; empty: the system's"`
	CertFile   string            `yaml:"cert-file" doc:"PEM file of our certificate, for an agent that asks for one"`
	KeyFile    string            `yaml:"key-file" doc:"PEM file of its private key"`
	Service    string            `yaml:"service" doc:"name of the service; provisioning looks for gvp-mcp"`
	ID         string            `yaml:"id" doc:"identifier of this instance; empty: name and host name"`
	Address    netip.Addr        `yaml:"address" doc:"address that callers reach the platform at; default: where the route to the agent leaves"`
	Port       uint16            `yaml:"port" doc:"SIP port to register; 0: the first that is listened on"`
	Tags       []string          `yaml:"tags" doc:"tags of the service"`
	Meta       map[string]string `yaml:"meta" doc:"metadata of the service"`
	Interval   time.Duration     `yaml:"interval" doc:"how often the registration is looked after"`
	Check      time.Duration     `yaml:"check-interval" doc:"how often the agent asks for readiness"`
	Deregister time.Duration     `yaml:"deregister-after" doc:"after how long without readiness the agent drops the service; 0: never"`
}

func defaultDiscovery() Discovery {
	return Discovery{Service: "gvp-mcp", Interval: 10 * time.Second, Check: 30 * time.Second, Deregister: time.Hour}
}

// Validate implements the configuration reader's check of the section.
func (d Discovery) Validate() error {
	if d.Consul == "" {
		return nil
	}
	u, err := url.Parse(d.Consul)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("consul: %q is not an http or https URL", d.Consul)
	}
	if d.Service == "" {
		return errors.New("service: the service needs a name")
	}
	if d.Interval <= 0 || d.Check <= 0 || d.Deregister < 0 {
		return errors.New("interval and check-interval must be above zero, deregister-after not below")
	}
	return nil
}

// openDiscovery makes the platform known to Consul, if one is configured: while it
// runs, and in maintenance once it stops. The sockets must be bound already.
func (n *Node) openDiscovery() error {
	cfg := n.cfg.Discovery
	if cfg.Consul == "" {
		return nil
	}
	service, err := n.describe(cfg)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	registrar, err := discovery.New(discovery.Config{
		Agent: discovery.Agent{
			URL: cfg.Consul, Token: cfg.Token, TokenFile: cfg.TokenFile,
			CAFile: cfg.CAFile, CertFile: cfg.CertFile, KeyFile: cfg.KeyFile,
		},
		Service: service, Interval: cfg.Interval,
	}, n.log)
	if err != nil {
		return err
	}
	n.metrics.MustRegister(registrar)
	context.AfterFunc(n.stopping, registrar.Drain)
	n.companions = append(n.companions, func(running context.Context) error {
		registrar.Run(running)
		return nil
	})
	return nil
}

// describe says what the platform is registered as.
func (n *Node) describe(cfg Discovery) (discovery.Service, error) {
	s := discovery.Service{Name: cfg.Service, ID: cfg.ID, Port: int(cfg.Port), Tags: cfg.Tags, Meta: cfg.Meta}
	if s.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			return s, fmt.Errorf("name this instance: %w", err)
		}
		s.ID = cfg.Service + "-" + host
	}
	if s.Port == 0 {
		_, port, err := net.SplitHostPort(n.agent.Addrs()[0].String())
		if err != nil {
			return s, fmt.Errorf("find the SIP port: %w", err)
		}
		if s.Port, err = strconv.Atoi(port); err != nil {
			return s, fmt.Errorf("find the SIP port: %w", err)
		}
	}
	address := cfg.Address
	if !address.IsValid() {
		var err error
		if address, err = routeTo(cfg.Consul); err != nil {
			return s, err
		}
	}
	s.Address = address.String()
	if n.web != nil {
		_, port, err := net.SplitHostPort(n.web.Addr().String())
		if err != nil {
			return s, fmt.Errorf("find the probes' port: %w", err)
		}
		s.Check = discovery.Check{
			URL:      "http://" + net.JoinHostPort(s.Address, port) + health.Platform().Readiness,
			Interval: cfg.Check, Deregister: cfg.Deregister,
		}
	}
	return s, nil
}

// routeTo is the local address that packets to a URL's host leave from.
func routeTo(rawURL string) (netip.Addr, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return netip.Addr{}, err
	}
	port := u.Port()
	if port == "" {
		port = "8500" // any will do: nothing is sent
	}
	conn, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("route to %s: %w", u.Host, err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}
