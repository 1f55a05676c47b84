package nexustest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"mcp/speech/nexus/audiohook"
	"mcp/speech/speechtest"
)

// Session is one client's.
type Session struct {
	server       *Server
	ws           *websocket.Conn
	id           string
	organization string

	listener *speechtest.Listener
	keys     string

	mu        sync.Mutex // guards what follows
	open      audiohook.Open
	media     audiohook.Media
	received  []audiohook.Message
	audio     []byte // all of it, as it came
	seq       uint64 // of our messages
	clientSeq uint64 // of the client's
	position  time.Duration
	state     state
}

// state is what a session has come to.
type state struct {
	opened  bool
	ended   bool // we have asked to disconnect, or the client to close
	playing bool
}

// Opening is what the client said first.
func (s *Session) Opening() audiohook.Open {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Received are the types of the messages that came, in order.
func (s *Session) Received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var types []string
	for _, m := range s.received {
		types = append(types, m.Type)
	}
	return types
}

// Messages are those of a type.
func (s *Session) Messages(kind string) []audiohook.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.received), func(m audiohook.Message) bool { return m.Type != kind })
}

// Audio is what was heard.
func (s *Session) Audio() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.audio)
}

// ID is the session's.
func (s *Session) ID() string { return s.id }

// Drop ends the connection without a word.
func (s *Session) Drop() { _ = s.ws.CloseNow() }

// run serves until the client closes or goes.
func (s *Session) run(ctx context.Context) {
	defer s.ws.CloseNow()
	s.listener = speechtest.NewListener(s.server.config.Pause)
	for {
		kind, data, err := s.ws.Read(ctx)
		if err != nil {
			return
		}
		goOn := true
		if kind == websocket.MessageBinary {
			goOn = s.hear(ctx, data)
		} else {
			goOn = s.message(ctx, data)
		}
		if !goOn {
			return
		}
		if f := s.server.failing(); f.Deaf && s.isOpen() {
			<-ctx.Done()
			return
		}
	}
}

func (s *Session) isPlaying() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.playing
}

func (s *Session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.opened
}

// Send sends a message of any type.
func (s *Session) Send(ctx context.Context, kind string, parameters any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := json.Marshal(parameters)
	if err != nil {
		s.server.log.Error("send", "error", err)
		return
	}
	s.seq++
	client := s.clientSeq
	text, err := json.Marshal(audiohook.Message{
		Version: audiohook.Version, ID: s.id, Type: kind, Seq: s.seq, ClientSeq: &client, Parameters: p,
	})
	if err == nil {
		err = s.ws.Write(ctx, websocket.MessageText, text)
	}
	if err != nil {
		s.server.log.Debug("send", "type", kind, "error", err)
	}
}

// message takes a JSON message, and checks what all have in common.
func (s *Session) message(ctx context.Context, text []byte) bool {
	m, err := audiohook.Read(text)
	if err != nil {
		s.server.violated("message: %v", err)
		return false
	}
	s.check(m)
	switch m.Type {
	case "open":
		s.begin(ctx, m)
	case "close":
		s.mu.Lock()
		s.state.ended = true
		s.mu.Unlock()
		s.Send(ctx, "closed", struct{}{})
	case "ping":
		if !s.server.failing().Pongless {
			s.Send(ctx, "pong", struct{}{})
		}
	case "update":
		s.Send(ctx, "updated", struct{}{})
	case "dtmf":
		s.press(ctx, m)
	case "playback_started", "playback_completed":
		s.played(m.Type == "playback_started")
	case "error", "paused", "resumed", "discarded":
	default:
		s.server.violated("message of type %q", m.Type)
	}
	return true
}

// check holds a message to the rules on sequence numbers and positions.
func (s *Session) check(m *audiohook.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, *m)
	if m.ID != s.id {
		s.server.violated("id %q, and the request said %q", m.ID, s.id)
	}
	if m.Seq != s.clientSeq+1 {
		s.server.violated("seq %d follows %d", m.Seq, s.clientSeq)
	}
	s.clientSeq = m.Seq
	if m.ServerSeq == nil || *m.ServerSeq > s.seq {
		s.server.violated("%s: serverseq is missing, or not sent yet", m.Type)
	}
	at, err := m.Position.Time()
	if err != nil || at < s.position {
		s.server.violated("%s: position %q follows %s", m.Type, m.Position, s.position)
	}
	s.position = at
	if (m.Type == "open") != (len(s.received) == 1) {
		s.server.violated("%s as message %d", m.Type, len(s.received))
	}
}

// begin accepts a session.
func (s *Session) begin(ctx context.Context, m *audiohook.Message) {
	f := s.server.failing()
	var open audiohook.Open
	if err := json.Unmarshal(m.Parameters, &open); err != nil {
		s.server.violated("open: %v", err)
	}
	if open.OrganizationID != s.organization {
		s.server.violated("organization %q, and the request said %q", open.OrganizationID, s.organization)
	}
	chosen, found := s.choose(open.Media)
	s.mu.Lock()
	s.open, s.media = open, chosen
	s.state.playing = s.server.playing(open.Continued)
	s.mu.Unlock()
	switch {
	case f.Mute:
		return
	case f.Unauthorized:
		s.disconnect(ctx, audiohook.Disconnect{Reason: "unauthorized", Info: "who are you"})
		return
	case f.Early:
		_ = s.ws.Write(ctx, websocket.MessageBinary, make([]byte, 160)) // the client may be gone
	case f.Format:
		chosen.Format = "OPUS"
	case !found:
		s.server.violated("no format can be chosen: %+v", open.Media)
	}
	s.Send(ctx, "opened", audiohook.Opened{Media: []audiohook.Media{chosen}})
	s.mu.Lock()
	s.state.opened = true
	s.mu.Unlock()
	s.misbehave(ctx, f)
	if len(chosen.Channels) == 1 && len(open.Continued) == 0 {
		s.say(ctx, Reply{Disposition: "match", Text: s.server.config.Brain.Greet(open), Say: s.server.config.Brain.Greet(open)})
	}
}

func (s *Session) choose(offers []audiohook.Media) (audiohook.Media, bool) {
	want := "PCMU"
	if s.server.config.L16 {
		want = "L16"
	}
	for _, m := range offers {
		if m.Type == "audio" && m.Rate == speechtest.Rate && m.Format == want {
			return m, true
		}
	}
	if len(offers) == 0 {
		return audiohook.Media{}, false
	}
	return offers[0], true
}

// misbehave does what a client must stand.
func (s *Session) misbehave(ctx context.Context, f Faults) {
	write := func(text string) { _ = s.ws.Write(ctx, websocket.MessageText, []byte(text)) } // the client may be gone
	switch {
	case f.Garbage:
		write(`{"version":"2","type":`)
	case f.Huge:
		write(`{"version":"2","pad":"` + strings.Repeat("x", audiohook.MaxMessage) + `"}`)
	case f.Sequence:
		s.mu.Lock()
		s.seq++
		s.mu.Unlock()
		s.Send(ctx, "event", audiohook.Entities{})
	case f.Reconnect:
		s.server.Fail(Faults{})
		s.Send(ctx, "reconnect", struct{}{})
	}
}

// disconnect asks the client to close.
func (s *Session) disconnect(ctx context.Context, d audiohook.Disconnect) {
	s.mu.Lock()
	s.state.ended = true
	s.mu.Unlock()
	s.Send(ctx, "disconnect", d)
}

// played notes what the client has heard. Where the session continues another, what
// ends may have begun there.
func (s *Session) played(started bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.playing == started && (started || len(s.open.Continued) == 0) {
		s.server.violated("playback started: %t, twice", started)
	}
	s.state.playing = started
}

// hear takes the caller's audio.
func (s *Session) hear(ctx context.Context, octets []byte) bool {
	s.mu.Lock()
	if !s.state.opened {
		s.server.violated("audio before opened")
	}
	if len(s.received) > 0 && s.received[len(s.received)-1].Type == "close" {
		s.server.violated("audio after close")
	}
	s.audio = append(s.audio, octets...)
	media, ended, playing, continues := s.media, s.state.ended, s.state.playing, len(s.open.Continued) > 0
	s.mu.Unlock()
	if continues && s.server.failing().Cut {
		return false
	}
	if len(media.Channels) != 1 || ended {
		return true
	}
	pcm := speechtest.Linear(octets)
	if media.Format == "PCMU" {
		pcm = speechtest.Decode(octets, false)
	}
	for _, moment := range s.listener.Hear(pcm) {
		switch moment {
		case speechtest.Begun:
			if s.server.failing().Cut {
				return false
			}
			if playing {
				s.Send(ctx, "event", audiohook.Entities{Entities: []audiohook.Entity{{Type: "barge_in", Data: json.RawMessage("{}")}}})
			}
		case speechtest.Ended:
			heard, err := s.server.engine.Transcribe(ctx, speechtest.Utterance{Audio: s.listener.Utterance(), Language: s.Opening().Language})
			if err != nil {
				s.disconnect(ctx, audiohook.Disconnect{Reason: "error", Info: err.Error()})
				return true
			}
			reply := s.server.config.Brain.Answer(heard.Text, "")
			s.answer(ctx, reply, heard.Confidence)
		}
	}
	return true
}

// press takes a key; # ends them.
func (s *Session) press(ctx context.Context, m *audiohook.Message) {
	var key struct{ Digit string }
	if err := json.Unmarshal(m.Parameters, &key); err != nil || len(key.Digit) != 1 {
		s.server.violated("dtmf %s", m.Parameters)
		return
	}
	if key.Digit != "#" {
		s.keys += key.Digit
		return
	}
	keys := s.keys
	s.keys = ""
	s.answer(ctx, s.server.config.Brain.Answer("", keys), 1)
}

func (s *Session) answer(ctx context.Context, r Reply, confidence float64) {
	s.server.log.Info("answer", "text", r.Text, "says", r.Say)
	s.respond(ctx, r, confidence)
	if r.End {
		s.disconnect(ctx, audiohook.Disconnect{Reason: "completed", OutputVariables: r.Variables})
	}
}

// say is an answer to nothing.
func (s *Session) say(ctx context.Context, r Reply) {
	if r.Say != "" {
		s.respond(ctx, r, 1)
	}
}

// respond reports a turn, then says something.
func (s *Session) respond(ctx context.Context, r Reply, confidence float64) {
	data, err := json.Marshal(audiohook.TurnResponse{Disposition: r.Disposition, Text: r.Text, Confidence: confidence})
	if err != nil {
		s.server.log.Error("respond", "error", err)
		return
	}
	s.Send(ctx, "event", audiohook.Entities{Entities: []audiohook.Entity{{Type: "bot_turn_response", Data: data}}})
	if r.Say == "" {
		return
	}
	pcm, err := s.server.engine.Synthesize(ctx, "<speak>"+r.Say+"</speak>", s.Opening().Language)
	if err != nil {
		s.server.log.Warn("say", "error", err)
		return
	}
	s.Speak(ctx, pcm)
}

// Speak lets the bot say something.
func (s *Session) Speak(ctx context.Context, pcm []int16) {
	octets := speechtest.Encode(pcm, false)
	if s.media.Format == "L16" {
		octets = speechtest.Octets(pcm)
	}
	for piece := range slices.Chunk(octets, 8000) {
		s.mu.Lock()
		err := s.ws.Write(ctx, websocket.MessageBinary, piece)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}
