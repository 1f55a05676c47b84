package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"mcp/control/listen"
	"mcp/control/service/outbound"
)

// Outbound is the section of calls that are asked for over HTTP.
type Outbound struct {
	Listen  string        `yaml:"listen" names:"listener" doc:"address of POST /v1/calls, which makes calls, such as 127.0.0.1:8310; empty: nowhere"`
	Token   string        `yaml:"token" secret:"true" doc:"what requests must bear (Authorization: Bearer); needed for an address that is no loopback"`
	Timeout time.Duration `yaml:"timeout" doc:"until a call is answered, where a request does not say"`
}

// Validate checks the section: who can reach the address can make calls.
func (o Outbound) Validate() error {
	if o.Timeout <= 0 {
		return errors.New("timeout must be above zero")
	}
	if o.Listen == "" || o.Token != "" {
		return nil
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if addr, bad := netip.ParseAddr(host); err == nil && host != "localhost" && (bad != nil || !addr.IsLoopback()) {
		return fmt.Errorf("listen: %s is no loopback address: a token is needed", o.Listen)
	}
	return nil
}

// openOutbound serves the trigger of outbound calls.
func (n *Node) openOutbound() error {
	cfg := n.cfg.Calls.Outbound
	if cfg.Listen == "" {
		return nil
	}
	service := outbound.New(outbound.Config{Token: cfg.Token, Patience: cfg.Timeout}, n.calls, n.log)
	n.opened("outbound calls", service.Close)
	server, err := listen.New(cfg.Listen, service, n.log)
	if err != nil {
		return fmt.Errorf("calls.outbound.listen: %w", err)
	}
	addr := server.Addr().String()
	n.log.Info("outbound calls", "listen", addr)
	n.companions = append(n.companions, server.Serve)
	return nil
}
