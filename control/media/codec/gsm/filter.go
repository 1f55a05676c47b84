package gsm

// How log-area ratios are quantised (table 5.1): scale, offset and the least code of
// each, and the scale's inverse.
var (
	ratioScale   = [order]int16{20480, 20480, 20480, 20480, 13964, 15360, 8534, 9036}
	ratioOffset  = [order]int16{0, 0, 2048, -2560, 94, -1792, -341, -1144}
	ratioLeast   = [order]int16{-32, -32, -16, -16, -8, -8, -4, -4}
	ratioInverse = [order]int16{13107, 13107, 13107, 13107, 19223, 17476, 31454, 29708}
)

// ratio is the log-area ratio of a reflection coefficient (section 5.2.6).
func ratio(r int16) int16 {
	v := abs(r)
	switch {
	case v < 22118:
		v >>= 1
	case v < 31130:
		v -= 11059
	default:
		v = (v - 26112) << 2
	}
	if r < 0 {
		return -v
	}
	return v
}

// reflection is the reflection coefficient of a log-area ratio (section 5.2.9.2).
func reflection(ratio int16) int16 {
	v := abs(ratio)
	switch {
	case v < 11059:
		v <<= 1
	case v < 20070:
		v += 11059
	default:
		v = add(v>>2, 26112)
	}
	if ratio < 0 {
		return -v
	}
	return v
}

// quantise is the code of a log-area ratio (section 5.2.7).
func quantise(i int, ratio int16) int16 {
	v := add(add(mult(ratioScale[i], ratio), ratioOffset[i]), 256) >> 9
	least := ratioLeast[i]
	return max(least, min(-least-1, v)) - least
}

// ratioOf is the log-area ratio of a code (section 5.2.8).
func ratioOf(i int, code int16) int16 {
	v := multR(ratioInverse[i], sub((code+ratioLeast[i])<<10, ratioOffset[i]<<1))
	return add(v, v)
}

// course is the short-term filter from frame to frame.
type course struct {
	before, now [order]int16 // log-area ratios
	r           [order]int16 // reflection coefficients at present
}

// steps are the first samples at which the filter changes on its way from one frame's
// to the next's (section 5.2.9.1), and end the last.
var steps = [...]int{0, 13, 27, 40, Samples}

// run has a frame filtered, piece by piece.
func (c *course) run(codes *[order]int16, samples []int16, filter func(*[order]int16, []int16)) {
	for i, code := range codes {
		c.now[i] = ratioOf(i, code)
	}
	for step := range len(steps) - 1 {
		for i := range c.r {
			c.r[i] = reflection(between(step, c.before[i], c.now[i]))
		}
		filter(&c.r, samples[steps[step]:steps[step+1]])
	}
	c.before = c.now
}

// between is where a step is on the way.
func between(step int, a, b int16) int16 {
	switch step {
	case 0:
		return add(add(a>>2, b>>2), a>>1)
	case 1:
		return add(a>>1, b>>1)
	case 2:
		return add(add(a>>2, b>>2), b>>1)
	}
	return b
}
