package xdp

import (
	"errors"
	"testing"

	"mcp/control/media"
	"mcp/control/media/codec"
)

// What is still being written plays from the kernel, too, and ends as it ends.
func TestLiveClipsArePlayedByTheKernel(t *testing.T) {
	broken := errors.New("the engine hung up")
	for name, end := range map[string]error{"whole": nil, "broken off": broken} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			const frames = 100
			audio := s.clip(frames).Payload()
			live := media.NewLive(codec.PCMU)
			write := func(from, to int) {
				_, err := live.Write(audio[from*160 : to*160])
				must(t, err)
			}
			write(0, 10)
			b, err := s.session.PlayLive(s.leg, live)
			must(t, err)
			write(10, 60)
			for i := range frames {
				if i == 5 {
					write(60, frames)
					live.End(end)
				}
				if p := s.hear(); string(p.Payload) != string(audio[i*160:(i+1)*160]) {
					t.Fatalf("packet %d is %+v", i, p)
				}
			}
			<-b.Done()
			if err := b.Err(); !errors.Is(err, end) {
				t.Errorf("it ended with %v", err)
			}
			st := s.plane.player.Stats()
			if st.Sent != frames || st.Cache.Bytes != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A live clip that is stopped takes no memory any more, whatever is written to it.
func TestStoppedLiveClip(t *testing.T) {
	s := newStage(t)
	live := media.NewLive(codec.PCMU)
	_, err := live.Write(s.clip(100).Payload())
	must(t, err)
	b, err := s.session.PlayLive(s.leg, live)
	must(t, err)
	s.hear()
	b.Stop()
	<-b.Done()
	_, err = live.Write(s.clip(100).Payload())
	must(t, err)
	if st := s.plane.player.Stats(); st.Cache.Bytes != 0 || st.Streams != 0 {
		t.Errorf("%+v", st)
	}
}
