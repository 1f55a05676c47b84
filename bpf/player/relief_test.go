package player

import (
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mcp/bpf/ktime"
)

// said is a place of a slot at a tick.
type said struct {
	tick     uint64
	slot, at uint32
}

// speaker takes places of turns as the program does.
type speaker struct {
	pace *playerPace
	mu   sync.Mutex
	said map[said]int
}

// take takes a place and tells whether there was one.
func (s *speaker) take() bool {
	was := turn(atomic.LoadUint64(&s.pace.Turn))
	if was.left() == 0 || !atomic.CompareAndSwapUint64(&s.pace.Turn, uint64(was), uint64(was-1)) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said[said{was.tick(), was.slot(), was.left() - 1}]++
	return true
}

// While a pacer is kept from its work, in the middle of a turn, another does what is left of
// it and all that is due later. Nothing is done twice.
func TestAPacerIsRelieved(t *testing.T) {
	t.Parallel()
	news, err := newBell()
	if err != nil {
		t.Fatal(err)
	}
	defer news.close()
	const places, ticks = 100, 30
	spans := []int{shortest, 20, longest}
	pace := &playerPace{BeginNs: ktime.Now() - uint64(1000*tick)}
	slots := make([]playerSlot, playerSlotLayoutSLOTS)
	for _, span := range spans {
		pace.Streams[span] = 1
		for t := range span {
			slots[slotAt(span, uint64(t))].End = places
		}
	}
	all := &speaker{pace: pace, said: make(map[said]int)}
	stuck, release := make(chan struct{}), make(chan struct{})
	first := &pacer{pace: pace, clock: ktime.New(), slots: slots, bell: news, news: news, share: share}
	first.send = func(turn) error {
		all.take()
		close(stuck)
		<-release
		for all.take() {
		}
		return nil
	}
	second := *first
	second.lag, second.share = reliefLag, reliefShare
	second.send = func(turn) error {
		for all.take() {
		}
		return nil
	}
	first.skip(99)
	ended := make(chan error)
	go func() { ended <- first.catchUp(first.time(100)) }()
	<-stuck
	if second.catchUp(first.time(100)); len(all.said) != 1 {
		t.Errorf("it is relieved before its time: %d places", len(all.said))
	}
	for n := range uint64(ticks) {
		if err := second.catchUp(second.time(100 + n)); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if want := ticks * len(spans) * places; len(all.said) != want {
		t.Errorf("%d places, want %d", len(all.said), want)
	}
	for place, times := range all.said {
		if times != 1 {
			t.Errorf("%+v %d times", place, times)
		}
	}
	if pace.Ticks != ticks || pace.Stalls != 0 {
		t.Errorf("%d ticks and %d stalls", pace.Ticks, pace.Stalls)
	}
}

// A turn is three numbers in a word, in the order of time.
func TestTurn(t *testing.T) {
	for span := shortest; span <= longest; span++ {
		for _, at := range []uint64{0, 59, 1 << 38} {
			slot := slotAt(span, at)
			got := turnOf(at, slot, rowLengths)
			if got.tick() != at || got.slot() != slot || got.left() != rowLengths || spanOf(slot) != span {
				t.Errorf("%d %d: %d %d %d %d", span, at, got.tick(), got.slot(), got.left(), spanOf(slot))
			}
		}
	}
	if turnOf(7, slotAt(longest, 7), 0) >= turnOf(8, 0, 0) {
		t.Error("a later tick is not behind")
	}
}

// rowLengths is how many places a slot has at most.
const rowLengths = uint32(playerSlotLayoutROW * playerSlotLayoutROWS)

// A process that is stopped for a while and goes on has lost nothing, and makes no burst of
// what was due meanwhile.
func TestAProcessThatWasStoppedGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{config: Config{Pacer: pacerCommand(), Lost: func(err error) { t.Error(err) }}})
	e, audio := r.ear(0), speech(16000)
	r.must(e.stream(StreamConfig{}).Play(r.clip(audio), Options{}))
	last := e.hear()
	process := r.player.pacing.process.Load()
	r.must(process.Signal(syscall.SIGSTOP))
	at := 160
	for {
		h, any := e.within(100 * time.Millisecond)
		if !any {
			break
		}
		at, last = at+160, h
	}
	stalls := r.player.Stats().Stalls
	r.must(process.Signal(syscall.SIGCONT))
	e.saying(audio[at:], 160, &last)
	if now := r.player.Stats().Stalls; now == stalls {
		t.Error("what was due was not put off")
	}
}

// A pacer that is at work on many packets is left alone, and is not once it stands still.
func TestAPacerAtWorkIsLeftAlone(t *testing.T) {
	t.Parallel()
	bell, err := newBell()
	if err != nil {
		t.Fatal(err)
	}
	defer bell.close()
	pace := &playerPace{Turn: uint64(turnOf(1, 0, 100))}
	second := &pacer{pace: pace, bell: bell, lag: reliefLag}
	before := second.turn()
	if second.isServed(before) {
		t.Error("it stands still")
	}
	atomic.AddUint64(&pace.Turn, ^uint64(0)) // a packet left meanwhile
	if !second.isServed(before) {
		t.Error("it is at work")
	}
	if first := (&pacer{pace: pace, bell: bell}); first.isServed(before) {
		t.Error("who comes first waits for nobody")
	}
}
