package tone

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestPartsFollowEachOther(t *testing.T) {
	pcm := PCM(8000, Part{Hz: []float64{500}, Level: -6, For: 100 * time.Millisecond}, Part{For: 50 * time.Millisecond}, Beep())
	if len(pcm) != 800+400+1600 {
		t.Fatalf("%d samples", len(pcm))
	}
	most := 0.0
	for i, s := range pcm {
		if i >= 800 && i < 1200 && s != 0 {
			t.Fatalf("sample %d of the pause is %d", i, s)
		}
		if i < 800 {
			most = math.Max(most, math.Abs(float64(s)))
		}
	}
	if want := Amplitude(-6); math.Abs(most-want) > want/50 {
		t.Errorf("the peak is %.0f, want %.0f", most, want)
	}
}

func TestKeys(t *testing.T) {
	for row := range 4 {
		for column := range 4 {
			p, err := Key(KeyAt(row, column), -8, time.Second)
			if err != nil || p.Hz[0] != Rows[row] || p.Hz[1] != Columns[column] {
				t.Errorf("%d, %d: %+v, %v", row, column, p, err)
			}
		}
	}
	if _, err := Keys("12x", -8, time.Second, time.Second); !errors.Is(err, ErrKey) {
		t.Errorf("%v", err)
	}
	if parts, err := Keys("*9", -8, time.Second, 2*time.Second); err != nil || len(parts) != 4 || parts[1].For != 2*time.Second {
		t.Errorf("%+v, %v", parts, err)
	}
}
