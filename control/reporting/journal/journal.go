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
)

// Errors of the journal.
var (
	// ErrFailed is what Append returns once the disk has failed to confirm a
	// write. It stays so until the journal is opened anew: after a failed fsync
	// the kernel may have thrown the data away and call the next one a success.
	ErrFailed = errors.New("journal failed")
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
	lock      *os.File
	requests  chan *request
	stop      chan struct{}
	stopOnce  sync.Once
	stopped   chan struct{}
	recovered Recovery

	mu     sync.Mutex
	end    Position // all before it is durable
	failed error    // sticks once set
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
		dir: dir, lock: lock, requests: make(chan *request),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	w := &writer{journal: j, config: config, disk: p.disk, log: p.log.With("journal", dir)}
	if err := w.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", dir, err), lock.Close())
	}
	go w.run()
	return j, nil
}

// Append adds an entry and returns its position once it is durable. Entries
// that are appended at the same time share one fsync. When ctx ends first the
// entry may have been added or not.
func (j *Journal) Append(ctx context.Context, entry []byte) (Position, error) {
	if len(entry) > MaxEntry {
		return Position{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(entry))
	}
	r := &request{entry: entry, done: make(chan result, 1)}
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
	j.mu.Lock()
	end := j.end
	j.mu.Unlock()
	return reader{dir: j.dir, limit: &end}.from(from)
}

// Err tells whether the journal has failed: nil, or an error that is ErrFailed.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
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

func (j *Journal) advance(end Position) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.end = end
}

func (j *Journal) fail(cause error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = fmt.Errorf("%w: %w", ErrFailed, cause)
	}
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
