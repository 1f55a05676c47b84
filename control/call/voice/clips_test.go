package voice

import (
	"bytes"
	"testing"

	"mcp/control/media/codec"
)

// sound is a second of mu-law, without a header.
func sound() []byte { return bytes.Repeat([]byte{0x55, 0xd5}, 4000) }

func TestRecordingsAreDecodedOnce(t *testing.T) {
	const basic = "audio/basic"
	clips, file := NewClips(), sound()
	first, err := clips.Get(basic, file, codec.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	other := sound()
	other[100]++
	tests := []struct {
		name   string
		data   []byte
		spoken codec.Codec
		same   bool
	}{
		{"the same memory", file, codec.PCMU, true},
		{"the same content elsewhere", sound(), codec.PCMU, true},
		{"the beginning of that memory", file[:160], codec.PCMU, false},
		{"the same memory for another codec", file, codec.PCMA, false},
		{"other content", other, codec.PCMU, false},
		{"nothing", nil, codec.PCMU, false},
	}
	for _, tt := range tests {
		for range 2 {
			got, err := clips.Get(basic, tt.data, tt.spoken)
			if err != nil || (got == first) != tt.same || got.Samples() != len(tt.data) {
				t.Errorf("%s: the first clip: %v, want %v (%v)", tt.name, got == first, tt.same, err)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = clips.Get(basic, file, codec.PCMU) }); n > 0 {
		t.Errorf("looking a clip up allocates %v times", n)
	}
}

func BenchmarkClipIsKnown(b *testing.B) {
	clips, file := NewClips(), bytes.Repeat(sound(), 30)
	for b.Loop() {
		if _, err := clips.Get("audio/basic", file, codec.PCMU); err != nil {
			b.Fatal(err)
		}
	}
}
