// Package xdp is the media plane in the kernel as control sees it: it adapts
// package bpf to media.Plane and hands what reaches userspace to the legs'
// receivers.
package xdp

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/bpf"
	"mcp/bpf/player"
	"mcp/control/media"
)

// Plane implements media.Plane over a loaded kernel plane.
type Plane struct {
	kernel *bpf.Plane
	player *player.Player
	log    *slog.Logger

	mu     sync.RWMutex // guards what follows
	legs   map[uint64]*leg
	closed bool
}

var _ media.Plane = (*Plane)(nil)

// ErrClosed tells that the plane was closed.
var ErrClosed = errors.New("media plane is closed")

// New starts serving over a kernel plane that this process holds. Legs that an
// earlier process left behind are ended, because their calls are not known any
// more. The kernel plane is closed with it. Pacer is the command line of a process that
// has prompts leave on time (player.Config); nil: a thread does.
func New(kernel *bpf.Plane, pacer []string, log *slog.Logger) (*Plane, error) {
	kernel.LogTo(log)
	if err := endOrphans(kernel, log); err != nil {
		return nil, err
	}
	p := &Plane{kernel: kernel, log: log, legs: make(map[uint64]*leg)}
	if err := kernel.Receive(p.dispatch); err != nil {
		return nil, err
	}
	var err error
	lost := func(err error) { log.Warn("prompts may be late while the machine is busy", "error", err) }
	if p.player, err = player.New(kernel, player.Config{Pacer: pacer, Lost: lost}); err != nil {
		return nil, err
	}
	log.Info("prompts", "in_kernel", p.player.InKernel(), "precedence", p.player.Precedence(), "own_process", p.player.Apart(), "reason", p.player.Reason())
	return p, nil
}

// Describe implements prometheus.Collector.
func (p *Plane) Describe(ch chan<- *prometheus.Desc) { p.player.Describe(ch) }

// Collect implements prometheus.Collector: it tells what was played.
func (p *Plane) Collect(ch chan<- prometheus.Metric) { p.player.Collect(ch) }

// endOrphans removes the legs of a process that died, and says whose they were.
func endOrphans(kernel *bpf.Plane, log *slog.Logger) error {
	a, err := kernel.Adopt(func(bpf.Orphan) bool { return false })
	if err != nil {
		return fmt.Errorf("end legs left behind: %w", err)
	}
	if len(a.Removed) == 0 {
		return nil
	}
	calls := make(map[string]int)
	for _, o := range a.Removed {
		calls[o.Call]++
	}
	unknown := calls[""]
	delete(calls, "")
	log.Warn("ended media legs that an earlier process left behind", "legs", len(a.Removed),
		"calls", slices.Sorted(maps.Keys(calls)), "legs_of_unknown_calls", unknown)
	return nil
}

// Mode is "xdp-native" or "xdp-generic".
func (p *Plane) Mode() string { return "xdp-" + string(p.kernel.Mode()) }

// Reason says why it is that mode.
func (p *Plane) Reason() string { return p.kernel.Reason() }

// Open starts a leg, muted until it is connected.
func (p *Plane) Open(c media.LegConfig) (media.PlaneLeg, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	k, err := p.kernel.AddLeg(c.Local, c.SSRC)
	if errors.Is(err, bpf.ErrPortTaken) {
		return nil, fmt.Errorf("%w: %w", media.ErrPortTaken, err)
	}
	if err != nil {
		return nil, err
	}
	if err := k.Own(bpf.Owner{Call: c.Call, Role: c.Role, Opened: time.Now()}); err != nil {
		_, e := k.Close()
		return nil, errors.Join(err, e)
	}
	l := &leg{plane: p, kernel: k, receiver: c.Receiver}
	p.legs[k.ID()] = l
	return l, nil
}

// Close ends what legs remain and lets go of the kernel plane.
func (p *Plane) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	remaining := make([]*leg, 0, len(p.legs))
	for _, l := range p.legs {
		remaining = append(remaining, l)
	}
	p.mu.Unlock()
	var err error
	for _, l := range remaining {
		_, e := l.Close(nil)
		err = errors.Join(err, e)
	}
	return errors.Join(err, p.player.Close(), p.kernel.Close())
}

// Heard tells when each leg last received RTP, by the kernel's time stamps.
func (p *Plane) Heard(visit func(media.PlaneLeg, time.Time)) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.kernel.Heard(func(id uint64, at time.Time) {
		if l := p.legs[id]; l != nil {
			visit(l, at)
		}
	})
}

// forget is false when the leg was not open any more.
func (p *Plane) forget(id uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := p.legs[id] != nil
	delete(p.legs, id)
	return open
}

// dispatch runs on the kernel plane's reader. A leg that is closed gets nothing
// that was still on its way.
func (p *Plane) dispatch(e bpf.Event) {
	p.mu.RLock()
	l := p.legs[e.LegID]
	p.mu.RUnlock()
	if l == nil || l.receiver == nil {
		return
	}
	if e.RTCP {
		l.receiver.RTCP(e.Data, e.At)
		return
	}
	l.receiver.RTP(e.Data, e.At)
}
