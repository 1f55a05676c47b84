package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// shelf is a store in memory that fails as it is told.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
	ids     map[string][]string // of each time an object was put
	fail    func(o Object, after bool) error
	changed chan struct{}
}

func newShelf() *shelf {
	return &shelf{objects: map[string][]byte{}, ids: map[string][]string{}, changed: make(chan struct{})}
}

func (s *shelf) Put(_ context.Context, o Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { close(s.changed); s.changed = make(chan struct{}) }()
	if s.fail != nil {
		if err := s.fail(o, false); err != nil {
			return err
		}
	}
	f, err := o.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if sha256.Sum256(data) != o.SHA256 || int64(len(data)) != o.Size {
		return errors.New("the object is not as described")
	}
	s.objects[o.Name] = data
	s.ids[o.Name] = append(s.ids[o.Name], o.ID)
	if s.fail != nil {
		return s.fail(o, true)
	}
	return nil
}

// await waits until the shelf has as many objects.
func (s *shelf) await(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		have, changed := len(s.objects), s.changed
		s.mu.Unlock()
		if have == n {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the shelf has %d objects of %d", have, n)
		}
	}
}

// record puts a finished recording into a folder.
func record(t *testing.T, folder, name, metadata string) []byte {
	t.Helper()
	audio := bytes.Repeat([]byte(name), 1000)
	path := filepath.Join(folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, audio, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+metadataSuffix, []byte(metadata), 0o600); err != nil {
		t.Fatal(err)
	}
	return audio
}

// files are what a folder holds, folders left out.
func files(t *testing.T, folder string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(folder, path)
			all = append(all, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// start runs an uploader until the test ends or stop is called.
func start(t *testing.T, cfg Config) (u *Uploader, stop func()) {
	t.Helper()
	cfg.Scan, cfg.Retry = time.Millisecond, time.Millisecond
	u, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { u.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return u, stop
}

// emptied waits until a folder holds nothing but what is named.
func emptied(t *testing.T, folder string, but ...string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if left := files(t, folder); slices.Equal(left, but) {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("the folder holds %v, want %v", left, but)
		}
	}
}

func TestRecordingsAreSentWithTheirMetadataAndRemoved(t *testing.T) {
	folder, to := t.TempDir(), newShelf()
	audio := record(t, folder, "a/one.wav", `{"id":"rec-1"}`)
	record(t, folder, "two.mp3", `not JSON`)
	if err := os.WriteFile(filepath.Join(folder, "unfinished.wav"), []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	u, stop := start(t, Config{Folder: folder, Destination: to})
	to.await(t, 4)
	emptied(t, folder, "unfinished.wav")
	stop()
	if !bytes.Equal(to.objects["a/one.wav"], audio) || string(to.objects["a/one.wav.json"]) != `{"id":"rec-1"}` {
		t.Error("what is kept is not what was recorded")
	}
	if ids := to.ids["a/one.wav"]; !slices.Equal(ids, []string{"rec-1"}) {
		t.Errorf("identifiers %v", ids)
	}
	if id := to.ids["two.mp3"][0]; id == "" || id != to.ids["two.mp3.json"][0] {
		t.Errorf("identifier %q", id)
	}
	if n := testutil.ToFloat64(u.uploaded); n != 2 {
		t.Errorf("%v are counted", n)
	}
}

// A process that dies at any step leaves what the next one finishes: nothing is
// lost, and whatever is sent twice is sent under one name and identifier.
func TestNothingIsLostWhereverTheProcessDies(t *testing.T) {
	steps := []string{"before recording", "after recording", "before metadata", "after metadata", "before notice", "after notice", "between removals"}
	for _, dies := range steps {
		t.Run(dies, func(t *testing.T) {
			folder, to := t.TempDir(), newShelf()
			record(t, folder, "one.wav", `{"id":"rec-1"}`)
			dead := errors.New("dead")
			to.fail = func(o Object, after bool) error {
				at := map[bool]string{false: "before ", true: "after "}[after] + map[bool]string{false: "recording", true: "metadata"}[strings.HasSuffix(o.Name, metadataSuffix)]
				if at == dies {
					return dead
				}
				return nil
			}
			told := &board{}
			if strings.HasSuffix(dies, "notice") {
				told.fail, told.after = dead, strings.HasPrefix(dies, "after")
			}
			u, err := New(Config{Folder: folder, Destination: to, Notice: told}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			all, err := finished(folder)
			if err != nil {
				t.Fatal(err)
			}
			if dies == "between removals" {
				if err := os.Remove(filepath.Join(folder, "one.wav")); err != nil {
					t.Fatal(err)
				}
				to.objects["one.wav"], to.objects["one.wav.json"] = []byte("x"), []byte("x")
			} else if err := u.send(t.Context(), all["one.wav"], to); !errors.Is(err, dead) {
				t.Fatal(err)
			}
			if dies != "between removals" && len(files(t, folder)) != 2 {
				t.Errorf("after the death the folder holds %v", files(t, folder))
			}
			to.fail, told.fail = nil, nil
			_, stop := start(t, Config{Folder: folder, Destination: to, Notice: told})
			emptied(t, folder)
			stop()
			if len(to.objects) != 2 {
				t.Errorf("kept are %v", to.ids)
			}
			for name, ids := range to.ids {
				if slices.ContainsFunc(ids, func(id string) bool { return id != "rec-1" }) {
					t.Errorf("%s was sent as %v", name, ids)
				}
			}
			if dies != "between removals" && (len(told.ids) == 0 || told.ids[0] != "rec-1") {
				t.Errorf("told of %v", told.ids)
			}
		})
	}
}

// board is a Notice that fails as it is told.
type board struct {
	fail  error
	after bool
	ids   []string
}

func (b *board) Post(_ context.Context, id string, _ []byte) error {
	if b.fail != nil && !b.after {
		return b.fail
	}
	b.ids = append(b.ids, id)
	return b.fail
}

func TestFailuresAreTriedAgain(t *testing.T) {
	folder, to := t.TempDir(), newShelf()
	record(t, folder, "one.wav", `{}`)
	left := 3
	to.fail = func(Object, bool) error {
		if left--; left >= 0 {
			return errors.New("unavailable")
		}
		return nil
	}
	u, stop := start(t, Config{Folder: folder, Destination: to})
	emptied(t, folder)
	stop()
	if n := testutil.ToFloat64(u.failed.WithLabelValues("retried")); n != 3 {
		t.Errorf("%v failures are counted", n)
	}
}

func TestWhatIsRefusedGoesElsewhere(t *testing.T) {
	refuse := func(Object, bool) error { return fmt.Errorf("413: %w", ErrRefused) }
	t.Run("to a store", func(t *testing.T) {
		folder, to, other := t.TempDir(), newShelf(), newShelf()
		to.fail = refuse
		record(t, folder, "one.wav", `{}`)
		start(t, Config{Folder: folder, Destination: to, Unrecoverable: other})
		other.await(t, 2)
		emptied(t, folder)
	})
	t.Run("aside", func(t *testing.T) {
		folder, to := t.TempDir(), newShelf()
		to.fail = refuse
		record(t, folder, "a/one.wav", `{}`)
		record(t, folder, "a/two.wav", `{}`)
		u, _ := start(t, Config{Folder: folder, Destination: to})
		emptied(t, folder, "refused/a/one.wav", "refused/a/one.wav.json", "refused/a/two.wav", "refused/a/two.wav.json")
		for n, _ := u.Pending(); n != 0; n, _ = u.Pending() {
			time.Sleep(time.Millisecond)
		}
	})
}

func TestLittleRoom(t *testing.T) {
	folder, to, other := t.TempDir(), newShelf(), newShelf()
	record(t, folder, "one.wav", `{}`)
	_, stop := start(t, Config{Folder: folder, Destination: to, DiskFull: other, MinFree: 1}) // no disk is that free
	other.await(t, 2)
	emptied(t, folder)
	stop()
	if len(to.objects) != 0 {
		t.Error("the destination was used")
	}
}

func TestDecommission(t *testing.T) {
	folder, to, central := t.TempDir(), newShelf(), newShelf()
	to.fail = func(Object, bool) error { return errors.New("unavailable") }
	record(t, folder, "one.wav", `{}`)
	record(t, folder, "two.wav", `{}`)
	u, err := New(Config{Folder: folder, Destination: to, Decommission: central}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	central.fail = func(o Object, _ bool) error {
		if strings.HasPrefix(o.Name, "two") {
			return errors.New("unavailable")
		}
		return nil
	}
	if err := u.Decommission(t.Context()); err == nil || !strings.Contains(err.Error(), "two.wav") {
		t.Errorf("what stays behind is not told: %v", err)
	}
	emptied(t, folder, "two.wav", "two.wav.json")
}
