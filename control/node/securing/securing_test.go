package securing

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"mcp/control/call/secure"
	"mcp/control/media/mediatest"
	"mcp/control/media/socket"
)

func TestSection(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		fine   bool
	}{
		{"defaults", func(*Config) {}, true},
		{"required", func(c *Config) { c.Mode = "required" }, true},
		{"one profile", func(c *Config) { c.Mode, c.Profiles = "optional", []string{"AEAD_AES_256_GCM"} }, true},
		{"unknown mode", func(c *Config) { c.Mode = "maybe" }, false},
		{"unknown profile", func(c *Config) { c.Profiles = []string{"NULL_HMAC_SHA1_80"} }, false},
		{"unknown keys", func(c *Config) { c.Keys = []string{"zrtp"} }, false},
		{"certificate without key", func(c *Config) { c.Certificate = "x" }, false},
		{"no time", func(c *Config) { c.Handshake = 0 }, false},
		{"no keys", func(c *Config) { c.Mode, c.Keys = "optional", nil }, false},
		{"no profiles", func(c *Config) { c.Mode, c.Profiles = "optional", nil }, false},
	} {
		c := Defaults()
		tc.change(&c)
		if err := c.Validate(); (err == nil) != tc.fine {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestOpen opens a second plane only where it is needed, and warns of keys in the clear.
func TestOpen(t *testing.T) {
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	c := Defaults()
	if c.Open(mediatest.NewPlane(), log) != nil || said.Len() > 0 {
		t.Errorf("a plane for nothing; %s", said.String())
	}
	c.Mode, c.Clear = "optional", true
	if c.Open(socket.New("test", log), log) != nil {
		t.Error("a plane beside one that has SRTP")
	}
	p := c.Open(mediatest.NewPlane(), log)
	if p == nil || p.Mode() != "socket" || !strings.Contains(said.String(), "level=WARN") {
		t.Errorf("%v, %s", p, said.String())
	}
	if policy, err := c.Policy(); err != nil || policy.Identity == nil || !policy.First || policy.Mode != secure.Optional || !policy.SDES || !policy.Clear || len(policy.Profiles) != len(c.Profiles) {
		t.Errorf("%+v", policy)
	}
}
