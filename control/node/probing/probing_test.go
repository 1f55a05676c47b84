package probing

import (
	"net"
	"testing"
	"time"
)

// named is an address of a transport that net knows no type for.
type named struct{ network, at string }

func (n named) Network() string { return n.network }
func (n named) String() string  { return n.at }

func TestListenerIsChosen(t *testing.T) {
	for _, tt := range []struct {
		bound         []net.Addr
		transport, at string
	}{
		{[]net.Addr{named{"udp", "0.0.0.0:5070"}, named{"tcp", "0.0.0.0:5071"}}, "tcp", "127.0.0.1:5071"},
		{[]net.Addr{named{"tls", "10.0.0.1:5061"}, named{"udp", "[::]:5070"}}, "udp", "[::1]:5070"},
		{[]net.Addr{named{"tls", "10.0.0.1:5061"}}, "tls", "10.0.0.1:5061"},
		{nil, "", "invalid AddrPort"},
	} {
		transport, at, ok := listener(tt.bound)
		if transport != tt.transport || at.String() != tt.at || ok != (transport != "") {
			t.Errorf("%v: %s %s %t", tt.bound, transport, at, ok)
		}
	}
}

func TestSection(t *testing.T) {
	for _, tt := range []struct {
		config Config
		fine   bool
	}{
		{Defaults(), true},
		{Config{Interval: 0, Timeout: time.Second}, true},
		{Config{Interval: -1, Timeout: time.Second}, false},
		{Config{Interval: time.Second, Timeout: time.Minute}, false},
		{Config{Interval: time.Second}, false},
	} {
		if err := tt.config.Validate(); (err == nil) != tt.fine {
			t.Errorf("%+v: %v", tt.config, err)
		}
	}
}

// Without an interval nobody is called, and everything else goes on.
func TestNone(t *testing.T) {
	test, err := Open(Config{}, Parts{})
	if test != nil || err != nil {
		t.Fatalf("%v, %v", test, err)
	}
	if len(test.Checks()) > 0 || test.Run(t.Context()) != nil || test.Close() != nil {
		t.Error("there is something to do")
	}
}
