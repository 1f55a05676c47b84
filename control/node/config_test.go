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
