package record

import (
	"fmt"
	"sync"

	"mcp/control/media/resample"
)

// Sink is a line of a recording that frames are put into, such as a conference's
// mix.
type Sink struct {
	convert *resample.Stream

	mu   sync.Mutex // guards what follows
	fifo []int16
}

// Sink adds a line for audio at a rate in Hz to a channel.
func (r *Recorder) Sink(channel, rate int) (*Sink, error) {
	if channel < 0 || channel >= r.o.Format.Channels {
		return nil, fmt.Errorf("record: there is no channel %d", channel)
	}
	s := &Sink{convert: resample.New(rate, r.o.Format.Rate)}
	r.add(&line{channel: channel, ear: s})
	return s, nil
}

// held is how many frames may wait: two clocks' ticks do not fall together.
const held = 5

// Frame takes a frame; it is a conference's Sink.
func (s *Sink) Frame(pcm []int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fifo) > held*len(pcm)*2 {
		return
	}
	s.fifo = s.convert.Append(s.fifo, pcm)
}

// Held is how many samples wait to be recorded.
func (s *Sink) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.fifo)
}

// Pull is what is recorded next.
func (s *Sink) Pull(dst []int16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(dst, s.fifo)
	clear(dst[n:])
	s.fifo = s.fifo[:copy(s.fifo, s.fifo[n:])]
	return n > 0
}
