package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"mcp/control/call"
	"mcp/control/listen"
	"mcp/control/route"
	"mcp/control/service/msml"
	"mcp/control/service/outbound"
	"mcp/control/sip"
)

// Outbound is the section of calls that are asked for over HTTP or by MSML.
type Outbound struct {
	Listen  string        `yaml:"listen" names:"listener" doc:"address of POST /v1/calls, which makes calls, such as 127.0.0.1:8310; empty: nowhere"`
	Token   string        `yaml:"token" secret:"true" doc:"what requests must bear (Authorization: Bearer); needed for an address that is no loopback"`
	MSML    bool          `yaml:"msml" doc:"let MSML make calls (createconnection): whoever can call its service then can, to whom allow names"`
	Allow   []string      `yaml:"allow" live:"true" doc:"who may be called, [USER@]HOST[:PORT] each, such as +49*@gw.example, 10.0.0.0/8 or *.example.com; empty: anybody"`
	Timeout time.Duration `yaml:"timeout" doc:"until a call is answered, where a request does not say"`
}

// Validate checks the section: who can reach the address can make calls.
func (o Outbound) Validate() error {
	if o.Timeout <= 0 {
		return errors.New("timeout must be above zero")
	}
	if _, err := route.ReadDestinations(o.Allow); err != nil {
		return fmt.Errorf("allow: %w", err)
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
	calls, err := n.dialling()
	if err != nil {
		return err
	}
	service := outbound.New(outbound.Config{Token: cfg.Token, Patience: cfg.Timeout}, calls, n.log)
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
func (n *Node) openDialling(parts *msml.Parts) error {
	cfg := n.cfg.Calls.Outbound
	if !cfg.MSML {
		return nil
	}
	calls, err := n.dialling()
	if err != nil {
		return err
	}
	parts.Caller, parts.Patience = calls, cfg.Timeout
	return nil
}

// dialling makes the calls that somebody asks for, to whom they may go. The server of
// calls need not be there yet.
type dialling struct {
	node    *Node
	allowed atomic.Pointer[route.Destinations]
}

func (n *Node) dialling() (*dialling, error) {
	d := &dialling{node: n}
	if err := d.allow(n.cfg); err != nil {
		return nil, err
	}
	n.followers = append(n.followers, func(c Config) {
		if err := d.allow(c); err != nil {
			n.log.Error("who may be called stays as it was", "error", err)
		}
	})
	return d, nil
}

func (d *dialling) allow(c Config) error {
	allowed, err := route.ReadDestinations(c.Calls.Outbound.Allow)
	if err != nil {
		return fmt.Errorf("calls.outbound.allow: %w", err)
	}
	d.allowed.Store(&allowed)
	return nil
}

// Place implements outbound.Server and msml.Caller.
func (d *dialling) Place(ctx context.Context, p call.Placement) (*call.Placed, error) {
	uri, err := sip.ParseURI(p.To)
	if err != nil {
		return nil, &call.Refusal{Status: 400, Reason: "Bad Request", Err: err}
	}
	callee := route.Callee{User: uri.User, Host: cmp.Or(uri.Params["maddr"], uri.Host), Port: uri.Port}
	if !d.allowed.Load().Allow(callee) {
		d.node.log.Warn("call not made: calls.outbound.allow does not name its destination", "to", p.To)
		return nil, &call.Refusal{Status: 403, Reason: "Forbidden", Err: fmt.Errorf("%s may not be called from here", p.To)}
	}
	return d.node.calls.Place(ctx, p)
}
