// Package pagelog writes what pages log to files of their choice, as Genesys
// applications do by <log gvp:dest="file:/calls/sales.log">: below one directory,
// which is the operator's choice.
package pagelog

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

// ErrNowhere says that the operator names no directory for files of pages.
var ErrNowhere = errors.New("pages write no files here")

// ErrFull says that a file takes no more.
var ErrFull = errors.New("file is full")

// most is how large a file grows: a page that logs without end must not fill a disk.
// What an operator's log rotation takes away makes room.
const most = 100 << 20

// Files are those below a directory. Its zero value has none.
type Files struct {
	root *os.Root
	mu   sync.Mutex // lines are written one by one
}

// Open makes the directory, if need be; an empty name is none.
func Open(directory string) (*Files, error) {
	if directory == "" {
		return new(Files), nil
	}
	if err := os.MkdirAll(directory, 0o750); err != nil {
		return nil, fmt.Errorf("files of pages: %w", err)
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fmt.Errorf("files of pages: %w", err)
	}
	return &Files{root: root}, nil
}

// Close gives the directory up.
func (f *Files) Close() error {
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// Entry is something logged.
type Entry struct {
	At    time.Time
	Call  string
	Label string // or empty
	Text  string
}

// IsFile tells whether a log's destination is a file.
func IsFile(dest string) bool { return len(dest) >= 5 && strings.EqualFold(dest[:5], "file:") }

// Write adds a line to the file that a URI names. Whatever its path, it is below the
// directory.
func (f *Files) Write(uri string, e Entry) error {
	if f == nil || f.root == nil {
		return ErrNowhere
	}
	name, err := local(uri)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.root.MkdirAll(path.Dir(name), 0o750); err != nil {
		return err
	}
	// Who opens a pipe must not wait for its reader.
	file, err := f.root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0o640)
	if err != nil {
		return err
	}
	if err := add(file, e.line()); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	return file.Close()
}

func add(file *os.File, line string) error {
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("no file to write to: %w", fs.ErrInvalid)
	case info.Size()+int64(len(line)) > most:
		return ErrFull
	}
	_, err = file.WriteString(line)
	return err
}

// local is the path of a file URI (RFC 8089), relative to the directory.
func local(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", fmt.Errorf("no URI of a file: %w", err)
	}
	name := u.Path
	if u.Opaque != "" { // file:name
		if name, err = url.PathUnescape(u.Opaque); err != nil {
			return "", fmt.Errorf("no URI of a file: %w", err)
		}
	}
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "", fmt.Errorf("%q names no file", uri)
	}
	return name, nil
}

// line is one line, whatever is in the text.
func (e Entry) line() string {
	parts := []string{e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.Call}
	for _, text := range []string{e.Label, e.Text} {
		if text != "" {
			parts = append(parts, strings.Map(printable, text))
		}
	}
	return strings.Join(parts, " ") + "\n"
}

func printable(r rune) rune {
	if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}
