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
	code    *codec.Transcoder // nil: none is needed
	from    codec.Codec       // what code is for
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

// New makes a queue that gives audio in a codec and holds no more than room.
func New(as codec.Codec, room time.Duration) *Queue {
	return &Queue{as: as, from: as, room: int(room.Milliseconds()) * samplesPerMs, more: make(chan struct{}, 1)}
}

// Audio implements media.Listener: it appends a packet's audio. It never blocks. Audio that cannot be had in the
// queue's codec is silence.
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
	at := len(q.audio)
	q.audio = append(q.audio, h.Payload...)
	q.rewriteLocked(h.Codec, q.audio[at:])
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

func (q *Queue) rewriteLocked(from codec.Codec, audio []byte) {
	if !q.from.Same(from) {
		q.from, q.code = from, nil
		if !from.Same(q.as) {
			q.code, _ = codec.NewTranscoder(from, q.as) // nil for what has no samples of an octet
		}
	}
	switch {
	case q.code != nil:
		q.code.Rewrite(audio, audio)
	case !from.Same(q.as):
		for i := range audio {
			audio[i] = q.as.Silence()
		}
	}
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
		gap = int(int32(h.Timestamp - r.timestamp))
		if gap < 0 || gap > int(maxGap.Milliseconds())*samplesPerMs {
			gap = 0
		}
	}
	r.begun, r.ssrc, r.sequence, r.timestamp = true, h.SSRC, h.Sequence, h.Timestamp+uint32(len(h.Payload))
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
