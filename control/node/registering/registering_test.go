package registering

import "testing"

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
