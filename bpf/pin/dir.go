// Package pin keeps a set of pinned BPF objects whole. The set is a directory of
// a BPF file system. It is built in a directory aside and renamed into place, and
// renamed away before it is taken apart, so that at its place it is there whole or
// not at all, whatever moment a process dies at.
//
// Two locks, both of which the kernel drops with the process that has them: Lock
// is taken for a moment by whoever changes pins, and Hold for as long as a process
// uses the set as its only user. A set may be changed while it is held.
package pin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// What callers tell apart, besides fs.ErrNotExist.
var (
	ErrExists = errors.New("there are pins already")
	ErrHeld   = errors.New("pins are held by another process")
)

const (
	bpffsRoot = "/sys/fs/bpf"

	// What is built and what is taken apart stands beside the set. Only who has the
	// lock has such a directory; one that is found by another was left by the dead.
	buildSuffix   = "_new"
	discardSuffix = "_old"
)

// Mount mounts a BPF file system at its usual place if dir is to be there.
func Mount(dir string) error {
	parent := filepath.Dir(filepath.Clean(dir))
	if ok, err := isBPFFS(parent); ok || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !strings.HasPrefix(filepath.Clean(dir), bpffsRoot+"/") {
		return fmt.Errorf("%s is not on a BPF file system; mount -t bpf bpf %s makes it one", parent, parent)
	}
	if err := unix.Mount("bpf", bpffsRoot, "bpf", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount bpffs on %s: %w", bpffsRoot, err)
	}
	return os.MkdirAll(parent, 0o755)
}

func isBPFFS(dir string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, fmt.Errorf("look at %s: %w", dir, err)
	}
	return st.Type == unix.BPF_FS_MAGIC, nil
}

// Lock waits until no other process changes pins beside dir, and keeps it so
// until the file is closed.
func Lock(dir string) (*os.File, error) {
	return flock(filepath.Dir(filepath.Clean(dir)), unix.LOCK_EX)
}

// Hold makes this process the only user of a set until the file is closed.
// ErrHeld: another process is. fs.ErrNotExist: there is no such set.
func Hold(dir string) (*os.File, error) {
	f, err := flock(dir, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: %s", ErrHeld, dir)
	}
	return f, err
}

func flock(dir string, how int) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return f, nil
}

// Clean takes apart what a process that died left of a set that was not finished
// or not wholly removed, and says whether there was any. It needs the lock.
func Clean(dir string) (bool, error) {
	found := false
	for _, suffix := range []string{buildSuffix, discardSuffix} {
		aside := filepath.Clean(dir) + suffix
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		found = true
		if err := Remove(aside); err != nil {
			return found, fmt.Errorf("remove what a process that died left in %s: %w", aside, err)
		}
	}
	return found, nil
}

// Build makes the directory aside in which a set for dir is built. It needs the
// lock. ErrExists: dir is there.
func Build(dir string) (string, error) {
	if _, err := os.Lstat(dir); err == nil {
		return "", fmt.Errorf("%w: in %s", ErrExists, dir)
	}
	aside := filepath.Clean(dir) + buildSuffix
	return aside, os.Mkdir(aside, 0o755)
}

// Publish moves what was built to its place, which is free.
func Publish(aside, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, aside, unix.AT_FDCWD, dir, unix.RENAME_NOREPLACE)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: in %s", ErrExists, dir)
	}
	if err != nil {
		return fmt.Errorf("rename %s: %w", aside, err)
	}
	return nil
}

// Exchange lets two directories change places, both at once.
func Exchange(a, b string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return fmt.Errorf("exchange %s and %s: %w", a, b, err)
	}
	return nil
}

// Retire moves a set aside, where Remove takes it apart. It needs the lock.
func Retire(dir string) (string, error) {
	aside := filepath.Clean(dir) + discardSuffix
	return aside, Publish(dir, aside)
}

// Remove takes the programs of a directory's links off their interfaces and
// removes the directory.
func Remove(dir string) error {
	return errors.Join(Detach(dir), os.RemoveAll(dir))
}

// CopyOwner gives a directory and the pins in it the owner that another has.
func CopyOwner(from, to string) error {
	var st unix.Stat_t
	if err := unix.Stat(from, &st); err != nil {
		return fmt.Errorf("look at %s: %w", from, err)
	}
	return SetOwner(to, int(st.Uid), int(st.Gid))
}

// SetOwner gives a directory and the pins in it to a user and a group.
func SetOwner(dir string, uid, gid int) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil || int(st.Uid) == uid && int(st.Gid) == gid {
			return err
		}
		return os.Chown(path, uid, gid)
	})
}
