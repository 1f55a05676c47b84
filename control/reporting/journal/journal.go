// Package journal keeps byte strings on disk in the order they were given. An
// entry whose Append has returned survives the death of the process and of the
// machine's power; damage to the disk is detected and costs only the entries
// that it hit. The package knows nothing of what the bytes mean.
//
// A journal is a directory of segments, files that are only ever appended to
// and are deleted whole, oldest first. One process writes; any number may read,
// at the same time. The layout is described at segment and frame.
package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Errors of the journal.
var (
	// ErrFailed is what Append returns while the disk does not confirm writes. A
	// file whose fsync has failed is never written again: the kernel may have
	// thrown the data away and call the next one a success. The entries go to a
	// new segment; only when that fails too does their Append.
	ErrFailed = errors.New("journal cannot be written")
	// ErrFull is what Append returns when the journal is at its bound and nothing
	// in it may be deleted.
	ErrFull = errors.New("journal is full")
	// ErrClosed is what Append returns after Close.
	ErrClosed = errors.New("journal closed")
	// ErrTooLarge refuses an entry above MaxEntry.
	ErrTooLarge = errors.New("entry too large")
	// ErrLocked says that another process writes this journal.
	ErrLocked = errors.New("journal is in use by another process")
)

// MaxEntry bounds one entry, so that a damaged length cannot ask for more.
const MaxEntry = 1 << 20

// Config is what can be chosen about a journal. Zero stands for the default.
type Config struct {
	// SegmentBytes is the size at which a new segment is begun. 16 MiB.
	SegmentBytes int64
	// KeepBytes bounds the whole journal: when a segment is begun, the oldest
	// are deleted until no more than this remains. 1 GiB; negative keeps all.
	KeepBytes int64
	// KeepFor is how long an entry is kept at least as far as KeepBytes allows;
	// segments that are older are deleted. Zero: for ever.
	KeepFor time.Duration
	// Hold keeps entries until Release says that they are no longer needed. At
	// its bound such a journal refuses entries instead of deleting any.
	Hold bool
}

func (c Config) withDefaults() Config {
	if c.SegmentBytes <= 0 {
		c.SegmentBytes = 16 << 20
	}
	if c.KeepBytes == 0 {
		c.KeepBytes = 1 << 30
	}
	return c
}

// Journal is a journal open for writing. Its methods may be called from any goroutine.
type Journal struct {
	dir       string
	disk      disk
	lock      *os.File
	requests  chan *request
	stop      chan struct{}
	stopOnce  sync.Once
	stopped   chan struct{}
	recovered Recovery

	mu       sync.Mutex
	end      Position      // all before it is durable
	grown    chan struct{} // closed when end moves
	released Position      // all before it may be deleted, when entries are held
	failed   error         // why the latest write failed; nil once one succeeds
	usage    Usage
}

// Usage is how much a journal holds.
type Usage struct {
	Bytes    int64     // of all its segments
	Limit    int64     // what Bytes may come to; negative: no limit
	Segments int       // files
	Appended int64     // entries, since Open
	Dropped  int64     // bytes deleted for want of room, released or not, since Open
	Oldest   time.Time // when the oldest segment was last written
	// Scarce says that entries are held and only about two segments more have
	// room: time to stop what makes entries.
	Scarce bool
}

// Open opens the journal in a directory for writing and makes both when there
// are none. What a crash left half written at the end is cut off; Recovered
// tells of it.
func Open(dir string, config Config, log *slog.Logger) (*Journal, error) {
	return open(dir, config.withDefaults(), parts{disk: osDisk{}, log: log})
}

// parts are what a journal works with.
type parts struct {
	disk disk
	log  *slog.Logger
}

func open(dir string, config Config, p parts) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", dir, err)
	}
	j := &Journal{
		dir: dir, disk: p.disk, lock: lock, requests: make(chan *request), grown: make(chan struct{}),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	w := &writer{journal: j, config: config, disk: p.disk, log: p.log.With("journal", dir)}
	if err := w.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", dir, err), lock.Close())
	}
	w.prune()
	go w.run()
	return j, nil
}

// Append adds entries and returns the position of the first once all are
// durable. Entries that are appended at the same time share one fsync. When ctx
// ends first the entries may have been added or not; the same holds of some of
// them when a crash comes in between.
func (j *Journal) Append(ctx context.Context, entries ...[]byte) (Position, error) {
	for _, e := range entries {
		if len(e) > MaxEntry {
			return Position{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(e))
		}
	}
	r := &request{entries: entries, done: make(chan result, 1)}
	select {
	case <-j.stop:
		return Position{}, ErrClosed
	default:
	}
	select {
	case j.requests <- r:
	case <-j.stop:
		return Position{}, ErrClosed
	case <-ctx.Done():
		return Position{}, fmt.Errorf("append to journal: %w", ctx.Err())
	}
	select {
	case res := <-r.done:
		return res.at, res.err
	case <-ctx.Done():
		return Position{}, fmt.Errorf("append to journal: %w", ctx.Err())
	}
}

// Read iterates over the durable entries at and after a position; the zero
// Position is the beginning. See the function Read for what it yields.
func (j *Journal) Read(from Position) iter.Seq2[Entry, error] {
	end := j.End()
	return reader{dir: j.dir, limit: &end}.from(from)
}

// End is the position behind the last durable entry.
func (j *Journal) End() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.end
}

// Wait returns once End is behind a position, or with the context's error. A new
// segment without entries counts: who has read to the end goes on from End.
func (j *Journal) Wait(ctx context.Context, from Position) error {
	for {
		j.mu.Lock()
		end, grown := j.end, j.grown
		j.mu.Unlock()
		if from.Compare(end) < 0 {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return fmt.Errorf("wait for entries: %w", ctx.Err())
		}
	}
}

// Release says that entries before a position are no longer needed. It matters
// where entries are held.
func (j *Journal) Release(before Position) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if before.Compare(j.released) > 0 {
		j.released = before
	}
}

// Err tells whether the latest write failed: nil, or an error that is ErrFailed
// or ErrFull. The journal tries by itself whether it can be written again.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

// Usage tells how much the journal holds.
func (j *Journal) Usage() Usage {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.usage
}

// Recovered tells what Open had to repair.
func (j *Journal) Recovered() Recovery { return j.recovered }

// Close ends the journal after the entries that are being appended. It is
// idempotent.
func (j *Journal) Close() error {
	j.stopOnce.Do(func() { close(j.stop) })
	<-j.stopped
	return nil
}

// advance makes entries readable that have become durable, and clears a failure
// that is over.
func (j *Journal) advance(end Position, bytes int64, entries int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.end, j.failed = end, nil
	j.usage.Bytes += bytes
	j.usage.Appended += int64(entries)
	close(j.grown)
	j.grown = make(chan struct{})
}

// fail notes why a write failed and tells whether that is news.
func (j *Journal) fail(err error) (first bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first = j.failed == nil
	j.failed = err
	return first
}

// Position is the place of an entry: a segment's number and an offset in it.
// Positions compare in the order of appending.
type Position struct {
	Segment uint64
	Offset  int64
}

// Compare is negative, zero or positive as p is before, at or after q.
func (p Position) Compare(q Position) int {
	switch {
	case p.Segment < q.Segment, p.Segment == q.Segment && p.Offset < q.Offset:
		return -1
	case p == q:
		return 0
	}
	return 1
}

func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Segment, p.Offset) }

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016d%s", number, segmentSuffix))
}
