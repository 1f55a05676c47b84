package fetching

import (
	"strings"
	"testing"
)

func TestSection(t *testing.T) {
	good := Defaults()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"timeout": func(f *Config) { f.Timeout = 0 }, "size": func(f *Config) { f.MaxSize = -1 },
		"redirects": func(f *Config) { f.Redirects = 0 }, "certificate without key": func(f *Config) { f.TLS.Certificate = "a.pem" },
	} {
		bad := Defaults()
		spoil(&bad)
		if bad.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for want, spoil := range map[string]func(*Config){
		"fetch.credentials": func(c *Config) { c.Credentials = "/none" },
		"certificate":       func(c *Config) { c.TLS = TLS{Certificate: "/none", Key: "/none"} },
	} {
		bad := Defaults()
		spoil(&bad)
		if _, err := Open(bad, Reach{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing %s: %v", want, err)
		}
	}
}
