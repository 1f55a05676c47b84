package utterance

import (
	"math"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/clock"
	"mcp/control/media/record"
	"mcp/control/media/tone"
)

// voice is heard for so long at each turn, loud and silent by turns.
type voice struct{ pcm []int16 }

func speak(turns ...time.Duration) *voice {
	v := new(voice)
	for i, turn := range turns {
		for range int(turn * 8000 / time.Second) {
			var s int16
			if i%2 == 1 {
				s = int16(tone.Amplitude(-15) * math.Sin(2*math.Pi*440*float64(len(v.pcm))/8000))
			}
			v.pcm = append(v.pcm, s)
		}
	}
	return v
}

func (v *voice) Pull(dst []int16) bool {
	n := copy(dst, v.pcm)
	clear(dst[n:])
	v.pcm = v.pcm[n:]
	return n > 0
}

// The utterance is cut out of the silence around it.
func TestCut(t *testing.T) {
	const second = time.Second
	tests := []struct {
		name  string
		turns []time.Duration // silence and voice by turns
		begun time.Duration   // when the recognizer has heard the beginning; 0: it never says so
		want  time.Duration
	}{
		{name: "nothing said", turns: []time.Duration{2 * second}},
		{name: "words after a silence", turns: []time.Duration{5 * second, second, second}, begun: 6 * second, want: second + 2*margin},
		{name: "words at once", turns: []time.Duration{0, second, second}, begun: second, want: second + margin},
		{name: "words cut short", turns: []time.Duration{second, second, margin / 2}, begun: 2 * second, want: second + margin + margin/2},
		{name: "words with pauses", turns: []time.Duration{second, second, 2 * second, second, second}, begun: 2 * second, want: 4*second + 2*margin},
		{name: "pauses longer than that, in what the recognizer hears", turns: []time.Duration{second, second, 5 * second, second, second},
			begun: 2 * second, want: 7*second + 2*margin},
		{name: "a cough long before", turns: []time.Duration{second, second / 2, 5 * second, second, second}, begun: 7 * second, want: second + 2*margin},
		{name: "a recognizer that never says when it begins", turns: []time.Duration{5 * second, second, second}, want: second + 2*margin},
		{name: "too soft for us", turns: []time.Duration{second, 0, second / 2}, begun: second / 2, want: 3 * second / 2},
		{name: "endless", turns: []time.Duration{0, longest + second}, begun: second, want: longest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			heard := speak(tt.turns...)
			tape := newTape(heard, record.Format{Container: record.WAV, Coding: record.Linear, Rate: 8000, Channels: 2})
			for at := time.Duration(0); len(heard.pcm) > 0; at += clock.Frame {
				if tt.begun > 0 && at == tt.begun {
					tape.Begun()
				}
				tape.Tick()
			}
			got, err := tape.encode()
			switch {
			case err != nil:
				t.Fatal(err)
			case tt.want == 0 && got != nil:
				t.Fatalf("recorded %s of nothing", got.Duration)
			case tt.want == 0:
				return
			case got == nil:
				t.Fatal("nothing is recorded")
			}
			pcm, err := audiofile.Decode(got.MediaType, got.Data)
			if length := time.Duration(len(pcm)) * time.Second / 8000; err != nil || length != got.Duration {
				t.Errorf("the file is %s long, %v", length, err)
			}
			if off := (got.Duration - tt.want).Abs(); off > 40*time.Millisecond {
				t.Errorf("recorded %s, want %s", got.Duration, tt.want)
			}
		})
	}
}

// What is listened to without end takes no more memory than a pause.
func TestSilenceIsNotKept(t *testing.T) {
	c := cut{rate: 8000}
	for range 3600 * 50 {
		c.add(make([]int16, 160))
	}
	if kept := time.Duration(cap(c.kept)) * time.Second / 8000; kept > 2*stale {
		t.Errorf("%s of silence is kept", kept)
	}
}
