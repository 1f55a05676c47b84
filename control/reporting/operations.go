package reporting

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Operations is the report of one interval, for one application of one tenant.
// What was there to be counted in an interval is counted in the interval in
// which it ended, arrivals in that in which they arrived.
type Operations struct {
	Head
	From     time.Time      `json:"from"` // wall clock, UTC
	To       time.Time      `json:"to"`
	Interval int64          `json:"interval_ms"` // on the monotonic clock
	Arrived  int            `json:"arrived"`     // INVITEs
	Answered int            `json:"answered"`    // of the calls that ended
	Ended    int            `json:"ended"`
	Peak     int            `json:"peak"`                      // most calls at once
	Active   int            `json:"active"`                    // calls at the end of the interval
	Talk     int64          `json:"talk_ms"`                   // of all calls that ended
	Causes   map[Cause]int  `json:"causes,omitempty"`          // of the ends
	Setup    *Spread        `json:"setup_ms,omitempty"`        // INVITE to answer
	First    *Spread        `json:"first_prompt_ms,omitempty"` // answer to the first prompt
	Response *Spread        `json:"response_ms,omitempty"`     // slowest of each call, from the end of an input to the next prompt
	Quality  *ServedQuality `json:"quality,omitempty"`
}

// Spread is how a quantity was spread.
type Spread struct {
	Median float64 `json:"p50"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
	Most   float64 `json:"max"`
}

// SpreadOf is the spread of values, which it sorts; nil: of none.
func SpreadOf(values []float64) *Spread {
	n := len(values)
	if n == 0 {
		return nil
	}
	slices.Sort(values)
	at := func(share float64) float64 { return values[min(n-1, int(share*float64(n)))] }
	return &Spread{Median: at(0.5), P95: at(0.95), P99: at(0.99), Most: values[n-1]}
}

// ServedQuality is how the audio of callers was received, over calls that had any.
type ServedQuality struct {
	Calls   int     `json:"calls"`
	MOS     float64 `json:"mos_mean"`
	Least   float64 `json:"mos_min"`
	Lost    float64 `json:"lost"` // share of the packets
	Jitter  float64 `json:"jitter_ms_mean"`
	packets uint64
	missing int64
}

// tally counts calls for operational reports.
type tally struct {
	mu    sync.Mutex
	from  time.Time
	lines map[line]*count
}

// line is what reports are divided by.
type line struct{ tenant, profile, application string }

func lineOf(h Head) line { return line{h.Tenant, h.Profile, h.Application} }

type count struct {
	report Operations
	active int
	setups []float64
	waits  waits
}

// waits are for how long callers heard nothing, in milliseconds.
type waits struct{ first, response []float64 }

func (w *waits) add(l *Latency) {
	if l == nil {
		return
	}
	w.first = append(w.first, l.FirstPrompt)
	if l.Response != nil {
		w.response = append(w.response, l.Response.Most)
	}
}

// maxLines bounds how many lines an interval has: applications may be named by
// callers. What comes later counts in a line without names.
const maxLines = 1000

func newTally(at time.Time) *tally {
	return &tally{from: at, lines: map[line]*count{}}
}

// lineLocked is the count of a line; t.mu is held.
func (t *tally) lineLocked(l line) *count {
	if c := t.lines[l]; c != nil {
		return c
	}
	if len(t.lines) >= maxLines {
		if l = (line{}); t.lines[l] != nil {
			return t.lines[l]
		}
	}
	c := &count{report: Operations{Causes: map[Cause]int{}}}
	t.lines[l] = c
	return c
}

// begin counts a call whose application is known.
func (t *tally) begin(r *Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.lineLocked(lineOf(r.Head))
	r.counted = c
	c.report.Arrived++
	c.active++
	c.report.Peak = max(c.report.Peak, c.active)
}

// end counts a call's end, and its arrival when begin never was called.
func (t *tally) end(r *Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := r.counted
	if c != nil {
		c.active--
		r.counted = nil
	} else {
		c = t.lineLocked(lineOf(r.Head))
		c.report.Arrived++
	}
	c.add(r)
}

func (c *count) add(r *Record) {
	c.report.Ended++
	c.report.Talk += r.Durations.Talk
	c.report.Causes[r.End.Cause]++
	if r.AnsweredAt != nil {
		c.report.Answered++
		c.setups = append(c.setups, float64(r.Durations.Setup))
	}
	if r.Dialogue != nil {
		c.waits.add(r.Dialogue.Latency)
	}
	i := slices.IndexFunc(r.Media, func(l Leg) bool { return l.Name == "caller" && l.Received.MOS > 0 })
	if i < 0 {
		return
	}
	got, q := r.Media[i].Received, c.report.Quality
	if q == nil {
		q = &ServedQuality{Least: math.Inf(1)}
		c.report.Quality = q
	}
	q.Calls++
	q.MOS += got.MOS
	q.Jitter += got.Jitter
	q.Least = min(q.Least, got.MOS)
	q.packets += got.Packets
	q.missing += max(0, got.Lost)
}

// report ends an interval and returns its lines.
func (t *tally) report(now time.Time) (out []Operations) {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(t.lines), func(a, b line) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.profile, b.profile), cmp.Compare(a.application, b.application))
	})
	for _, l := range keys {
		c := t.lines[l]
		r := c.finish()
		r.Head = Head{Schema: Schema, Kind: KindOperations, ID: newID(), Tenant: l.tenant, Profile: l.profile, Application: l.application}
		r.From, r.To, r.Interval = t.from.UTC(), now.UTC(), now.Sub(t.from).Milliseconds()
		out = append(out, r)
		if c.active == 0 {
			delete(t.lines, l)
			continue
		}
		*c = count{active: c.active, report: Operations{Peak: c.active, Causes: map[Cause]int{}}}
	}
	t.from = now
	return out
}

// finish works out what is told of all calls together.
func (c *count) finish() Operations {
	r := c.report
	r.Active = c.active
	r.Setup, r.First, r.Response = SpreadOf(c.setups), SpreadOf(c.waits.first), SpreadOf(c.waits.response)
	if q := r.Quality; q != nil {
		q.MOS /= float64(q.Calls)
		q.Jitter /= float64(q.Calls)
		if all := float64(q.packets) + float64(q.missing); all > 0 {
			q.Lost = float64(q.missing) / all
		}
	}
	return r
}
