package reporting

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mcp/control/reporting/journal"
	"mcp/control/reporting/reportingtest"
)

// victimDir names the environment variable that makes the test's program a
// platform that is going to be killed, and where its journals are.
const victimDir = "MCP_TEST_RECORDS_VICTIM"

// longCalls are the calls that never end of a platform that is going to be killed.
const longCalls = 3

// noted is how many calls of a name are up in a roster's file.
func (r *roster) noted(name string) (n int) {
	reader := roster{journal: r.journal, log: r.log}
	s, _ := reader.recall()
	for id := range s.up {
		if strings.HasPrefix(id, name) {
			n++
		}
	}
	return n
}

// ended is a record of a call that has ended.
func ended(id string) *Record {
	start := time.Now()
	r := Begin(id, start)
	r.Answer(start.Add(time.Second))
	r.Finish(start.Add(2*time.Second), End{Cause: HangUp, By: Caller, SIPStatus: 200})
	return r
}

// TestVictim is no test but a platform whose calls end all the time; it says of
// each when its record is durable.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimDir)
	if dir == "" {
		t.Skip("it is run by another test")
	}
	r, err := Open(dir, Config{Calls: journal.Config{SegmentBytes: 20_000}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("up-%d-", os.Getpid())
	for i := range longCalls {
		r.Begin(Begin(fmt.Sprint(name, i), time.Now()))
	}
	until(t, "the note of the calls that are up", func() bool { return r.roster.noted(name) == longCalls })
	for worker := range 8 {
		go func() {
			for i := 0; ; i++ {
				rec := ended(fmt.Sprintf("%d-%d-%d", os.Getpid(), worker, i))
				r.Begin(rec).Custom("label", rec.ID)
				if err := r.Record(context.Background(), rec); err != nil {
					return
				}
				fmt.Println("durable", rec.ID)
			}
		}()
	}
	select {}
}

func TestKilledPlatformLosesNoRecordItCalledDurable(t *testing.T) {
	kills := 30
	if testing.Short() {
		kills = 3
	}
	dir := t.TempDir()
	var said []string
	for range kills {
		said = append(said, liveAndDie(t, dir)...)
	}
	last := open(t, dir) // closes the records of the last one's calls
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	events, calls, long := map[string]bool{}, map[string]bool{}, 0
	for s, err := range Read(dir, journal.Position{}) {
		var damage *journal.DamageError
		if errors.As(err, &damage) && damage.Torn {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.Event != nil {
			events[s.Event.Text] = true
			continue
		}
		if calls[s.ID] {
			t.Errorf("%s has two records", s.ID)
		}
		calls[s.ID] = true
		if strings.HasPrefix(s.ID, "up-") && s.Record.End.Cause == Interrupted {
			long++
		} else if s.Record.End.Cause != HangUp && slices.Contains(said, s.ID) {
			t.Errorf("%s had ended, and its record says %+v", s.ID, s.Record.End)
		}
	}
	if long != kills*longCalls {
		t.Errorf("%d calls that were up have a record, want %d", long, kills*longCalls)
	}
	for _, id := range said {
		if !calls[id] || !events[id] {
			t.Fatalf("%s was durable; record %t, event %t", id, calls[id], events[id])
		}
	}
	t.Logf("%d kills, %d records were said to be durable, %d are there", kills, len(said), len(calls))
}

// liveAndDie runs a platform for a moment and kills it.
func liveAndDie(t *testing.T, dir string) (said []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=TestVictim$")
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	most := 1 + rand.IntN(400)
	lines := bufio.NewReader(out)
	for err == nil {
		var line string
		line, err = lines.ReadString('\n')
		if id, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "durable "); ok && err == nil {
			said = append(said, id)
		}
		if len(said) == most {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			most = -1
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || most != -1 {
		t.Fatalf("the platform ended by itself: %v", err)
	}
	return said
}

// until waits for a condition that nobody tells of.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s never came to be", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestFullDiskRefusesNewCallsAndLosesNone fills the disk under calls that are up:
// their records wait, new calls are refused, and all goes on once there is room.
func TestFullDiskRefusesNewCallsAndLosesNone(t *testing.T) {
	for name, hold := range map[string]bool{"with a broker": true, "without": false} {
		t.Run(name, func(t *testing.T) { fillUnderCalls(t, journal.Config{SegmentBytes: 100_000, Hold: hold}) })
	}
}

func fillUnderCalls(t *testing.T, calls journal.Config) {
	disk := reportingtest.SmallDisk(t, "2m")
	r := openWith(t, filepath.Join(disk, "journal"), Config{Interval: -1, Calls: calls})
	ctx := context.Background()
	if err := r.Record(ctx, ended("before")); err != nil {
		t.Fatal(err)
	}
	ballast := reportingtest.Fill(t, disk)
	const up = 50
	var wg sync.WaitGroup
	for i := range up {
		wg.Go(func() {
			rec := ended(fmt.Sprint("up-", i))
			r.Begin(rec).Custom("label", strings.Repeat("x", 2000))
			if err := r.Record(ctx, rec); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "the refusal of new calls", func() bool { return errors.Is(r.Check(ctx), journal.ErrFailed) })
	if !errors.Is(r.Check(ctx), unix.ENOSPC) {
		t.Errorf("check: %v", r.Check(ctx))
	}
	if m := metricsOf(t, r); m["mcp_reporting_calls_blocked"] != 1 || m["mcp_reporting_journal_failed calls"] != 1 {
		t.Error("the alarm is not raised")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	until(t, "the admission of new calls", func() bool { return r.Check(ctx) == nil })
	if err := r.Record(ctx, ended("after")); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for s, err := range Read(filepath.Join(disk, "journal"), journal.Position{}) {
		if err != nil {
			t.Errorf("read: %v", err)
		} else if s.Kind == KindCall {
			seen[s.ID]++
		}
	}
	if len(seen) != up+2 || seen["before"] != 1 || seen["after"] != 1 {
		t.Errorf("%d records: %v", len(seen), seen)
	}
}

func TestCallsAreRefusedWhileThereIsRoomForThoseThatAreUp(t *testing.T) {
	r := openWith(t, t.TempDir(), Config{Interval: -1, Calls: journal.Config{SegmentBytes: 10_000, KeepBytes: 80_000, Hold: true}})
	ctx, n := context.Background(), 0
	for ; r.Check(ctx) == nil; n++ {
		if n > 1000 {
			t.Fatal("the journal is never full")
		}
		if err := r.Record(ctx, ended(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(r.Check(ctx), ErrScarce) {
		t.Errorf("check: %v", r.Check(ctx))
	}
	for i := range 10 { // calls that were up
		if err := r.Record(ctx, ended(fmt.Sprint("up-", i))); err != nil {
			t.Fatal(err)
		}
	}
	r.Calls().Release(r.Calls().End())
	until(t, "the admission of new calls", func() bool { return r.Check(ctx) == nil })
}

func TestRecordThatCannotBeKeptIsGivenUpWhenThePlatformStops(t *testing.T) {
	disk := reportingtest.SmallDisk(t, "1m")
	var said strings.Builder
	r, err := Open(filepath.Join(disk, "journal"), Config{Interval: -1, Patience: time.Millisecond}, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	reportingtest.Fill(t, disk)
	failed := make(chan error)
	go func() { failed <- r.Record(context.Background(), ended("the-last")) }()
	until(t, "the failure", func() bool { return r.Check(context.Background()) != nil })
	r.Stopping()
	if err := <-failed; !errors.Is(err, unix.ENOSPC) {
		t.Errorf("record: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(said.String(), "the-last") {
		t.Error("the record is not in the log either")
	}
}

// stepped is a time whose wall clock was set by d after the last one was taken,
// its monotonic clock being what it was: what time.Now returns after a clock step.
func stepped(t time.Time, d time.Duration) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t))
	*wall += uint64(int64(d/time.Second)) << 30 // seconds lie above the nanoseconds
	return t
}

func TestClockStepsChangeNoDuration(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour} {
		start := time.Now()
		r := Begin("id", start)
		r.Answer(stepped(start.Add(2*time.Second), step))
		r.Finish(stepped(start.Add(5*time.Second), -step), End{Cause: HangUp})
		if want := (Durations{Setup: 2000, Talk: 3000, Total: 5000}); r.Durations != want {
			t.Errorf("step of %s: %+v", step, r.Durations)
		}
		if moved := r.AnsweredAt.Round(0).Sub(start.Round(0)); moved != 2*time.Second+step {
			t.Errorf("the wall clock moved by %s", moved)
		}
	}
}
