package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// forgetfulDisk is a disk with a page cache and a power switch. The directory
// holds what processes see; beside it the disk keeps what would be left after
// the power fails. What was not synced then is there or not, sector by sector
// and in no order.
type forgetfulDisk struct {
	osDisk
	mu      sync.Mutex
	rand    *rand.Rand
	left    int // operations until the power fails
	badSync int // of 100 syncs of a file, how many lose what they were to write, and say so once
	names   map[string]*inode
	pending []func(map[string]*inode) // changes of names that are not synced
}

// inode is a file as the disk knows it.
type inode struct {
	durable []byte
	pending []func([]byte) []byte
}

var errPower = errors.New("the power has failed")

// step counts an operation down; d.mu is held.
func (d *forgetfulDisk) step() error {
	if d.left <= 0 {
		return errPower
	}
	d.left--
	return nil
}

func (d *forgetfulDisk) Create(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := d.osDisk.Create(path)
	if err != nil {
		return nil, err
	}
	node := &inode{}
	d.pending = append(d.pending, func(names map[string]*inode) { names[path] = node })
	return &forgetfulFile{file: f, disk: d, node: node}, nil
}

func (d *forgetfulDisk) Open(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.osDisk.Open(path)
	if err != nil {
		return nil, err
	}
	return &forgetfulFile{file: f, disk: d, node: d.names[path]}, nil
}

func (d *forgetfulDisk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	d.pending = append(d.pending, func(names map[string]*inode) { delete(names, path) })
	return d.osDisk.Remove(path)
}

func (d *forgetfulDisk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	d.pending = append(d.pending, func(names map[string]*inode) {
		if n := names[from]; n != nil {
			names[to] = n
			delete(names, from)
		}
	})
	return d.osDisk.Rename(from, to)
}

func (d *forgetfulDisk) SyncDir(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	for _, change := range d.pending {
		change(d.names)
	}
	d.pending = nil
	return nil
}

func (d *forgetfulDisk) works() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left > 0
}

type forgetfulFile struct {
	file
	disk *forgetfulDisk
	node *inode
}

const sector = 64 // small, so that entries span several

func (f *forgetfulFile) WriteAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.step(); err != nil {
		return 0, err
	}
	for start := 0; start < len(b); {
		end := min(len(b), start+sector-int(off+int64(start))%sector)
		part, at := slices.Clone(b[start:end]), int(off)+start
		f.node.pending = append(f.node.pending, func(c []byte) []byte {
			c = append(c, make([]byte, max(0, at+len(part)-len(c)))...)
			copy(c[at:], part)
			return c
		})
		start = end
	}
	return f.file.WriteAt(b, off)
}

func (f *forgetfulFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.step(); err != nil {
		return err
	}
	f.node.pending = append(f.node.pending, func(c []byte) []byte {
		return append(c, make([]byte, max(0, int(size)-len(c)))...)[:size]
	})
	return f.file.Truncate(size)
}

func (f *forgetfulFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.step(); err != nil {
		return err
	}
	if f.disk.rand.IntN(100) < f.disk.badSync {
		f.node.pending = nil // clean pages now, whose content no disk has
		return errDisk
	}
	for _, change := range f.node.pending {
		f.node.durable = change(f.node.durable)
	}
	f.node.pending = nil
	return nil
}

// fail cuts the power: the directory becomes what the disk kept.
func (d *forgetfulDisk) fail(t *testing.T, dir string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = 0
	for _, change := range d.pending {
		if d.rand.IntN(2) == 0 {
			change(d.names)
		}
	}
	d.pending = nil
	old, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(old, filepath.Join(dir, cursorFile), filepath.Join(dir, cursorFile+".new")) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(d.names)) {
		n := d.names[path]
		for _, change := range n.pending {
			if d.rand.IntN(2) == 0 {
				n.durable = change(n.durable)
			}
		}
		n.pending = nil
		if err := os.WriteFile(path, n.durable, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// memoryDir is a directory that costs no disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		dir, err = os.MkdirTemp("", "journal")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// ledger is what was promised about a journal, from the first power failure to
// the last, and what a broker has been sent of it.
type ledger struct {
	t       *testing.T
	dir     string
	seed    uint64
	rand    *rand.Rand
	n       int
	durable []string        // appended with success
	arrived map[string]bool // at the broker
}

func (l *ledger) open(d *forgetfulDisk) (*Journal, error) {
	c := Config{SegmentBytes: 400, KeepBytes: 4000, Hold: true}
	return open(l.dir, c, parts{disk: d, log: quiet()})
}

// live uses the journal until the power fails.
func (l *ledger) live(d *forgetfulDisk) {
	j, err := l.open(d)
	if errors.Is(err, errPower) || errors.Is(err, errDisk) {
		return
	}
	if err != nil {
		l.t.Fatalf("seed %d: %v", l.seed, err)
	}
	defer j.Close()
	for d.works() {
		if l.rand.IntN(4) == 0 || errors.Is(j.Err(), ErrFull) {
			l.deliver(j, l.rand.IntN(8))
			continue
		}
		entry := fmt.Sprintf("entry %d %0*d", l.n, l.rand.IntN(200), 0)
		l.n++
		if _, err := j.Append(context.Background(), []byte(entry)); err == nil {
			l.durable = append(l.durable, entry)
		}
	}
}

// deliver sends some entries to the broker. It may happen that it takes them and
// nobody hears of it.
func (l *ledger) deliver(j *Journal, most int) {
	from, err := j.Delivered()
	if err != nil && !errors.Is(err, ErrCursor) {
		l.t.Fatalf("seed %d: %v", l.seed, err)
	}
	end := j.End()
	for e, err := range j.Read(from) {
		if most--; most == 0 {
			end = e.At
			break
		}
		if err == nil {
			l.arrived[string(e.Data)] = true
		}
	}
	if l.rand.IntN(5) > 0 {
		_ = j.SetDelivered(end) // the power may fail in it
	}
}

// TestPowerFailuresLoseNothingThatWasDurable cuts the power at every kind of
// operation (write, sync, cut, begin and delete a segment, note what was
// delivered), a few times in a journal's life, recovery included.
func TestPowerFailuresLoseNothingThatWasDurable(t *testing.T) {
	lives := 1000
	if testing.Short() {
		lives = 100
	}
	dir := memoryDir(t)
	cuts := 0
	for seed := range uint64(lives) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := &ledger{t: t, dir: filepath.Join(dir, "journal"), seed: seed, rand: r, arrived: map[string]bool{}}
		names := map[string]*inode{}
		for range 4 {
			d := &forgetfulDisk{rand: r, left: r.IntN(80), names: names, badSync: int(seed%2) * 10}
			l.live(d)
			d.fail(t, l.dir)
			cuts++
		}
		l.settle(&forgetfulDisk{rand: r, left: 1 << 30, names: names})
		if err := os.RemoveAll(l.dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d power failures", cuts)
}

// settle delivers what is left and compares.
func (l *ledger) settle(d *forgetfulDisk) {
	l.t.Helper()
	j, err := l.open(d)
	if err != nil {
		l.t.Fatalf("seed %d: %v", l.seed, err)
	}
	defer j.Close()
	l.deliver(j, 1<<30)
	for _, entry := range l.durable {
		if !l.arrived[entry] {
			l.t.Fatalf("seed %d: %q was durable and never arrived", l.seed, entry)
		}
	}
}
