package journal

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"
)

// faultyDisk is the real disk with faults switched on by a test.
type faultyDisk struct {
	osDisk
	hold chan struct{} // Sync waits until it is closed

	mu       sync.Mutex
	syncFor  error
	syncs    int // that fail
	writeFor error
	dirFor   error
	short    int // bytes a failing write gets through
	cut      error
	synced   int
}

func (d *faultyDisk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *faultyDisk) succeeded() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.synced
}

func (d *faultyDisk) Create(path string) (file, error) {
	f, err := d.osDisk.Create(path)
	return &faultyFile{f, d}, err
}

func (d *faultyDisk) Open(path string) (file, error) {
	f, err := d.osDisk.Open(path)
	return &faultyFile{f, d}, err
}

func (d *faultyDisk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dirFor != nil {
		return d.dirFor
	}
	return d.osDisk.SyncDir(dir)
}

type faultyFile struct {
	file
	disk *faultyDisk
}

func (f *faultyFile) Sync() error {
	if f.disk.hold != nil {
		<-f.disk.hold
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.syncFor; err != nil {
		if f.disk.syncs--; f.disk.syncs == 0 {
			f.disk.syncFor = nil
		}
		return err
	}
	f.disk.synced++
	return f.file.Sync()
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.writeFor == nil {
		return f.file.WriteAt(b, off)
	}
	n, _ := f.file.WriteAt(b[:min(f.disk.short, len(b))], off)
	return n, f.disk.writeFor
}

func (f *faultyFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.cut != nil {
		return f.disk.cut
	}
	return f.file.Truncate(size)
}

var errDisk = errors.New("disk says no")

func openFaulty(t *testing.T, dir string, c Config) (*Journal, *faultyDisk) {
	t.Helper()
	d := &faultyDisk{}
	j, err := open(dir, c.withDefaults(), parts{disk: d, log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, d
}

func appendFails(t *testing.T, j *Journal, want error) {
	t.Helper()
	if _, err := j.Append(context.Background(), []byte("lost")); !errors.Is(err, want) {
		t.Errorf("append: %v, want %v", err, want)
	}
}

func TestFailedSyncIsNeverTakenForASuccess(t *testing.T) {
	dir := t.TempDir()
	j, d := openFaulty(t, dir, Config{})
	mustAppend(t, j, "before")
	d.set(func() { d.syncFor, d.syncs = errDisk, 2 })
	appendFails(t, j, ErrFailed)
	if !errors.Is(j.Err(), ErrFailed) || !errors.Is(j.Err(), errDisk) {
		t.Errorf("Err: %v", j.Err())
	}
	for e := range j.Read(Position{}) {
		if string(e.Data) != "before" {
			t.Errorf("%q is read though it never became durable", e.Data)
		}
	}
	if at := mustAppend(t, j, "after"); at.Segment != 3 {
		t.Errorf("written to segment %d, whose fsync had failed", at.Segment)
	}
	if j.Err() != nil {
		t.Errorf("Err: %v", j.Err())
	}
	if got, damage := collect(t, dir); !slices.Equal(got, []string{"before", "after"}) || damage != nil {
		t.Errorf("read %q, damage %v", got, damage)
	}
}

func TestFailedSyncIsMadeGoodInAnotherSegment(t *testing.T) {
	dir := t.TempDir()
	j, d := openFaulty(t, dir, Config{})
	mustAppend(t, j, "before")
	d.set(func() { d.syncFor, d.syncs = errDisk, 1 })
	if at := mustAppend(t, j, "once more"); at.Segment != 2 {
		t.Errorf("written to segment %d, whose fsync had failed", at.Segment)
	}
	if j.Err() != nil {
		t.Errorf("Err: %v", j.Err())
	}
	if got, damage := collect(t, dir); !slices.Equal(got, []string{"before", "once more"}) || damage != nil {
		t.Errorf("read %q, damage %v", got, damage)
	}
}

func TestFailedDirectorySyncIsNotTakenForASuccess(t *testing.T) {
	j, d := openFaulty(t, t.TempDir(), Config{})
	d.set(func() { d.dirFor = errDisk })
	appendFails(t, j, ErrFailed)
	d.set(func() { d.dirFor = nil })
	if at := mustAppend(t, j, "after"); at.Segment != 2 {
		t.Errorf("written to segment %d, whose name may not last", at.Segment)
	}
}

func TestFailedJournalTriesByItselfWhetherItCanBeWritten(t *testing.T) {
	j, d := openFaulty(t, t.TempDir(), Config{})
	d.set(func() { d.writeFor = errDisk })
	appendFails(t, j, ErrFailed)
	d.set(func() { d.writeFor = nil })
	deadline := time.Now().Add(time.Minute)
	for j.Err() != nil && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if j.Err() != nil {
		t.Errorf("Err: %v", j.Err())
	}
	mustAppend(t, j, "after")
}

func TestFullDiskCostsOnlyWhatFindsItFull(t *testing.T) {
	for short := range frameHead + 5 {
		dir := t.TempDir()
		j, d := openFaulty(t, dir, Config{})
		mustAppend(t, j, "before")
		d.set(func() { d.writeFor, d.short = errDisk, short })
		appendFails(t, j, errDisk)
		d.set(func() { d.writeFor = nil })
		mustAppend(t, j, "after")
		if j.Err() != nil {
			t.Fatalf("a full disk is still complained of: %v", j.Err())
		}
		got, damage := collect(t, dir)
		if len(got) != 2 || got[1] != "after" || damage != nil {
			t.Fatalf("%d bytes written: %q, damage %v", short, got, damage)
		}
	}
}

func TestFullDiskAtRotationIsOvercome(t *testing.T) {
	dir := t.TempDir()
	j, d := openFaulty(t, dir, Config{SegmentBytes: segmentHead + frameHead + 8})
	mustAppend(t, j, "first")
	d.set(func() { d.writeFor, d.short = errDisk, 3 })
	appendFails(t, j, errDisk)
	d.set(func() { d.writeFor = nil })
	mustAppend(t, j, "second")
	got, damage := collect(t, dir)
	if len(got) != 2 || damage != nil {
		t.Errorf("%q, damage %v", got, damage)
	}
}

func TestWriteThatCannotBeUndoneCostsNoOtherEntry(t *testing.T) {
	dir := t.TempDir()
	j, d := openFaulty(t, dir, Config{})
	mustAppend(t, j, "before")
	d.set(func() { d.writeFor, d.cut, d.short = errDisk, io.ErrClosedPipe, 9 })
	appendFails(t, j, ErrFailed)
	d.set(func() { d.writeFor, d.cut = nil, nil })
	mustAppend(t, j, "after")
	if got, damage := collect(t, dir); !slices.Equal(got, []string{"before", "after"}) || len(damage) != 1 {
		t.Errorf("read %q, damage %v", got, damage)
	}
}
