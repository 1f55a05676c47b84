// Package mixbench measures what audio costs that userspace must touch:
// conferences beside a plain sum over all inputs, bridges between codecs,
// recordings in each format, relays of SRTP beside those in the clear, and
// conferences on sockets in real time, beside Janus if it is installed.
//
// Costs are the CPU time of this process, which the plane that carries nothing
// keeps free of packets; a rate for a core is how often that fits into its time.
// In real time, far ends and platform share the machine: a frame is missed when
// the clock had to leave it out; cores are what the frames took that were mixed.
package mixbench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/tone"
)

// part is a measurement that stands alone.
type part struct {
	name, what string
	measure    func() ([]bench.Result, error)
}

// Run measures everything, prints a table and writes mix.json.
func Run(ctx context.Context, out io.Writer, o bench.Options) error {
	all := []part{
		{"mix", "conferences", conferences}, {"transcode", "bridges", bridges}, {"ports", "recordings", recordings},
		{"srtp", "protected relays", protectedRelays}, {"live", "conferences in real time", func() ([]bench.Result, error) { return live(ctx) }},
	}
	chosen := slices.DeleteFunc(all, func(p part) bool { return !o.Wants(p.name) })
	if len(chosen) == 0 {
		return o.NothingWanted()
	}
	var results []bench.Result
	for _, part := range chosen {
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(o.Progress, "measuring %s\n", part.what)
		found, err := part.measure()
		if err != nil {
			return fmt.Errorf("measure %s: %w", part.what, err)
		}
		results = append(results, found...)
	}
	return bench.Publish(out, o, "mix.json", results)
}

// cpu is the CPU time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// each is the CPU time of one of n calls, the best of some rounds.
func each(n int, f func()) time.Duration {
	const rounds = 3
	best := time.Duration(0)
	for range rounds {
		runtime.GC()
		from := cpu()
		for range n {
			f()
		}
		if took := (cpu() - from) / time.Duration(n); best == 0 || took < best {
			best = took
		}
	}
	return max(best, 1)
}

// perCore is how many of something fit into a core whose cost for 20 ms is known.
func perCore(n int, cost time.Duration) float64 {
	return float64(n) * float64(20*time.Millisecond) / float64(cost)
}

// hall is an engine on a plane that carries nothing, and its legs.
type hall struct {
	plane    *nothing
	engine   *media.Engine
	sessions []*media.Session
}

func newHall() (*hall, error) {
	h := &hall{plane: &nothing{}}
	var err error
	h.engine, err = media.NewEngine(media.Config{PortMin: 1024, PortMax: 65535}, h.plane, slog.New(slog.DiscardHandler))
	return h, err
}

func (h *hall) close() error {
	for _, s := range h.sessions {
		s.Close()
	}
	return h.engine.Close()
}

// leg opens a call's leg in a codec, and makes who speaks there.
func (h *hall) leg(c codec.Codec) (*media.Leg, *speaker, error) {
	s := h.engine.NewSession(fmt.Sprint(len(h.sessions)))
	h.sessions = append(h.sessions, s)
	l, err := s.OpenLeg("caller", netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		return nil, nil, err
	}
	far := media.FarEnd{
		RTP: netip.MustParseAddrPort("192.0.2.1:4000"), PayloadType: c.PayloadType, Events: -1,
		ClockRate: c.ClockRate, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}
	if err := l.Connect(far, c); err != nil {
		return nil, nil, err
	}
	v, err := newSpeaker(c)
	if err != nil {
		return nil, nil, err
	}
	v.to = h.plane.last
	return l, v, nil
}

// sound is what everybody says: something that no encoder gets for nothing.
func sound(rate int) []int16 {
	return tone.PCM(rate, tone.Part{Hz: []float64{220, 440, 660, 1500, 2600}, Level: -22, For: time.Second})
}
