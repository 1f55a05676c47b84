package caller

import (
	"slices"
	"testing"
	"time"
)

func TestTones(t *testing.T) {
	audio := slices.Concat(
		make([]int16, clockRate/10), Hum(500, 200*time.Millisecond), Hum(700, 100*time.Millisecond),
		make([]int16, clockRate), Hum(700, 300*time.Millisecond), Hum(900, 20*time.Millisecond))
	mixed := Hum(500, 200*time.Millisecond)
	for i, s := range Hum(700, 200*time.Millisecond) {
		mixed[i] += s
	}
	got := Tones(append(audio, mixed...), []float64{500, 700, 900}, 100*time.Millisecond, 60*time.Millisecond)
	want := []Tone{
		{500, 100 * time.Millisecond, 200 * time.Millisecond},
		{700, 300 * time.Millisecond, 100 * time.Millisecond},
		{700, 1400 * time.Millisecond, 300 * time.Millisecond},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
