package jitter

import "time"

// A talk-spurt begins when there is enough for the late ones among its packets:
// more after each time that it was not enough, and slowly less again.
const (
	minPrefill = 30 * time.Millisecond
	maxPrefill = 120 * time.Millisecond
)

// spell is how many pulls the least slack is looked for in, and haste the same
// while there is far too much.
const (
	spell = 64
	haste = 8
)

// slack is the least that was left after a pull, of late.
type slack struct {
	least int
	pulls int
}

// raise answers packets that came when nothing was left to be played.
func (b *Buffer) raise() {
	b.prefill = min(b.prefill+samples(10*time.Millisecond, b.rate), samples(maxPrefill, b.rate))
}

// shorten takes a pitch period out when more than a packet was always left.
func (b *Buffer) shorten() {
	level := b.level()
	if b.slack.pulls == 0 || level < b.slack.least {
		b.slack.least = level
	}
	b.slack.pulls++
	spare := b.slack.least - max(b.span, b.prefill/2)
	long := b.slack.least > samples(maxDelay, b.rate)
	switch {
	case b.slack.pulls < haste || !long && b.slack.pulls < spell:
		return
	case spare > 0:
		b.remove()
	default:
		b.prefill = max(b.prefill-b.prefill/32, samples(minPrefill, b.rate))
	}
	b.slack.pulls = 0
}

// remove takes one period out of the fifo, where its ends fit.
func (b *Buffer) remove() {
	for need := 3 * b.rate / lowest; len(b.fifo) < need; {
		payload, missing := b.queue.next()
		switch {
		case payload != nil:
			b.decode(payload)
		case missing > 0:
			b.count.Lost += uint64(missing)
			b.fill(min(missing*b.span, samples(maxGap, b.rate)))
		default:
			return
		}
	}
	lag := pitch(b.fifo, b.rate)
	if lag == 0 {
		return
	}
	end := len(b.fifo)
	for i := range lag {
		w := float64(i+1) / float64(lag+1)
		first := &b.fifo[end-2*lag+i]
		*first = int16(float64(*first)*(1-w) + float64(b.fifo[end-lag+i])*w)
	}
	b.fifo = b.fifo[:end-lag]
	b.count.Removed += b.time(lag)
}
