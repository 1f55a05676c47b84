package player

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// What is queued goes on without a gap while nobody is there to look at it: as many
// parts as are granted ahead, whether of other clips or of one that is repeated.
func TestPartsFollowWhileNobodyLooks(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{config: Config{Pacer: pacerCommand()}})
	audio := speech(480)
	short, clip := r.clip(audio[:300]), r.clip(audio)
	events := make(chan Event, 100)
	queued, looped := r.ear(0), r.ear(1)
	s, l := queued.stream(StreamConfig{Notify: func(ev Event) { events <- ev }}), looped.stream(StreamConfig{})
	s.Pause()
	l.Pause()
	for n := range mostAhead + 1 {
		r.must(s.Play([]*Clip{clip, short}[n%2], Options{Mark: n}))
	}
	r.must(l.Play(clip, Options{Repeat: mostAhead + 2}))
	s.Resume()
	l.Resume()
	r.player.mu.Lock() // nobody looks now
	var last *heard
	for n := range mostAhead + 1 {
		h := queued.saying([][]byte{audio, audio[:300]}[n%2], 160, last)
		last = &h
	}
	last = nil
	for range mostAhead + 1 {
		h := looped.saying(audio, 160, last)
		last = &h
	}
	if h, any := looped.within(60 * time.Millisecond); any {
		t.Errorf("more is said than was granted: %+v", h)
	}
	r.player.mu.Unlock()
	for n := range mostAhead + 1 {
		length := []time.Duration{60 * time.Millisecond, 37500 * time.Microsecond}[n%2]
		r.expect(events, Event{Kind: Started, Mark: n})
		r.expect(events, Event{Kind: Finished, Mark: n, Offset: length})
	}
	r.expect(events, Event{Kind: Drained})
	// The loop ran dry, and what is late has the marker.
	for n := range 2 {
		h := looped.hear()
		if h.Marker != (n == 0) {
			t.Errorf("%+v", h)
		}
		looped.hear()
		looped.hear()
	}
	if h, any := looped.within(100 * time.Millisecond); any {
		t.Errorf("it is said too often: %+v", h)
	}
}

// Stopping, seeking and asking where it is are right about what was turned to by itself.
func TestAStreamIsAtThePartItTurnedTo(t *testing.T) {
	both(t, func(r *rig) {
		e, audio := r.ear(0), speech(1600)
		events := make(chan Event, 100)
		s := e.stream(StreamConfig{Notify: func(ev Event) { events <- ev }})
		r.must(s.Play(r.clip(audio), Options{Mark: "a", Repeat: 2}))
		r.must(s.Play(r.clip(nil), Options{Mark: "nothing"}))
		r.must(s.Play(r.clip(audio), Options{Mark: "b", From: 100 * time.Millisecond}))
		r.must(s.Play(r.clip(speech(80000)), Options{Mark: "c"}))
		last := e.saying(audio, 160, nil)
		for range 2 {
			last = e.saying(audio, 160, &last)
		}
		last = e.saying(audio[800:], 160, &last)
		e.saying(speech(80000)[:160], 160, &last)
		if mark, at, ok := s.Position(); mark != "c" || at < 20*time.Millisecond || !ok {
			r.Errorf("it is at %s of %v, %v", at, mark, ok)
		}
		s.Seek(9 * time.Second)
		for {
			if h := e.hear(); h.Marker {
				break
			}
		}
		s.Stop()
		r.expect(events, Event{Kind: Started, Mark: "a"})
		r.expect(events, Event{Kind: Finished, Mark: "a", Offset: 200 * time.Millisecond})
		r.expect(events, Event{Kind: Finished, Mark: "nothing"})
		r.expect(events, Event{Kind: Started, Mark: "b"})
		r.expect(events, Event{Kind: Finished, Mark: "b", Offset: 200 * time.Millisecond})
		r.expect(events, Event{Kind: Started, Mark: "c"})
	})
}

// Many short clips in a row are one stream without a gap, however busy the process is.
func TestShortClipsFollowOnABusyMachine(t *testing.T) {
	r := newRig(t, rigOptions{config: Config{Pacer: pacerCommand()}})
	const clips = 24
	audio := speech(800)
	clip := r.clip(audio)
	var streams [4]*ear
	for n := range streams {
		e := r.ear(n)
		s := e.stream(StreamConfig{})
		streams[n] = e
		for range clips / 2 {
			r.must(s.Play(clip, Options{Repeat: 1}))
		}
	}
	burnUntilDone := burn()
	defer burnUntilDone()
	for _, e := range streams {
		var last *heard
		for range clips {
			h := e.saying(audio, 160, last)
			last = &h
		}
	}
	if st := r.player.Stats(); st.Underruns != 0 {
		t.Errorf("%+v", st)
	}
}

// burn keeps all CPUs and the garbage collector busy until it is told to end.
func burn() (end func()) {
	quit := make(chan struct{})
	var burners sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		burners.Go(func() {
			for kept := [][]byte(nil); ; kept = append(kept, make([]byte, 1000)) {
				select {
				case <-quit:
					return
				default:
				}
				if len(kept) > 10_000 {
					kept = nil
				}
			}
		})
	}
	return func() {
		close(quit)
		burners.Wait()
	}
}
