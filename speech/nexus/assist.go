package nexus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/zaf/g711"

	"mcp/speech"
)

var _ speech.Assistant = (*Engine)(nil)

const (
	// piece is how much of both sides is sent at a time.
	piece = 100 * time.Millisecond
	// sideRoom is how much of a side waits for the other, and for the far end.
	sideRoom = 400 * time.Millisecond
	// octetsPerMs is that of one side.
	octetsPerMs = 8
)

// Assist implements speech.Assistant. Both sides go out in step, the caller's octets
// and the agent's by turns; what a far end is too slow to take is left out.
func (e *Engine) Assist(ctx context.Context, o speech.Overheard) (speech.Assistance, error) {
	c, err := e.open(ctx, useAssist, Opening{Party: o.Party, Language: o.Language, Variables: o.Variables, Listens: true})
	if err != nil {
		o.Caller.Close()
		o.Agent.Close()
		return nil, err
	}
	a := &assistance{engine: e, conv: c, overheard: o, done: make(chan struct{})}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	go a.run()
	return a, nil
}

// assistance implements speech.Assistance.
type assistance struct {
	engine    *Engine
	conv      Conversation
	overheard speech.Overheard
	ctx       context.Context
	cancel    context.CancelFunc
	done      chan struct{}
}

// Done implements speech.Assistance.
func (a *assistance) Done() <-chan struct{} { return a.done }

// Stop implements speech.Assistance.
func (a *assistance) Stop() {
	a.cancel()
	<-a.done
}

func (a *assistance) run() {
	defer close(a.done)
	alaw := a.overheard.Codec.Name == "PCMA"
	caller, agent := &side{alaw: alaw}, &side{alaw: alaw}
	var tasks sync.WaitGroup
	tasks.Go(func() { caller.fill(a.ctx, a.overheard.Caller) })
	tasks.Go(func() { agent.fill(a.ctx, a.overheard.Agent) })
	tasks.Go(func() { a.send(caller, agent) })
	end := a.follow()
	a.cancel()
	tasks.Wait()
	discard(a.conv)
	a.overheard.Caller.Close()
	a.overheard.Agent.Close()
	if end.Err != nil {
		a.engine.counts.errors.WithLabelValues(useAssist, classOf(end.Err)).Inc()
		a.engine.log.Warn("assistant lost", "call", a.overheard.Party.Call, "error", end.Err)
	}
}

// follow reads what the far end says until it ends, or this one does.
func (a *assistance) follow() End {
	for {
		select {
		case <-a.ctx.Done():
			return End{}
		case e, ok := <-a.conv.Events():
			if !ok {
				return End{}
			}
			switch e := e.(type) {
			case End:
				return e
			case Note:
				a.engine.log.Debug("note of an assistant", "type", e.Type, "call", a.overheard.Party.Call)
			}
		}
	}
}

// send sends both sides by the clock.
func (a *assistance) send(caller, agent *side) {
	ticker := time.NewTicker(piece)
	defer ticker.Stop()
	sent, begun := time.Duration(0), time.Now()
	for {
		select {
		case <-a.ctx.Done():
			return
		case <-ticker.C:
		}
		due := time.Since(begun) - sent
		if due < piece {
			continue
		}
		lost := time.Duration(0)
		if due > sideRoom {
			lost = (due - piece).Truncate(piece)
		}
		a.engine.counts.lost.WithLabelValues(useAssist).Add(lost.Seconds())
		octets := int(piece.Milliseconds()) * octetsPerMs
		err := a.conv.Send(a.ctx, interleave(caller.take(octets), agent.take(octets)), lost)
		sent += lost + piece
		if err != nil {
			if a.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
				a.engine.log.Debug("send audio to the assistant", "call", a.overheard.Party.Call, "error", err)
			}
			return // the reader knows why
		}
	}
}

// interleave has octets of two sides by turns.
func interleave(a, b []byte) []byte {
	out := make([]byte, 0, len(a)+len(b))
	for i := range a {
		out = append(out, a[i], b[i])
	}
	return out
}

// side is one side's audio on its way.
type side struct {
	alaw bool

	mu    sync.Mutex
	audio []byte // mu-law
}

// fill takes what is heard, and lets go what is too old.
func (s *side) fill(ctx context.Context, hearing speech.Hearing) {
	for {
		sound, err := hearing.Next(ctx)
		if err != nil {
			return // the call or the assistance is over
		}
		audio := sound.Audio
		if s.alaw {
			audio = g711.Alaw2Ulaw(audio)
		}
		s.mu.Lock()
		s.audio = append(s.audio, audio...)
		if over := len(s.audio) - int(sideRoom.Milliseconds())*octetsPerMs; over > 0 {
			s.audio = s.audio[over:]
		}
		s.mu.Unlock()
	}
}

// silence is mu-law's.
const silence = 0xff

// take is the next audio, filled up with silence.
func (s *side) take(octets int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]byte, 0, octets)
	n := min(octets, len(s.audio))
	out = append(out, s.audio[:n]...)
	s.audio = append(s.audio[:0:0], s.audio[n:]...)
	for len(out) < octets {
		out = append(out, silence)
	}
	return out
}
