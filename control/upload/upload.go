// Package upload sends finished recordings to where they are kept, and removes
// them here once the far end has them.
//
// A recording is a file with another beside it that has ".json" added to its name:
// its metadata, which whoever records puts in place last, by renaming. Everything
// is done in an order that lets the process be killed at any moment: what was not
// confirmed is sent again, under the same name and identifier.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrRefused is what a Store answers when sending the same again is of no use.
var ErrRefused = errors.New("the destination refuses the recording")

// Store keeps recordings.
type Store interface {
	// Put stores an object and returns once the far end has said that it has all of
	// it, unchanged. Storing the same object twice is storing it once. It may go on
	// where an earlier Put was interrupted.
	Put(ctx context.Context, o Object) error
}

// Object is a file to be stored.
type Object struct {
	Name string // path below the destination, with slashes
	// ID is the recording's, the same however often it is sent.
	ID          string
	ContentType string
	Size        int64 // octets
	SHA256      [32]byte
	MD5         [16]byte
	Open        func() (File, error)
}

// File is an object's content.
type File interface {
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Closer
}

// Notice tells somebody that a recording is stored.
type Notice interface {
	// Post sends a recording's metadata. Posting twice is posting once: the
	// identifier goes along.
	Post(ctx context.Context, id string, metadata []byte) error
}

// Config is what an Uploader works by.
type Config struct {
	Folder string
	// Destination is where recordings go; the others take its place. Nil: none.
	Destination   Store
	Decommission  Store // for what is left when the platform is taken down
	DiskFull      Store // while there is little room
	Unrecoverable Store // for what the destination refuses
	Notice        Notice
	// MinFree is how much of the file system must be free, 0 to 1; below it,
	// DiskFull is used.
	MinFree float64
	Workers int           // recordings sent at once; 2 when zero
	Scan    time.Duration // between two looks into the folder; 1 s when zero
	Retry   time.Duration // before the second try; it doubles up to 5 min; 1 s when zero
	Timeout time.Duration // for one try; 5 min when zero
}

const (
	defaultWorkers = 2
	defaultScan    = time.Second
	defaultRetry   = time.Second
	defaultTimeout = 5 * time.Minute
	maxRetry       = 5 * time.Minute
	refusedFolder  = "refused" // below the recordings' folder
)

func (c Config) withDefaults() Config {
	if c.Workers <= 0 {
		c.Workers = defaultWorkers
	}
	if c.Scan <= 0 {
		c.Scan = defaultScan
	}
	if c.Retry <= 0 {
		c.Retry = defaultRetry
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return c
}

// Uploader sends what a folder holds.
type Uploader struct {
	cfg Config
	log *slog.Logger
	*metrics

	mu    sync.Mutex // guards what follows
	tasks map[string]*task
}

// task is a recording on its way.
type task struct {
	recording
	tries int
	due   time.Time
	busy  bool
}

// New makes an Uploader of a folder, which it makes if need be.
func New(cfg Config, log *slog.Logger) (*Uploader, error) {
	if cfg.Destination == nil {
		return nil, errors.New("upload: no destination")
	}
	if err := os.MkdirAll(cfg.Folder, 0o750); err != nil {
		return nil, fmt.Errorf("upload: recordings' folder: %w", err)
	}
	u := &Uploader{cfg: cfg.withDefaults(), log: log, tasks: map[string]*task{}}
	u.metrics = newMetrics(u)
	return u, nil
}

// Run sends recordings until ctx ends. Tries under way are then cut off; what they
// were sending stays.
func (u *Uploader) Run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	work := make(chan *task)
	defer close(work)
	for range u.cfg.Workers {
		workers.Go(func() {
			for t := range work {
				u.try(ctx, t)
			}
		})
	}
	ticker := time.NewTicker(u.cfg.Scan)
	defer ticker.Stop()
	for {
		u.scan()
		for _, t := range u.due(time.Now()) {
			select {
			case work <- t:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Decommission sends what is left where it is kept when the platform is taken
// down, each recording once, until ctx ends. Run must have returned. It fails when
// something stays behind.
func (u *Uploader) Decommission(ctx context.Context) error {
	store := u.cfg.Decommission
	if store == nil {
		store = u.cfg.Destination
	}
	u.scan()
	var all error
	for _, t := range u.due(time.Time{}) {
		if err := u.send(ctx, t.recording, store); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", t.name, err))
			continue
		}
		u.done(t)
	}
	return all
}

// scan takes up recordings that are new and drops those that are gone.
func (u *Uploader) scan() {
	found, err := finished(u.cfg.Folder)
	if err != nil {
		u.log.Error("look for recordings", "folder", u.cfg.Folder, "error", err)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, r := range found {
		if u.tasks[name] == nil {
			u.tasks[name] = &task{recording: r}
		}
	}
	for name, t := range u.tasks {
		if _, there := found[name]; !there && !t.busy {
			delete(u.tasks, name)
		}
	}
}

// due takes the recordings whose time has come, oldest first; at the zero time all.
func (u *Uploader) due(now time.Time) []*task {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []*task
	for _, t := range u.tasks {
		if !t.busy && (now.IsZero() || !t.due.After(now)) {
			t.busy = true
			all = append(all, t)
		}
	}
	sortByAge(all)
	return all
}

// try sends a recording once and decides what follows.
func (u *Uploader) try(ctx context.Context, t *task) {
	if ctx.Err() != nil {
		u.later(t, 0)
		return
	}
	limited, cancel := context.WithTimeout(ctx, u.cfg.Timeout)
	defer cancel()
	err := u.send(limited, t.recording, u.choose())
	switch {
	case err == nil:
		u.done(t)
	case ctx.Err() != nil:
		u.later(t, 0)
	case errors.Is(err, ErrRefused):
		u.failed.WithLabelValues("refused").Inc()
		u.giveUp(limited, t, err)
	default:
		u.failed.WithLabelValues("retried").Inc()
		wait := min(u.cfg.Retry<<min(t.tries, 20), maxRetry)
		u.log.Warn("recording is not uploaded yet", "recording", t.name, "id", t.id, "tries", t.tries+1, "again_in", wait, "error", err)
		u.later(t, wait)
	}
}

// choose is where recordings go at present.
func (u *Uploader) choose() Store {
	if u.cfg.DiskFull == nil || u.cfg.MinFree <= 0 {
		return u.cfg.Destination
	}
	free, err := freeShare(u.cfg.Folder)
	if err != nil {
		u.log.Warn("how much room there is cannot be told", "error", err)
		return u.cfg.Destination
	}
	if free < u.cfg.MinFree {
		return u.cfg.DiskFull
	}
	return u.cfg.Destination
}

// giveUp sends what the destination refuses to where such recordings are looked
// into, or sets it aside.
func (u *Uploader) giveUp(ctx context.Context, t *task, cause error) {
	if u.cfg.Unrecoverable != nil {
		if err := u.send(ctx, t.recording, u.cfg.Unrecoverable); err == nil {
			u.log.Error("recording was refused and sent where such are kept", "recording", t.name, "id", t.id, "error", cause)
			u.done(t)
			return
		}
	}
	if err := t.move(filepath.Join(u.cfg.Folder, refusedFolder)); err != nil {
		u.log.Error("refused recording cannot be set aside", "recording", t.name, "error", err)
		u.later(t, maxRetry)
		return
	}
	u.log.Error("recording was refused and set aside", "recording", t.name, "id", t.id, "folder", refusedFolder, "error", cause)
	u.forget(t)
}

func (u *Uploader) done(t *task) {
	u.uploaded.Inc()
	u.octets.Add(float64(t.size))
	u.log.Info("recording uploaded", "recording", t.name, "id", t.id, "octets", t.size)
	u.forget(t)
}

func (u *Uploader) later(t *task, wait time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t.busy = false
	if wait > 0 {
		t.tries++
	}
	t.due = time.Now().Add(wait)
}

func (u *Uploader) forget(t *task) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.tasks, t.name)
}
