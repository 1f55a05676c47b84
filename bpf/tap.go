package bpf

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"mcp/bpf/ktime"
	"mcp/bpf/tap"
	"mcp/bpf/testrun"
)

const (
	// tapPeriod is how long the programs go on showing packets to a capture that
	// does not come back.
	tapPeriod = 3 * time.Second
	tapRenew  = time.Second
	// tapCollect is how often shown packets are collected: the programs wake nobody.
	tapCollect = 20 * time.Millisecond
)

// TapBusyError tells that another capture is under way.
type TapBusyError struct {
	PID uint32 // as that process sees itself
}

func (e *TapBusyError) Error() string {
	return fmt.Sprintf("another capture is under way, by process %d; one that was killed ends within %s", e.PID, tapPeriod)
}

// Tap is a capture of legs' packets. It needs the pins of a plane, not the plane
// itself, which another process may hold. There is one at a time.
type Tap struct {
	maps     *relayMaps
	program  *ebpf.Program
	ring     *ringbuf.Reader
	verdicts map[relayVerdict]string
	token    uint64
	legs     []LegInfo
	captured map[uint64]bool
	since    uint64    // by the kernel's clock
	epoch    time.Time // of the kernel's clock; fixed, so that the packets keep their distances
	overruns uint64    // before the capture
}

// OpenTap begins to capture. ErrNotLoaded: there is no plane. ErrClosed: none of
// the legs is open any more. TapBusyError: there is another capture.
func OpenTap(dir string, legs []LegInfo) (*Tap, error) {
	t := &Tap{token: rand.Uint64(), legs: legs, captured: make(map[uint64]bool), since: ktime.Now()}
	t.epoch = ktime.New().Time(0)
	for _, l := range legs {
		t.captured[l.ID] = true
	}
	err := t.open(dir)
	if err == nil {
		err = t.begin()
	}
	if err != nil {
		return nil, fmt.Errorf("capture: %w", classify(errors.Join(err, t.Close())))
	}
	return t, nil
}

func (t *Tap) open(dir string) (err error) {
	if t.maps, err = inspectMaps(dir); err != nil {
		return err
	}
	if t.verdicts, err = verdictNames(); err != nil {
		return err
	}
	if t.program, err = ebpf.LoadPinnedProgram(programPath(dir, "tap"), nil); err != nil {
		return unusable("program tap", err)
	}
	return nil
}

// begin claims the capture before it touches the ring, which has one reader.
func (t *Tap) begin() error {
	state, err := t.state()
	if err != nil {
		return err
	}
	t.overruns = state.Overruns
	if err := t.renew(tapPeriod); err != nil {
		return err
	}
	t.ring, err = ringbuf.NewReader(t.maps.Taps)
	return err
}

func (t *Tap) state() (relayTapping, error) {
	var s relayTapping
	if err := t.maps.Tapping.LookupWithFlags(uint32(0), &s, ebpf.LookupLock); err != nil {
		return s, fmt.Errorf("read the state of captures: %w", err)
	}
	return s, nil
}

// Add captures another leg, too. ErrClosed: it is gone already.
func (t *Tap) Add(l LegInfo) error {
	if t.captured[l.ID] {
		return nil
	}
	if err := t.look(l, tapPeriod); err != nil {
		return err
	}
	t.legs = append(t.legs, l)
	t.captured[l.ID] = true
	return nil
}

// renew prolongs the capture, and shows the legs to it. ErrClosed: all legs are
// gone.
func (t *Tap) renew(period time.Duration) error {
	open := 0
	for _, l := range t.legs {
		err := t.look(l, period)
		if err == nil {
			open++
		} else if !errors.Is(err, ErrClosed) {
			return err
		}
	}
	if open == 0 {
		return ErrClosed
	}
	return nil
}

// look has a leg's packets shown for a while.
func (t *Tap) look(l LegInfo, period time.Duration) error {
	req := relayTapRequest{
		Slot: l.Slot, LegId: l.ID, Token: t.token, Pid: uint32(os.Getpid()), PeriodNs: uint64(period),
	}
	answer, _, err := testrun.Run(t.program, testrun.Call{Data: bytesOf(&req)})
	if err != nil {
		return err
	}
	switch relayTapAnswer(answer) {
	case relayTapAnswerTAP_SET:
		return nil
	case relayTapAnswerTAP_BUSY:
		return t.busy()
	}
	return ErrClosed
}

func (t *Tap) busy() error {
	s, err := t.state()
	if err != nil {
		return err
	}
	return &TapBusyError{PID: s.Pid}
}

// Run hands on packets until the context ends, then those that were captured
// until then. idle is called whenever none is left. ErrClosed: all legs ended.
// The packet's data is valid until visit returns.
func (t *Tap) Run(ctx context.Context, visit func(tap.Packet) error, idle func() error) error {
	var record ringbuf.Record
	renewed := time.Now()
	for ctx.Err() == nil {
		if time.Since(renewed) >= tapRenew {
			if err := t.renew(tapPeriod); err != nil {
				return errors.Join(err, t.drain(&record, visit))
			}
			renewed = time.Now()
		}
		err := t.next(&record, time.Now().Add(tapCollect), visit)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = idle()
		}
		if err != nil {
			return err
		}
	}
	if err := t.renew(0); err != nil {
		return errors.Join(err, t.drain(&record, visit))
	}
	return t.drain(&record, visit)
}

// drain reads what is in the ring.
func (t *Tap) drain(record *ringbuf.Record, visit func(tap.Packet) error) (err error) {
	for err == nil {
		err = t.next(record, time.Now(), visit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func (t *Tap) next(record *ringbuf.Record, deadline time.Time, visit func(tap.Packet) error) error {
	t.ring.SetDeadline(deadline)
	if err := t.ring.ReadInto(record); err != nil {
		return err
	}
	p, ok := t.packet(record.RawSample)
	if !ok {
		return nil
	}
	return visit(p)
}

// packet reads a record; not ok: it is one that an earlier capture left.
func (t *Tap) packet(sample []byte) (p tap.Packet, ok bool) {
	const header = int(unsafe.Sizeof(relayTapRecord{}))
	if len(sample) < header {
		return p, false
	}
	r := (*relayTapRecord)(unsafe.Pointer(unsafe.SliceData(sample)))
	if !t.captured[r.LegId] || r.AtNs < t.since {
		return p, false
	}
	return tap.Packet{
		LegID:     r.LegId,
		SourceID:  r.SourceId,
		At:        t.epoch.Add(time.Duration(r.AtNs)),
		Direction: tap.Direction(r.Direction),
		Verdict:   t.verdicts[r.Verdict],
		Length:    int(r.Length),
		Data:      sample[header:min(header+int(r.Length), len(sample))],
	}, true
}

// Dropped counts packets that this capture missed because it did not keep up.
func (t *Tap) Dropped() (uint64, error) {
	s, err := t.state()
	return s.Overruns - t.overruns, err
}

// Close ends the capture; the legs cost nothing more. It is idempotent.
func (t *Tap) Close() error {
	var err error
	if t.ring != nil {
		if e := t.renew(0); !errors.Is(e, ErrClosed) {
			err = e
		}
		err = errors.Join(err, t.ring.Close())
		t.ring = nil
	}
	return errors.Join(err, t.maps.Close(), t.program.Close())
}

// show adds a whole packet of userspace's own to a capture of the leg, if there is
// one. A capture that fails must not keep the packet from leaving.
func (p *Plane) show(l *Leg, packet []byte) {
	if !p.capturing() {
		return
	}
	req := relaySentRequest{Slot: l.slot, LegId: l.id}
	_, _, _ = testrun.Run(p.calls.Load().Sent, testrun.Call{Data: append(bytesOf(&req), packet...)})
}

// capturing tells whether any leg is captured.
func (p *Plane) capturing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed && p.clock.Now() < atomic.LoadUint64(&p.captured[0].At)
}
