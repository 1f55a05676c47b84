package config

import (
	"strings"
	"testing"
)

func TestPrintedConfigurationExplainsItself(t *testing.T) {
	c := defaults()
	c.Speech.Numbers = map[string]string{"b": "2", "a": "true"}
	c.Speech.Servers = []server{{"one", 1}}
	const want = `# signalling
sip:
  # transports and addresses
  listen:
    - tcp:0.0.0.0:5070
  advertise: ""
  peers: []

# audio
media:
  # first port
  port-min: 20000
  # last port
  port-max: 45000
  cache: 64MiB
  # time between packets
  pace: 20ms
  gain: 1
  strict: false

speech:
  url: ""
  numbers:
    a: "true"
    b: "2"
  weights: {}
  servers:
    -
      # what logs call it
      name: one
      max: 1
  spare:
    # what logs call it
    name: ""
    max: 0
`
	var out strings.Builder
	if err := Print(&out, c); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestExplain(t *testing.T) {
	tests := []struct{ key, want string }{
		{"media.pace", "# time between packets\nmedia.pace: 20ms\n\nholds a duration\nenvironment variable MCP_MEDIA_PACE\n"},
		{"sip", "# signalling\nsip:\n  # transports and addresses\n  listen:\n    - tcp:0.0.0.0:5070\n  advertise: \"\"\n  peers: []\n"},
	}
	for _, tt := range tests {
		var out strings.Builder
		if err := Explain(&out, defaults(), tt.key); err != nil || out.String() != tt.want {
			t.Errorf("%s: %v\n%s", tt.key, err, out.String())
		}
	}
	err := Explain(&strings.Builder{}, defaults(), "media.pac")
	if err == nil || err.Error() != "media.pac: unknown key; the nearest known key is media.pace" {
		t.Error(err)
	}
}

func TestSize(t *testing.T) {
	tests := []struct {
		text string
		want Size
		back string
	}{
		{"0", 0, "0"}, {"512", 512, "512"}, {"512 B", 512, "512"}, {"1KiB", 1024, "1KiB"}, {"10MB", 1e7, "10MB"},
		{"1.5GiB", 3 << 29, "1536MiB"}, {"64 mib", 64 << 20, "64MiB"}, {"2TiB", 2 << 40, "2TiB"}, {"1000", 1000, "1kB"},
	}
	for _, tt := range tests {
		var s Size
		if err := s.UnmarshalText([]byte(tt.text)); err != nil || s != tt.want || s.String() != tt.back {
			t.Errorf("%q: %d, %v, written %s", tt.text, s, err, s)
		}
	}
	for _, text := range []string{"", "B", "-1", "x", "1XB", "9999999TiB", "NaN", "Inf", "1e30"} {
		if s := new(Size); s.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q was read as %d", text, *s)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"port", "prot", 1}, {"port-min", "portmin", 1}, {"kitten", "sitting", 3}, {"ü", "u", 1},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(everyKind)
	f.Add("media: {pace: 1s}\n")
	f.Add("- ? a\n: [b")
	f.Fuzz(func(t *testing.T, text string) {
		c := defaults()
		l := &loader{lines: map[string]int{}, file: "fuzz"}
		l.root, _ = rootOf(c)
		l.readFile([]byte(text))
		l.validate(l.root)
		if err := Print(&strings.Builder{}, c); err != nil {
			t.Fatal(err)
		}
	})
}
