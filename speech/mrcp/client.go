package mrcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"mcp/speech"
)

// Client opens sessions with speech servers.
type Client struct {
	cfg      Config
	traits   Traits
	carriage Carriage
	servers  *servers
	log      *slog.Logger
	counters counters
	stop     context.CancelFunc

	mu       sync.Mutex
	closed   bool
	sessions map[*session]struct{}
	wg       sync.WaitGroup
}

var (
	_ speech.Engine     = (*Client)(nil)
	_ speech.Particular = (*Client)(nil)
)

// counters are behind Stats.
type counters struct {
	opened, failed, lost, idle     atomic.Uint64
	requests, timeouts, lateEvents atomic.Uint64
	speaks, recognitions           atomic.Uint64
}

// Stats is what a Client has done so far, for metrics.
type Stats struct {
	Sessions     int    // open now
	Connections  int    // open now
	ServersDown  int    // now
	Opened       uint64 // sessions opened
	Failed       uint64 // sessions that could not be opened
	Lost         uint64 // sessions that ended without being closed
	Idle         uint64 // sessions that were ended because nobody used them
	Requests     uint64
	Timeouts     uint64 // requests without a response
	LateEvents   uint64 // events of requests that were over
	Speaks       uint64
	Recognitions uint64
}

// NewClient makes a client of the servers that cfg names. The configuration must
// be valid. Close must be called.
func NewClient(cfg Config, carriage Carriage, log *slog.Logger) *Client {
	traits := carriage.Traits()
	cfg = cfg.withDefaults(traits)
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{cfg: cfg, traits: traits, carriage: carriage, servers: newServers(cfg, carriage, log),
		log: log, stop: stop, sessions: make(map[*session]struct{})}
	if cfg.HealthInterval > 0 {
		c.wg.Go(func() { c.servers.watch(ctx, cfg.HealthInterval, cfg.ResponseTimeout) })
	}
	return c
}

// Stats counts.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	sessions := len(c.sessions)
	c.mu.Unlock()
	n := &c.counters
	return Stats{Sessions: sessions, Connections: c.carriage.Connections(), ServersDown: c.servers.down(),
		Opened: n.opened.Load(), Failed: n.failed.Load(), Lost: n.lost.Load(), Idle: n.idle.Load(),
		Requests: n.requests.Load(), Timeouts: n.timeouts.Load(), LateEvents: n.lateEvents.Load(),
		Speaks: n.speaks.Load(), Recognitions: n.recognitions.Load()}
}

// Open is part of speech.Engine.
func (c *Client) Open(ctx context.Context, media speech.Media) (speech.Session, error) {
	return c.OpenFor(ctx, media, speech.Particulars{})
}

// OpenFor is part of speech.Particular.
func (c *Client) OpenFor(ctx context.Context, media speech.Media, p speech.Particulars) (speech.Session, error) {
	if !c.enter() {
		return nil, speech.ErrClosed
	}
	defer c.wg.Done()
	s := newSession(c, p)
	link, err := c.servers.open(ctx, c.cfg.OpenTimeout, Opening{Media: media, Resources: c.cfg.Resources, Receiver: s, Description: p.Description})
	if err != nil {
		c.counters.failed.Add(1)
		return nil, fmt.Errorf("open speech session: %w", err)
	}
	s.begin(link)
	if !c.adopt(s) {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.CloseTimeout)
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

// Close ends every session, as if its server were lost, and waits.
func (c *Client) Close() error {
	c.stop()
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
