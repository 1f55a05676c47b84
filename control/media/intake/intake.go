// Package intake turns the packets of a tapped leg into one run of audio for an
// engine that reads at its own pace: in order, gaps filled with silence, late
// packets left out. Whoever puts audio in never waits: when the reader is too slow
// the oldest audio goes, and the reader is told how much.
package intake

import (
	"context"
	"io"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
)

// samplesPerMs is that of G.711.
const samplesPerMs = 8

// maxGap is the longest gap that is filled with silence: a far end that stops
// sending and comes back later is taken up where it is.
const maxGap = 2 * time.Second

// misordered is how far back a packet may be and still be of the same run, RFC
// 3550 appendix A.1.
const misordered = 100

// Queue is one leg's audio on its way to one reader. Audio and Next may be called
// from different goroutines.
type Queue struct {
	as   codec.Codec
	room int // octets

	mu      sync.Mutex // guards what follows
	run     run
	code    *codec.Converter // nil: none is needed, or there is none
	from    codec.Codec      // what code is for
	audio   []byte
	dropped int // octets, since the last Next
	total   int // octets dropped in all
	closed  bool

	more chan struct{}
}

// run is where a stream is.
type run struct {
	begun     bool
	ssrc      uint32
	sequence  uint16 // the latest
	timestamp uint32 // of the next sample
}

// Chunk is some audio. Lost is what the reader was too slow to take before it.
type Chunk struct {
	Audio []byte
	Lost  time.Duration
}

// New makes a queue that gives audio in a codec, PCMU or PCMA, and holds no more than
// room.
func New(as codec.Codec, room time.Duration) *Queue {
	return &Queue{as: as, from: as, room: int(room.Milliseconds()) * samplesPerMs, more: make(chan struct{}, 1)}
}

// Audio implements media.Listener: it appends a packet's audio. It never blocks. Audio
// that cannot be had in the queue's codec is silence.
func (q *Queue) Audio(h media.Heard) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	gap, ok := q.run.follow(h)
	if !ok {
		return
	}
	for range gap {
		q.audio = append(q.audio, q.as.Silence())
	}
	q.appendLocked(h)
	if over := len(q.audio) - q.room; over > 0 {
		q.audio = q.audio[:copy(q.audio, q.audio[over:])]
		q.dropped += over
		q.total += over
	}
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *Queue) appendLocked(h media.Heard) {
	if !q.from.Same(h.Codec) {
		q.from, q.code = h.Codec, nil
		if !h.Codec.Same(q.as) {
			q.code, _ = codec.NewConverter(h.Codec, q.as) // nil for what the platform cannot decode
		}
	}
	at, err := len(q.audio), error(nil)
	switch {
	case q.code != nil:
		q.audio, err = q.code.Append(q.audio, h.Payload)
	case h.Codec.Same(q.as):
		q.audio = append(q.audio, h.Payload...)
		return
	}
	if q.code == nil || err != nil {
		q.audio = q.audio[:at]
		for range narrow(h.Codec.Ticks(h.Payload), h.Codec) {
			q.audio = append(q.audio, q.as.Silence())
		}
	}
}

// narrow is how many samples at 8 kHz so many ticks of a codec's clock are.
func narrow(ticks uint32, of codec.Codec) int {
	return int(uint64(ticks) * codec.Narrowband / uint64(max(of.ClockRate, 1)))
}

// follow places a packet: how many samples are missing before it; false: it comes
// too late.
func (r *run) follow(h media.Heard) (gap int, ok bool) {
	ahead := int16(h.Sequence - r.sequence)
	same := r.begun && h.SSRC == r.ssrc
	if same && ahead <= 0 && ahead > -misordered {
		return 0, false
	}
	if same {
		if ahead := h.Timestamp - r.timestamp; int32(ahead) > 0 {
			gap = narrow(ahead, h.Codec)
		}
		if gap > int(maxGap.Milliseconds())*samplesPerMs {
			gap = 0
		}
	}
	r.begun, r.ssrc, r.sequence, r.timestamp = true, h.SSRC, h.Sequence, h.Timestamp+h.Codec.Ticks(h.Payload)
	return gap, true
}

// Next waits until there is audio, and gives all there is. After Close it gives
// io.EOF.
func (q *Queue) Next(ctx context.Context) (Chunk, error) {
	for {
		q.mu.Lock()
		closed, chunk := q.closed, q.takeLocked()
		q.mu.Unlock()
		switch {
		case len(chunk.Audio) > 0:
			return chunk, nil
		case closed:
			return Chunk{}, io.EOF
		}
		select {
		case <-q.more:
		case <-ctx.Done():
			return Chunk{}, ctx.Err()
		}
	}
}

func (q *Queue) takeLocked() Chunk {
	if len(q.audio) == 0 {
		return Chunk{}
	}
	c := Chunk{Audio: q.audio, Lost: time.Duration(q.dropped) * time.Millisecond / samplesPerMs}
	q.audio, q.dropped = nil, 0
	return c
}

// Lost is how much audio went because its reader was too slow.
func (q *Queue) Lost() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Duration(q.total) * time.Millisecond / samplesPerMs
}

// Close ends the queue once what is in it has been read.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.more)
	}
}
