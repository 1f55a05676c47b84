package detect

import (
	"math"

	"mcp/control/media/tone"
)

// block is how many samples at 8 kHz keys are looked for in: so short that the
// shortest press of ITU-T Q.24, 40 ms, holds two whole ones wherever it begins.
const block = 102

// rate is that of the audio that detectors take, in Hz.
const rate = 8000

// What is taken for a key (ITU-T Q.24 table A.1): levels, the difference between
// the two tones, and how much of the sound they are.
const (
	faintest = -29.0  // dBm0, of each tone
	lowTwist = 11.0   // dB that the row may be above the column
	upTwist  = 5.0    // dB that the column may be above the row
	pure     = 0.82   // of the energy is in the two tones, where they truly are
	likely   = 0.55   // the same where they should be
	apart    = 2.5    // energy of the tone against others of its group
	tailPure = 0.7    // as likely, of what is left of a press at its end
	silent   = 0.05   // of the energy of the press
	astray   = 0.0255 // of the frequency; 1.8 % must be taken, 3.5 % must not
)

// Keys finds telephone keys in audio at 8 kHz.
type Keys struct {
	rows, columns [4]goertzel
	energy        float64
	at            int

	last    sound // of the block before
	maybe   bool  // the last two blocks are a press, if the next does not contradict
	pressed byte
	misses  int
}

// sound is what a block sounds like.
type sound struct {
	key         byte // 0: none
	energy      float64
	row, column part
	powers      [2][4]float64 // of all rows, of all columns
}

// part is one of the two tones in a block.
type part struct {
	at    int     // in its group
	power float64 // and the next loudest's of the group
	next  float64
	phase float64
}

// NewKeys makes a detector.
func NewKeys() *Keys {
	k := &Keys{}
	for i := range 4 {
		k.rows[i] = newGoertzel(tone.Rows[i])
		k.columns[i] = newGoertzel(tone.Columns[i])
	}
	return k
}

// Append appends the keys whose presses are found in the audio that comes next:
// each once, some 40 ms after it begins.
func (k *Keys) Append(keys []byte, pcm []int16) []byte {
	for _, s := range pcm {
		v := float64(s)
		k.energy += v * v
		for i := range 4 {
			k.rows[i].add(v)
			k.columns[i].add(v)
		}
		if k.at++; k.at < block {
			continue
		}
		if key := k.decide(k.judge()); key != 0 {
			keys = append(keys, key)
		}
		k.at, k.energy = 0, 0
	}
	return keys
}

// judge tells what the block sounds like, and begins another.
func (k *Keys) judge() sound {
	s := sound{energy: k.energy}
	s.row = loudest(&k.rows, &s.powers[0])
	s.column = loudest(&k.columns, &s.powers[1])
	least := block * tone.Amplitude(faintest) / 2
	row, column := s.row.power, s.column.power
	switch {
	case row < least*least || column < least*least:
	case row > column*math.Pow(10, lowTwist/10) || column > row*math.Pow(10, upTwist/10):
	case s.row.next*apart > row || s.column.next*apart > column:
	case s.share(s.row.at, s.column.at) < likely:
	default:
		s.key = tone.KeyAt(s.row.at, s.column.at)
	}
	return s
}

// share is how much of the energy is at a row and a column.
func (s *sound) share(row, column int) float64 {
	return (s.powers[0][row] + s.powers[1][column]) / (s.energy*block/2 + 1)
}

// loudest finds the loudest tone of a group.
func loudest(group *[4]goertzel, powers *[4]float64) part {
	var l part
	for i := range group {
		p, phase := group[i].take()
		powers[i] = p
		switch {
		case p > l.power:
			l = part{i, p, l.power, phase}
		case p > l.next:
			l.next = p
		}
	}
	return l
}

// decide makes presses of blocks: two alike begin one, unless a third contradicts;
// two that are not alike end it.
func (k *Keys) decide(s sound) (begun byte) {
	before, maybe := k.last, k.maybe
	k.last, k.maybe = s, false
	if k.pressed != 0 {
		if s.key == k.pressed {
			k.misses = 0
			return 0
		}
		if k.misses++; k.misses < 2 {
			return 0
		}
		k.pressed = 0
	}
	if maybe && (s.key == before.key || s.ends(before)) {
		k.pressed, k.misses = before.key, 0
		if s.key != before.key {
			k.misses = 1
		}
		return before.key
	}
	k.maybe = s.key != 0 && s.key == before.key && !strays(before, s)
	return 0
}

// ends tells whether a block is the end of a press: what there is of it is the
// key's two tones, or it is silent.
func (s *sound) ends(press sound) bool {
	left := s.energy / press.energy
	return left < silent || left < 1 && s.share(press.row.at, press.column.at) > tailPure*left
}

// strays tells whether the tones' frequencies are off, as their phases tell from
// one block to the next, or whether there is more to be heard than them.
func strays(a, b sound) bool {
	rowHz, columnHz := tone.Rows[b.row.at], tone.Columns[b.column.at]
	row, column := off(rowHz, b.row.phase-a.row.phase), off(columnHz, b.column.phase-a.column.phase)
	if row > astray*rowHz || column > astray*columnHz {
		return true
	}
	for _, s := range []sound{a, b} {
		if (s.row.power/seen(row)+s.column.power/seen(column))/(s.energy*block/2) < pure {
			return true
		}
	}
	return false
}

// off is by how many Hz a tone is off whose phase advanced so much in a block.
func off(hz, advance float64) float64 {
	const turn = 2 * math.Pi
	return math.Abs(math.Remainder(advance-turn*hz*block/rate, turn)) * rate / (turn * block)
}

// seen is how much of a tone's power is seen in a block that looks so many Hz
// beside it.
func seen(hz float64) float64 {
	x := math.Pi * hz * block / rate
	if x < 1e-6 {
		return 1
	}
	return math.Pow(math.Sin(x)/x, 2)
}

// goertzel is one frequency of a discrete Fourier transform, sample by sample.
type goertzel struct {
	coefficient, sin, cos float64
	s1, s2                float64
}

func newGoertzel(hz float64) goertzel {
	w := 2 * math.Pi * hz / rate
	sin, cos := math.Sincos(w)
	return goertzel{coefficient: 2 * cos, sin: sin, cos: cos}
}

func (g *goertzel) add(v float64) { g.s1, g.s2 = v+g.coefficient*g.s1-g.s2, g.s1 }

// take is the power of the frequency and the phase at the block's end, and begins
// another block.
func (g *goertzel) take() (power, phase float64) {
	re, im := g.s1-g.s2*g.cos, g.s2*g.sin
	g.s1, g.s2 = 0, 0
	return re*re + im*im, math.Atan2(im, re)
}
