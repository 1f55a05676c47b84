package player

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// asPacer tells this test's binary, in the environment, to be a player's pacer.
const asPacer = "MCP_TEST_AS_PACER"

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
	process := r.player.pacing.process
	r.must(r.player.Close())
	if err := process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the process is there after the player was closed: %v", err)
	}
}

// A thread goes on where a process is not to be had, or dies.
func TestAThreadPacesWithoutAProcess(t *testing.T) {
	t.Parallel()
	lost := make(chan error, 10)
	note := func(err error) { lost <- err }
	r := newRig(t, rigOptions{config: Config{Pacer: []string{"/nonexistent"}, Lost: note}})
	if err := <-lost; !errors.Is(err, os.ErrNotExist) || r.player.Apart() {
		t.Errorf("%v", err)
	}
	r = newRig(t, rigOptions{config: Config{Pacer: pacerCommand(), Lost: note}})
	e, audio := r.ear(0), speech(16000)
	r.must(e.stream(StreamConfig{}).Play(r.clip(audio), Options{}))
	last := e.hear()
	r.must(r.player.pacing.process.Kill())
	select {
	case err := <-lost:
		if r.player.Apart() {
			t.Errorf("a process paces that died: %v", err)
		}
	case <-time.After(late):
		t.Fatal("nobody told that the process died")
	}
	e.saying(audio[160:], 160, &last)
}
