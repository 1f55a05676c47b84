package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func mustOpen(t testing.TB, dir string, c Config) *Journal {
	t.Helper()
	j, err := Open(dir, c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func mustAppend(t testing.TB, j *Journal, entry string) Position {
	t.Helper()
	at, err := j.Append(context.Background(), []byte(entry))
	if err != nil {
		t.Fatalf("append %q: %v", entry, err)
	}
	return at
}

// collect reads a whole journal: its entries and what was damaged.
func collect(t testing.TB, dir string) (entries []string, damage []*DamageError) {
	t.Helper()
	for e, err := range Read(dir, Position{}) {
		var d *DamageError
		switch {
		case errors.As(err, &d):
			damage = append(damage, d)
		case err != nil:
			t.Fatal(err)
		default:
			entries = append(entries, string(e.Data))
		}
	}
	return entries, damage
}

func TestAppendedEntriesAreReadBackInOrder(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, Config{})
	var want []string
	var last Position
	for i := range 50 {
		entry := fmt.Sprintf("entry %d %s", i, bytes.Repeat([]byte{'x'}, i*7))
		at := mustAppend(t, j, entry)
		if at.Compare(last) <= 0 {
			t.Errorf("position %s of entry %d is not after %s", at, i, last)
		}
		last, want = at, append(want, entry)
	}
	got, damage := collect(t, dir)
	if fmt.Sprint(got) != fmt.Sprint(want) || damage != nil {
		t.Errorf("read %q, damage %v", got, damage)
	}
	for e, err := range j.Read(last) {
		if err != nil || string(e.Data) != want[49] {
			t.Errorf("read from the last position: %q, %v", e.Data, err)
		}
	}
}

func TestReopenedJournalGoesOn(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		j := mustOpen(t, dir, Config{})
		mustAppend(t, j, fmt.Sprint(i))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if _, err := j.Append(context.Background(), nil); !errors.Is(err, ErrClosed) {
			t.Errorf("append after close: %v", err)
		}
	}
	got, damage := collect(t, dir)
	if fmt.Sprint(got) != "[0 1 2 3 4]" || damage != nil {
		t.Errorf("read %q, damage %v", got, damage)
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, Config{})
	if _, err := Open(dir, Config{}, quiet()); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
}

func TestOversizedEntryIsRefused(t *testing.T) {
	j := mustOpen(t, t.TempDir(), Config{SegmentBytes: 1 << 10})
	if _, err := j.Append(context.Background(), make([]byte, MaxEntry+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("append: %v", err)
	}
	if _, err := j.Append(context.Background(), make([]byte, MaxEntry)); err != nil {
		t.Errorf("largest entry into a smaller segment: %v", err)
	}
}

func TestAppendObeysContext(t *testing.T) {
	d := &faultyDisk{hold: make(chan struct{})}
	j, err := open(t.TempDir(), Config{}.withDefaults(), parts{disk: d, log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() {
		_, err := j.Append(ctx, []byte("held"))
		first <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	close(d.hold)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func TestConcurrentAppendsShareSyncs(t *testing.T) {
	const writers, each = 64, 20
	d := &faultyDisk{}
	dir := t.TempDir()
	j, err := open(dir, Config{SegmentBytes: 8 << 10}.withDefaults(), parts{disk: d, log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu sync.Mutex
		at = map[Position]string{}
		wg sync.WaitGroup
	)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				entry := fmt.Sprintf("writer %d entry %d", w, i)
				p, err := j.Append(context.Background(), []byte(entry))
				if err != nil {
					t.Errorf("append: %v", err)
				}
				mu.Lock()
				at[p] = entry
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	read := 0
	for e, err := range Read(dir, Position{}) {
		if err != nil || at[e.At] != string(e.Data) {
			t.Fatalf("at %s: %q, %v; want %q", e.At, e.Data, err, at[e.At])
		}
		read++
	}
	if read != writers*each || len(at) != read {
		t.Errorf("read %d entries at %d positions, want %d", read, len(at), writers*each)
	}
	if d.succeeded() >= read {
		t.Errorf("%d syncs for %d entries: none was shared", d.succeeded(), read)
	}
}

func TestRotationKeepsSegmentsAndJournalBounded(t *testing.T) {
	const segment, keep = 1 << 10, 4 << 10
	dir := t.TempDir()
	j := mustOpen(t, dir, Config{SegmentBytes: segment, KeepBytes: keep})
	for i := range 400 {
		mustAppend(t, j, fmt.Sprintf("%0100d", i))
		segments, err := listSegments(dir)
		if err != nil {
			t.Fatal(err)
		}
		var total int64
		for _, s := range segments {
			if total += s.size; s.size > segment {
				t.Fatalf("segment %d has %d bytes", s.number, s.size)
			}
		}
		if total > keep {
			t.Fatalf("journal has %d bytes after entry %d", total, i)
		}
	}
	got, damage := collect(t, dir)
	if len(got) < 20 || damage != nil {
		t.Fatalf("%d entries kept, damage %v", len(got), damage)
	}
	for i, entry := range got {
		if want := fmt.Sprintf("%0100d", 400-len(got)+i); entry != want {
			t.Fatalf("entry %d is %s, want %s", i, entry, want)
		}
	}
}

func TestHeldEntriesAreNeverDeleted(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, Config{SegmentBytes: 1 << 10, KeepBytes: 8 << 10, Hold: true})
	var at Position
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		if at, err = j.Append(context.Background(), fmt.Appendf(nil, "%0100d", n)); err == nil && n == 30 {
			if j.Usage().Scarce {
				t.Error("room is said to be scarce with half of it left")
			}
		}
	}
	if n--; !errors.Is(err, ErrFull) || !errors.Is(j.Err(), ErrFull) || !j.Usage().Scarce {
		t.Fatalf("append %d: %v; %v, %+v", n, err, j.Err(), j.Usage())
	}
	if got, damage := collect(t, dir); len(got) != n || damage != nil {
		t.Errorf("%d entries of %d, damage %v", len(got), n, damage)
	}
	j.Release(j.End())
	mustAppend(t, j, fmt.Sprintf("%0150d", n))
	at = mustAppend(t, j, "after")
	if got, _ := collect(t, dir); got[len(got)-1] != "after" || at.Compare(Position{}) <= 0 {
		t.Errorf("%q at %s", got, at)
	}
	if u := j.Usage(); u.Scarce || u.Dropped != 0 || u.Bytes > 8<<10 || j.Err() != nil {
		t.Errorf("%+v, %v", u, j.Err())
	}
}

func TestOldSegmentsAreDeleted(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, Config{SegmentBytes: 100, KeepFor: time.Hour})
	for range 5 {
		mustAppend(t, j, "an entry that fills a segment, nearly, or nearly so at least")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(3) {
		old := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(segmentPath(dir, i+1), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if u := mustOpen(t, dir, Config{SegmentBytes: 100, KeepFor: time.Hour}).Usage(); u.Segments != 2 {
		t.Errorf("%+v", u)
	}
}

func TestWaitTellsOfEntries(t *testing.T) {
	j := mustOpen(t, t.TempDir(), Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := j.Wait(ctx, j.End()); !errors.Is(err, context.Canceled) {
		t.Errorf("wait for nothing: %v", err)
	}
	told := make(chan error)
	go func() { told <- j.Wait(context.Background(), Position{}) }()
	mustAppend(t, j, "an entry")
	if err := <-told; err != nil {
		t.Error(err)
	}
}

func TestEntriesAppendedTogetherStayTogether(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, Config{SegmentBytes: 150})
	for range 4 {
		if _, err := j.Append(context.Background(), []byte("one entry of a few"), []byte("another")); err != nil {
			t.Fatal(err)
		}
	}
	if got, damage := collect(t, dir); len(got) != 8 || got[7] != "another" || damage != nil {
		t.Errorf("%q, damage %v", got, damage)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "notes.journal")
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, dir, Config{SegmentBytes: 64, KeepBytes: 128})
	for range 20 {
		mustAppend(t, j, "an entry that fills a segment")
	}
	if b, err := os.ReadFile(other); err != nil || string(b) != "mine" {
		t.Errorf("other file: %q, %v", b, err)
	}
}

func TestReaderFollowsAWriter(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, Config{SegmentBytes: 256})
	var next Position
	for i := range 30 {
		mustAppend(t, j, fmt.Sprintf("entry %d", i))
		seen := 0
		for e, err := range Read(dir, next) {
			if err != nil || string(e.Data) != fmt.Sprintf("entry %d", i) {
				t.Fatalf("read %q, %v after entry %d", e.Data, err, i)
			}
			next = e.Next
			seen++
		}
		if seen != 1 {
			t.Fatalf("%d entries seen after entry %d", seen, i)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			j := mustOpen(b, b.TempDir(), Config{})
			entry := bytes.Repeat([]byte("x"), 1500)
			b.SetBytes(int64(len(entry)))
			var wg sync.WaitGroup
			work := make(chan struct{}, callers)
			for range callers {
				wg.Go(func() {
					for range work {
						if _, err := j.Append(context.Background(), entry); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
