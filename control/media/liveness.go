package media

import (
	"maps"
	"sync"
	"time"
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
	watched map[*Leg]watched
}

type watched struct {
	Watch
	since time.Time
	heard time.Time // when it was last looked for; zero: not then
}

// due tells how long a leg's far end has been silent by what is known of it, and
// whether that is too long.
func (w watched) due(l *Leg, now time.Time) (time.Duration, bool) {
	state := l.state.Load()
	if state == nil {
		return 0, false
	}
	silent := silence(now, w.heard, w.since, state.since)
	limit := w.limit(state.far.Receive)
	return silent, limit > 0 && silent >= limit
}

func newVigil(plane Plane) *vigil {
	v := &vigil{plane: plane, quit: make(chan struct{}), watched: map[*Leg]watched{}}
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
	v.watched[l] = watched{Watch: w, since: time.Now()}
	if done := l.secured.Load(); done != nil && done.err != nil && w.Insecure != nil {
		w.Insecure(done.err)
	}
}

// insecure tells who watches a leg that it cannot be protected.
func (v *vigil) insecure(l *Leg, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if w := v.watched[l]; w.Insecure != nil {
		w.Insecure(err)
	}
}

func (v *vigil) forget(l *Leg) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.watched, l)
}

// judge tells of those that have been silent for too long. The plane is asked only
// when one may have been: to look at all legs takes long when there are many.
func (v *vigil) judge(now time.Time) {
	legs := v.suspected(now)
	if legs == nil {
		return
	}
	for l, at := range v.heard(legs) {
		w := legs[l]
		w.heard = at
		silent, due := w.due(l, now)
		if due {
			v.forget(l)
			w.Silent(silent)
			continue
		}
		v.note(l, at)
	}
}

// suspected are all legs that are watched, if one may have been silent for too long.
func (v *vigil) suspected(now time.Time) map[*Leg]watched {
	v.mu.Lock()
	defer v.mu.Unlock()
	for l, w := range v.watched {
		if _, due := w.due(l, now); due {
			return maps.Clone(v.watched)
		}
	}
	return nil
}

// note keeps when a leg that is still watched was last heard.
func (v *vigil) note(l *Leg, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if w, ok := v.watched[l]; ok {
		w.heard = at
		v.watched[l] = w
	}
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
func (v *vigil) heard(legs map[*Leg]watched) map[*Leg]time.Time {
	times := make(map[*Leg]time.Time, len(legs))
	if h, ok := v.plane.(hearing); ok {
		byPlane := make(map[PlaneLeg]*Leg, len(legs))
		for l := range legs {
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
	for l := range legs {
		if s, err := l.carrier.Load().Stats(); err == nil {
			times[l] = s.RxAt
		}
	}
	return times
}

// carriedApart are those of the legs that the engine's plane knows nothing of.
func carriedApart(legs map[*Leg]watched) map[*Leg]watched {
	apart := map[*Leg]watched{}
	for l, w := range legs {
		if l.carrier.Load().apart {
			apart[l] = w
		}
	}
	return apart
}

func (v *vigil) close() {
	close(v.quit)
	v.running.Wait()
}
