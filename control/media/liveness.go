package media

import (
	"slices"
	"sync"
	"time"

	"mcp/control/media/roll"
)

// judgeEvery is how often silence is judged: often enough that it is noticed
// within a second of its limit.
const judgeEvery = 500 * time.Millisecond

// Watch says how long a far end may be silent.
type Watch struct {
	Timeout     time.Duration       // zero: for ever
	HoldTimeout time.Duration       // while it was agreed that it sends nothing; zero: for ever
	Silent      func(time.Duration) // told once, with how long it has been silent; must not block
	Insecure    func(error)         // told why the far end's audio cannot be protected; must not block; nil: nobody
}

// limit is what applies to a far end that is to send, or not.
func (w Watch) limit(sends bool) time.Duration {
	if sends {
		return w.Timeout
	}
	return w.HoldTimeout
}

// hearing is a Plane that tells at once when every leg was last heard.
type hearing interface {
	Heard(visit func(PlaneLeg, time.Time)) error
}

// vigil watches for far ends that have fallen silent. It goes by the plane's time
// stamps, so that it needs no packet to enter userspace.
type vigil struct {
	plane   Plane
	quit    chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	watched roll.Roll[*Leg]
}

// guard is how a leg is watched, as long as it has a seat among those that are.
type guard struct {
	seat roll.Seat[*Leg]
	Watch
	since time.Time
	heard time.Time // when it was last looked for; zero: not then
}

// due tells how long a leg's far end has been silent by what is known of it, and
// whether that is too long.
func (g *guard) due(l *Leg, now time.Time) (time.Duration, bool) {
	state := l.state.Load()
	if state == nil {
		return 0, false
	}
	silent := silence(now, g.heard, g.since, state.since)
	limit := g.limit(state.far.Receive)
	return silent, limit > 0 && silent >= limit
}

// forget ends the watch.
func (g *guard) forget() {
	g.seat.Leave()
	*g = guard{}
}

func newVigil(plane Plane) *vigil {
	v := &vigil{plane: plane, quit: make(chan struct{})}
	v.running.Go(v.run)
	return v
}

// run judges at each tick. One that comes late says that the process stood still,
// and that packets may wait in sockets that nobody has read yet: it is left out.
func (v *vigil) run() {
	ticker := time.NewTicker(judgeEvery)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-v.quit:
			return
		case <-ticker.C:
			now := time.Now()
			if !stoodStill(last, now) {
				v.judge(now)
			}
			last = now
		}
	}
}

func stoodStill(last, now time.Time) bool { return now.Sub(last) > 2*judgeEvery }

// Watch begins to watch a leg's far end, or changes how.
func (l *Leg) Watch(w Watch) {
	v := l.session.engine.vigil
	v.mu.Lock()
	defer v.mu.Unlock()
	v.watched.Join(&l.guard.seat, l)
	l.guard.Watch, l.guard.since, l.guard.heard = w, time.Now(), time.Time{}
	if done := l.secured.Load(); done != nil && done.err != nil && w.Insecure != nil {
		w.Insecure(done.err)
	}
}

// insecure tells who watches a leg that it cannot be protected.
func (v *vigil) insecure(l *Leg, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if tell := l.guard.Insecure; tell != nil {
		tell(err)
	}
}

func (v *vigil) forget(l *Leg) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l.guard.forget()
}

// judge tells of those that have been silent for too long. The plane is asked only
// when one may have been: to look at all legs takes long when there are many.
func (v *vigil) judge(now time.Time) {
	legs := v.suspected(now)
	if legs == nil {
		return
	}
	for l, at := range v.heard(legs) {
		if silent, tell := v.silent(l, at, now); tell != nil {
			tell(silent)
		}
	}
}

// suspected are all legs that are watched, if one may have been silent for too long.
func (v *vigil) suspected(now time.Time) []*Leg {
	v.mu.Lock()
	defer v.mu.Unlock()
	for l := range v.watched.All() {
		if _, due := l.guard.due(l, now); due {
			return v.watched.Members()
		}
	}
	return nil
}

// silent notes when a leg that is still watched was last heard. If that is too long ago
// it tells how long, and whom to tell, and watches the leg no more.
func (v *vigil) silent(l *Leg, heard, now time.Time) (time.Duration, func(time.Duration)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	g := &l.guard
	if !g.seat.Taken() {
		return 0, nil
	}
	g.heard = heard
	silent, due := g.due(l, now)
	if !due {
		return 0, nil
	}
	tell := g.Silent
	g.forget()
	return silent, tell
}

// silence is how long nothing came that was to come: since the last packet, the
// beginning of the watch, or the last agreement with the far end.
func silence(now, heard time.Time, since ...time.Time) time.Duration {
	for _, t := range since {
		if t.After(heard) {
			heard = t
		}
	}
	return now.Sub(heard)
}

// heard tells when legs were last heard; the zero time for those that never were.
func (v *vigil) heard(legs []*Leg) map[*Leg]time.Time {
	times := make(map[*Leg]time.Time, len(legs))
	if h, ok := v.plane.(hearing); ok {
		byPlane := make(map[PlaneLeg]*Leg, len(legs))
		for _, l := range legs {
			byPlane[l.carrier.Load().PlaneLeg] = l
		}
		err := h.Heard(func(p PlaneLeg, at time.Time) {
			if l := byPlane[p]; l != nil {
				times[l] = at
			}
		})
		if err == nil {
			legs = carriedApart(legs)
		}
	}
	for _, l := range legs {
		if s, err := l.carrier.Load().Stats(); err == nil {
			times[l] = s.RxAt
		}
	}
	return times
}

// carriedApart are those of the legs that the engine's plane knows nothing of.
func carriedApart(legs []*Leg) []*Leg {
	return slices.DeleteFunc(legs, func(l *Leg) bool { return !l.carrier.Load().apart })
}

func (v *vigil) close() {
	close(v.quit)
	v.running.Wait()
}
