package route

import "testing"

func TestDestinations(t *testing.T) {
	for _, tt := range []struct {
		name     string
		patterns []string
		allowed  []Callee
		refused  []Callee
	}{
		{
			name:    "none",
			allowed: []Callee{{"x", "anywhere.example", 0}, {"", "10.0.0.9", 5070}},
		},
		{
			name: "number at a gateway", patterns: []string{"+49*@GW.example"},
			allowed: []Callee{{"+4930", "gw.example", 0}, {"+49", "Gw.Example.", 5062}},
			refused: []Callee{{"+1", "gw.example", 0}, {"+4930", "gw.example.evil", 0}, {"0+49", "gw.example", 0}, {"+4930", "10.0.0.9", 0}, {"", "gw.example", 0}},
		},
		{
			name: "address with a port", patterns: []string{"10.0.0.9:5062", "bob@[2001:DB8::1]:5060"},
			allowed: []Callee{{"a", "10.0.0.9", 5062}, {"", "10.0.0.9", 5062}, {"bob", "2001:db8:0::1", 5060}, {"a", "::ffff:10.0.0.9", 5062}},
			refused: []Callee{{"a", "10.0.0.9", 0}, {"a", "10.0.0.9", 5060}, {"a", "10.0.0.90", 5062}, {"eve", "2001:db8::1", 5060}},
		},
		{
			name: "networks", patterns: []string{"10.1.2.3/8", "2001:db8::/32"},
			allowed: []Callee{{"a", "10.9.9.9", 0}, {"a", "2001:db8:1::2", 5070}, {"a", "::ffff:10.0.0.1", 0}},
			refused: []Callee{{"a", "11.0.0.1", 0}, {"a", "10.0.0.1.evil.example", 0}, {"a", "2001:db9::1", 0}},
		},
		{
			name: "what is below a name", patterns: []string{"1*2*3@*.example.com"},
			allowed: []Callee{{"1023", "a.example.com", 0}, {"123", "b.a.EXAMPLE.com", 0}},
			refused: []Callee{{"1023", "example.com", 0}, {"1023", "evilexample.com", 0}, {"132", "a.example.com", 0}, {"1234", "a.example.com", 0}},
		},
		{
			name: "anywhere", patterns: []string{"+49*@*"},
			allowed: []Callee{{"+491", "10.0.0.9", 0}, {"+491", "a.example", 0}, {"+491", "2001:db8::1", 0}},
			refused: []Callee{{"+441", "10.0.0.9", 0}, {"+491", "a.example@evil", 0}, {"+491", "", 0}, {"+491", "a b", 0}},
		},
	} {
		all, err := ReadDestinations(tt.patterns)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		for _, c := range tt.allowed {
			if !all.Allow(c) {
				t.Errorf("%s: %+v is refused", tt.name, c)
			}
		}
		for _, c := range tt.refused {
			if all.Allow(c) {
				t.Errorf("%s: %+v is allowed", tt.name, c)
			}
		}
	}
	for _, bad := range []string{"", "@host", "a@", "host:sip", "host:0", "host:65536", "10.0.0.*", "a*.example.com", "*.*.example", "*..", "sip:a@b c", "http://a/b", "10.0.0.0/33", "[::1"} {
		if all, err := ReadDestinations([]string{"a", bad}); err == nil {
			t.Errorf("%q is a destination: %+v", bad, all)
		}
	}
}

// FuzzDestinations: who is called by the name or address that a pattern is, is allowed.
func FuzzDestinations(f *testing.F) {
	f.Add("+49*@gw.example", "+4930", "gw.example")
	f.Add("*@[::1]:5060", "", "::1")
	f.Add("a*b*@10.0.0.0/8", "axbx", "10.1.1.1")
	f.Fuzz(func(t *testing.T, pattern, user, host string) {
		all, err := ReadDestinations([]string{pattern})
		if err != nil {
			return
		}
		anybody, err := ReadDestinations([]string{"*"})
		if err != nil {
			t.Fatal(err)
		}
		if c := (Callee{User: user, Host: host, Port: 5060}); all.Allow(c) && !anybody.Allow(c) {
			t.Errorf("%q allows %+v, which is nobody", pattern, c)
		}
	})
}
