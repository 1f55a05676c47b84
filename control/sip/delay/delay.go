// Package delay does things a fixed time after they were asked for. Signalling
// waits, equally long each time, for a great many things that hardly ever come to
// pass: a queue and one timer for all of them cost less than a timer each.
package delay

import (
	"sync"
	"time"
)

// Line is a queue of values that are due one after the other.
type Line[T any] struct {
	wait  time.Duration
	due   func(T)
	begin time.Time

	mu      sync.Mutex
	queue   []entry[T] // the oldest first, after head of them that are gone
	head    int
	timer   *time.Timer // nil while nothing waits
	stopped bool
	running sync.WaitGroup
}

type entry[T any] struct {
	at    time.Duration // since begin
	value T
}

// New makes a line whose values are due when they have waited, or up to an eighth
// of that later: those that are due at about the same time are so together.
func New[T any](wait time.Duration, due func(T)) *Line[T] {
	return &Line[T]{wait: wait, due: due, begin: time.Now()}
}

// Add has a value wait. It cannot be taken back: whoever is told that it is due
// must know whether it still matters.
func (l *Line[T]) Add(value T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return
	}
	l.queue = append(l.queue, entry[T]{time.Since(l.begin) + l.wait, value})
	if l.timer == nil {
		l.timer = time.AfterFunc(l.wait+l.wait/8, l.run)
	}
}

// Stop forgets all that waits, and returns when nothing is being told any more. It
// is idempotent.
func (l *Line[T]) Stop() {
	l.mu.Lock()
	l.stopped = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.queue, l.head = nil, 0
	l.mu.Unlock()
	l.running.Wait()
}

func (l *Line[T]) run() {
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		return
	}
	l.running.Add(1)
	l.mu.Unlock()
	defer l.running.Done()
	for {
		value, ok := l.next()
		if !ok {
			return
		}
		l.due(value)
	}
}

// next takes the next value that is due; for want of one it sets the timer.
func (l *Line[T]) next() (value T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head == len(l.queue) {
		l.queue, l.head, l.timer = nil, 0, nil
		return value, false
	}
	first := &l.queue[l.head]
	if left := first.at - time.Since(l.begin); left > 0 {
		l.timer.Reset(left + l.wait/8)
		return value, false
	}
	value = first.value
	*first = entry[T]{}
	l.head++
	if l.head > len(l.queue)/2 {
		l.tidyLocked()
	}
	return value, true
}

// tidyLocked moves what waits to the front, into the same room.
func (l *Line[T]) tidyLocked() {
	left := copy(l.queue, l.queue[l.head:])
	clear(l.queue[left:])
	l.queue, l.head = l.queue[:left], 0
}
