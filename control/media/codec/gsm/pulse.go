package gsm

// Tables 5.3 to 5.6: the gains of the long-term filter between and at which it is
// quantised, the weighting filter, and the mantissas of the pulses' maximum.
var (
	gainBound  = [3]int16{6554, 16384, 26214}
	gainLevel  = [4]int16{3277, 11469, 21299, 32767}
	weighting  = [11]int16{-134, -374, 0, 2054, 5741, 8192, 5741, 2054, 0, -374, -134}
	mantissaUp = [8]int16{29128, 26215, 23832, 21846, 20165, 18725, 17476, 16384}
	mantissa   = [8]int16{18431, 20479, 22527, 24575, 26623, 28671, 30719, 32767}
)

// weigh filters a subframe's residual (section 5.2.13).
func weigh(residual *[sub40]int16, out *[sub40]int16) {
	for k := range out {
		sum := int32(4096)
		for i, h := range weighting {
			if at := k + 5 - i; at >= 0 && at < sub40 {
				sum += int32(residual[at]) * int32(h)
			}
		}
		out[k] = saturate(sum >> 13)
	}
}

// choose takes the grid of the most energy out of a weighted residual (section
// 5.2.14).
func (e *excitation) choose(in *[sub40]int16, out *[pulses]int16) {
	most := int32(-1)
	for grid := range 4 {
		var energy int32
		for i := range pulses {
			v := int32(in[grid+3*i] >> 2)
			energy = longAdd(energy, v*v)
		}
		if energy > most {
			most, e.grid = energy, int16(grid)
		}
	}
	for i := range out {
		out[i] = in[int(e.grid)+3*i]
	}
}

// quantise codes pulses by their maximum (section 5.2.15).
func (e *excitation) quantise(in *[pulses]int16) {
	loud := loudest(in[:])
	exponent := int16(0)
	for v := loud >> 9; v > 0 && exponent < 6; v >>= 1 {
		exponent++
	}
	e.max = add(loud>>(exponent+5), exponent<<3)
	exponent, m := e.scale()
	for i, v := range in {
		e.pulse[i] = mult(v<<(6-exponent), mantissaUp[m])>>12 + 4
	}
}

// scale is what the code of the maximum says.
func (e *excitation) scale() (exponent, m int16) {
	if e.max > 15 {
		exponent = e.max>>3 - 1
	}
	m = e.max - exponent<<3
	if m == 0 {
		return -4, 7
	}
	for m <= 7 {
		m = m<<1 | 1
		exponent--
	}
	return exponent, m - 8
}

// place puts the pulses where they were (sections 5.2.16 and 5.2.17).
func (e *excitation) place(out *[sub40]int16) {
	clear(out[:])
	exponent, m := e.scale()
	down := uint(6 - exponent)
	half := int16(1) << (down - 1)
	for i, code := range e.pulse {
		v := multR(mantissa[m], (code<<1-7)<<12)
		out[int(e.grid)+3*i] = add(v, half) >> down
	}
}

// search finds the lag and the gain with which what was before predicts a subframe
// best (section 5.2.11). The past is what was excited before, oldest first.
func (e *excitation) search(residual []int16, past *[longest]int16) {
	down := 0
	if loud := loudest(residual); loud > 0 {
		down = max(0, 6-norm(int32(loud)<<16))
	}
	var scaled [sub40]int32
	for i, v := range residual {
		scaled[i] = int32(v >> down)
	}
	e.lag, e.gain = shortest, 0
	best := int32(0)
	for lag := shortest; lag <= longest; lag++ {
		var cross int32
		for i, v := range past[longest-lag:][:sub40] {
			cross += scaled[i] * int32(v)
		}
		if cross > best {
			best, e.lag = cross, int16(lag)
		}
	}
	e.gain = gainOf(best<<1>>(6-down), past[longest-int(e.lag):][:sub40])
}

// gainOf is the code of the gain that makes the best of a past.
func gainOf(cross int32, past []int16) int16 {
	if cross <= 0 {
		return 0
	}
	var power int32
	for _, v := range past {
		power += int32(v>>3) * int32(v>>3)
	}
	power <<= 1
	if cross >= power {
		return 3
	}
	up := norm(power)
	r, s := int16(cross<<up>>16), int16(power<<up>>16)
	for code, bound := range gainBound {
		if r <= mult(s, bound) {
			return int16(code)
		}
	}
	return 3
}

// predict is what the long-term filter makes of the past (section 5.2.12).
func (e *excitation) predict(past *[longest]int16, lag int16, out *[sub40]int16) {
	for i := range out {
		out[i] = multR(gainLevel[e.gain], past[longest-int(lag)+i])
	}
}

// remember puts a subframe's excitation behind the past.
func remember(past *[longest]int16, now *[sub40]int16) {
	copy(past[:], past[sub40:])
	copy(past[longest-sub40:], now[:])
}
