// Package inbox is a queue of messages to one receiver, which are handled one after the
// other in the order in which they came. No goroutine waits for the next one: whoever
// puts a message into an inbox whose messages nobody is handling handles them, or has
// it done.
package inbox

import "sync"

// Inbox keeps messages. Its zero value is empty and may be used.
type Inbox[M any] struct {
	mu      sync.Mutex // guards what follows
	waiting []M
	busy    bool // somebody handles
	closed  bool
}

// Put adds a message, from any goroutine, and never blocks. Alone is true when nobody
// is handling messages at present: the caller must then see that Handle runs.
func (b *Inbox[M]) Put(m M) (alone bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.waiting = append(b.waiting, m)
	alone = !b.busy
	b.busy = true
	return alone
}

// Handle has f handle messages until none waits.
func (b *Inbox[M]) Handle(f func(M)) {
	for m, ok := b.next(); ok; m, ok = b.next() {
		f(m)
	}
}

// next takes the message that has waited longest.
func (b *Inbox[M]) next() (m M, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.busy = false
		return m, false
	}
	first := b.waiting[0]
	n := copy(b.waiting, b.waiting[1:])
	b.waiting[n] = m // it holds nothing any more
	b.waiting = b.waiting[:n]
	return first, true
}

// Close drops what waits, and what is put from now on: nothing more is handled when the
// handler that has called it returns.
func (b *Inbox[M]) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.waiting = true, nil
}
