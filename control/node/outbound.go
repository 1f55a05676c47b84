package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"mcp/control/call"
	"mcp/control/listen"
	"mcp/control/service/msml"
	"mcp/control/service/outbound"
)

// Outbound is the section of calls that are asked for over HTTP or by MSML.
type Outbound struct {
	Listen  string        `yaml:"listen" names:"listener" doc:"address of POST /v1/calls, which makes calls, such as 127.0.0.1:8310; empty: nowhere"`
	Token   string        `yaml:"token" secret:"true" doc:"what requests must bear (Authorization: Bearer); needed for an address that is no loopback"`
	MSML    bool          `yaml:"msml" doc:"let MSML make calls (createconnection): whoever can call its service then can, to anywhere"`
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

// openDialling lets MSML make calls, if it may.
func (n *Node) openDialling(parts *msml.Parts) {
	if cfg := n.cfg.Calls.Outbound; cfg.MSML {
		parts.Caller, parts.Patience = later{n}, cfg.Timeout
	}
}

// later makes calls for services, which are there before the server of calls is.
type later struct{ node *Node }

// Place implements msml.Caller.
func (l later) Place(ctx context.Context, p call.Placement) (*call.Placed, error) {
	return l.node.calls.Place(ctx, p)
}
