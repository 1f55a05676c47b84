package player

import (
	"sync"
	"time"
)

// EventKind is what became of what is played.
type EventKind uint8

const (
	Started  EventKind = iota // the clip's first packet has left
	Finished                  // the clip was heard; Err: it ended too early
	Drained                   // nothing is left to play
	Failed                    // packets do not leave: the stream was stopped
)

// Event is told about a stream.
type Event struct {
	Kind   EventKind
	Mark   any           // of the clip
	Offset time.Duration // how much of it was said
	At     time.Time
	Err    error
}

// notifier hands over events without keeping the player waiting.
type notifier struct {
	wake chan struct{}
	quit chan struct{}
	done chan struct{}

	mu    sync.Mutex // guards what follows
	queue []delivery
}

type delivery struct {
	notify func(Event)
	event  Event
}

func newNotifier() *notifier {
	n := &notifier{wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go n.run()
	return n
}

func (n *notifier) add(s *Stream, e Event) {
	if s.notify == nil {
		return
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	n.mu.Lock()
	n.queue = append(n.queue, delivery{s.notify, e})
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) run() {
	defer close(n.done)
	for {
		select {
		case <-n.wake:
			n.deliver()
		case <-n.quit:
			n.deliver()
			return
		}
	}
}

func (n *notifier) deliver() {
	n.mu.Lock()
	queue := n.queue
	n.queue = nil
	n.mu.Unlock()
	for _, d := range queue {
		d.notify(d.event)
	}
}

func (n *notifier) close() {
	close(n.quit)
	<-n.done
}
