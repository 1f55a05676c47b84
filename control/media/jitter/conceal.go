package jitter

import "math"

// The pitch of voices, and how long what is repeated stays as loud as it was.
const (
	highest = 400 // Hz
	lowest  = 66
)

// concealer stands in for what is missing: it repeats the last pitch period, more
// and more quietly, as ITU-T G.711 appendix I does.
type concealer struct {
	rate   int
	past   []int16 // the latest samples, oldest first
	period []float64
	at     int // in the period
	gone   int // samples concealed in this gap
}

func newConcealer(rate int) concealer {
	return concealer{rate: rate, past: make([]int16, 0, 3*rate/lowest), period: make([]float64, rate/lowest+1)}
}

// heard remembers what was played.
func (c *concealer) heard(pcm []int16) {
	keep := cap(c.past)
	if len(pcm) >= keep {
		c.past = append(c.past[:0], pcm[len(pcm)-keep:]...)
		return
	}
	if over := len(c.past) + len(pcm) - keep; over > 0 {
		c.past = c.past[:copy(c.past, c.past[over:])]
	}
	c.past = append(c.past, pcm...)
}

// fill appends n samples that stand in for what is missing.
func (c *concealer) fill(dst []int16, n int) []int16 {
	if c.gone == 0 {
		c.learn()
	}
	for range n {
		dst = append(dst, c.sample())
	}
	return dst
}

// learn takes the last pitch period for what is to be repeated. Its end leads
// over to its beginning.
func (c *concealer) learn() {
	lag := pitch(c.past, c.rate)
	c.period, c.at = c.period[:lag], 0
	if lag == 0 {
		return
	}
	end := len(c.past)
	for i := range lag {
		c.period[i] = float64(c.past[end-lag+i])
	}
	q := lag / 4
	for i := range q {
		w := float64(i+1) / float64(q+1)
		j := lag - q + i
		c.period[j] = c.period[j]*(1-w) + float64(c.past[end-lag-q+i])*w
	}
}

// sample is the next that stands in: as loud as before for 10 ms, silent after 60.
func (c *concealer) sample() int16 {
	c.gone++
	if len(c.period) == 0 {
		return 0
	}
	v := c.period[c.at]
	c.at = (c.at + 1) % len(c.period)
	ms := float64(c.gone) * 1000 / float64(c.rate)
	return int16(v * math.Max(0, math.Min(1, (60-ms)/50)))
}

// resume leads over from what stood in to what has come, and remembers it.
func (c *concealer) resume(pcm []int16) {
	if c.gone > 0 {
		n := min(len(pcm), c.rate/200)
		for i := range n {
			w := float64(i+1) / float64(n+1)
			pcm[i] = int16(float64(pcm[i])*w + float64(c.sample())*(1-w))
		}
		c.gone = 0
	}
	c.heard(pcm)
}

// pitch is the period, in samples, with which the end of some audio repeats
// itself best; 0: there is too little of it.
func pitch(pcm []int16, rate int) int {
	least, most := rate/highest, rate/lowest
	window := rate / 100
	if len(pcm) < most+most/4+window {
		return 0
	}
	end := len(pcm)
	best, at := math.Inf(-1), most
	for lag := least; lag <= most; lag++ {
		var cross, energy float64
		for i := end - window; i < end; i++ {
			past := float64(pcm[i-lag])
			cross += float64(pcm[i]) * past
			energy += past * past
		}
		if score := cross / math.Sqrt(energy+1); score > best {
			best, at = score, lag
		}
	}
	return at
}
