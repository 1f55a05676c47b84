package media

import (
	"container/heap"
	"sync"
	"time"
)

// doze is the shortest that the pacer sleeps: what falls due meanwhile leaves
// together, which no listener notices and saves most of the wake-ups.
const doze = time.Millisecond

// pacer plays all playbacks of an engine from one goroutine and one clock.
type pacer struct {
	mu     sync.Mutex
	queue  playQueue
	wake   chan struct{}
	quit   chan struct{}
	paced  sync.WaitGroup // the pacer itself
	ending sync.WaitGroup // playbacks that have been heard
}

func newPacer() *pacer {
	p := &pacer{wake: make(chan struct{}, 1), quit: make(chan struct{})}
	p.paced.Go(p.run)
	return p
}

// add begins a playback; its first frame leaves at once.
func (p *pacer) add(b *Playback) {
	p.mu.Lock()
	heap.Push(&p.queue, b)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pacer) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.tick())
		select {
		case <-timer.C:
		case <-p.wake:
		case <-p.quit:
			return
		}
	}
}

// tick sends what is due and tells how long to sleep.
func (p *pacer) tick() time.Duration {
	for {
		now := time.Now()
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.mu.Unlock()
			return time.Hour
		}
		b := p.queue[0]
		if wait := b.due.Sub(now); wait > 0 {
			p.mu.Unlock()
			return max(wait, doze)
		}
		p.mu.Unlock()
		p.serve(b, now)
	}
}

// serve plays the first of the queue, and puts it where it is due next. The end
// of a playback changes routes, which may take the plane some time: it is not
// for the pacer to wait for.
func (p *pacer) serve(b *Playback, now time.Time) {
	due, state, err := b.step(now)
	p.mu.Lock()
	if state == playing {
		b.due = due
		heap.Fix(&p.queue, b.place)
	} else {
		heap.Remove(&p.queue, b.place)
	}
	p.mu.Unlock()
	if state == heard {
		p.finish(b, err)
	}
}

// finish ends a playback beside what goes on.
func (p *pacer) finish(b *Playback, err error) {
	p.ending.Go(func() { b.finish(err) })
}

// active is the number of playbacks.
func (p *pacer) active() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)
}

// close stops the pacer and what it still plays.
func (p *pacer) close() {
	close(p.quit)
	p.paced.Wait()
	p.mu.Lock()
	rest := p.queue
	p.queue = nil
	p.mu.Unlock()
	for _, b := range rest {
		b.finish(ErrClosed)
	}
	p.ending.Wait()
}

// playQueue has the playback that is due first at its head.
type playQueue []*Playback

func (q playQueue) Len() int           { return len(q) }
func (q playQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q playQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i]; q[i].place, q[j].place = i, j }

func (q *playQueue) Push(b any) {
	b.(*Playback).place = len(*q)
	*q = append(*q, b.(*Playback))
}

func (q *playQueue) Pop() any {
	last := len(*q) - 1
	b := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return b
}
