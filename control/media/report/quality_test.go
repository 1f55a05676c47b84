package report

import (
	"math"
	"testing"
	"time"
)

// The scores are those that ITU-T G.107's formulas give when worked out by hand.
func TestOpinions(t *testing.T) {
	for _, row := range []struct {
		name              string
		received          uint64
		lost              int64
		jitter, roundTrip time.Duration
		mos               float64
	}{
		{"nothing came", 0, 0, 0, 0, 0},
		{"perfect", 1000, 0, 0, 0, 4.400},
		{"twice is not lost", 1000, -5, 0, 0, 4.400},
		{"one in a hundred", 990, 10, 0, 0, 4.316},
		{"one in twenty", 950, 50, 0, 0, 3.903},
		{"one in five", 800, 200, 0, 0, 2.606},
		{"half", 500, 500, 0, 0, 1.587},
		{"a slow line", 1000, 0, 0, 600 * time.Millisecond, 3.589},
		{"a nervous line", 1000, 0, 100 * time.Millisecond, 0, 4.140},
		{"nothing but loss", 1, 1000000, 0, 0, 1.165},
	} {
		q := Received(row.received, row.lost, row.jitter, row.roundTrip)
		if math.Abs(q.MOS-row.mos) > 0.005 {
			t.Errorf("%s: %.2f, want %.2f (%+v)", row.name, q.MOS, row.mos, q)
		}
	}
	worse := 5.0
	for lost := int64(0); lost <= 1000; lost += 50 {
		q := Received(1000-uint64(lost), lost, 0, 0)
		if q.MOS > worse || q.MOS < 1 || q.MOS > 4.5 {
			t.Errorf("%d of 1000 lost: %.3f after %.3f", lost, q.MOS, worse)
		}
		worse = q.MOS
	}
}

func TestFarEndsOpinion(t *testing.T) {
	if q := Sent(1000, Far{}); q != (Quality{}) {
		t.Errorf("nothing was reported: %+v", q)
	}
	q := Sent(1000, Far{At: time.Now(), Lost: 100, Jitter: time.Millisecond, RoundTrip: time.Second})
	if q.Loss != 0.1 || q.Jitter != time.Millisecond || q.RoundTrip != time.Second || q.MOS < 1 || q.MOS > 3 {
		t.Errorf("%+v", q)
	}
}
