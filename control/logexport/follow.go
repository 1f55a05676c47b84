package logexport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	defaultPoll = time.Second
	maxLine     = 1 << 20 // octets; what is longer is counted by its beginning
)

// Follower counts the lines of a file that others write to. It bears rotation, by
// renaming or by truncating, and goes on after a restart where it was.
type Follower struct {
	Path string
	// State is a file that keeps the place; empty: it begins at the file's end.
	State string
	// Poll is between two looks at the file; 1 s when zero.
	Poll time.Duration

	counter *Counter
	log     *slog.Logger
	file    *os.File
	place   place
	line    []byte // that was read last
}

// place is how far a file was read.
type place struct {
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"` // behind the last whole line
}

// NewFollower makes a Follower of a file that need not be there yet.
func NewFollower(path string, counter *Counter, log *slog.Logger) *Follower {
	return &Follower{Path: path, Poll: defaultPoll, counter: counter, log: log.With("file", path)}
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	if err := f.begin(); err != nil {
		return fmt.Errorf("follow %s: %w", f.Path, err)
	}
	defer f.shut()
	ticker := time.NewTicker(f.Poll)
	defer ticker.Stop()
	trouble := ""
	for {
		err := f.step()
		if text := fmt.Sprint(err); err != nil && text != trouble {
			f.log.Warn("log file cannot be read", "error", err)
			trouble = text
		} else if err == nil {
			trouble = ""
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *Follower) shut() {
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

// begin finds where an earlier process was: in the file, or in what it was renamed to
// since.
func (f *Follower) begin() error {
	kept, err := f.load()
	if err != nil {
		return err
	}
	if kept == nil {
		return f.beginAtEnd()
	}
	for _, path := range append([]string{f.Path}, f.rotated()...) {
		file, inode, err := open(path)
		if err != nil {
			continue
		}
		if inode == kept.Inode {
			f.file, f.place = file, *kept
			return nil
		}
		file.Close()
	}
	return nil // it is gone: the new one is read from its beginning
}

func (f *Follower) beginAtEnd() error {
	file, inode, err := open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.place = file, place{inode, end}
	return f.save() // what comes before the first look is counted, even by another process
}

// rotated are the files beside it whose names begin with its own.
func (f *Follower) rotated() []string {
	entries, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range entries {
		if name := filepath.Base(f.Path); e.Name() != name && strings.HasPrefix(e.Name(), name) {
			all = append(all, filepath.Join(filepath.Dir(f.Path), e.Name()))
		}
	}
	return all
}

// step reads what has come, and changes over to a new file once the old one is read.
func (f *Follower) step() error {
	for {
		if f.file != nil {
			if err := f.read(); err != nil {
				return err
			}
		}
		changed, err := f.change()
		if err != nil || !changed {
			return err
		}
	}
}

// change opens the file at the path unless it is the one that is open.
func (f *Follower) change() (bool, error) {
	file, inode, err := open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if f.file != nil && inode == f.place.Inode {
		return false, file.Close()
	}
	if f.file != nil {
		// Once more: lines may have come between the last look and the renaming.
		if err := f.read(); err != nil {
			return false, errors.Join(err, file.Close())
		}
	}
	f.shut()
	f.file, f.place = file, place{Inode: inode}
	return true, f.save()
}

// read counts the whole lines that are new.
func (f *Follower) read() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < f.place.Offset {
		f.log.Info("log file was truncated")
		f.place.Offset = 0
	}
	if info.Size() == f.place.Offset {
		return nil
	}
	from := f.place.Offset
	r := bufio.NewReaderSize(io.NewSectionReader(f.file, from, info.Size()-from), 64<<10)
	for {
		line, err := readLine(r, &f.line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		f.place.Offset += line.octets
		f.counter.Count(ParseLine(line.text))
	}
	if f.place.Offset == from {
		return nil
	}
	return f.save()
}

type readResult struct {
	text   string
	octets int64 // with its end
}

// readLine reads a line that has its end, and of a long one the beginning.
func readLine(r *bufio.Reader, buf *[]byte) (readResult, error) {
	*buf = (*buf)[:0]
	octets := int64(0)
	for {
		part, err := r.ReadSlice('\n')
		octets += int64(len(part))
		if room := maxLine - len(*buf); room > 0 {
			*buf = append(*buf, part[:min(len(part), room)]...)
		}
		switch {
		case err == nil:
			return readResult{string(bytes.TrimRight(*buf, "\r\n")), octets}, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return readResult{}, err
		}
	}
}

func open(path string) (*os.File, uint64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, 0, errors.Join(errors.New("no inode"), file.Close())
	}
	return file, stat.Ino, nil
}

func (f *Follower) load() (*place, error) {
	if f.State == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var p place
	if err := json.Unmarshal(text, &p); err != nil {
		f.log.Warn("the place in the log file is lost; going on at its end", "state", f.State, "error", err)
		return nil, nil
	}
	return &p, nil
}

// save keeps the place, whole or not at all.
func (f *Follower) save() error {
	if f.State == "" {
		return nil
	}
	text, err := json.Marshal(f.place)
	if err != nil {
		return err
	}
	beside := f.State + ".new"
	if err := os.WriteFile(beside, text, 0o600); err != nil {
		return fmt.Errorf("keep the place: %w", err)
	}
	return os.Rename(beside, f.State)
}
