package player

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mcp/bpf/ktime"
)

// asPacer tells this test's binary, in the environment, to be a player's pacer.
const asPacer = "MCP_TEST_AS_PACER"

// wantPrecedence has TestPrecedence see what this process may have.
const wantPrecedence = "MCP_TEST_PRECEDENCE"

func pacerCommand() []string { return []string{"/usr/bin/env", asPacer + "=1", os.Args[0]} }

func TestAProcessOfItsOwnPaces(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{config: Config{Pacer: pacerCommand(), Lost: func(err error) { t.Error(err) }}})
	if !r.player.Apart() {
		t.Fatal("a thread paces")
	}
	e, audio := r.ear(0), speech(pageOwn+4000)
	drained := make(chan Event, 10)
	r.must(e.stream(StreamConfig{Notify: func(ev Event) { drained <- ev }}).Play(r.clip(audio), Options{}))
	e.saying(audio, 160, nil)
	for ev := range drained {
		if ev.Kind == Drained {
			break
		}
	}
	process := r.player.pacing.process.Load()
	r.must(r.player.Close())
	if err := process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the process is there after the player was closed: %v", err)
	}
}

// Frames of IPv6 are longer than those that the first run is made with: a pacer bears
// that they grow.
func TestPacersBearLongerFrames(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{"process": pacerCommand(), "thread": nil} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{ipv6: true, config: Config{Pacer: command, Lost: func(err error) { t.Error(err) }}})
			e, audio := r.ear(0), speech(8000)
			r.must(e.stream(StreamConfig{}).Play(r.clip(audio), Options{}))
			e.saying(audio, 160, nil)
			if r.player.Apart() != (command != nil) {
				t.Error("another paces than the one that began")
			}
		})
	}
}

// A thread goes on where a process is not to be had.
func TestAThreadPacesWithoutAProcess(t *testing.T) {
	t.Parallel()
	lost := make(chan error, 10)
	note := func(err error) { lost <- err }
	r := newRig(t, rigOptions{config: Config{Pacer: []string{"/nonexistent"}, Lost: note}})
	if err := <-lost; !errors.Is(err, os.ErrNotExist) || r.player.Apart() {
		t.Errorf("%v", err)
	}
	e, audio := r.ear(0), speech(1600)
	r.must(e.stream(StreamConfig{}).Play(r.clip(audio), Options{}))
	e.saying(audio, 160, nil)
}

// A process that dies is followed by another, and one that dies often by a thread. No
// packet is lost by it.
func TestAProcessThatDiesIsFollowed(t *testing.T) {
	t.Parallel()
	lost := make(chan error, 10)
	r := newRig(t, rigOptions{config: Config{Pacer: pacerCommand(), Lost: func(err error) { lost <- err }}})
	e, audio := r.ear(0), speech(48000)
	r.must(e.stream(StreamConfig{}).Play(r.clip(audio), Options{}))
	last, at := e.hear(), 160
	for death := range mostDeaths {
		r.must(r.player.pacing.process.Load().Kill())
		select {
		case err := <-lost:
			if apart := r.player.Apart(); apart != (death < mostDeaths-1) {
				t.Errorf("after death %d: %v, %v", death, apart, err)
			}
		case <-time.After(late):
			t.Fatal("nobody told that the process died")
		}
		last = e.saying(audio[at:at+1600], 160, &last)
		at += 1600
	}
}

// The process has the files that it needs and no other that was open.
func TestAPacerHasItsOwnFilesOnly(t *testing.T) {
	t.Parallel()
	inherited, err := unix.FcntlInt(os.Stderr.Fd(), unix.F_DUPFD, 100) // handed on to every process
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)
	r := newRig(t, rigOptions{config: Config{Pacer: pacerCommand()}})
	e, audio := r.ear(0), speech(160)
	r.must(e.stream(StreamConfig{}).Play(r.clip(audio), Options{}))
	e.saying(audio, 160, nil) // it has begun
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.player.pacing.process.Load().Pid))
	if err != nil || len(files) <= newsFile {
		t.Fatal(files, err)
	}
	for _, file := range files {
		fd, err := strconv.Atoi(filepath.Base(file))
		if err != nil || fd <= newsFile {
			continue
		}
		var at, flags int
		info, err := os.ReadFile(strings.Replace(file, "/fd/", "/fdinfo/", 1))
		if _, scan := fmt.Sscanf(string(info), "pos: %d\nflags: %o", &at, &flags); err != nil || scan != nil || flags&unix.O_CLOEXEC == 0 {
			to, _ := os.Readlink(file)
			t.Errorf("%s is %s, which it has not opened itself: %v, %v", file, to, err, scan)
		}
	}
}

// Where the process may not have a real-time policy it is nice, and where it may not
// be that either it goes on all the same.
func TestPrecedence(t *testing.T) {
	if want := os.Getenv(wantPrecedence); want != "" {
		r := newRig(t, rigOptions{config: Config{Pacer: pacerCommand(), Lost: func(err error) { t.Error(err) }}})
		e, audio := r.ear(0), speech(1600)
		r.must(e.stream(StreamConfig{}).Play(r.clip(audio), Options{}))
		e.saying(audio, 160, nil)
		if got := r.player.Precedence(); got != Precedence(want) || !r.player.Apart() {
			t.Errorf("%q, want %q", got, want)
		}
		return
	}
	if err := tryFirst(); err != nil {
		t.Skipf("this process may not: %v", err)
	}
	t.Parallel()
	for want, limit := range map[Precedence]string{First: "--nice=40", Usual: "--nice=0"} {
		if err := exec.Command("prlimit", limit, "true").Run(); err != nil {
			t.Logf("%s is not seen: this process may not set %s: %v", want, limit, err)
			continue
		}
		cmd := exec.Command("prlimit", limit, "--rtprio=0", "setpriv", "--bounding-set=-sys_nice", os.Args[0], "-test.run=^TestPrecedence$", "-test.v")
		cmd.Env = append(os.Environ(), wantPrecedence+"="+string(want))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestPrecedence") {
			t.Errorf("%s: %v\n%s", want, err, out)
		}
	}
}

// Trying again takes longer and longer, and is told of once.
func TestInsist(t *testing.T) {
	t.Parallel()
	var told, tries int
	var paused time.Duration
	pause := func(d time.Duration) bool { paused += d; return tries < 20 }
	insist(func() error { tries++; return errEndedEarly }, pause, func(error) { told++ })
	if told != 1 || tries != 20 || paused < 9*longestPause || paused > 12*longestPause {
		t.Errorf("told %d times of %d, after %s", told, tries, paused)
	}
	insist(func() error { tries++; return nil }, pause, func(error) { told++ })
	if told != 1 || tries != 21 {
		t.Errorf("told %d times of %d", told, tries)
	}
}

// The pacer leaves others some of the time, however much is due.
func TestThePacerRests(t *testing.T) {
	t.Parallel()
	news, err := newBell()
	if err != nil {
		t.Fatal(err)
	}
	defer news.close()
	slots := make([]playerSlot, playerSlotLayoutSLOTS)
	p := &pacer{pace: &playerPace{BeginNs: ktime.Now() - uint64(100*tick)}, clock: ktime.New(), slots: slots, bell: news, news: news, share: share}
	p.skip(90)
	p.pace.Streams[shortest] = 1
	for i := range shortest {
		slots[i].End = 1
	}
	var worked time.Duration
	p.send = func(t turn) error {
		p.pace.Turn = uint64(turnOf(t.tick(), t.slot(), 0))
		for begin := time.Now(); time.Since(begin) < 2*tick; {
		}
		worked += 2 * tick
		return nil
	}
	begin := time.Now()
	for range 5 {
		if err := p.catchUp(ktime.Now()); err != nil {
			t.Fatal(err)
		}
	}
	rest := time.Since(begin) - worked
	if least := worked/share - time.Duration(leastRest); worked < 10*tick || rest < least {
		t.Errorf("it rested for %s and worked for %s", rest, worked)
	}
}

// Why a process cannot pace is told with its end: nobody else tells it.
func TestAProcessThatCannotPaceTellsWhy(t *testing.T) {
	t.Parallel()
	lost := make(chan error, mostDeaths)
	withoutMemory := fmt.Sprintf("exec %d</dev/null; exec /usr/bin/env %s=1 %s", paceFile, asPacer, os.Args[0])
	newRig(t, rigOptions{config: Config{Pacer: []string{"/bin/sh", "-c", withoutMemory}, Lost: func(err error) { lost <- err }}})
	for range mostDeaths {
		select {
		case err := <-lost:
			if !strings.Contains(err.Error(), "exit status 1: pace prompts: ") || strings.HasSuffix(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
		case <-time.After(late):
			t.Fatal("nobody told that the process ended")
		}
	}
}
