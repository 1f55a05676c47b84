package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxBatch bounds how many requests share one fsync.
	maxBatch = 512
	// upkeepInterval is how often old segments are looked for, and how often a
	// journal that could not be written is tried again.
	upkeepInterval = time.Second
	// maxSegmentAge is after how long a segment is ended though it has room.
	maxSegmentAge = 24 * time.Hour
)

// request is entries on their way to the disk.
type request struct {
	entries [][]byte
	done    chan result // takes one result without blocking
}

func (r *request) size() (n int64) {
	for _, e := range r.entries {
		n += frameSize(e)
	}
	return n
}

type result struct {
	at  Position
	err error
}

// writer owns the segment being written. Its goroutine is the only one that
// touches the disk once the journal is open.
type writer struct {
	journal *Journal
	config  Config
	disk    disk
	log     *slog.Logger

	framed int // entries in buffer
	file   file
	begun  time.Time // when file was
	last   uint64    // highest number ever tried for a segment
	noRoom bool      // the disk was full the last time
	end    Position  // where the next frame goes
	buffer []byte
}

// run commits what arrives until the journal is closed. A request that was
// received is always answered.
func (w *writer) run() {
	defer close(w.journal.stopped)
	defer w.close()
	upkeep := time.NewTicker(upkeepInterval)
	defer upkeep.Stop()
	for {
		select {
		case r := <-w.journal.requests:
			for batch := w.gather(r); len(batch) > 0; {
				batch = batch[w.commit(batch):]
			}
		case <-upkeep.C:
			w.upkeep()
		case <-w.journal.stop:
			return
		}
	}
}

// gather adds to a request what other callers wait to append: they came while
// the last fsync was under way, and share the next.
func (w *writer) gather(first *request) []*request {
	batch := []*request{first}
	for len(batch) < maxBatch {
		select {
		case r := <-w.journal.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// commit writes the part of a batch that fits the segment, at least one request,
// answers its callers and returns how many there were.
func (w *writer) commit(batch []*request) int {
	n, err := w.write(batch)
	if err != nil {
		for _, r := range batch[:n] {
			r.done <- result{err: err}
		}
		return n
	}
	at := w.end
	for _, r := range batch[:n] {
		r.done <- result{at: at}
		at.Offset += r.size()
	}
	w.end = at
	return n
}

// write makes the front of a batch durable and returns how many requests that
// concerns. What one segment did not take is written to another, once.
func (w *writer) write(batch []*request) (n int, err error) {
	for range 2 {
		if w.file == nil || w.end.Offset > segmentHead && !w.fits(batch[0].size()) {
			if err := w.rotate(); err != nil {
				return len(batch), w.failed(err)
			}
		}
		n = w.frame(batch)
		if err = w.flush(); err == nil {
			// The readers' end moves before any caller is told of success.
			size := int64(len(w.buffer))
			w.journal.advance(Position{w.end.Segment, w.end.Offset + size}, size, w.framed)
			return n, nil
		}
		w.abandon(err)
	}
	return n, w.failed(err)
}

// flush makes the buffer durable at the segment's end.
func (w *writer) flush() error {
	if _, err := w.file.WriteAt(w.buffer, w.end.Offset); err != nil {
		return fmt.Errorf("write segment %d: %w", w.end.Segment, err)
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync segment %d: %w", w.end.Segment, err)
	}
	return nil
}

// frame fills the buffer with the frames that fit the segment; an empty segment
// takes one request of any size.
func (w *writer) frame(batch []*request) (n int) {
	w.buffer, w.framed = w.buffer[:0], 0
	for _, r := range batch {
		if n > 0 && !w.fits(int64(len(w.buffer))+r.size()) {
			break
		}
		for _, e := range r.entries {
			w.buffer = appendFrame(w.buffer, Position{w.end.Segment, w.end.Offset + int64(len(w.buffer))}, e)
		}
		w.framed += len(r.entries)
		n++
	}
	return n
}

// fits tells whether so many bytes more leave the segment within its size.
func (w *writer) fits(bytes int64) bool { return w.end.Offset+bytes <= w.config.SegmentBytes }

// abandon gives up a segment that did not take a write or did not confirm it.
// What it holds before its end stays; what the failed write left is cut off
// where the disk allows, and is at worst read as damage, or as entries that are
// in the next segment too.
func (w *writer) abandon(cause error) {
	w.log.Warn("segment abandoned", "segment", w.end.Segment, "error", cause)
	if err := errors.Join(w.file.Truncate(w.end.Offset), w.file.Close()); err != nil {
		w.log.Warn("abandoned segment cannot be cut to its end", "segment", w.end.Segment, "error", err)
	}
	w.file = nil
}

// failed makes the journal's failure known.
func (w *writer) failed(cause error) error {
	w.noRoom = errors.Is(cause, unix.ENOSPC) || errors.Is(cause, unix.EDQUOT)
	if !errors.Is(cause, ErrFull) {
		cause = fmt.Errorf("%w: %w", ErrFailed, cause)
	}
	if w.journal.fail(cause) {
		w.log.Error("journal takes no entries", "error", cause)
	}
	return cause
}

// rotate begins the next segment. Nothing is lost when it fails: no entry has
// been written yet.
func (w *writer) rotate() error {
	if !w.prune() {
		return fmt.Errorf("%w: %d bytes", ErrFull, w.config.KeepBytes)
	}
	number := max(w.last, w.end.Segment) + 1
	w.last = number
	f, err := w.begin(number)
	if err != nil {
		return err
	}
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			w.log.Warn("close segment", "segment", w.end.Segment, "error", err)
		}
	}
	w.file, w.end, w.begun = f, Position{Segment: number, Offset: segmentHead}, time.Now()
	return nil
}

// begin makes the file of a segment and its name durable.
func (w *writer) begin(number uint64) (file, error) {
	path := segmentPath(w.journal.dir, number)
	f, err := w.disk.Create(path)
	if err != nil {
		return nil, fmt.Errorf("begin segment %d: %w", number, err)
	}
	if _, err = f.WriteAt(appendSegmentHead(nil, number), 0); err == nil {
		err = w.disk.SyncDir(w.journal.dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin segment %d: %w", number, err), f.Close(), w.disk.Remove(path))
	}
	return f, nil
}

// upkeep ends a segment that is old, deletes what is too old, and tries whether
// a journal that has failed can be written again.
func (w *writer) upkeep() {
	aged := w.file != nil && w.end.Offset > segmentHead && time.Since(w.begun) > w.segmentAge()
	if w.journal.Err() == nil && !aged {
		w.prune()
		return
	}
	if err := w.rotate(); err != nil {
		_ = w.failed(err) // logged already, if it is news
		return
	}
	if w.journal.Err() != nil {
		w.log.Info("journal takes entries again", "segment", w.end.Segment)
	}
	w.journal.advance(w.end, 0, 0)
}

func (w *writer) segmentAge() time.Duration {
	if w.config.KeepFor > 0 {
		return min(maxSegmentAge, w.config.KeepFor/8)
	}
	return maxSegmentAge
}

func (w *writer) close() {
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			w.log.Warn("close segment", "segment", w.end.Segment, "error", err)
		}
	}
	if err := w.journal.lock.Close(); err != nil {
		w.log.Warn("unlock journal", "error", err)
	}
}
