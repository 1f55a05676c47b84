//go:build bcg729 && cgo

package codec

import (
	"bytes"
	"testing"
)

// What is encoded is heard by another hand's decoder as by ours.
func TestG729IsHeardByFFmpeg(t *testing.T) {
	frames, err := G729.Frames(vowel())
	if err != nil {
		t.Fatal(err)
	}
	coded := bytes.Join(frames, nil)
	d, _ := NewDecoder(G729)
	ours, err := d.Decode(nil, coded)
	other := foreign(t, "g729", coded)
	if err != nil || len(ours) != 2*Narrowband || len(other) < len(ours) {
		t.Fatalf("%d samples of %d, %v", len(ours), len(other), err)
	}
	if snr, level := alikeness(ours, other); snr < 20 || level < 300 {
		t.Errorf("the two decoders differ by %.1f dB of a signal of %.0f", snr, level)
	}
}

// A frame of silence (annex B) comes behind those of speech, or alone.
func TestG729DecodesSilence(t *testing.T) {
	frames, err := G729.Frames(vowel()[:160])
	if err != nil {
		t.Fatal(err)
	}
	d, _ := NewDecoder(G729)
	for _, payload := range [][]byte{append(frames[0], 0x4c, 0x80), {0x4c, 0x80}} {
		pcm, err := d.Decode(nil, payload)
		if err != nil || uint32(len(pcm)) != G729.Ticks(payload) || len(pcm) == 0 {
			t.Errorf("%x: %d samples of %d, %v", payload, len(pcm), G729.Ticks(payload), err)
		}
	}
}
