package journal

import (
	"errors"
	"fmt"
	"log/slog"
)

// maxBatch bounds how many entries share one fsync.
const maxBatch = 512

// request is an entry on its way to the disk.
type request struct {
	entry []byte
	done  chan result // takes one result without blocking
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

	file   file
	end    Position // where the next frame goes
	buffer []byte
}

// run commits what arrives until the journal is closed. A request that was
// received is always answered.
func (w *writer) run() {
	defer close(w.journal.stopped)
	defer w.close()
	for {
		select {
		case r := <-w.journal.requests:
			for batch := w.gather(r); len(batch) > 0; {
				batch = batch[w.commit(batch):]
			}
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

// commit writes the part of a batch that fits the segment, at least one entry,
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
		at.Offset += frameSize(r.entry)
	}
	w.end = at
	return n
}

// write makes the front of a batch durable and returns how many entries that
// concerns. The readers' end moves before any caller is told of success.
func (w *writer) write(batch []*request) (int, error) {
	if err := w.journal.Err(); err != nil {
		return len(batch), err
	}
	if w.file == nil || w.end.Offset > segmentHead && !w.fits(frameSize(batch[0].entry)) {
		if err := w.rotate(); err != nil {
			w.log.Error("journal cannot begin a segment", "error", err)
			return len(batch), err
		}
	}
	n := w.frame(batch)
	if _, err := w.file.WriteAt(w.buffer, w.end.Offset); err != nil {
		return n, w.rewind(err)
	}
	if err := w.file.Sync(); err != nil {
		return n, w.failed(fmt.Errorf("sync segment %d: %w", w.end.Segment, err))
	}
	w.journal.advance(Position{w.end.Segment, w.end.Offset + int64(len(w.buffer))})
	return n, nil
}

// frame fills the buffer with the frames that fit the segment; an empty segment
// takes one entry of any size.
func (w *writer) frame(batch []*request) (n int) {
	w.buffer = w.buffer[:0]
	for _, r := range batch {
		written := int64(len(w.buffer))
		if n > 0 && !w.fits(written+frameSize(r.entry)) {
			break
		}
		w.buffer = appendFrame(w.buffer, Position{w.end.Segment, w.end.Offset + written}, r.entry)
		n++
	}
	return n
}

// fits tells whether so many bytes more leave the segment within its size.
func (w *writer) fits(bytes int64) bool { return w.end.Offset+bytes <= w.config.SegmentBytes }

// rewind cuts off what a failed write left, so that a full disk costs the
// entries that found it full and no others.
func (w *writer) rewind(cause error) error {
	cause = fmt.Errorf("write segment %d: %w", w.end.Segment, cause)
	if err := w.file.Truncate(w.end.Offset); err != nil {
		return w.failed(errors.Join(cause, fmt.Errorf("rewind: %w", err)))
	}
	w.log.Error("journal cannot write", "error", cause)
	return cause
}

// failed makes the journal fail for good.
func (w *writer) failed(cause error) error {
	w.journal.fail(cause)
	w.log.Error("journal failed; nothing is recorded until it is opened anew", "error", cause)
	return w.journal.Err()
}

// rotate begins the next segment. Nothing is lost when it fails: no entry has
// been written yet.
func (w *writer) rotate() error {
	number := w.end.Segment + 1
	f, err := w.begin(number)
	if err != nil {
		return err
	}
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			w.log.Warn("close segment", "segment", w.end.Segment, "error", err)
		}
	}
	w.file, w.end = f, Position{Segment: number, Offset: segmentHead}
	w.prune()
	return nil
}

// begin makes the file of a segment and its name durable.
func (w *writer) begin(number uint64) (file, error) {
	path := segmentPath(w.journal.dir, number)
	f, err := w.disk.Create(path)
	if err != nil {
		return nil, fmt.Errorf("begin segment %d: %w", number, err)
	}
	if _, err := f.WriteAt(appendSegmentHead(nil, number), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("begin segment %d: %w", number, err), f.Close(), w.disk.Remove(path))
	}
	if err := w.disk.SyncDir(w.journal.dir); err != nil {
		return nil, errors.Join(w.failed(fmt.Errorf("sync directory for segment %d: %w", number, err)), f.Close())
	}
	return f, nil
}

// prune deletes the oldest segments while there is more than is to be kept.
func (w *writer) prune() {
	segments, err := listSegments(w.journal.dir)
	if err != nil || w.config.KeepBytes < 0 {
		return
	}
	var total int64
	for _, s := range segments {
		total += s.size
	}
	// Room is left for the new segment to grow to its full size.
	for _, s := range segments {
		if s.number == w.end.Segment || total+w.config.SegmentBytes <= w.config.KeepBytes {
			return
		}
		if err := w.disk.Remove(segmentPath(w.journal.dir, s.number)); err != nil {
			w.log.Warn("delete old segment", "segment", s.number, "error", err)
			return
		}
		w.log.Info("old segment deleted: the journal is at its limit", "segment", s.number, "keep_bytes", w.config.KeepBytes)
		total -= s.size
	}
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
