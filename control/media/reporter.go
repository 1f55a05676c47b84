package media

import (
	"math/rand/v2"
	"sync"
	"time"

	"mcp/control/media/report"
	"mcp/control/media/roll"
)

// reportInterval is how often each leg reports, on average (RFC 3550 section 6.2).
const reportInterval = 5 * time.Second

// The legs are spread over a wheel, of which one slot is served at each tick.
// Around the interval, reports keep a random distance of half to one and a half
// of it, so that those of many calls do not fall into step (section 6.3.1).
const (
	slots    = 32
	interval = 20 // ticks
)

// reporter sends the RTCP of an engine's legs.
type reporter struct {
	quit    chan struct{}
	running sync.WaitGroup

	mu    sync.Mutex // guards what follows
	wheel [slots]roll.Roll[*Leg]
	at    int
}

func newReporter(every time.Duration) *reporter {
	r := &reporter{quit: make(chan struct{})}
	r.running.Go(func() { r.run(max(every/interval, time.Millisecond)) })
	return r
}

func (r *reporter) run(tick time.Duration) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.serve()
		case <-r.quit:
			return
		}
	}
}

// serve has the legs of the present slot report, and turns the wheel.
func (r *reporter) serve() {
	r.mu.Lock()
	due := r.wheel[r.at].Members()
	for _, l := range due {
		r.placeLocked(l, interval/2+rand.IntN(interval+1))
	}
	r.at = (r.at + 1) % slots
	r.mu.Unlock()
	for _, l := range due {
		l.report()
	}
}

// add begins a leg's reports, the first after half the time (section 6.2).
func (r *reporter) add(l *Leg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.placeLocked(l, interval/4+rand.IntN(interval/2+1))
}

func (r *reporter) placeLocked(l *Leg, ahead int) {
	r.wheel[(r.at+ahead)%slots].Join(&l.reports, l)
}

// remove ends a leg's reports, but for the last.
func (r *reporter) remove(l *Leg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.reports.Leave()
}

func (r *reporter) close() {
	close(r.quit)
	r.running.Wait()
}

// control is a leg's RTCP.
type control struct {
	mu      sync.Mutex // guards what follows
	reports *report.Session
	over    bool
}

// report tells the far end, if there is one, what has passed so far.
func (l *Leg) report() {
	if !l.state.Load().isSomewhere() {
		return
	}
	stats, err := l.carrier.Load().Stats()
	if err != nil {
		l.session.log().Debug("report", "leg", l.name, "error", err)
		return
	}
	l.tell(stats, false)
}

// goodbye is the last report, when all has passed that this carrier will carry.
func (l *Leg) goodbye(stats LegStats) { l.tell(l.carrier.Load().sum(stats), true) }

func (l *Leg) tell(stats LegStats, last bool) {
	c := &l.control
	c.mu.Lock()
	defer c.mu.Unlock()
	state := l.state.Load()
	if c.over || !state.isSomewhere() {
		return
	}
	c.over = last
	packet := c.reports.Compound(streamsOf(stats, state.far.ClockRate), time.Now(), last)
	if len(packet) == 0 {
		return
	}
	if err := l.carrier.Load().SendRTCP(packet); err != nil {
		l.session.log().Debug("report", "leg", l.name, "error", err)
	}
}

// headerLength is that of RTP's fixed header, which senders' octet counts leave out.
const headerLength = 12

func streamsOf(s LegStats, rate int) report.Streams {
	return report.Streams{
		Rate: rate, SentPackets: s.TxPackets, SentOctets: s.TxBytes - headerLength*s.TxPackets,
		Timestamp: s.Tx.Timestamp, SentAt: s.Tx.At, Received: s.RxPackets, Source: report.Source(s.Source),
	}
}

// RTCP implements Receiver.
func (l *Leg) RTCP(packet []byte, at time.Time) {
	state := l.state.Load()
	if state == nil {
		return
	}
	l.control.mu.Lock()
	defer l.control.mu.Unlock()
	if err := l.control.reports.Take(packet, state.far.ClockRate, at); err != nil {
		l.session.log().Debug("far end's report", "leg", l.name, "error", err)
	}
}

// FarReport is what the far end last told of the stream towards it; false:
// nothing yet.
func (l *Leg) FarReport() (report.Far, bool) {
	l.control.mu.Lock()
	defer l.control.mu.Unlock()
	return l.control.reports.Far()
}
