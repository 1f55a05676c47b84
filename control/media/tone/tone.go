// Package tone makes signals: tones, pauses and the keys of a telephone, as
// linear samples.
package tone

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Part is one or more sines at once, for some time. Without any it is a pause.
type Part struct {
	Hz    []float64
	Level float64 // of each sine, dBm0
	For   time.Duration
}

// ramp softens the beginning and the end of a part.
const ramp = 2 * time.Millisecond

// loudest is the amplitude of a sine of 0 dBm0: +3.14 dBm0 is full scale (ITU-T G.711).
const loudest = 22827

// Amplitude is that of a sine of a level in dBm0, in linear samples.
func Amplitude(level float64) float64 { return loudest * math.Pow(10, level/20) }

// PCM renders parts one after the other, at a sample rate in Hz.
func PCM(rate int, parts ...Part) []int16 {
	var out []int16
	for _, p := range parts {
		out = p.render(out, rate)
	}
	return out
}

func (p Part) render(out []int16, rate int) []int16 {
	n := int(p.For * time.Duration(rate) / time.Second)
	soft := float64(ramp) / float64(time.Second) * float64(rate)
	amplitude := Amplitude(p.Level)
	for i := range n {
		var v float64
		for _, hz := range p.Hz {
			v += math.Sin(2 * math.Pi * hz * float64(i) / float64(rate))
		}
		edge := math.Min(1, math.Min(float64(i+1), float64(n-i))/soft)
		out = append(out, int16(math.Max(math.MinInt16, math.Min(math.MaxInt16, v*amplitude*edge))))
	}
	return out
}

// The frequencies of telephone keys (ITU-T Q.23), in Hz.
var (
	Rows    = [...]float64{697, 770, 852, 941}
	Columns = [...]float64{1209, 1336, 1477, 1633}
)

// keypad has the keys in the order of rows and columns.
const keypad = "123A456B789C*0#D"

// ErrKey says that something is no key of a telephone.
var ErrKey = errors.New("no such key")

// Key is the pair of tones of a key: 0-9, *, #, A-D.
func Key(key byte, level float64, length time.Duration) (Part, error) {
	at := strings.IndexByte(keypad, key)
	if at < 0 {
		return Part{}, fmt.Errorf("%w: %q", ErrKey, key)
	}
	return Part{Hz: []float64{Rows[at/4], Columns[at%4]}, Level: level, For: length}, nil
}

// KeyAt is the key of a row and a column, both 0 to 3.
func KeyAt(row, column int) byte { return keypad[4*row+column] }

// Keys are key presses with pauses between them.
func Keys(keys string, level float64, length, pause time.Duration) ([]Part, error) {
	var parts []Part
	for i := range len(keys) {
		p, err := Key(keys[i], level, length)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p, Part{For: pause})
	}
	return parts, nil
}

// Beep is what is heard before a recording begins.
func Beep() Part { return Part{Hz: []float64{1000}, Level: -12, For: 200 * time.Millisecond} }
