package node

import (
	"net"
	"strings"
	"testing"

	"mcp/control/doctor"
)

// Whatever key of the configuration names a far end, it is called.
func TestDoctorCallsEveryFarEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	cfg := Defaults()
	cfg.Media.Plane, cfg.Reporting.Journal = "socket", t.TempDir()
	cfg.Application.Default = "http://" + l.Addr().String() + "/main.vxml"
	cfg.Application.Numbers = map[string]string{"1800": "http://" + gone.Addr().String() + "/sales.vxml"}
	cfg.Discovery.Consul = "http://" + l.Addr().String()
	got := map[string]doctor.State{}
	for _, f := range Doctor(t.Context(), cfg) {
		got[f.Check] = f.State
		if f.Check == "media plane" && !strings.Contains(f.Detail, "sockets") {
			t.Errorf("%+v", f)
		}
	}
	for key, want := range map[string]doctor.State{
		"application.default": doctor.OK, "application.numbers.1800": doctor.Failure, "discovery.consul": doctor.OK, "kernel": doctor.OK, "codecs": doctor.OK,
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
}
