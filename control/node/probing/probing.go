// Package probing turns the configuration's section of self-tests into what calls
// the platform, and lets the platform tell such calls from others.
package probing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/call"
	"mcp/control/config"
	"mcp/control/health"
	"mcp/control/media"
	"mcp/control/node/signalling"
	"mcp/control/sdp"
	"mcp/control/service/selftest"
	"mcp/control/sip"
)

// Config is the section of self-tests.
type Config struct {
	Interval time.Duration `yaml:"interval" doc:"for how long readiness believes the latest call that the platform placed to itself, a failed one for 5s at most; 0: no such calls are placed"`
	Timeout  time.Duration `yaml:"timeout" doc:"how long such a call may take; it usually takes half a second"`
}

// Defaults believes a call for half of the 60 s between the probes of the product's chart.
func Defaults() Config { return Config{Interval: 30 * time.Second, Timeout: 5 * time.Second} }

// Validate checks the section.
func (c Config) Validate() error {
	return errors.Join(config.Least("interval", c.Interval, 0), config.Within("timeout", c.Timeout, time.Second, 45*time.Second))
}

// Parts is what a test needs of the platform.
type Parts struct {
	SIP     signalling.Config
	Bound   []net.Addr // the listener's
	Media   netip.Addr // local address of callers' audio; invalid: where signalling arrives
	PortMax uint16     // end of the platform's ports of audio
	Codecs  []sdp.Codec

	Engine  *media.Engine
	Calls   *call.Server
	Page    call.Service // what the calls run
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Test is the self-test of one platform; a nil one calls nobody.
type Test struct {
	tester *selftest.Tester
	caller *sip.Agent
	split  *selftest.Split
	config Config
}

// Open makes the test; nil when there is to be none. Run must follow, or Close.
func Open(c Config, p Parts) (*Test, error) {
	if c.Interval == 0 {
		return nil, nil
	}
	transport, target, ok := listener(p.Bound)
	if !ok {
		return nil, errors.New("self-test: there is no listener to call")
	}
	caller, err := p.SIP.Caller(transport, target.Addr(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, fmt.Errorf("self-test: %w", err)
	}
	t := &Test{config: c, caller: caller}
	t.tester = selftest.New(selftest.Config{
		Target: target, Transport: transport, Media: p.Media, Above: p.PortMax, Codecs: p.Codecs, Interval: c.Interval, Timeout: c.Timeout,
	}, caller, p.Calls, p.Log)
	t.split = t.tester.Split(p.Calls, call.Config{
		Codecs: p.Codecs, MediaAddress: p.Media, PrepareTime: c.Timeout, Grace: time.Second,
	}, call.Parts{Engine: p.Engine}, p.Page)
	p.Metrics.MustRegister(t.tester)
	return t, nil
}

// listener chooses whom to call: over TCP before UDP before TLS, at this host where
// it listens everywhere.
func listener(bound []net.Addr) (transport string, at netip.AddrPort, ok bool) {
	for _, transport := range []string{"tcp", "udp", "tls"} {
		for _, addr := range bound {
			at, err := netip.ParseAddrPort(addr.String())
			if err != nil || !strings.HasPrefix(addr.Network(), transport) {
				continue
			}
			if at.Addr().IsUnspecified() {
				host := netip.AddrFrom4([4]byte{127, 0, 0, 1})
				if at.Addr().Is6() && !at.Addr().Is4In6() {
					host = netip.IPv6Loopback()
				}
				at = netip.AddrPortFrom(host, at.Port())
			}
			return transport, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), true
		}
	}
	return "", netip.AddrPort{}, false
}

// Handler is what the platform's agent hands its calls to.
func (t *Test) Handler(calls *call.Server) sip.Handler {
	if t == nil {
		return calls
	}
	return t.split
}

// Checks are what readiness looks at.
func (t *Test) Checks() []health.Check {
	if t == nil {
		return nil
	}
	return []health.Check{{Name: "self-test", Probe: t.tester.Check, Timeout: t.config.Timeout + time.Second}}
}

// Run keeps the caller's agent until ctx ends.
func (t *Test) Run(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.caller.Serve(ctx, sip.Nobody{})
}

// Close frees a test that does not run.
func (t *Test) Close() error {
	if t != nil {
		t.caller.Close()
	}
	return nil
}
