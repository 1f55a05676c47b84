package carrying

import (
	"testing"
	"time"
)

func TestSection(t *testing.T) {
	m := Defaults()
	if err := m.Validate(); err != nil || m.DSCP != 46 || m.Latch() != 0 {
		t.Errorf("%+v, latch %s: %v", m, m.Latch(), err)
	}
	for _, codecs := range [][]string{nil, {"PCMU", "G723"}, {""}} {
		m.Codecs = codecs
		if err := m.Validate(); err == nil {
			t.Errorf("codecs %v are taken", codecs)
		}
	}
	m.Codecs = []string{"g722", "PCMA", "OPUS", "gsm"}
	if all := m.Spoken(); len(all) != 4 || all[3].PayloadType != 3 || all[0].PayloadType != 9 || all[2].Name != "opus" || m.Validate() != nil {
		t.Errorf("codecs are %+v", all)
	}
	m.Symmetric = true
	if m.Latch() != 5*time.Second {
		t.Errorf("latch is %s", m.Latch())
	}
	for dscp, fine := range map[uint8]bool{0: true, 63: true, 64: false, 184: false} {
		m.DSCP = dscp
		if err := m.Validate(); (err == nil) != fine {
			t.Errorf("DSCP %d: %v", dscp, err)
		}
	}
}
