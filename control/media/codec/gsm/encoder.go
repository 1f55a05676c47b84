package gsm

// Encoder makes frames of one stream. Its zero value is ready; it is used by one
// goroutine.
type Encoder struct {
	offset   int16 // the sample before, of the offset's filter
	sum      int32 // the same, of its output
	emphasis int16 // of the pre-emphasis

	course course
	memory [order]int16   // of the short-term filter
	past   [longest]int16 // excitation

	samples [Samples]int16
	frame   parameters
}

// Append appends the frame of Samples samples, of which the lowest three bits do not
// count.
func (e *Encoder) Append(dst []byte, pcm []int16) []byte {
	e.prepare(pcm[:Samples])
	e.analyse()
	e.course.run(&e.frame.filter, e.samples[:], e.whiten)
	for i := range e.frame.sub {
		e.excite(&e.frame.sub[i], e.samples[i*sub40:][:sub40])
	}
	return e.frame.append(dst)
}

// prepare takes off the offset and emphasises high frequencies (sections 5.2.1 to
// 5.2.3).
func (e *Encoder) prepare(pcm []int16) {
	for i, s := range pcm {
		in := s >> 3 << 2
		step := in - e.offset
		e.offset = in
		high := int16(e.sum >> 15)
		low := int16(e.sum - int32(high)<<15)
		e.sum = longAdd(int32(high)*32735, int32(step)<<15+int32(multR(low, 32735)))
		before := multR(e.emphasis, -28180)
		e.emphasis = int16(longAdd(e.sum, 1<<14) >> 15)
		e.samples[i] = add(e.emphasis, before)
	}
}

// analyse finds the short-term filter (sections 5.2.4 to 5.2.7).
func (e *Encoder) analyse() {
	var r [order]int16
	reflections(e.correlate(), &r)
	for i, v := range r {
		e.frame.filter[i] = quantise(i, ratio(v))
	}
}

// correlate is the autocorrelation. So that it does not run over the samples are
// scaled down, and up again without what was lost.
func (e *Encoder) correlate() (sums [order + 1]int32) {
	down := 0
	if loud := loudest(e.samples[:]); loud > 0 {
		down = max(0, 4-norm(int32(loud)<<16))
	}
	if down > 0 {
		for i, s := range e.samples {
			e.samples[i] = multR(s, 1<<14>>(down-1))
		}
	}
	for lag := range sums {
		var sum int32
		for i := lag; i < Samples; i++ {
			sum += int32(e.samples[i]) * int32(e.samples[i-lag])
		}
		sums[lag] = sum << 1
	}
	for i := range e.samples {
		e.samples[i] <<= down
	}
	return sums
}

// reflections are found by Schur's recursion (section 5.2.5).
func reflections(sums [order + 1]int32, r *[order]int16) {
	if sums[0] == 0 {
		return
	}
	up := norm(sums[0])
	var p [order + 1]int16
	for i, s := range sums {
		p[i] = int16(s << up >> 16)
	}
	k := p
	for n := range r {
		size := abs(p[1])
		if p[0] < size {
			return
		}
		r[n] = div(size, p[0])
		if p[1] > 0 {
			r[n] = -r[n]
		}
		p[0] = add(p[0], multR(p[1], r[n]))
		for m := 1; m < order-n; m++ {
			next := p[m+1]
			p[m] = add(next, multR(k[m], r[n]))
			k[m] = add(k[m], multR(next, r[n]))
		}
	}
}

// whiten is the short-term analysis filter (section 5.2.10).
func (e *Encoder) whiten(r *[order]int16, samples []int16) {
	for at, s := range samples {
		saved := s
		for i, c := range r {
			u := e.memory[i]
			e.memory[i] = saved
			saved = add(u, multR(c, s))
			s = add(s, multR(c, u))
		}
		samples[at] = s
	}
}

// excite codes a subframe's residual, and keeps what a decoder will make of it.
func (e *Encoder) excite(x *excitation, residual []int16) {
	x.search(residual, &e.past)
	var predicted, rest, weighted [sub40]int16
	x.predict(&e.past, x.lag, &predicted)
	for i, v := range residual {
		rest[i] = sub(v, predicted[i])
	}
	weigh(&rest, &weighted)
	var chosen [pulses]int16
	x.choose(&weighted, &chosen)
	x.quantise(&chosen)
	x.place(&rest)
	for i := range rest {
		rest[i] = add(rest[i], predicted[i])
	}
	remember(&e.past, &rest)
}
