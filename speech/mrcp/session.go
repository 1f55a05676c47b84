package mrcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// errBusy says that the session is already doing what was asked.
var errBusy = errors.New("speech session is busy")

// errIdle is why a session ends that nobody uses.
var errIdle = fmt.Errorf("%w: not used for too long", speech.ErrClosed)

// session is one session with a server.
//
// Messages come in on the link's goroutines, calls on their callers', and both
// only ever hold mu for a moment. The goroutine run owns the session's end.
type session struct {
	client   *Client
	log      *slog.Logger
	link     placed        // set before anything is sent
	defining chan struct{} // holds a token while a recognition is being set up
	altering chan struct{} // holds a token while the resources change
	ending   chan struct{} // closed when err is set: the session is over
	done     chan struct{} // closed when everything has been given back as well

	mu          sync.Mutex
	err         error // why the session is over
	requests    requests
	used        usage
	speaking    *speaking
	recognizing *recognizing
	recording   *recording
	grammars    *grammars
}

// usage is which resources a session has.
type usage struct {
	last map[string]time.Time // when each was last of use
	kept bool                 // the server keeps what it was given back
	tag  string               // what the server's log is to know them by
}

var (
	_ speech.Session      = (*session)(nil)
	_ speech.LexiconStore = (*session)(nil)
	_ speech.Interpreter  = (*session)(nil)
	_ speech.Recorder     = (*session)(nil)
	_ speech.Tuner        = (*session)(nil)
)

func newSession(c *Client, p speech.Particulars) *session {
	log := c.log
	if p.Call != "" {
		log = log.With("call", p.Call)
	}
	return &session{
		client:   c,
		log:      log,
		defining: make(chan struct{}, 1),
		altering: make(chan struct{}, 1),
		ending:   make(chan struct{}),
		done:     make(chan struct{}),
		requests: requests{pending: make(map[uint32]*exchange), witness: p.Witness},
		used: usage{
			last: make(map[string]time.Time),
			tag:  strings.ReplaceAll(c.cfg.Manners.LoggingTag, CallInTag, p.Call),
		},
		grammars: newGrammars(c.cfg.Manners),
	}
}

// begin takes the session up on its link.
func (s *session) begin(link placed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = link
	s.log = s.log.With("server", link.server.URI, "media", link.Media().Addr.String())
	s.grantLocked(s.client.cfg.Resources)
}

// grantLocked notes which resources there are, and tags those that are new.
func (s *session) grantLocked(resources []string) {
	now := time.Now()
	for _, r := range resources {
		if _, had := s.used.last[r]; had {
			continue
		}
		s.used.last[r] = now
		if tag := s.used.tag; tag != "" && s.err == nil {
			m := &wire.Message{Name: wire.MethodSetParams}
			m.Header.Add(wire.HeaderLoggingTag, tag)
			s.sendOptionalLocked(r, m)
		}
	}
	for r := range s.used.last {
		if !slices.Contains(resources, r) {
			delete(s.used.last, r)
		}
	}
}

// need makes sure that the session has a resource.
func (s *session) need(ctx context.Context, resource string) error {
	s.mu.Lock()
	_, has := s.used.last[resource]
	if has {
		s.used.last[resource] = time.Now()
	}
	err := s.err
	s.mu.Unlock()
	if has || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.cfg.OpenTimeout)
	defer cancel()
	return s.alter(ctx, func(now []string) []string { return append(now, resource) })
}

// alter changes which resources the session has. change is called with mu held.
func (s *session) alter(ctx context.Context, change func(now []string) []string) error {
	select {
	case s.altering <- struct{}{}:
		defer func() { <-s.altering }()
	case <-s.ending:
		return s.reason()
	case <-ctx.Done():
		return fmt.Errorf("change resources: %w", ctx.Err())
	}
	wanted, given := s.choose(change)
	granted, err := s.link.Alter(ctx, wanted)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(granted, wire.Recognizer) {
		s.grammars = newGrammars(s.client.cfg.Manners) // they went with it
	}
	s.grantLocked(granted)
	for r, last := range given {
		if _, still := s.used.last[r]; still {
			s.used.last[r], s.used.kept = last, true
		}
	}
	return s.err
}

// choose makes the new list of resources, and tells when those to give up were
// last of use. They count as gone at once, so that whoever needs one from now on
// waits for its return.
func (s *session) choose(change func(now []string) []string) (wanted []string, given map[string]time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted, given = change(slices.Sorted(maps.Keys(s.used.last))), make(map[string]time.Time)
	for r := range s.used.last {
		if !slices.Contains(wanted, r) {
			given[r] = s.used.last[r]
			delete(s.used.last, r)
		}
	}
	slices.Sort(wanted)
	return slices.Compact(wanted), given
}

// run waits for the session's end, looking after it meanwhile, and gives
// everything back.
func (s *session) run() {
	round := s.round()
	ticker := time.NewTicker(round)
	defer ticker.Stop()
	for over := false; !over; {
		select {
		case <-s.link.Done():
			s.lose(fmt.Errorf("%w: the server hung up", speech.ErrUnavailable))
			over = true
		case <-s.ending:
			over = true
		case <-ticker.C:
			s.care()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.client.cfg.CloseTimeout)
	defer cancel()
	if err := s.link.Close(ctx); err != nil {
		s.log.Info("end of speech session failed", "err", err)
	}
	close(s.done)
}

// Media is part of speech.Session.
func (s *session) Media() speech.Media { return s.link.Media() }

// Done is part of speech.Session. What is left to do then is nobody else's business: a
// server that is gone may be sent its BYE for long.
func (s *session) Done() <-chan struct{} { return s.ending }

// Close is part of speech.Session. What runs is stopped before the session ends,
// because servers are known to keep a license for speech that was not. One that has
// ended by itself is not waited for.
func (s *session) Close(ctx context.Context) error {
	stopping, cancel := context.WithTimeout(ctx, s.client.cfg.ResponseTimeout)
	defer cancel()
	s.stopAll(stopping)
	if !s.finish(speech.ErrClosed) {
		return nil
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close speech session: %w", ctx.Err())
	}
}

func (s *session) stopAll(ctx context.Context) {
	s.mu.Lock()
	var waits []<-chan struct{}
	if s.speaking != nil {
		s.speaking.stepLocked(speakWantStop, nil)
		waits = append(waits, s.speaking.done)
	}
	for _, h := range s.hearingsLocked() {
		h.stepLocked(recogWantStop, nil)
		waits = append(waits, h.done)
	}
	s.mu.Unlock()
	for _, done := range waits {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// hearingsLocked are the last requests that listen to the caller.
func (s *session) hearingsLocked() []*hearing {
	var all []*hearing
	if s.recognizing != nil {
		all = append(all, s.recognizing.hearing)
	}
	if s.recording != nil {
		all = append(all, s.recording.hearing)
	}
	return all
}

// Lost is part of Receiver: the session cannot go on, for which its server is to
// blame.
func (s *session) Lost(err error) {
	s.mu.Lock()
	over, with := s.err != nil, s.link
	s.mu.Unlock()
	if over {
		return
	}
	// Who learns of the loss opens another session at once.
	s.client.servers.suspect(with.server)
	if errors.Is(err, ErrUnanswered) {
		with.Shun()
	}
	s.lose(err)
}

// lose ends the session for err, unless it has ended. Whoever was speaking or listening
// learns of it and says so in the log; a loss that nobody else notices is said here.
func (s *session) lose(err error) bool {
	level := slog.LevelWarn
	if s.inUse() {
		level = slog.LevelDebug
	}
	lost := s.finish(err)
	if lost {
		s.client.counters.lost.Add(1)
		s.log.Log(context.Background(), level, "speech session lost", "err", err)
	}
	return lost
}

// inUse tells whether somebody waits for what is spoken or heard.
func (s *session) inUse() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	under := func(done <-chan struct{}) bool {
		select {
		case <-done:
			return false
		default:
			return true
		}
	}
	return s.speaking != nil && under(s.speaking.done) ||
		slices.ContainsFunc(s.hearingsLocked(), func(h *hearing) bool { return under(h.done) })
}

// finish ends the session for err and fails all that waits. It tells whether
// this call was the one that ended it.
func (s *session) finish(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.err = err
	if s.speaking != nil {
		s.speaking.stepLocked(speakLost, err)
	}
	for _, h := range s.hearingsLocked() {
		h.stepLocked(recogLost, err)
	}
	// Last, so that no answer makes one of those send anything more.
	s.requests.failAll(err)
	close(s.ending)
	return true
}

// reason is why the session is over, once ending is closed.
func (s *session) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// round is how often a session is looked after.
func (s *session) round() time.Duration {
	cfg := s.client.cfg
	round := time.Hour
	for _, d := range []time.Duration{cfg.KeepAlive, cfg.Idle} {
		if d > 0 {
			round = min(round, d/4)
		}
	}
	return max(round, time.Millisecond)
}

// care gives back what nobody has used for long, and keeps what is in use alive
// with the server.
func (s *session) care() {
	s.mu.Lock()
	now := time.Now()
	idle := s.idleLocked(now)
	all := len(idle) > 0 && len(idle) == len(s.used.last)
	kept := s.used.kept
	quiet := s.client.cfg.KeepAlive > 0 && now.Sub(s.requests.sent) >= s.client.cfg.KeepAlive
	if quiet && !all && s.err == nil {
		s.keepAliveLocked()
	}
	s.mu.Unlock()
	switch {
	case all:
		if s.finish(errIdle) {
			s.client.counters.idle.Add(1)
			s.log.Debug("speech session returned, nobody used it")
		}
	case len(idle) > 0 && !kept:
		s.giveBack(idle)
	}
}

// idleLocked are the resources that have not been used for too long.
func (s *session) idleLocked(now time.Time) []string {
	if s.client.cfg.Idle <= 0 {
		return nil
	}
	s.busyLocked(now)
	var idle []string
	for r, last := range s.used.last {
		if now.Sub(last) >= s.client.cfg.Idle {
			idle = append(idle, r)
		}
	}
	return idle
}

// busyLocked notes which resources are of use just now.
func (s *session) busyLocked(now time.Time) {
	for resource, busy := range map[string]bool{
		wire.Synthesizer: s.speaking != nil && s.speaking.state != speakEnded,
		wire.Recognizer:  s.recognizing != nil && s.recognizing.state != recogEnded,
		wire.Recorder:    s.recording != nil && s.recording.state != recogEnded,
	} {
		if _, has := s.used.last[resource]; has && busy {
			s.used.last[resource] = now
		}
	}
}

// giveBack drops resources from the session. One that came to be needed in the
// meantime stays.
func (s *session) giveBack(idle []string) {
	ctx, cancel := context.WithTimeout(context.Background(), s.client.cfg.ResponseTimeout)
	defer cancel()
	err := s.alter(ctx, func(now []string) []string {
		still := s.idleLocked(time.Now())
		return slices.DeleteFunc(now, func(r string) bool { return slices.Contains(idle, r) && slices.Contains(still, r) })
	})
	if err != nil {
		s.log.Info("speech server keeps an idle resource", "err", err)
	}
}

// keepAliveLocked asks for a parameter, which nothing depends on.
func (s *session) keepAliveLocked() {
	for _, r := range []string{wire.Recognizer, wire.Synthesizer, wire.Recorder} {
		if _, has := s.used.last[r]; has {
			m := &wire.Message{Name: wire.MethodGetParams}
			m.Header.Add(wire.HeaderLoggingTag, "")
			s.sendOptionalLocked(r, m)
			return
		}
	}
}

// await waits for done, the context, or nothing else: whatever ends a session
// also closes what its callers wait for.
func await(ctx context.Context, done <-chan struct{}, what string) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
}
