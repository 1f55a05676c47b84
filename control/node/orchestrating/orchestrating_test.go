package orchestrating

import (
	"net/http"
	"testing"
	"time"
)

func TestSection(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		fine   bool
	}{
		{"defaults", func(*Config) {}, true},
		{"servers", func(c *Config) { c.URLs = []string{"http://ors:11200", "https://ors-2:11200/"} }, true},
		{"no scheme", func(c *Config) { c.URLs = []string{"ors:11200"} }, false},
		{"another scheme", func(c *Config) { c.URLs = []string{"ftp://ors"} }, false},
		{"a name that leads elsewhere", func(c *Config) { c.Request = "../../x" }, false},
		{"no time", func(c *Config) { c.Timeout = 0 }, false},
		{"too much time", func(c *Config) { c.Hold = time.Minute }, false},
	} {
		c := Defaults()
		tt.change(&c)
		if err := c.Validate(); (err == nil) != tt.fine {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if Open(Defaults(), &http.Transport{}, &http.Transport{}) != nil {
		t.Error("a client without servers")
	}
}
