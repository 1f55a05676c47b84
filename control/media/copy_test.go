package media

import (
	"bytes"
	"testing"

	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
)

// frames are what a leg sent, payload by payload.
func frames(p *recorded) (out [][]byte) {
	for _, s := range p.all() {
		out = append(out, s.Data)
	}
	return out
}

func TestWhatALegSaysIsCopied(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	agent, a := s.connected("agent", codec.PCMU)
	server, r := s.connected("recording-1", codec.PCMU)
	copied, err := s.session.CopySaid(caller, server)
	s.must(err)
	c.wantRoute(t, r, false, 1)
	s.must(s.session.Join(caller, agent)) // comes later, and is relayed to all the same
	c.wantRoute(t, a, true, 2)
	h := rtpstream.Header{SSRC: 9}
	frame := func(text string) []byte { return bytes.Repeat([]byte(text), 160/len(text)) }
	say := func(text string) {
		c.hears(h, frame(text))
		h.Sequence, h.Timestamp = h.Sequence+1, h.Timestamp+160
	}
	say("open")
	s.must(copied.Mute(true))
	s.must(copied.Mute(true))
	say("unheard.")
	s.must(copied.Mute(false))
	say("again")
	s.must(copied.Close())
	s.must(copied.Close())
	say("nobody")
	want := [][]byte{frame("open"), bytes.Repeat([]byte{0xff}, 160), frame("again")}
	if got := frames(r); len(got) != 3 || !bytes.Equal(got[0], want[0]) || !bytes.Equal(got[1], want[1]) || !bytes.Equal(got[2], want[2]) {
		t.Errorf("copied %q, want %q", got, want)
	}
	c.wantRoute(t, a, false, len(c.routes))
}

func TestWhatALegHearsIsCopied(t *testing.T) {
	s := newStudio(t)
	caller, _ := s.connected("caller", codec.PCMU)
	agent, a := s.connected("agent", codec.PCMU)
	server, r := s.connected("recording-2", codec.PCMA)
	copied, err := s.session.CopyHeard(caller, server)
	s.must(err)
	s.must(s.session.Join(agent, caller))
	h := rtpstream.Header{SSRC: 9}
	say := func(octet byte) {
		a.hears(h, bytes.Repeat([]byte{octet}, 160))
		h.Sequence, h.Timestamp = h.Sequence+1, h.Timestamp+160
	}
	say(0x80)
	s.must(copied.Mute(true))
	say(0x80)
	s.must(copied.Mute(false))
	clip, err := NewClip(make([]int16, 160), codec.PCMU)
	s.must(err)
	b, err := s.session.Play(caller, clip)
	s.must(err)
	<-b.Done()
	s.must(copied.Close())
	say(0x80)
	got := frames(r)
	loud, quiet := bytes.Repeat([]byte{0xaa}, 160), bytes.Repeat([]byte{0xd5}, 160)
	if len(got) != 3 || !bytes.Equal(got[0], loud) || !bytes.Equal(got[1], quiet) || !bytes.Equal(got[2], quiet) {
		t.Errorf("copied %x", got)
	}
}

// What cannot be silenced octet by octet is not sent, and what follows is marked.
func TestACopyOfOpusIsMuted(t *testing.T) {
	s := newStudio(t)
	_, r := s.connected("recording", codec.PCMU)
	to := s.session.legLocked("recording")
	e, err := codec.NewEncoder(codec.Opus)
	s.must(err)
	payload, err := e.Encode(nil, make([]int16, 320))
	s.must(err)
	c := copier{to: to, mute: true}
	c.Audio(Heard{Codec: codec.Opus, SSRC: 1, Payload: payload})
	c.mute = false
	c.Audio(Heard{Codec: codec.Opus, SSRC: 1, Sequence: 1, Timestamp: 960, Payload: payload})
	c.Audio(Heard{Codec: codec.Opus, SSRC: 1, Sequence: 2, Timestamp: 1920, Payload: payload})
	if all := r.all(); len(all) == 0 || !all[0].Marker || len(all) > 2 {
		t.Errorf("%+v", all)
	}
}
