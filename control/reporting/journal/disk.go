package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disk is what a journal writes to; tests put one that fails in its place.
type disk interface {
	Create(path string) (file, error)
	Open(path string) (file, error) // an existing file, for writing
	Remove(path string) error
	Rename(from, to string) error
	SyncDir(dir string) error
}

// file is a segment being written.
type file interface {
	WriteAt(b []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// osDisk is the operating system's files.
type osDisk struct{}

// Create may find what an earlier attempt to begin the segment left behind.
func (osDisk) Create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
}

func (osDisk) Open(path string) (file, error) { return os.OpenFile(path, os.O_WRONLY, 0) }

func (osDisk) Remove(path string) error { return os.Remove(path) }

func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }

// SyncDir makes the names in a directory durable.
func (osDisk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lockDir makes this process the directory's only writer until the file is
// closed. The kernel drops the lock with the process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	} else if err != nil {
		err = fmt.Errorf("lock: %w", err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
