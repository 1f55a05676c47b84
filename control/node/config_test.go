package node

import (
	"testing"
	"time"
)

func TestMediaSection(t *testing.T) {
	m := Defaults().Media
	if err := m.Validate(); err != nil || m.DSCP != 46 || m.latch() != 0 {
		t.Errorf("%+v, latch %s: %v", m, m.latch(), err)
	}
	for _, codecs := range [][]string{nil, {"PCMU", "G729"}, {""}} {
		m.Codecs = codecs
		if err := m.Validate(); err == nil {
			t.Errorf("codecs %v are taken", codecs)
		}
	}
	m.Codecs = []string{"g722", "PCMA", "OPUS"}
	if all := m.codecs(); len(all) != 3 || all[0].PayloadType != 9 || all[2].Name != "opus" || m.Validate() != nil {
		t.Errorf("codecs are %+v", all)
	}
	m.Symmetric = true
	if m.latch() != 5*time.Second {
		t.Errorf("latch is %s", m.latch())
	}
	for dscp, fine := range map[uint8]bool{0: true, 63: true, 64: false, 184: false} {
		m.DSCP = dscp
		if err := m.Validate(); (err == nil) != fine {
			t.Errorf("DSCP %d: %v", dscp, err)
		}
	}
}

func TestCallsSection(t *testing.T) {
	for what, change := range map[string]func(*Calls){
		"":                   func(*Calls) {},
		"negative max":       func(c *Calls) { c.Max = -1 },
		"no time to prepare": func(c *Calls) { c.Prepare = 0 },
		"retry at once":      func(c *Calls) { c.RetryAfter = 0 },
		"cpu above all":      func(c *Calls) { c.CPU = 101 },
		"another refusal":    func(c *Calls) { c.Refusal = 480 },
	} {
		c := Defaults().Calls
		change(&c)
		if err := c.Validate(); (err == nil) != (what == "") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
