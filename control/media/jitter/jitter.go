// Package jitter makes an even stream of linear audio of packets that come late,
// early, twice, out of order or not at all. Its delay follows the network: what
// comes too late is concealed and adds to the delay, and slack that is not needed
// is taken out again, a pitch period at a time. So far ends whose clocks differ
// are followed, too.
package jitter

import (
	"sync"
	"time"

	"mcp/control/media/codec"
)

// Packet is one that arrived. The payload is not kept.
type Packet struct {
	SSRC      uint32
	Timestamp uint32
	Sequence  uint16
	Payload   []byte
}

// Stats are what became of a stream so far.
type Stats struct {
	Packets   uint64
	Lost      uint64 // never came
	Late      uint64 // came after what stood in for them was played, or twice
	Concealed time.Duration
	Removed   time.Duration // to shorten the delay
	Delay     time.Duration // at present, of what is buffered
}

const (
	places   = 64  // packets that can wait
	reorder  = 100 // packets; further back is another run of the sender's (RFC 3550 A.1)
	maxGap   = 60 * time.Millisecond
	maxDelay = 300 * time.Millisecond
)

// Buffer is one stream's jitter buffer. Put and Pull may be called from
// different goroutines.
type Buffer struct {
	mu      sync.Mutex
	decoder codec.Decoder
	rate    int // of samples, Hz
	conceal concealer
	queue   queue

	playing bool
	fifo    []int16 // decoded and not yet pulled
	span    int     // samples of a packet, as the last one had
	prefill int     // samples to have before a talk-spurt begins
	idle    int     // samples in a row for which there was nothing
	owed    int     // samples to stand in for once more, so that late ones come in time
	slack   slack
	count   Stats
}

// New makes the buffer of a stream in a codec, or says codec.ErrUnknown.
func New(c codec.Codec) (*Buffer, error) {
	d, err := codec.NewDecoder(c)
	if err != nil {
		return nil, err
	}
	rate := c.SampleRate()
	return &Buffer{
		decoder: d, rate: rate, conceal: newConcealer(rate), span: rate / 50,
		prefill: samples(minPrefill, rate), fifo: make([]int16, 0, rate/4),
	}, nil
}

func samples(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }

func (b *Buffer) time(samples int) time.Duration {
	return time.Duration(samples) * time.Second / time.Duration(b.rate)
}

// Put takes a packet as it arrives.
func (b *Buffer) Put(p Packet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p.Payload) == 0 {
		return
	}
	switch b.queue.put(p) {
	case anew:
		b.playing = false
		fallthrough
	case stored:
		b.count.Packets++
	case missed:
		b.count.Lost--
		b.owed = b.span
		fallthrough
	case late:
		b.count.Late++
	}
}

// Pull fills dst with what is to be heard next, and tells whether anybody speaks:
// false means that dst is silence.
func (b *Buffer) Pull(dst []int16) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.playing && b.level() < max(b.prefill, len(dst)) {
		clear(dst)
		return false
	}
	b.playing = true
	for len(b.fifo) < len(dst) && b.playing {
		b.next(len(dst) - len(b.fifo))
	}
	n := copy(dst, b.fifo)
	clear(dst[n:])
	b.fifo = b.fifo[:copy(b.fifo, b.fifo[n:])]
	b.shorten()
	return n > 0
}

// Held is how much waits to be pulled, in samples.
func (b *Buffer) Held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.level()
}

// level is how much is there to be played, in samples.
func (b *Buffer) level() int { return len(b.fifo) + b.queue.len()*b.span }

// next puts more into the fifo: the next packet, or what stands in for it.
func (b *Buffer) next(wanted int) {
	if b.owed > 0 {
		b.raise()
		if b.level() < b.prefill {
			b.fill(b.owed)
		}
		b.owed = 0
		return
	}
	payload, missing := b.queue.next()
	switch {
	case payload != nil:
		if b.idle > 0 {
			b.raise()
		}
		b.idle = 0
		b.decode(payload)
	case missing > 0:
		b.count.Lost += uint64(missing)
		b.fill(min(missing*b.span, samples(maxGap, b.rate)))
	case b.idle < samples(maxGap, b.rate):
		b.idle += wanted
		b.fill(wanted)
	default:
		b.playing, b.idle = false, 0
	}
}

// decode plays a packet, softly where it follows a gap.
func (b *Buffer) decode(payload []byte) {
	at := len(b.fifo)
	out, err := b.decoder.Decode(b.fifo, payload)
	if err != nil || len(out) == at {
		b.fill(b.span)
		return
	}
	b.fifo = out
	b.span = len(out) - at
	b.conceal.resume(out[at:])
}

func (b *Buffer) fill(n int) {
	b.fifo = b.conceal.fill(b.fifo, n)
	b.count.Concealed += b.time(n)
}

// Rest appends to dst all that is still to be heard. If more comes, it follows upon that
// as upon what was pulled.
func (b *Buffer) Rest(dst []int16) []int16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.queue.len() > 0 {
		b.next(0)
	}
	dst = append(dst, b.fifo...)
	b.fifo = b.fifo[:0]
	return dst
}

// Stats tells what became of the stream so far.
func (b *Buffer) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.count
	s.Delay = b.time(b.level())
	return s
}
