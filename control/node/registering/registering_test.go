package registering

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"mcp/control/discovery"
)

func TestSection(t *testing.T) {
	good := Defaults()
	good.Consul = "https://127.0.0.1:8501"
	for what, change := range map[string]func(*Config){
		"no URL":      func(d *Config) { d.Consul = "127.0.0.1:8501" },
		"no service":  func(d *Config) { d.Service = "" },
		"no interval": func(d *Config) { d.Interval = 0 },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

// TestPlatformIsFoundWhereItIs looks at what is registered, by what the platform listens
// on and where its agent is.
func TestPlatformIsFoundWhereItIs(t *testing.T) {
	at := func(text string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)) }
	for _, tt := range []struct {
		what           string
		consul         string
		configured     string
		sip, probes    string
		address, check string
	}{
		{"an agent of this machine", "https://127.0.0.1:8501", "", "0.0.0.0:5070", "[::]:8300", "", "http://127.0.0.1:8300/mcp/readiness"},
		{"the same by IPv6", "http://[::1]:8500", "", "[::]:5070", "[::]:8300", "", "http://[::1]:8300/mcp/readiness"},
		{"one address to listen on", "http://127.0.0.1:8500", "", "192.0.2.7:5070", "[::]:8300", "192.0.2.7", "http://192.0.2.7:8300/mcp/readiness"},
		{"another for probes", "http://127.0.0.1:8500", "", "192.0.2.7:5070", "127.0.0.1:8300", "192.0.2.7", "http://127.0.0.1:8300/mcp/readiness"},
		{"a configured one", "http://127.0.0.1:8500", "192.0.2.8", "192.0.2.7:5070", "[::]:8300", "192.0.2.8", "http://192.0.2.8:8300/mcp/readiness"},
	} {
		c := Defaults()
		c.Consul = tt.consul
		if tt.configured != "" {
			c.Address = netip.MustParseAddr(tt.configured)
		}
		var s discovery.Service
		err := c.locate(t.Context(), Platform{SIP: at(tt.sip), Probes: at(tt.probes)}, &s)
		if err != nil || s.Address != tt.address || s.Check.URL != tt.check {
			t.Errorf("%s: %q, %q, %v", tt.what, s.Address, s.Check.URL, err)
		}
	}
}

// An agent that cannot be found keeps no platform from its calls.
func TestAgentWithoutAnAddressIsNoError(t *testing.T) {
	c := Defaults()
	c.Consul = "http://nobody.invalid:8500"
	p := Platform{SIP: net.TCPAddrFromAddrPort(netip.MustParseAddrPort("0.0.0.0:5070"))}
	if r, err := Open(c, p, slog.New(slog.DiscardHandler)); err != nil || r == nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.locate(ctx, p, &discovery.Service{}); err == nil {
		t.Error("a name that nobody has is found")
	}
}
