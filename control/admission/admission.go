// Package admission decides whether a platform takes another call: a pure
// account of limits and load, asked on the goroutine that reads a socket, so it
// neither blocks nor allocates.
package admission

import (
	"sync"
	"time"
)

// Cause is why a call is refused.
type Cause uint8

// The causes, None first: the call is taken.
const (
	None Cause = iota
	Draining
	TooMany
	TooFast
	NoPorts
	NoCPU
)

var causeNames = [...]string{"none", "draining", "calls", "rate", "ports", "cpu"}

func (c Cause) String() string { return causeNames[c] }

// Causes are all that refuse.
func Causes() []Cause { return []Cause{Draining, TooMany, TooFast, NoPorts, NoCPU} }

// Limits bound what is taken. The zero value of a field sets no limit.
type Limits struct {
	Calls int // at once
	Rate  int // calls in any Period
	// Period is what Rate counts in; one second when zero.
	Period time.Duration
	// CPU is the share of the processors, from 0 to 1, above which no call is
	// taken.
	CPU float64
	// Ports is how many RTP ports must be left for a call.
	Ports int
}

// Load is how things stand.
type Load struct {
	Calls     int
	FreePorts int
	CPU       float64 // from 0 to 1
}

// Gate applies limits.
type Gate struct {
	mu       sync.Mutex
	limits   Limits
	draining bool
	// The rate is counted in a bucket that a Rate of calls fits in and that empties
	// in a Period: level is what is in it, as of a moment.
	level float64
	as    time.Time
}

// New makes a Gate.
func New(l Limits) *Gate {
	g := &Gate{}
	g.Limit(l)
	return g
}

// Limit changes the limits. What was counted for the rate stays counted.
func (g *Gate) Limit(l Limits) {
	if l.Period <= 0 {
		l.Period = time.Second
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
}

// Drain makes the gate refuse every call from now on.
func (g *Gate) Drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining = true
}

// Admit says whether a call is taken, and counts it for the rate if it is.
func (g *Gate) Admit(load Load, now time.Time) Cause {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.fullLocked(load); c != None {
		return c
	}
	if g.limits.Rate == 0 {
		return None
	}
	rate := float64(g.limits.Rate)
	g.level = max(0, g.level-rate*float64(now.Sub(g.as))/float64(g.limits.Period))
	g.as = now
	if g.level+1 > rate {
		return TooFast
	}
	g.level++
	return None
}

// Full says why no call would be taken now, the rate apart.
func (g *Gate) Full(load Load) Cause {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fullLocked(load)
}

func (g *Gate) fullLocked(load Load) Cause {
	l := g.limits
	switch {
	case g.draining:
		return Draining
	case l.Calls > 0 && load.Calls >= l.Calls:
		return TooMany
	case load.FreePorts < l.Ports:
		return NoPorts
	case l.CPU > 0 && load.CPU >= l.CPU:
		return NoCPU
	}
	return None
}

// Free is how many calls could be taken at once by ports and number.
func (g *Gate) Free(load Load) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	free := load.FreePorts
	if g.limits.Ports > 1 {
		free /= g.limits.Ports
	}
	if g.limits.Calls > 0 {
		free = min(free, g.limits.Calls-load.Calls)
	}
	return max(0, free)
}
