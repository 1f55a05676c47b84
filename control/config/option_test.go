package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// foreign is a configuration whose keys have other names elsewhere.
type foreign struct {
	Calls struct {
		Rate   int           `yaml:"rate" gvp:"sip.call_rate" doc:"calls"`
		Period time.Duration `yaml:"period" gvp:"sip.call_rate_period ms" doc:"what rate counts in"`
		Expire time.Duration `yaml:"expire" gvp:"sip.sessionexpires s"`
	} `yaml:"calls"`
	Media struct {
		Min    uint16   `yaml:"min" gvp:"mpc.rtp.portrange first"`
		Max    uint16   `yaml:"max" gvp:"mpc.rtp.portrange last"`
		Codecs []string `yaml:"codecs" gvp:"mpc.codec codecs"`
		Repeat bool     `yaml:"repeat" gvp:"vrm.client.norepeat not"`
	} `yaml:"media"`
}

func loadForeign(t *testing.T, text string) (*foreign, []string) {
	t.Helper()
	c := &foreign{}
	l := &loader{lines: map[string]int{}, file: "file"}
	l.root, _ = rootOf(c)
	l.readFile([]byte(text))
	var faults []string
	for _, f := range l.faults {
		faults = append(faults, f.String())
	}
	return c, faults
}

func TestOptionsByTheirOtherNames(t *testing.T) {
	got, faults := loadForeign(t, `
gvp:
  sip.call_rate: 100
  sip.call_rate_period: 1500
  sip.sessionexpires: "1800"
  mpc.rtp.portrange: 20000-45000
  mpc.codec: pcmu pcma telephone-event
  vrm.client.norepeat: true
`)
	want := &foreign{}
	want.Calls.Rate, want.Calls.Period, want.Calls.Expire = 100, 1500*time.Millisecond, 30*time.Minute
	want.Media.Min, want.Media.Max, want.Media.Codecs = 20000, 45000, []string{"PCMU", "PCMA"}
	if faults != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v\nfaults %q", got, want, faults)
	}
	if _, faults := loadForeign(t, "gvp:\n"); faults != nil {
		t.Errorf("an empty section: %q", faults)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown", "gvp: {sip.callrate: 1}", "file:1:7: gvp.sip.callrate: unknown option; the nearest known one is sip.call_rate (mcp config options lists them)"},
		{"set by both names", "gvp: {sip.call_rate: 1}\ncalls:\n  rate: 2\n", "file:1:7: gvp.sip.call_rate: calls.rate was set in line 3 already"},
		{"no number", "gvp: {sip.call_rate: many}", `file:1:7: gvp.sip.call_rate: "many" is no whole number of 64 bits`},
		{"no duration", "gvp: {sip.call_rate_period: 5m}", `file:1:7: gvp.sip.call_rate_period: "5m" is no number of milliseconds`},
		{"no range", "gvp: {mpc.rtp.portrange: 20000}", `file:1:7: gvp.mpc.rtp.portrange: "20000" is no range, such as 20000-45000`},
		{"no boolean", "gvp: {vrm.client.norepeat: 2}", `file:1:7: gvp.vrm.client.norepeat: "2" is no boolean`},
		{"a list", "gvp: {sip.call_rate: [1]}", "file:1:7: gvp.sip.call_rate: expected one value"},
		{"twice", "gvp:\n  sip.call_rate: 1\n  sip.call_rate: 2\n", "file:3:3: gvp.sip.call_rate: key was set in line 2 already"},
		{"no section", "gvp: 5", "file:1:6: gvp: expected keys with values"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, faults := loadForeign(t, test.text); !slices.Contains(faults, test.want) {
				t.Errorf("faults %q, want %q", faults, test.want)
			}
		})
	}
}

func TestOptionsAreExplained(t *testing.T) {
	c := &foreign{}
	options, err := Options(c)
	if err != nil || len(options) != 7 || options[0] != (Option{"mpc.codec", formCodecs, "media.codecs"}) {
		t.Errorf("%+v, %v", options, err)
	}
	var out strings.Builder
	if err := Explain(&out, c, "sip.call_rate_period"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"calls.period: 0s", "what rate counts in", "option sip.call_rate_period of the Genesys Voice Platform, milliseconds"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
}
