package codec

import (
	"errors"
	"math"
	"testing"

	"mcp/control/media/resample"
)

// A tone goes from any codec into G.711 and G.722 and keeps its length and level,
// however its pieces are cut.
func TestConverter(t *testing.T) {
	tone := make([]int16, 16000)
	for i := range tone {
		tone[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/16000))
	}
	for _, from := range []Codec{PCMU, PCMA, G722, Opus} {
		for _, to := range []Codec{PCMU, PCMA, G722} {
			c, err := NewConverter(from, to)
			if err != nil {
				t.Fatal(err)
			}
			e, _ := NewEncoder(from)
			pcm := resample.Whole(tone, 16000, from.SampleRate())
			frame := from.SampleRate() / 50
			var out []byte
			for ; len(pcm) >= frame; pcm = pcm[frame:] {
				payload, err := e.Encode(nil, pcm[:frame])
				if err != nil {
					t.Fatal(err)
				}
				pieces := [][]byte{payload}
				if from.Name != Opus.Name { // whose packets are whole
					pieces = [][]byte{payload[:7], payload[7:]}
				}
				for _, piece := range pieces {
					if out, err = c.Append(out, piece); err != nil {
						t.Fatal(err)
					}
				}
			}
			d, _ := NewDecoder(to)
			back, err := d.Decode(nil, out)
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for _, s := range back[len(back)/2:] {
				sum += float64(s) * float64(s)
			}
			level := math.Sqrt(sum / float64(len(back)-len(back)/2))
			if len(out) < 7800 || len(out) > 8000 || level < 5000 || level > 6300 {
				t.Errorf("%s to %s: %d octets at level %.0f", from.Name, to.Name, len(out), level)
			}
		}
	}
	if _, err := NewConverter(Codec{Name: "G723", ClockRate: 8000}, PCMU); !errors.Is(err, ErrUnknown) {
		t.Errorf("G723: %v", err)
	}
}
