// Package reportingtest has what tests of records share: a broker that ends with its
// test, and a disk that can be filled.
package reportingtest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"mcp/control/reporting/brokertest"
)

// StartBroker runs a broker until the test ends. Where there is none to run the test is
// skipped.
func StartBroker(t testing.TB, c brokertest.Config) *brokertest.Broker {
	t.Helper()
	c.Dir = t.TempDir()
	b, err := brokertest.Start(c)
	if errors.Is(err, brokertest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(b.Log())
		}
	})
	return b
}

// SmallDisk is the folder of a file system of its own, of a size as mount takes it.
// Without root the test is skipped.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a file system of its own")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Fill takes what room there is left on a folder's file system, by a file whose name is
// returned.
func Fill(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return path
}
