package reporting

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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
	// keptBytes is how much room for records is kept for the next ones.
	keptBytes = 256 << 10
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

	room    chan struct{} // has one for each record that waits
	some    chan struct{} // has one while records wait
	giveUp  chan struct{} // closed when failing writes are no longer to be tried again
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once

	mu      sync.Mutex
	waiting []*batch // the last takes records
	spare   *batch   // to be used again; nil: none
	shut    bool
}

func newLane(l *lane) *lane {
	l.room, l.some, l.giveUp = make(chan struct{}, laneRoom), make(chan struct{}, 1), make(chan struct{})
	l.stop, l.stopped = make(chan struct{}), make(chan struct{})
	go l.run()
	return l
}

// put adds a record to those that are to be written, as what encode writes. What becomes
// of it is told later; nil: it is lost already.
func (l *lane) put(ctx context.Context, p parcel, encode func(*encoder)) (*outcome, error) {
	if l.drops {
		select {
		case l.room <- struct{}{}:
		default:
			l.lost(p.kind, 1)
			return nil, nil
		}
	} else {
		select {
		case l.room <- struct{}{}:
		case <-l.stop:
			return nil, journal.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	out, err := l.add(p, encode)
	if err != nil {
		<-l.room
	}
	return out, err
}

func (l *lane) add(p parcel, encode func(*encoder)) (*outcome, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return nil, journal.ErrClosed
	}
	b := l.openLocked()
	if err := b.add(p, encode); err != nil {
		return nil, err
	}
	l.tell()
	return b.outcome, nil
}

// tell has the next batch written.
func (l *lane) tell() {
	select {
	case l.some <- struct{}{}:
	default:
	}
}

// openLocked is the batch that takes records; l.mu is held.
func (l *lane) openLocked() *batch {
	if n := len(l.waiting); n > 0 && !l.waiting[n-1].full() {
		return l.waiting[n-1]
	}
	b := l.spare
	if l.spare = nil; b == nil {
		b = &batch{}
	}
	b.outcome = &outcome{done: make(chan struct{})}
	l.waiting = append(l.waiting, b)
	return b
}

func (l *lane) run() {
	defer close(l.stopped)
	writes := spacing{apart: writeInterval}
	for {
		select {
		case <-l.some:
			writes.wait(l.stop)
			l.carry(l.take())
		case <-l.stop:
			l.mu.Lock()
			l.shut = true
			l.mu.Unlock()
			for b := l.take(); b != nil; b = l.take() {
				l.carry(b)
			}
			return
		}
	}
}

// take is the oldest batch; nil: there is none.
func (l *lane) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return nil
	}
	select {
	case <-l.some: // of this batch
	default:
	}
	b := l.waiting[0]
	if l.waiting = slices.Delete(l.waiting, 0, 1); len(l.waiting) > 0 {
		l.tell()
	}
	for range b.parcels {
		<-l.room
	}
	return b
}

// carry writes a batch and tells who asked.
func (l *lane) carry(b *batch) {
	if len(b.parcels) == 0 { // none could be encoded
		return
	}
	at, err := l.write(b)
	switch {
	case err != nil:
		l.lose(b, err)
	case l.kept != nil && len(b.calls) > 0:
		l.kept(b.calls, at)
	}
	b.outcome.err = err
	close(b.outcome.done)
	b.wipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = b
}

// lose tells of records that no journal took.
func (l *lane) lose(b *batch, cause error) {
	for i, p := range b.parcels {
		l.lost(p.kind, 1)
		if !l.drops {
			l.log.Error("record lost", "record", string(b.entry(i)), "error", cause)
		}
	}
}

// write appends a batch, again and again where records must not be lost.
func (l *lane) write(b *batch) (journal.Position, error) {
	entries := make([][]byte, len(b.parcels))
	for i := range entries {
		entries[i] = b.entry(i)
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

// batch is records that share a write.
type batch struct {
	parcels []parcel
	json    encoder
	calls   []string // whose records are among them
	outcome *outcome
}

// parcel is a record on its way.
type parcel struct {
	kind Kind
	call string // whose record it is; empty: it is none
	end  int    // of its JSON, in that of the batch
}

// outcome is what becomes of a batch.
type outcome struct {
	done chan struct{}
	err  error // after done
}

func (b *batch) full() bool {
	return len(b.parcels) >= maxTogether || len(b.json.b) >= maxTogetherBytes
}

// add adds a record, unless it cannot be kept.
func (b *batch) add(p parcel, encode func(*encoder)) error {
	begin := len(b.json.b)
	encode(&b.json)
	_, err := b.json.result()
	if err == nil && len(b.json.b)-begin > journal.MaxEntry {
		err = journal.ErrTooLarge
	}
	if err != nil {
		b.json = encoder{b: b.json.b[:begin]}
		return err
	}
	p.end = len(b.json.b)
	b.parcels = append(b.parcels, p)
	if p.call != "" {
		b.calls = append(b.calls, p.call)
	}
	return nil
}

// entry is the JSON of a record.
func (b *batch) entry(i int) []byte {
	begin := 0
	if i > 0 {
		begin = b.parcels[i-1].end
	}
	return b.json.b[begin:b.parcels[i].end]
}

// wipe makes the batch an empty one.
func (b *batch) wipe() {
	if len(b.json.b) > keptBytes {
		b.json.b = nil
	}
	clear(b.parcels)
	*b = batch{parcels: b.parcels[:0], json: encoder{b: b.json.b[:0]}}
}
