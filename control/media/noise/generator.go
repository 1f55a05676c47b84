package noise

import (
	"math"
	"math/rand/v2"
)

// Generator makes noise as the latest description says. The zero value is silent
// until there is one. It is used by one goroutine.
type Generator struct {
	random  *rand.Rand
	gain    float64
	k       [MaxOrder]float64
	order   int
	delayed [MaxOrder + 1]float64
}

// Follow takes a description.
func (g *Generator) Follow(d Description) {
	if g.random == nil {
		g.random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	g.gain, g.order = d.amplitude(), d.order
	for i := range g.order {
		g.k[i] = d.coefficient(i)
		g.gain *= math.Sqrt(1 - g.k[i]*g.k[i])
	}
}

// Fill fills dst with the next samples, at the rate of the description's clock.
func (g *Generator) Fill(dst []int16) {
	if g.gain == 0 {
		clear(dst)
		return
	}
	for i := range dst {
		dst[i] = int16(max(math.MinInt16, min(math.MaxInt16, g.sample())))
	}
}

// sample is white noise through the lattice of the all-pole filter.
func (g *Generator) sample() float64 {
	f := g.gain * g.random.NormFloat64()
	for m := g.order; m > 0; m-- {
		f -= g.k[m-1] * g.delayed[m-1]
		g.delayed[m] = g.delayed[m-1] + g.k[m-1]*f
	}
	g.delayed[0] = f
	return f
}
