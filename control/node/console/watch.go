package console

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"mcp/control/listen"
	"mcp/control/media"
	"mcp/control/reporting/recent"
)

// The pace of looking at the legs: every two seconds, or more slowly when there are so
// many that looking would cost more than half a percent of a processor.
const (
	pace   = 2 * time.Second
	perLeg = 2 * time.Millisecond
	kept   = 150 // looks that the overview remembers
)

// Parts is what the console looks at.
type Parts struct {
	Calls  *recent.Calls
	Engine *media.Engine
	SIP    []string // where the platform listens
	Log    *slog.Logger
}

// Console looks at the platform and serves what it sees.
type Console struct {
	parts   Parts
	host    string
	started time.Time
	server  *listen.Server

	mu      sync.Mutex
	at      time.Time     // of the last look
	calls   []recent.Call // that were up
	legs    []Leg
	before  map[netip.AddrPort]media.LegStats
	dropped map[string]uint64
	history []Look
}

// Look is what the platform did at a moment.
type Look struct {
	At       time.Time `json:"at"`
	Calls    int       `json:"calls"`
	Legs     int       `json:"legs"`
	Received float64   `json:"received"` // RTP packets a second
	Sent     float64   `json:"sent"`
	Loss     float64   `json:"loss"` // share of what was to come, 0 to 1
}

// Overview is the platform at present, and how it came there.
type Overview struct {
	Look
	Host    string            `json:"host"`
	Started time.Time         `json:"started"`
	SIP     []string          `json:"sip"`
	Plane   Plane             `json:"plane"`
	Dropped map[string]uint64 `json:"dropped"` // packets refused on the legs that are open, by reason
	History []Look            `json:"history"`
}

// Report is an overview with the calls and legs that its figures are of.
type Report struct {
	Overview Overview      `json:"overview"`
	Calls    []recent.Call `json:"calls"` // those that are up
	Legs     []Leg         `json:"legs"`
}

// Plane is the media plane in use.
type Plane struct {
	Mode   string `json:"mode"`
	Reason string `json:"reason"`
}

// Leg is a media leg that is open.
type Leg struct {
	Call     string  `json:"call"`
	Name     string  `json:"leg"`
	Local    string  `json:"local"`
	Far      string  `json:"far,omitempty"`
	Codec    string  `json:"codec,omitempty"`
	SRTP     string  `json:"srtp,omitempty"` // the profile; empty: in the clear
	Keys     string  `json:"keys,omitempty"` // of SRTP: dtls or sdes
	Received float64 `json:"received"`       // packets a second
	Sent     float64 `json:"sent"`
	Loss     float64 `json:"loss"` // share of the packets lately, 0 to 1
	Lost     int64   `json:"lost"` // packets in all
	Jitter   float64 `json:"jitter_ms"`
	MOS      float64 `json:"mos,omitempty"`
	Dropped  uint64  `json:"dropped"`
}

// Open binds the console's address; nil when there is to be none. Run must follow, or
// Close.
func Open(cfg Config, p Parts) (*Console, error) {
	if cfg.Listen == "" {
		return nil, nil
	}
	c := &Console{parts: p, started: time.Now()}
	c.host, _ = os.Hostname() // its absence is an empty name
	password, err := cfg.password()
	if err != nil {
		return nil, err
	}
	handler, err := c.handler(cfg, password)
	if err != nil {
		return nil, err
	}
	if c.server, err = listen.New(cfg.Listen, handler, p.Log); err != nil {
		return nil, fmt.Errorf("health.console.listen: %w", err)
	}
	c.look(time.Now())
	return c, nil
}

// Addr is where it listens.
func (c *Console) Addr() string { return c.server.Addr().String() }

// Close frees the address of a console that does not run.
func (c *Console) Close() error { return c.server.Close() }

// Run looks and serves until ctx ends.
func (c *Console) Run(ctx context.Context) error {
	looking, stop := context.WithCancel(ctx)
	var eyes sync.WaitGroup
	eyes.Go(func() { c.watch(looking) })
	err := c.server.Serve(ctx)
	stop()
	eyes.Wait()
	return err
}

func (c *Console) watch(ctx context.Context) {
	timer := time.NewTimer(pace)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-timer.C:
			timer.Reset(max(pace, time.Duration(c.look(now))*perLeg))
		}
	}
}

// look looks at every leg, and returns how many there are.
func (c *Console) look(now time.Time) int {
	views := c.parts.Engine.Legs()
	calls, up := c.parts.Calls.Live()
	c.mu.Lock()
	defer c.mu.Unlock()
	past := now.Sub(c.at).Seconds()
	look := Look{At: now, Calls: up, Legs: len(views)}
	before := c.before
	c.calls = calls
	c.before, c.legs, c.dropped = make(map[netip.AddrPort]media.LegStats, len(views)), make([]Leg, 0, len(views)), map[string]uint64{}
	var came, lost float64
	for _, v := range views {
		c.before[v.Local] = v.Stats
		for reason, n := range v.Stats.Dropped {
			c.dropped[reason] += n
		}
		leg, received, missing := legOf(v, before[v.Local], past)
		came, lost = came+received, lost+missing
		look.Received, look.Sent = look.Received+leg.Received, look.Sent+leg.Sent
		c.legs = append(c.legs, leg)
		if !c.at.IsZero() {
			c.parts.Calls.Sampled(v.Call, now, recent.Sample{
				Leg: v.Name, Loss: leg.Loss, Jitter: leg.Jitter, MOS: leg.MOS, Received: leg.Received, Sent: leg.Sent,
			})
		}
	}
	if came+lost > 0 {
		look.Loss = lost / (came + lost)
	}
	slices.SortFunc(c.legs, func(a, b Leg) int { return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Name, b.Name)) })
	if c.history = append(c.history, look); len(c.history) > kept {
		c.history = slices.Delete(c.history, 0, 1)
	}
	c.at = now
	return len(views)
}

// legOf is a leg with its rates since a time before, and the packets that came and
// were missing since.
func legOf(v media.LegView, before media.LegStats, past float64) (leg Leg, came, lost float64) {
	s := v.Stats
	if s.RxPackets < before.RxPackets || s.TxPackets < before.TxPackets { // another leg on the port
		before = media.LegStats{}
	}
	came = float64(s.RxPackets - before.RxPackets)
	lost = max(0, float64(s.RxLost-before.RxLost))
	leg = Leg{
		Call: v.Call, Name: v.Name, Local: v.Local.String(), Codec: v.Codec, SRTP: string(v.Protection), Keys: v.Keys, Lost: s.RxLost,
		Received: came / past, Sent: float64(s.TxPackets-before.TxPackets) / past,
		Jitter: float64(s.RxJitter) / float64(time.Millisecond), MOS: v.Received.MOS,
	}
	if v.Far.IsValid() {
		leg.Far = v.Far.String()
	}
	if came+lost > 0 {
		leg.Loss = lost / (came + lost)
	}
	for _, n := range s.Dropped {
		leg.Dropped += n
	}
	return leg, came, lost
}

// Overview is the platform as it was at the last look.
func (c *Console) Overview() Overview { return c.Report().Overview }

// Report is all of the last look.
func (c *Console) Report() Report {
	mode, reason := c.parts.Engine.PlaneInfo()
	c.mu.Lock()
	defer c.mu.Unlock()
	o := Overview{
		Look: c.history[len(c.history)-1], Host: c.host, Started: c.started, SIP: c.parts.SIP, Plane: Plane{mode, reason},
		Dropped: maps.Clone(c.dropped), History: slices.Clone(c.history),
	}
	return Report{Overview: o, Calls: slices.Clone(c.calls), Legs: append([]Leg{}, c.legs...)}
}
