package node

import (
	"reflect"
	"testing"
	"time"

	"mcp/control/call/progress"
)

func TestCPASection(t *testing.T) {
	for what, change := range map[string]func(*CPA){
		"":                   func(*CPA) {},
		"negative silence":   func(c *CPA) { c.Silence = -1 },
		"negative rings":     func(c *CPA) { c.Rings = -1 },
		"no fax":             func(c *CPA) { c.Fax = 0 },
		"no greeting":        func(c *CPA) { c.Voice.Greeting = 0 },
		"no pause":           func(c *CPA) { c.Machine.Pause = 0 },
		"negative utterance": func(c *CPA) { c.Normal.Utterance = -1 },
		"no such profile":    func(c *CPA) { c.Profile = "polite" },
	} {
		c := Defaults().Calls.CPA
		change(&c)
		if err := c.Validate(); (err == nil) != (what == "") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCPASectionReachesTheAnalysis(t *testing.T) {
	want := progress.DefaultConfig()
	// What a profile says is not told twice.
	want.Timing.MachineGreet, want.Timing.MaxVoice, want.Timing.VoicePause = 0, 0, 0
	if got := Defaults().Calls.CPA.analysis(); !reflect.DeepEqual(got, want) {
		t.Errorf("by default %+v, want %+v", got, want)
	}
	c := Defaults().Calls.CPA
	c.Machine, c.Beep = CPAMachine{time.Second, 2 * time.Second, 3 * time.Second}, 4*time.Second
	got := c.analysis()
	if got.Profiles[progress.Machine] != (progress.Greeting{Machine: time.Second, Voice: 2 * time.Second, Pause: 3 * time.Second}) || got.Timing.MaxBeep != 4*time.Second {
		t.Errorf("%+v", got)
	}
}
