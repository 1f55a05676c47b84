package reporting

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"mcp/control/reporting/journal"
)

const (
	// laneRoom is how many records wait for a journal that cannot be written.
	laneRoom = 16 << 10
	// maxTogether and maxTogetherBytes bound what shares one write.
	maxTogether      = 512
	maxTogetherBytes = 4 << 20
	// retryInterval is how often a journal that takes nothing is tried.
	retryInterval = 200 * time.Millisecond
	// writeInterval is how far apart writes begin at least. A record that finds none
	// just begun is written at once; what comes before the next may begin shares it,
	// and with it the fsync, which costs as much as a good part of a call.
	writeInterval = 10 * time.Millisecond
)

// spacing keeps what one goroutine does apart.
type spacing struct {
	apart time.Duration
	last  time.Time
}

// wait returns once the next may begin, or as soon as stop is closed.
func (s *spacing) wait(stop <-chan struct{}) {
	if d := s.apart - time.Since(s.last); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-stop:
		}
	}
	s.last = time.Now()
}

// lane takes records to a journal in their order. What comes while a write is
// under way, or just was, shares the next. In a lane that may drop, records that find the
// journal failing or the lane full are lost; otherwise they wait.
type lane struct {
	journal *Journal
	drops   bool
	lost    func(kind Kind, n int)
	kept    func(calls []string, at journal.Position) // told of calls whose records are durable; nil: nobody
	log     *slog.Logger

	queue   chan *parcel
	giveUp  chan struct{} // closed when failing writes are no longer to be tried again
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

// parcel is an encoded record on its way.
type parcel struct {
	kind Kind
	call string // whose record it is; empty: it is none
	json []byte
	done chan error // takes one result; nil: nobody asks
}

func newLane(l *lane) *lane {
	l.queue, l.giveUp = make(chan *parcel, laneRoom), make(chan struct{})
	l.stop, l.stopped = make(chan struct{}), make(chan struct{})
	go l.run()
	return l
}

// put hands a record over.
func (l *lane) put(ctx context.Context, p *parcel) error {
	if l.drops {
		select {
		case l.queue <- p:
		default:
			l.lost(p.kind, 1)
		}
		return nil
	}
	select {
	case l.queue <- p:
		return nil
	case <-l.stop:
		return journal.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lane) run() {
	defer close(l.stopped)
	writes := spacing{apart: writeInterval}
	for {
		select {
		case p := <-l.queue:
			writes.wait(l.stop)
			l.carry(l.gather(p))
		case <-l.stop:
			for len(l.queue) > 0 {
				l.carry(l.gather(<-l.queue))
			}
			return
		}
	}
}

func (l *lane) gather(first *parcel) []*parcel {
	batch, size := []*parcel{first}, len(first.json)
	for len(batch) < maxTogether && size < maxTogetherBytes {
		select {
		case p := <-l.queue:
			batch, size = append(batch, p), size+len(p.json)
		default:
			return batch
		}
	}
	return batch
}

// carry writes a batch and tells who asked.
func (l *lane) carry(batch []*parcel) {
	at, err := l.write(batch)
	if err == nil {
		l.tell(batch, at)
	}
	for _, p := range batch {
		if err != nil {
			l.lost(p.kind, 1)
			if !l.drops {
				l.log.Error("record lost", "record", string(p.json), "error", err)
			}
		}
		if p.done != nil {
			p.done <- err
		}
	}
}

// tell says which calls' records are at or after a position.
func (l *lane) tell(batch []*parcel, at journal.Position) {
	var calls []string
	for _, p := range batch {
		if p.call != "" {
			calls = append(calls, p.call)
		}
	}
	if l.kept != nil && len(calls) > 0 {
		l.kept(calls, at)
	}
}

// write appends a batch, again and again where records must not be lost.
func (l *lane) write(batch []*parcel) (journal.Position, error) {
	entries := make([][]byte, len(batch))
	for i, p := range batch {
		entries[i] = p.json
	}
	for {
		at, err := l.journal.Append(context.Background(), entries...)
		if err == nil || l.drops || errors.Is(err, journal.ErrClosed) {
			return at, err
		}
		select {
		case <-time.After(retryInterval):
		case <-l.giveUp:
			return at, err
		}
	}
}

// close writes what is still waiting and ends the lane.
func (l *lane) close() {
	l.once.Do(func() { close(l.stop) })
	<-l.stopped
}
