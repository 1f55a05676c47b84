//go:build (bcg729 || amr) && cgo

package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"os/exec"
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

// foreign is what ffmpeg decodes of a file's contents.
func foreign(t *testing.T, format string, coded []byte) []int16 {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg")
	}
	cmd := exec.Command(ffmpeg, "-v", "error", "-f", format, "-i", "-", "-f", "s16le", "-")
	cmd.Stdin = bytes.NewReader(coded)
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, len(raw)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return pcm
}

// alikeness is how much stronger a signal is than the difference of another, in dB,
// and how strong it is.
func alikeness(a, b []int16) (snr, level float64) {
	var signal, noise float64
	for i, s := range a {
		signal += float64(s) * float64(s)
		noise += (float64(s) - float64(b[i])) * (float64(s) - float64(b[i]))
	}
	return 10 * math.Log10(signal/(noise+1)), math.Sqrt(signal / float64(len(a)))
}
