//go:build bcg729 && cgo

package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// vowel is two seconds of what a throat says: pulses at a pitch that falls, through
// the resonances of an "a".
func vowel() []int16 {
	out := make([]int16, 2*Narrowband)
	var phase float64
	var y [2][2]float64
	for i := range out {
		x := 0.0
		if phase += (140 - 40*float64(i)/float64(len(out))) / Narrowband; phase >= 1 {
			phase, x = phase-1, 1
		}
		for k, hz := range []float64{700, 1200} {
			r := 0.97
			v := x + 2*r*math.Cos(2*math.Pi*hz/Narrowband)*y[k][0] - r*r*y[k][1]
			y[k][1], y[k][0], x = y[k][0], v, v
		}
		out[i] = int16(900 * x)
	}
	return out
}

// What is encoded is heard by another hand's decoder as by ours.
func TestG729IsHeardByFFmpeg(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg")
	}
	frames, err := G729.Frames(vowel())
	if err != nil {
		t.Fatal(err)
	}
	coded := bytes.Join(frames, nil)
	path := filepath.Join(t.TempDir(), "x.g729")
	if err := os.WriteFile(path, coded, 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := exec.Command(ffmpeg, "-v", "error", "-f", "g729", "-i", path, "-f", "s16le", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	d, _ := NewDecoder(G729)
	ours, err := d.Decode(nil, coded)
	if err != nil || len(ours) != 2*Narrowband || len(raw) < 2*len(ours) {
		t.Fatalf("%d samples, %d octets, %v", len(ours), len(raw), err)
	}
	var signal, noise float64
	for i, s := range ours {
		other := float64(int16(binary.LittleEndian.Uint16(raw[2*i:])))
		signal += other * other
		noise += (float64(s) - other) * (float64(s) - other)
	}
	if snr := 10 * math.Log10(signal/(noise+1)); snr < 20 || signal/float64(len(ours)) < 1e5 {
		t.Errorf("the two decoders differ by %.1f dB of a signal of %.0f", snr, math.Sqrt(signal/float64(len(ours))))
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
