package node

import (
	"testing"
)

func TestCallsSection(t *testing.T) {
	for what, change := range map[string]func(*Calls){
		"":                   func(*Calls) {},
		"negative max":       func(c *Calls) { c.Max = -1 },
		"no time to prepare": func(c *Calls) { c.Prepare = 0 },
		"retry at once":      func(c *Calls) { c.RetryAfter = 0 },
		"cpu above all":      func(c *Calls) { c.CPU = 101 },
		"less than nothing":  func(c *Calls) { c.Garbage = -1 },
		"another refusal":    func(c *Calls) { c.Refusal = 480 },
	} {
		c := Defaults().Calls
		change(&c)
		if err := c.Validate(); (err == nil) != (what == "") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
