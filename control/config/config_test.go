package config

import (
	"errors"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type sample struct {
	SIP    sip    `yaml:"sip" doc:"signalling"`
	Media  media  `yaml:"media" doc:"audio"`
	Speech speech `yaml:"speech"`
	Hidden string `yaml:"-"`
}

type sip struct {
	Listen    []string       `yaml:"listen" doc:"transports and addresses"`
	Advertise netip.Addr     `yaml:"advertise"`
	Peers     []netip.Prefix `yaml:"peers"`
}

type media struct {
	PortMin uint16        `yaml:"port-min" doc:"first port"`
	PortMax uint16        `yaml:"port-max" doc:"last port"`
	Cache   Size          `yaml:"cache"`
	Pace    time.Duration `yaml:"pace" doc:"time between packets"`
	Gain    float64       `yaml:"gain"`
	Strict  bool          `yaml:"strict"`
}

func (m media) Validate() error {
	if m.PortMax < m.PortMin {
		return errors.Join(errors.New("port-max is below port-min"), errors.New("there are no ports"))
	}
	return nil
}

type speech struct {
	URL     url.URL            `yaml:"url"`
	Numbers map[string]string  `yaml:"numbers"`
	Weights map[string]float64 `yaml:"weights"`
	Servers []server           `yaml:"servers"`
	Spare   server             `yaml:"spare"`
}

type server struct {
	Name string `yaml:"name" doc:"what logs call it"`
	Max  int    `yaml:"max"`
}

func (s *server) Validate() error {
	if s.Max < 0 {
		return errors.New("max is negative")
	}
	return nil
}

func defaults() *sample {
	return &sample{
		SIP:   sip{Listen: []string{"tcp:0.0.0.0:5070"}},
		Media: media{PortMin: 20000, PortMax: 45000, Cache: 64 << 20, Pace: 20 * time.Millisecond, Gain: 1},
	}
}

// load reads a YAML text and an environment over the defaults. The file's path
// is replaced by "file" in faults.
func load(t *testing.T, text string, environ ...string) (*sample, []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mcp.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := defaults()
	err := Load(c, Source{File: file, Environ: environ})
	var faults Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range faults {
		lines = append(lines, strings.ReplaceAll(f.String(), file, "file"))
	}
	return c, lines
}

func TestEverythingIsOptional(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "sip:\nmedia:\n  port-min:\n", "{}"} {
		c, faults := load(t, text, "HOME=/root", "PATH")
		if faults != nil || !reflect.DeepEqual(c, defaults()) {
			t.Errorf("%q: %+v, %q", text, c, faults)
		}
	}
}

const everyKind = `
sip:
  listen: [tcp:0.0.0.0:5060, "udp:[::1]:0"]
  advertise: 10.0.0.1
  peers:
    - 10.0.0.0/8
    - fd00::/64
media:
  port-min: 30000
  cache: 1.5GiB
  pace: 1m30s
  gain: -0.5
  strict: true
speech:
  url: http://speech:8080/v1?a=b
  numbers: {"0100": "http://web/a.vxml", +32 2 555: b}
  weights:
    en-US: 0.75
  servers:
    - name: "1"
      max: 3
    - name: 2
  spare:
    name: |-
      x
      y
`

func wantEveryKind() *sample {
	c := defaults()
	c.SIP = sip{
		Listen: []string{"tcp:0.0.0.0:5060", "udp:[::1]:0"}, Advertise: netip.MustParseAddr("10.0.0.1"),
		Peers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/64")},
	}
	c.Media = media{PortMin: 30000, PortMax: 45000, Cache: 3 << 29, Pace: 90 * time.Second, Gain: -0.5, Strict: true}
	c.Speech = speech{
		URL:     url.URL{Scheme: "http", Host: "speech:8080", Path: "/v1", RawQuery: "a=b"},
		Numbers: map[string]string{"0100": "http://web/a.vxml", "+32 2 555": "b"},
		Weights: map[string]float64{"en-US": 0.75},
		Servers: []server{{Name: "1", Max: 3}, {Name: "2"}},
		Spare:   server{Name: "x\ny"},
	}
	return c
}

func TestFileSetsEveryKindOfValue(t *testing.T) {
	c, faults := load(t, everyKind)
	if faults != nil || !reflect.DeepEqual(c, wantEveryKind()) {
		t.Errorf("got %+v\nwant %+v\nfaults %q", c, wantEveryKind(), faults)
	}
}

func TestPrintedConfigurationReadsBack(t *testing.T) {
	for _, c := range []*sample{defaults(), wantEveryKind()} {
		var out strings.Builder
		if err := Print(&out, c); err != nil {
			t.Fatal(err)
		}
		got, faults := load(t, out.String())
		if c.Speech.Numbers == nil { // written as {} and [], which are not nil
			got.SIP.Peers, got.Speech.Numbers, got.Speech.Weights, got.Speech.Servers = nil, nil, nil, nil
		}
		if faults != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("printed\n%s\nreads back as %+v, faults %q", out.String(), got, faults)
		}
	}
}

func TestEnvironmentOverridesFile(t *testing.T) {
	c, faults := load(t, "media: {port-min: 30000, pace: 1s}",
		"MCP_MEDIA_PORT_MIN=31000", "MCP_MEDIA_STRICT=true", "MCP_SIP_LISTEN=tcp::5060, udp::5060",
		"MCP_SPEECH_NUMBERS=1=http://a/?x=y,2=b", "MCP_SPEECH_URL=https://s/",
		"MCP_SPEECH_SERVERS=[{name: a, max: 2}]", "MCP_SPEECH_WEIGHTS={a: 0.5}", "MCP_SIP_PEERS=",
		"MCP_SPEECH_SPARE_NAME=spare")
	want := defaults()
	want.SIP = sip{Listen: []string{"tcp::5060", "udp::5060"}, Peers: []netip.Prefix{}}
	want.Media.PortMin, want.Media.Pace, want.Media.Strict = 31000, time.Second, true
	want.Speech = speech{
		URL: url.URL{Scheme: "https", Host: "s", Path: "/"}, Numbers: map[string]string{"1": "http://a/?x=y", "2": "b"},
		Servers: []server{{"a", 2}}, Weights: map[string]float64{"a": 0.5}, Spare: server{Name: "spare"},
	}
	if faults != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v\nfaults %q", c, want, faults)
	}
}

func TestServiceLinksAreNotOurs(t *testing.T) {
	_, faults := load(t, "", "MCP_SIP_SERVICE_HOST=10.0.0.1", "MCP_SIP_SERVICE_PORT_SIP_TCP=5070",
		"MCP_SIP_PORT_5070_TCP=tcp://10.0.0.1:5070", "MCP_SIP_PORT_5070_TCP_ADDR=10.0.0.1", "MCP_PORT=tcp://1", "MCPX=1")
	if faults != nil {
		t.Errorf("%q", faults)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name, text string
		environ    []string
		want       []string
	}{
		{"misspelt key", "media:\n  prot-min: 5\n", nil,
			[]string{"file:2:3: media.prot-min: unknown key; the nearest known key is media.port-min"}},
		{"misspelt section", "\n\nmdia: {}\n", nil,
			[]string{"file:3:1: mdia: unknown key; the nearest known key is media"}},
		{"key of another section", "sip:\n  pace: 1s\n", nil,
			[]string{"file:2:3: sip.pace: unknown key; the nearest known key is media.pace"}},
		{"key in a list", "speech:\n  servers:\n    - name: a\n    - nmae: b\n", nil,
			[]string{"file:4:7: speech.servers[1].nmae: unknown key; the nearest known key is speech.servers[1].name"}},
		{"hidden field", "Hidden: x\n", nil,
			[]string{"file:1:1: Hidden: unknown key; the nearest known key is sip"}},
		{"key twice", "sip: {}\nmedia: {}\nsip: {}\n", nil,
			[]string{"file:3:1: sip: key was set in line 1 already"}},
		{"values of the wrong kind", "media:\n  port-min: 70000\n  pace: 20\n  cache: lots\n  gain: [1]\n  strict: maybe\n", nil, []string{
			`file:2:13: media.port-min: "70000" is no whole number from 0 to 65535`,
			`file:3:9: media.pace: "20" is no duration, such as 1.5s or 2m`,
			`file:4:10: media.cache: "lots" is no size: expected a number of bytes, such as 64KiB, 10MB or 512`,
			`file:5:9: media.gain: expected a number`,
			`file:6:11: media.strict: "maybe" is no boolean`,
		}},
		{"address", "sip:\n  advertise: localhost\n", nil,
			[]string{`file:2:14: sip.advertise: "localhost" is no Addr: ParseAddr("localhost"): unable to parse IP`}},
		{"URL", "speech:\n  url: /relative\n", nil, []string{`file:2:8: speech.url: "/relative" is no absolute URL`}},
		{"scalar for a section", "media: 5\n", nil, []string{"file:1:8: media: expected keys with values"}},
		{"scalar for a list", "sip: {listen: a}\n", nil, []string{"file:1:15: sip.listen: expected a list"}},
		{"list for the root", "- a\n", nil, []string{"file:1:1: expected keys with values"}},
		{"anchor", "sip: &a\n  listen: []\n", nil, []string{"file:1:6: sip: anchors, aliases and tags are not used here"}},
		{"two documents", "sip: {}\n---\nmedia: {}\n", nil, []string{"file:3:6: a second document in the file"}},
		{"section's own check", "sip: {}\nmedia:\n  port-max: 5\n", nil, []string{
			"file:3: media.port-max: port-max is below port-min", "file:2: media: there are no ports",
		}},
		{"check of a list's element", "speech: {servers: [{max: 1}, {max: -1}]}\n", nil,
			[]string{"file:1: speech.servers[1].max: max is negative"}},
		{"check by way of the environment", "", []string{"MCP_MEDIA_PORT_MAX=7"}, []string{
			"environment MCP_MEDIA_PORT_MAX: media.port-max: port-max is below port-min", "media: there are no ports",
		}},
		{"no check after a fault", "media:\n  port-max: 5\n  pace: x\n", nil,
			[]string{`file:3:9: media.pace: "x" is no duration, such as 1.5s or 2m`}},
		{"misspelt variable", "", []string{"MCP_MEDIA_PORTMIN=1"},
			[]string{"environment: MCP_MEDIA_PORTMIN: unknown variable; the nearest known one is MCP_MEDIA_PORT_MIN"}},
		{"variables of the wrong kind", "", []string{"MCP_MEDIA_PACE=fast", "MCP_SPEECH_NUMBERS=5", "MCP_SIP_PEERS=[x]"}, []string{
			`environment MCP_MEDIA_PACE: media.pace: "fast" is no duration, such as 1.5s or 2m`,
			`environment MCP_SIP_PEERS: sip.peers[0]: "x" is no Prefix: netip.ParsePrefix("x"): no '/'`,
			`environment MCP_SPEECH_NUMBERS: speech.numbers: "5" is not of the form key=value`,
		}},
		{"file and environment at once", "sip: 1\n", []string{"MCP_MEDIA_GAIN=x"}, []string{
			"file:1:6: sip: expected keys with values", `environment MCP_MEDIA_GAIN: media.gain: "x" is no number`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got := load(t, tt.text, tt.environ...)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestTextThatIsNotYAMLNamesItsLine(t *testing.T) {
	for _, text := range []string{"sip:\n  listen: [a\n", "sip: {\n", "a: b: c\n", "\"x\n", "sip:\n\tlisten: []\n"} {
		_, faults := load(t, text)
		if len(faults) != 1 || !strings.Contains(faults[0], "file:") || !strings.Contains(faults[0], "not YAML") {
			t.Errorf("%q: %q", text, faults)
		}
	}
}

func TestErrorNamesAllFaults(t *testing.T) {
	one, two := Faults{{"f:1:1", "a", "bad"}}, Faults{{"f:1:1", "a", "bad"}, {"", "b", "worse"}}
	if got := one.Error(); got != "configuration: f:1:1: a: bad" {
		t.Error(got)
	}
	if got := two.Error(); got != "configuration has 2 faults:\n  f:1:1: a: bad\n  b: worse" {
		t.Error(got)
	}
}

func TestMissingFileIsAnError(t *testing.T) {
	if err := Load(defaults(), Source{File: "/nonexistent/mcp.yaml"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestTargetMustBeAStruct(t *testing.T) {
	for _, target := range []any{nil, 5, sample{}, (*sample)(nil)} {
		if err := Load(target, Source{}); !errors.Is(err, errTarget) {
			t.Errorf("%T: %v", target, err)
		}
	}
}
