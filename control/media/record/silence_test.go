package record

import (
	"bytes"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/clock"
	"mcp/control/media/measure"
	"mcp/control/media/tone"
)

// What was said before a silence ended is not recorded, though it waited in the jitter
// buffer then, or came there only after; at the rate of what is said and at another.
func TestWhatIsSaidInASilenceStaysOut(t *testing.T) {
	for _, tt := range []struct {
		name string
		rate int
		late bool // it comes to the buffer after the silence has ended
	}{
		{name: "in the buffer", rate: 8000},
		{name: "in the buffer, recorded at another rate", rate: 16000},
		{name: "on its way", rate: 8000, late: true},
		{name: "on its way, recorded at another rate", rate: 16000, late: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDeck(t)
			var b bytes.Buffer
			r := d.record(&b, Options{Format: Format{Container: WAV, Coding: Linear, Rate: tt.rate, Channels: 1}})
			d.must(r.Hear(0, d.caller))
			secret := func(frames int, tick bool) {
				for range frames {
					d.must(d.ends[0].Say(tone.PCM(8000, tone.Part{Hz: []float64{2000}, Level: -10, For: clock.Frame})))
					if tick {
						r.Tick()
					}
				}
			}
			d.turn(r, 50)
			r.Silence("private", true)
			secret(50, true)
			if tt.late {
				r.Silence("private", false)
				r.silent.ended.Store(time.Now().Add(time.Hour).UnixNano()) // what is said from here was said before
				secret(4, false)
				r.silent.ended.Store(time.Now().UnixNano())
			} else {
				secret(4, false)
				r.Silence("private", false)
			}
			d.turn(r, 100)
			if _, err := stop(r); err != nil {
				t.Fatal(err)
			}
			pcm, err := audiofile.Decode("", b.Bytes())
			d.must(err)
			for at := 0; at+160 <= len(pcm); at += 160 {
				if l := measure.Tone(pcm[at:at+160], 8000, 2000); l > -35 {
					t.Errorf("at %d ms what was said in the silence is at %.1f dBm0", at/8, l)
				}
			}
			if l := measure.Tone(pcm[20_000:31_000], 8000, 440); l < -11.5 {
				t.Errorf("after the silence the caller is at %.1f dBm0", l)
			}
		})
	}
}
