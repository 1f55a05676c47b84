package audiohook

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zaf/g711"

	"mcp/speech"
	"mcp/speech/nexus"
)

// samplesPerMs is the protocol's rate.
const samplesPerMs = 8

// eventsWaiting is how many events wait for their reader.
const eventsWaiting = 64

func duration(samples int) Duration {
	return FormatDuration(time.Duration(samples) * time.Millisecond / samplesPerMs)
}

// conversation implements nexus.Conversation: a session, or a chain of those that
// continue one another.
type conversation struct {
	client  *Client
	opening nexus.Opening
	id      string
	events  chan nexus.Event
	sent    atomic.Int64 // samples of the caller's audio
	tasks   sync.WaitGroup
	ctx     context.Context // ends with the conversation
	cancel  context.CancelFunc
	done    chan struct{} // run has returned

	mu      sync.Mutex // guards what follows
	current *session
	loss    loss
}

var _ nexus.Conversation = (*conversation)(nil)

// begin lets an open session run.
func (c *conversation) begin(s *session) {
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.current, c.done = s, make(chan struct{})
	c.tasks.Go(c.pinging)
	go c.run()
}

func (c *conversation) session() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// position is how much of the caller's audio there was.
func (c *conversation) position() time.Duration {
	return time.Duration(c.samples()) * time.Millisecond / samplesPerMs
}

func (c *conversation) samples() int { return int(c.sent.Load()) }

// advance moves the position on and tells where it was.
func (c *conversation) advance(samples int) int { return int(c.sent.Add(int64(samples))) - samples }

// Send implements nexus.Conversation.
func (c *conversation) Send(ctx context.Context, mulaw []byte, lost time.Duration) error {
	s, up := c.connected()
	if !up {
		c.advance(int(lost.Milliseconds())*samplesPerMs + len(mulaw)/c.channels())
		return nil
	}
	err := s.audio(ctx, mulaw, lost)
	if err != nil && c.ctx.Err() == nil && !s.isClosing() {
		return nil // the reader finds out, and sees to it
	}
	return err
}

// Tell implements nexus.Conversation.
func (c *conversation) Tell(ctx context.Context, n nexus.Notice) error {
	s, up := c.connected()
	switch {
	case !up:
		return c.keep(n)
	case s.isClosing():
		return errClosed
	}
	return s.tell(ctx, n)
}

// tell sends a notice.
func (s *session) tell(ctx context.Context, n nexus.Notice) error {
	if n.Key != 0 {
		return s.send(ctx, "dtmf", map[string]string{"digit": string(rune(n.Key))})
	}
	switch n.Playback {
	case nexus.Begun:
		return s.send(ctx, "playback_started", struct{}{})
	case nexus.Over:
		return s.send(ctx, "playback_completed", struct{}{})
	}
	return nil
}

// Events implements nexus.Conversation.
func (c *conversation) Events() <-chan nexus.Event { return c.events }

// Close implements nexus.Conversation.
func (c *conversation) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.client.config.CloseTimeout)
	defer cancel()
	s, up := c.connected()
	if !up {
		c.cancel()
		<-c.done
		return nil
	}
	err := s.close(ctx, "end")
	select {
	case <-c.done:
	case <-ctx.Done():
		c.cancel()
		<-c.done
	}
	return err
}

// run handles what the server says until it is over.
func (c *conversation) run() {
	defer close(c.done)
	end := c.follow()
	c.cancel()
	c.session().hangUp()
	c.tasks.Wait()
	c.events <- end
	close(c.events)
}

// follow reads one session after the other.
func (c *conversation) follow() nexus.End {
	for {
		s := c.session()
		m, audio, err := s.receive(c.ctx)
		var end *nexus.End
		if err == nil {
			end, err = c.handle(s, m, audio)
		}
		if end == nil && err != nil && c.resume(s, err) {
			continue
		}
		switch {
		case end != nil && end.Err == nil && s.failure() != nil:
			return nexus.End{Err: &nexus.Fault{Class: "protocol", Err: s.failure()}}
		case end != nil:
			return *end
		case err != nil && s.failure() != nil:
			return nexus.End{Err: &nexus.Fault{Class: "protocol", Err: s.failure()}}
		case err != nil && c.ctx.Err() != nil:
			return nexus.End{} // this end closed it
		case err != nil && s.isClosing():
			return nexus.End{}
		case err != nil:
			s.complain(c.ctx, err)
			return nexus.End{Err: &nexus.Fault{Class: "protocol", Err: err}}
		}
	}
}

// handle takes one message, or audio. An End: it was the last.
func (c *conversation) handle(s *session, m *Message, audio []byte) (*nexus.End, error) {
	if m == nil {
		return nil, c.heard(s, audio)
	}
	switch m.Type {
	case "event":
		return nil, c.entities(m)
	case "pong":
		return nil, s.ponged(m)
	case "pause", "resume":
		return nil, s.setPaused(c.ctx, m.Type == "pause")
	case "reconnect":
		return nil, c.reconnect(s)
	case "disconnect":
		return c.disconnected(s, m), nil
	case "closed":
		if !s.isClosing() {
			return nil, &ProtocolError{409, "closed without close"}
		}
		return &nexus.End{}, nil
	case "error":
		var f Failure
		err := m.parameters(&f)
		return &nexus.End{Err: &nexus.Fault{Class: "protocol", Err: fmt.Errorf("server's error %d %s: %w", f.Code, f.Message, orNil(err))}}, nil
	case "opened":
		return nil, &ProtocolError{409, "opened twice"}
	}
	c.client.log.Debug("message of an unknown type", "type", m.Type, "session", s.id)
	return nil, nil
}

// orNil has %w print something where there is nothing to wrap.
func orNil(err error) error {
	if err == nil {
		return speech.ErrUnavailable
	}
	return err
}

func (c *conversation) emit(e nexus.Event) {
	select {
	case c.events <- e:
	case <-c.ctx.Done():
	}
}

// heard passes on what the bot says.
func (c *conversation) heard(s *session, audio []byte) error {
	if c.opening.Listens {
		return &ProtocolError{415, "audio of who only listens"}
	}
	if s.isClosing() {
		return nil
	}
	if s.media.Format == "L16" {
		audio = mulaw(audio)
	}
	c.emit(nexus.Audio(audio))
	return nil
}

func (c *conversation) entities(m *Message) error {
	all, err := m.Entities()
	if err != nil {
		return err
	}
	for _, e := range all {
		switch e.Type {
		case "barge_in":
			c.emit(nexus.BargeIn{})
		case "bot_turn_response":
			var r TurnResponse
			if err := json.Unmarshal(e.Data, &r); err != nil {
				return &ProtocolError{400, "bot_turn_response: " + err.Error()}
			}
			outcome, known := map[string]speech.Outcome{
				"match": speech.Match, "no_match": speech.NoMatch, "no_input": speech.NoInput,
			}[r.Disposition]
			if !known {
				return &ProtocolError{400, fmt.Sprintf("disposition %q", r.Disposition)}
			}
			c.emit(nexus.Answer{Outcome: outcome, Text: r.Text, Confidence: r.Confidence})
		default:
			c.emit(nexus.Note{Type: e.Type, Data: e.Data})
		}
	}
	return nil
}

// disconnected closes as the server wants.
func (c *conversation) disconnected(s *session, m *Message) *nexus.End {
	var d Disconnect
	if err := m.parameters(&d); err != nil {
		return &nexus.End{Err: &nexus.Fault{Class: "protocol", Err: err}}
	}
	c.await(s, "disconnect")
	end := &nexus.End{Completed: d.Reason == "completed", Variables: d.OutputVariables}
	if !end.Completed {
		end.Err = &nexus.Fault{Class: "protocol", Err: fmt.Errorf("disconnected: %s %s", d.Reason, d.Info)}
	}
	return end
}

// await closes a session and reads it to its end; what comes meanwhile is too late.
func (c *conversation) await(s *session, reason string) {
	ctx, cancel := context.WithTimeout(c.ctx, c.client.config.CloseTimeout)
	defer cancel()
	defer s.hangUp()
	if s.close(ctx, reason) != nil {
		return
	}
	for {
		m, _, err := s.receive(ctx)
		if err != nil || m != nil && m.Type == "closed" {
			return
		}
	}
}

// reconnect goes on in a new session.
func (c *conversation) reconnect(old *session) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.client.config.OpenTimeout)
	defer cancel()
	s, err := c.client.dial(ctx, c, old)
	if err != nil {
		return fmt.Errorf("reconnect: %w", err)
	}
	c.mu.Lock()
	c.current = s
	c.mu.Unlock()
	c.client.log.Debug("reconnected", "from", old.id, "to", s.id, slog.Group("conversation", "id", c.id))
	c.tasks.Go(func() { c.await(old, "reconnect") })
	return nil
}

// pinging asks time and again whether the server is there.
func (c *conversation) pinging() {
	ticker := time.NewTicker(c.client.config.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-c.ctx.Done():
			return
		}
		s, up := c.connected()
		if !up {
			continue
		}
		if err := s.ask(c.ctx); err != nil && c.ctx.Err() == nil {
			c.client.log.Debug("ping", "session", s.id, "error", err)
			var wrong *ProtocolError
			if errors.As(err, &wrong) && !s.proven() {
				s.giveUp(c.ctx, err)
				return
			}
			s.hangUp() // the reader finds out, and sees to it
		}
	}
}

// linear is mu-law as the protocol's L16.
func linear(mulaw []byte) []byte {
	out := make([]byte, 0, 2*len(mulaw))
	for _, b := range mulaw {
		out = binary.LittleEndian.AppendUint16(out, uint16(g711.DecodeUlawFrame(b)))
	}
	return out
}

// mulaw is the protocol's L16 as mu-law.
func mulaw(l16 []byte) []byte {
	out := make([]byte, len(l16)/2)
	for i := range out {
		out[i] = g711.EncodeUlawFrame(int16(binary.LittleEndian.Uint16(l16[2*i:])))
	}
	return out
}
