package mrcp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"mcp/speech"
)

// Client opens sessions with one speech server.
type Client struct {
	cfg      Config
	dialer   Dialer
	log      *slog.Logger
	pool     *pool
	counters counters

	mu       sync.Mutex
	closed   bool
	sessions map[*session]struct{}
	wg       sync.WaitGroup
}

var _ speech.Engine = (*Client)(nil)

// counters are behind Stats.
type counters struct {
	opened, failed, lost           atomic.Uint64
	requests, timeouts, lateEvents atomic.Uint64
	speaks, recognitions           atomic.Uint64
}

// Stats is what a Client has done so far, for metrics.
type Stats struct {
	Sessions     int    // open now
	Connections  int    // open now
	Opened       uint64 // sessions opened
	Failed       uint64 // sessions that could not be opened
	Lost         uint64 // sessions that ended without being closed
	Requests     uint64
	Timeouts     uint64 // requests without a response
	LateEvents   uint64 // events of requests that were over
	Speaks       uint64
	Recognitions uint64
}

// NewClient makes a client of the server that cfg names. The configuration must
// be valid. Close must be called.
func NewClient(cfg Config, dialer Dialer, log *slog.Logger) *Client {
	cfg = cfg.withDefaults()
	return &Client{cfg: cfg, dialer: dialer, log: log, pool: &pool{cfg: cfg, log: log},
		sessions: make(map[*session]struct{})}
}

// Stats counts.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	sessions := len(c.sessions)
	c.mu.Unlock()
	n := &c.counters
	return Stats{Sessions: sessions, Connections: c.pool.size(),
		Opened: n.opened.Load(), Failed: n.failed.Load(), Lost: n.lost.Load(),
		Requests: n.requests.Load(), Timeouts: n.timeouts.Load(), LateEvents: n.lateEvents.Load(),
		Speaks: n.speaks.Load(), Recognitions: n.recognitions.Load()}
}

// Open is part of speech.Engine.
func (c *Client) Open(ctx context.Context, media speech.Media) (speech.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	if !c.enter() {
		return nil, speech.ErrClosed
	}
	defer c.wg.Done()
	s, err := c.open(ctx, media)
	if err != nil {
		c.counters.failed.Add(1)
		return nil, fmt.Errorf("open speech session: %w", err)
	}
	if !c.adopt(s) {
		closing, cancel := context.WithTimeout(context.Background(), c.cfg.ByeTimeout)
		defer cancel()
		return nil, errors.Join(speech.ErrClosed, s.Close(closing))
	}
	c.counters.opened.Add(1)
	return s, nil
}

// enter keeps Close waiting for an Open under way.
func (c *Client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.wg.Add(1)
	}
	return !c.closed
}

// adopt starts the session's goroutine and notes it for Close.
func (c *Client) adopt(s *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[s] = struct{}{}
	c.wg.Go(func() {
		s.run()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.sessions, s)
	})
	return !c.closed
}

// open signals a session: INVITE, answer, connection.
func (c *Client) open(ctx context.Context, media speech.Media) (*session, error) {
	connection := ConnectionNew
	var reserved *conn
	if !c.cfg.OwnConnection {
		reserved = c.pool.reserve()
	}
	if reserved != nil {
		connection = ConnectionExisting
		defer c.pool.release(reserved)
	}
	r := &refresher{ours: offer(media, sessionID(), connection), log: c.log}
	dialog, err := c.dialer.Dial(ctx, c.cfg.URI, r.ours.Marshal(), r.answer)
	if err != nil {
		return nil, unavailable(err)
	}
	s, err := c.join(ctx, dialog, r, reserved)
	if err != nil {
		bye, cancel := context.WithTimeout(context.Background(), c.cfg.ByeTimeout)
		defer cancel()
		return nil, errors.Join(err, dialog.Bye(bye))
	}
	return s, nil
}

func (c *Client) join(ctx context.Context, dialog Dialog, r *refresher, reserved *conn) (*session, error) {
	agreed, err := agree(r.ours, dialog.Answer())
	if err != nil {
		return nil, err
	}
	r.settle(agreed.media)
	s := newSession(c, dialog, agreed)
	if err := s.connect(ctx, reserved); err != nil {
		s.disconnect()
		return nil, err
	}
	return s, nil
}

// unavailable makes a dialer's error one of those that an Engine's user tells
// apart, unless it is one already.
func unavailable(err error) error {
	if errors.Is(err, speech.ErrNoCodec) || errors.Is(err, speech.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", speech.ErrUnavailable, err)
}

// Close ends every session, as if its server were lost, and waits.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	open := make([]*session, 0, len(c.sessions))
	for s := range c.sessions {
		open = append(open, s)
	}
	c.mu.Unlock()
	for _, s := range open {
		s.finish(speech.ErrClosed)
	}
	c.wg.Wait()
	return nil
}

// refresher answers re-INVITEs of one dialog.
type refresher struct {
	log   *slog.Logger
	mu    sync.Mutex
	ours  *Description
	media speech.Media
}

func (r *refresher) settle(media speech.Media) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.media = media
	// The answer to a refresh says connection:existing where the offer said new,
	// and one codec where it offered several, so its version is the next.
	next := *r.ours
	next.Version++
	r.ours = &next
}

func (r *refresher) answer(offered []byte) []byte {
	r.mu.Lock()
	ours, media := r.ours, r.media
	r.mu.Unlock()
	if len(offered) == 0 {
		return ours.Marshal()
	}
	theirs, err := ParseDescription(offered)
	if err != nil {
		r.log.Warn("speech server's new offer not understood", "err", err)
		return nil
	}
	if audio := theirs.Audio(); audio != nil && media.Addr.IsValid() && audio.Addr != media.Addr {
		r.log.Warn("speech server wants to move its audio, which is not supported", "from", media.Addr, "to", audio.Addr)
		return nil
	}
	return refresh(ours, theirs, media).Marshal()
}

// sessionID is the origin's session identifier, which must be unique among all
// that this host makes (RFC 8866 section 5.2). 53 bits survive every parser.
func sessionID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return binary.BigEndian.Uint64(b[:]) >> 11
}
