package media

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"mcp/control/media/codec"
)

// TestLiveClipWaitsForWhatIsNotThere writes a clip while it plays: what is there
// leaves on time, what is late is waited for, and no sample is lost.
func TestLiveClipWaitsForWhatIsNotThere(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		live := NewLive(codec.PCMU)
		b, err := s.session.PlayLive(l, live)
		s.must(err)
		time.Sleep(time.Second)
		if n := len(p.all()); n != 0 {
			s.Fatalf("%d frames of an empty clip left", n)
		}
		audio := ramp(s.TB, 100*160, codec.PCMU).payload
		write := func(part []byte) {
			_, err := live.Write(part)
			s.must(err)
		}
		write(audio[:50*160])
		time.Sleep(3 * time.Second) // plays it, and waits two
		write(audio[50*160 : 51*160])
		time.Sleep(time.Second)
		if n := len(p.all()); n != 50 {
			s.Errorf("%d frames left before there was something to go on with", n)
		}
		write(audio[51*160 : 99*160+10])
		live.End(nil)
		<-b.Done()
		s.must(b.Err())
		sent := p.all()
		var heard []byte
		for n, f := range sent {
			heard = append(heard, f.Data...)
			if f.Marker != (n == 0 || n == 50) {
				s.Errorf("frame %d: marker %t", n, f.Marker)
			}
		}
		if len(sent) != 100 || !bytes.Equal(heard[:99*160+10], audio[:99*160+10]) || heard[len(heard)-1] != codec.PCMU.Silence() {
			s.Errorf("%d frames left, or others than were written", len(sent))
		}
		if clip := live.Clip(); !bytes.Equal(clip.payload, audio[:99*160+10]) || clip.codec != codec.PCMU {
			s.Errorf("the clip keeps %d octets", len(clip.payload))
		}
	})
}

func TestLiveClipThatEndsTooEarly(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		live := NewLive(codec.PCMU)
		b, err := s.session.PlayLive(l, live)
		s.must(err)
		_, err = live.Write(make([]byte, 320))
		s.must(err)
		broken := errors.New("the engine is gone")
		live.End(broken)
		live.End(nil)
		<-b.Done()
		if !errors.Is(b.Err(), broken) || len(p.all()) != 2 {
			s.Errorf("%v after %d frames", b.Err(), len(p.all()))
		}
		if _, err := live.Write(make([]byte, 1)); !errors.Is(err, ErrClosed) {
			s.Errorf("writing after the end: %v", err)
		}
		endless := NewLive(codec.PCMU)
		if _, err := endless.Write(make([]byte, maxLive+1)); err == nil {
			s.Error("a clip without bound")
		}
		b, err = s.session.PlayLive(l, endless)
		s.must(err)
		b.Stop()
		<-b.Done()
		s.must(b.Err())
		if _, err := s.session.PlayLive(l, NewLive(codec.PCMA)); err == nil {
			s.Error("a clip in another codec plays")
		}
	})
}
