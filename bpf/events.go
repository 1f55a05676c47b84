package bpf

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

// tooLate is when a packet is of no use to its far end any more, as those are
// that a process left unsent when it died.
const tooLate = time.Second

// Event is a packet that a leg received and that userspace is to see.
type Event struct {
	LegID uint64
	RTCP  bool // else RTP
	At    time.Time
	Data  []byte // valid until the handler returns
}

// Handler takes events one after the other, from one goroutine. It must not
// block, and must not call the plane's Close.
type Handler func(Event)

// collectEvery is how often audio that legs copy is collected. The programs wake
// nobody for it: one packet is worth nothing to its receiver without the next.
const collectEvery = 10 * time.Millisecond

// reader drains the ring buffer.
type reader struct {
	ring    *ringbuf.Reader
	done    chan struct{}
	copying *atomic.Int64
}

// Receive starts handing events to the handler until Close. It may be called once.
func (p *Plane) Receive(handle Handler) error {
	ring, err := ringbuf.NewReader(p.objects.Events)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	r := &reader{ring: ring, done: make(chan struct{}), copying: &p.copying}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reader != nil {
		return errors.Join(errors.New("events are being received already"), ring.Close())
	}
	p.reader = r
	go p.drain(r, handle)
	p.watch.start(p)
	return nil
}

func (r *reader) close() error {
	err := r.ring.Close()
	<-r.done
	return err
}

func (p *Plane) drain(r *reader, handle Handler) {
	defer close(r.done)
	var record ringbuf.Record
	for {
		r.ring.SetDeadline(r.deadline())
		var err error
		for err == nil {
			if err = r.ring.ReadInto(&record); err == nil {
				p.dispatch(record.RawSample, handle)
			}
		}
		if errors.Is(err, os.ErrClosed) {
			return
		}
	}
}

// deadline is when to collect next; none while there is nothing to collect.
func (r *reader) deadline() time.Time {
	if r.copying.Load() == 0 {
		return time.Time{}
	}
	return time.Now().Add(collectEvery)
}

// noteCopying counts the legs that copy, and gets the reader going for the first.
func (p *Plane) noteCopying(before, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case after && !before:
		if p.copying.Add(1) == 1 && p.reader != nil {
			_ = p.reader.ring.Flush() // fails only when it is closed
		}
	case before && !after:
		p.copying.Add(-1)
	}
}

// dispatch does what the kernel left to userspace and hands on the rest. A
// packet that cannot be sent is lost, as on any network; it is counted.
func (p *Plane) dispatch(sample []byte, handle Handler) {
	const header = int(unsafe.Sizeof(relayPacketEvent{}))
	if len(sample) < header {
		return
	}
	e := (*relayPacketEvent)(unsafe.Pointer(unsafe.SliceData(sample)))
	if int(e.Length) > len(sample)-header {
		return
	}
	data := sample[header : header+int(e.Length)]
	at := p.clock.Time(e.ArrivedNs)
	if time.Since(at) > tooLate && e.Kind == relayEventKindEVENT_SEND {
		p.counts.unsent.Add(1)
		return
	}
	switch e.Kind {
	case relayEventKindEVENT_SEND:
		p.noteSend(p.raw.SendIP(data))
	case relayEventKindEVENT_RTP, relayEventKindEVENT_RTCP:
		handle(Event{
			LegID: e.LegId,
			RTCP:  e.Kind == relayEventKindEVENT_RTCP,
			At:    at,
			Data:  data,
		})
	}
}

// noteSend counts packets the kernel would not send for userspace. What the
// programs refused they have counted themselves.
func (p *Plane) noteSend(err error) {
	var dropped *DropError
	if err != nil && !errors.As(err, &dropped) {
		p.counts.unsent.Add(1)
	}
}

// bootTime is when the clock was zero that the kernel notes loads by.
func bootTime() time.Time {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(now.Nano()))
}
