//go:build amr && cgo

package codec

import (
	"errors"
	"math"
	"testing"

	"mcp/control/media/codec/amr"
)

func amrOf(format string) Codec {
	c := AMR
	c.Format = format
	return c
}

// What is encoded in each mode, in either packing, is heard by another hand's decoder
// as by ours.
func TestAMRIsHeardByFFmpeg(t *testing.T) {
	for _, format := range []string{
		"", "octet-align=1", "mode-set=0", "mode-set=1", "octet-align=1; mode-set=2", "mode-set=3", "mode-set=4",
		"mode-set=5", "mode-set=6", "mode-set=7",
	} {
		c := amrOf(format)
		payloads, err := c.Frames(vowel())
		if err != nil {
			t.Fatal(err)
		}
		d, _ := NewDecoder(c)
		var ours []int16
		file := []byte("#!AMR\n") // RFC 4867 section 5.1
		for _, payload := range payloads {
			var p amr.Packet
			if err := p.Read(payload, amr.Aligned(format)); err != nil {
				t.Fatal(err)
			}
			f := &p.Frames[0]
			if modes := amr.Modes(format); len(p.Frames) != 1 || f.Type != modes[len(modes)-1] || p.Request != amr.NoData {
				t.Fatalf("%q: %+v", format, p)
			}
			file = append(append(file, f.Type<<3|1<<2), f.Data[:f.Octets()]...)
			if ours, err = d.Decode(ours, payload); err != nil {
				t.Fatal(err)
			}
		}
		other := foreign(t, "amr", file)
		if len(ours) != 2*Narrowband || len(other) < len(ours) {
			t.Fatalf("%q: %d samples of %d", format, len(ours), len(other))
		}
		if snr, level := alikeness(ours, other); snr < 8 || level < 300 {
			t.Errorf("%q: the two decoders differ by %.1f dB of a signal of %.0f", format, snr, level)
		}
	}
}

// The pitch and the strength of a voice survive.
func TestAMRKeepsAVoice(t *testing.T) {
	said := vowel()
	payloads, err := AMR.Frames(said)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := NewDecoder(AMR)
	var heard []int16
	for _, payload := range payloads {
		heard, _ = d.Decode(heard, payload)
	}
	for at := 4000; at < 12000; at += 2000 {
		var in, out float64
		for hz := 600.0; hz < 1400; hz += 20 {
			in += math.Pow(strength(said[at:at+2000], Narrowband, hz), 2)
			out += math.Pow(strength(heard[at:at+2000], Narrowband, hz), 2)
		}
		if db := 10 * math.Log10(out/in); math.Abs(db) > 3 {
			t.Errorf("at %d: the formants come back at %.1f dB", at, db)
		}
	}
}

// A far end is spoken to in the mode that it asks for, of those that are agreed.
func TestAMRHeedsRequests(t *testing.T) {
	leg := amrOf("mode-set=0,2,5,7").Following(Codec{})
	e, _ := NewEncoder(leg)
	d, _ := NewDecoder(leg.Following(leg)) // it was agreed again
	for _, tt := range []struct{ request, want uint8 }{{6, 5}, {0, 0}, {12, 0}, {amr.NoData, 7}} {
		p := amr.Packet{Request: tt.request, Frames: []amr.Frame{{Type: amr.NoData, Good: true}}}
		if _, err := d.Decode(nil, p.Append(nil, false)); err != nil {
			t.Fatal(err)
		}
		payload, err := e.Encode(nil, make([]int16, 12*amr.Samples)) // as many as are needed to get there
		if err == nil {
			err = p.Read(payload, false)
		}
		if got := p.Frames[len(p.Frames)-1].Type; err != nil || got != tt.want {
			t.Errorf("request %d: mode %d, want %d, %v", tt.request, got, tt.want, err)
		}
	}
}

// What is lost or damaged is concealed: the voice goes on.
func TestAMRConceals(t *testing.T) {
	payloads, err := AMR.Frames(vowel())
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*amr.Frame){
		"lost":    func(f *amr.Frame) { f.Type = amr.NoData },
		"damaged": func(f *amr.Frame) { f.Good, f.Data = false, [amr.MaxOctets]byte{0x55, 0xaa, 0xff} },
	} {
		d, _ := NewDecoder(AMR)
		for i, payload := range payloads[:50] {
			if i%10 == 9 {
				var p amr.Packet
				_ = p.Read(payload, false)
				spoil(&p.Frames[0])
				payload = p.Append(nil, false)
			}
			pcm, err := d.Decode(nil, payload)
			if err != nil {
				t.Fatal(err)
			}
			if _, level := alikeness(pcm, pcm); i > 5 && (level < 200 || level > 6000) {
				t.Errorf("%s: the level at frame %d is %.0f", name, i, level)
			}
		}
	}
}

func TestAMRRefusesWhatIsNone(t *testing.T) {
	e, _ := NewEncoder(AMR)
	for _, n := range []int{0, 80, 170, 13 * 160} {
		if got, err := e.Encode(nil, make([]int16, n)); err == nil || len(got) > 0 {
			t.Errorf("%d samples were encoded", n)
		}
	}
	d, _ := NewDecoder(AMR)
	if got, err := d.Decode(nil, []byte{0xf3, 0xc0}); !errors.Is(err, amr.ErrPayload) || len(got) > 0 {
		t.Errorf("%d samples, %v", len(got), err)
	}
}
