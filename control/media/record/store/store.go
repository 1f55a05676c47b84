// Package store keeps recordings in a folder, from which they are uploaded:
// encrypted to certificates if so configured, with metadata that appears beside a
// recording once it is finished.
package store

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"mcp/control/media/clock"
	"mcp/control/media/record"
	"mcp/control/media/record/cms"
)

// Config is what an operator can set about recordings.
type Config struct {
	Folder string
	// Certificates are who can open the recordings; nil: they are in the clear. An
	// error, or a certificate that cannot be used, refuses the recording.
	Certificates func() ([]*x509.Certificate, error)
	// Clock paces the recordings.
	Clock *clock.Clock
}

// Store begins recordings.
type Store struct {
	config  Config
	log     *slog.Logger
	metrics metrics
	running sync.WaitGroup
}

// New makes a Store whose folder exists.
func New(c Config, log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(c.Folder, 0o750); err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	return &Store{config: c, log: log, metrics: newMetrics()}, nil
}

// Request is a recording to be begun.
type Request struct {
	ID       string // of the recording; made up when empty
	Options  record.Options
	Metadata map[string]any // told beside what the store itself tells
}

// ErrID says that a recording's identifier cannot be a file's name, or is one already.
var ErrID = errors.New("recording id cannot be used")

// Recording is one that is being made into the folder.
type Recording struct {
	*record.Recorder
	ID   string
	Path string
	done chan struct{}
}

// URI is where the recording is on this machine.
func (r *Recording) URI() string { return "file://" + filepath.ToSlash(r.Path) }

// Finished is closed when the recording is done and its metadata in place.
func (r *Recording) Finished() <-chan struct{} { return r.done }

// sealed is what the names of encrypted recordings end with, after the format's.
const sealed = ".p7m"

// Begin begins a recording. Nothing of it is ever on the disk in the clear if it
// is to be encrypted; if it cannot be, it is refused.
func (s *Store) Begin(q Request) (*Recording, error) {
	if q.ID == "" {
		q.ID = uuid.NewString()
	}
	r, err := s.begin(q)
	if err != nil {
		s.metrics.refuse(err)
		s.log.Error("recording refused", "recording", q.ID, "error", err)
		return nil, fmt.Errorf("record %s: %w", q.ID, err)
	}
	s.metrics.active.Inc()
	return r, nil
}

func (s *Store) begin(q Request) (*Recording, error) {
	if q.ID != filepath.Base(q.ID) || strings.HasPrefix(q.ID, ".") {
		return nil, fmt.Errorf("%w: %q", ErrID, q.ID)
	}
	path := filepath.Join(s.config.Folder, q.ID+q.Options.Format.Suffix())
	recipients, err := s.recipients()
	if err != nil {
		return nil, err
	}
	if recipients != nil {
		path += sealed
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o640)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%w: %w", ErrID, err)
	}
	if err != nil {
		return nil, err
	}
	to, err := envelope(file, recipients)
	if err == nil {
		var r *record.Recorder
		if r, err = record.New(s.config.Clock, to, q.Options); err == nil {
			rec := &Recording{Recorder: r, ID: q.ID, Path: path, done: make(chan struct{})}
			s.running.Go(func() { s.finish(rec, file, q.Metadata) })
			return rec, nil
		}
	}
	return nil, errors.Join(err, file.Close(), os.Remove(path))
}

// recipients are who is to open the recording; nil: everybody can.
func (s *Store) recipients() ([]*x509.Certificate, error) {
	if s.config.Certificates == nil {
		return nil, nil
	}
	all, err := s.config.Certificates()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cms.ErrCertificate, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: there is none", cms.ErrCertificate)
	}
	return all, nil
}

func envelope(file *os.File, recipients []*x509.Certificate) (io.Writer, error) {
	if recipients == nil {
		return file, nil
	}
	return cms.NewWriter(file, recipients)
}

// finish waits for the end and puts the metadata in place, which says that the
// recording is finished.
func (s *Store) finish(r *Recording, file *os.File, more map[string]any) {
	defer close(r.done)
	begun := time.Now()
	<-r.Done()
	result, err := r.Result()
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		s.log.Error("recording", "recording", r.ID, "error", err)
	}
	s.metrics.finished(result, err)
	told := map[string]any{}
	for k, v := range more {
		told[k] = v
	}
	told["id"], told["file"], told["begun"] = r.ID, filepath.Base(r.Path), begun.UTC().Format(time.RFC3339Nano)
	told["duration_ms"], told["end"], told["missing_ms"] = result.Duration.Milliseconds(), result.End, result.Missing.Milliseconds()
	if err != nil {
		told["error"] = err.Error()
	}
	if err := tell(r.Path+".json", told); err != nil {
		s.log.Error("recording's metadata", "recording", r.ID, "error", err)
	}
}

// tell writes a file that is whole when it appears.
func tell(path string, what map[string]any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o640); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Close waits for the recordings to be finished; stop them before.
func (s *Store) Close() error {
	s.running.Wait()
	return nil
}
