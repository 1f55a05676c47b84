package media

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/tone"
)

// later is a supply of seconds that are there at once, or come so much later.
type later struct {
	seconds []time.Duration // what each waits for
	audio   []int16
	err     error // in the end, instead of an end
	taken   atomic.Int64
	quit    chan struct{}
}

func newLater(audio []int16, waits ...time.Duration) *later {
	return &later{seconds: waits, audio: audio, err: io.EOF, quit: make(chan struct{})}
}

func (l *later) Next() ([]int16, error) {
	n := int(l.taken.Load())
	if n == len(l.seconds) {
		return nil, l.err
	}
	select {
	case <-time.After(l.seconds[n]):
	case <-l.quit:
		return nil, fs.ErrClosed
	}
	l.taken.Add(1)
	return l.audio[n*8000 : (n+1)*8000], nil
}

func (l *later) Close() error {
	close(l.quit)
	return nil
}

func hum(seconds time.Duration) []int16 {
	return tone.PCM(codec.Narrowband, tone.Part{Hz: []float64{440}, Level: -10, For: seconds * time.Second})
}

// A supply is heard from its beginning before its end is there, whatever the far end
// speaks; while nothing comes, nothing is heard, and nothing is lost.
func TestSupplyIsHeardWhileItComes(t *testing.T) {
	for _, spoken := range []codec.Codec{codec.PCMU, codec.PCMA, codec.G722} {
		timed(t, func(s *studio) {
			l, p := s.connected("caller", spoken)
			audio := hum(5)
			b, err := s.session.PlaySupply(l, newLater(audio, 0, 0, 4*time.Second, 0, 0))
			s.must(err)
			time.Sleep(time.Second + frame/2)
			if n := len(p.all()); n < 50 {
				s.Errorf("%s: %d frames left in the first second", spoken.Name, n)
			}
			time.Sleep(2 * time.Second)
			if n := len(p.all()); n < 97 || n > 100 {
				s.Errorf("%s: %d frames left of two seconds", spoken.Name, n)
			}
			<-b.Done()
			s.must(b.Err())
			sent := p.all()
			if len(sent) != 250 {
				s.Errorf("%s: %d frames left", spoken.Name, len(sent))
			}
			var heard []byte
			for _, f := range sent {
				heard = append(heard, f.Data...)
			}
			if law, err := spoken.Encode(audio); isLaw(spoken) && (err != nil || !bytes.Equal(heard, law)) {
				s.Errorf("%s: something else is heard, %v", spoken.Name, err)
			}
		})
	}
}

// However long a supply lasts, little of it is taken ahead, and little is kept.
func TestSupplyIsBounded(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		const minutes = 20 // longer than any clip that is kept whole
		from := newLater(nil, make([]time.Duration, minutes*60)...)
		from.audio = hum(minutes * 60)
		live := NewLive(codec.PCMU)
		b, err := s.session.PlayLive(l, live)
		s.must(err)
		done := make(chan error)
		go func() { done <- pour(from, live, b) }()
		for range minutes {
			time.Sleep(59 * time.Second)
			synctest.Wait()
			live.mu.Lock()
			kept := len(live.audio)
			live.mu.Unlock()
			if limit := int(4 * ahead * 8000 / time.Second); kept > limit || int(from.taken.Load())*8000-len(p.all())*160 > limit {
				s.Fatalf("%d octets are kept, %d s taken, %d frames heard", kept, from.taken.Load(), len(p.all()))
			}
		}
		s.must(<-done)
		live.End(nil)
		<-b.Done()
		s.must(b.Err())
		if n := len(p.all()); n != minutes*60*50 {
			s.Errorf("%d frames left", n)
		}
	})
}

// Why there is no more is told when what there was has been heard; who stops a playback
// ends its supply.
func TestSupplyThatEndsTooEarly(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		from := newLater(hum(1), 0)
		from.err = errors.New("the server stands still")
		b, err := s.session.PlaySupply(l, from)
		s.must(err)
		<-b.Done()
		if n := len(p.all()); !errors.Is(b.Err(), from.err) || n != 50 {
			s.Errorf("%v after %d frames", b.Err(), n)
		}
		stuck := newLater(nil, time.Hour)
		b, err = s.session.PlaySupply(l, stuck)
		s.must(err)
		b.Stop()
		s.must(b.Err())
		<-stuck.quit
		s.session.Close()
		if _, err := s.session.PlaySupply(l, newLater(nil)); !errors.Is(err, ErrClosed) {
			s.Errorf("after the session's end: %v", err)
		}
	})
}

// A follower that comes late has what is gone as silence.
func TestFollowerComesLate(t *testing.T) {
	live := NewLive(codec.PCMU)
	if _, err := live.Write(bytes.Repeat([]byte{1}, 16000)); err != nil {
		t.Fatal(err)
	}
	live.forget(1500 * time.Millisecond)
	var to follower
	if _, err := live.Follow(codec.PCMU, &to); err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Repeat([]byte{codec.PCMU.Silence()}, 12000), bytes.Repeat([]byte{1}, 4000)...)
	if !bytes.Equal(to.Bytes(), want) || live.Length() != 2*time.Second {
		t.Errorf("%d octets of %s", to.Len(), live.Length())
	}
}

type follower struct{ bytes.Buffer }

func (*follower) End(error) {}
