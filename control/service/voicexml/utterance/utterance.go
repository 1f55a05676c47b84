// Package utterance records what a caller says to a recognizer (recordutterance,
// VoiceXML 2.1 section 7). It listens along at the caller's leg, so that it works
// with every engine, and what was said stays in the call's memory.
package utterance

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/jitter"
	"mcp/control/media/record"
)

// Tape listens along with a recognizer.
type Tape struct {
	clock  *clock.Clock
	ear    ear
	tap    *media.Tap
	format record.Format
	frame  []int16

	mu  sync.Mutex // guards what follows
	cut cut
}

type ear interface{ Pull(dst []int16) bool }

// Start begins to listen to what the far end of a leg says, until Take or Drop.
func Start(c *clock.Clock, leg *media.Leg, f record.Format) (*Tape, error) {
	heard := jitter.NewEar(f.Rate)
	t := newTape(heard, f)
	tap, err := leg.Tap(heard)
	if err != nil {
		return nil, fmt.Errorf("record an utterance: %w", err)
	}
	t.clock, t.tap = c, tap
	c.Add(t)
	return t, nil
}

// newTape makes a Tape that nobody turns. There is one voice, whatever the format.
func newTape(heard ear, f record.Format) *Tape {
	f.Channels = 1
	return &Tape{ear: heard, format: f, frame: make([]int16, f.Rate/50), cut: cut{rate: f.Rate}}
}

// Tick implements clock.Ticker.
func (t *Tape) Tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ear.Pull(t.frame)
	t.cut.add(t.frame)
}

// Begun says that the recognizer has heard the caller begin: from now on nothing
// is forgotten.
func (t *Tape) Begun() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut.begun = true
}

// Drop ends the recording; there is nothing to be taken then.
func (t *Tape) Drop() error {
	t.clock.Remove(t)
	return t.tap.Close()
}

// Recorded is an utterance.
type Recorded struct {
	Data      []byte
	MediaType string
	Duration  time.Duration
}

// Take ends the recording and returns what was said, without the silence around
// it; nil when nothing was.
func (t *Tape) Take() (*Recorded, error) {
	err := t.Drop()
	recorded, failed := t.encode()
	return recorded, errors.Join(err, failed)
}

func (t *Tape) encode() (*Recorded, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pcm := t.cut.said()
	if len(pcm) == 0 {
		return nil, nil
	}
	var to record.Memory
	e, err := record.NewEncoder(&to, t.format)
	if err == nil {
		err = errors.Join(e.Encode(pcm), e.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("record an utterance: %w", err)
	}
	return &Recorded{
		Data: to.Bytes(), MediaType: t.format.MediaType(),
		Duration: time.Duration(len(pcm)) * time.Second / time.Duration(t.format.Rate),
	}, nil
}
