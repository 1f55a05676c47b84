package mrcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"mcp/speech"
)

// servers is the list that sessions are spread over. A server that fails is left
// alone until a probe finds it, or for a while when none are sent; one that a session
// was lost with, for a while whatever it says. When all have failed, all are tried again.
type servers struct {
	carriage Carriage
	retry    time.Duration
	probed   bool
	log      *slog.Logger

	mu   sync.Mutex
	list []*server
}

// server is one of the list.
type server struct {
	Server
	down  bool
	until time.Time // down until then, unless a probe says otherwise before
	lost  time.Time // a session with it was lost; zero: none
}

// suits tells whether a session should go to it, mu held.
func (one *server) suits(now time.Time, s *servers) bool {
	down := one.down && (s.probed || now.Before(one.until))
	return !down && (one.lost.IsZero() || now.Sub(one.lost) >= s.retry)
}

// placed is a link with the server that it leads to.
type placed struct {
	Link
	server *server
}

func newServers(cfg Config, carriage Carriage, log *slog.Logger) *servers {
	s := &servers{carriage: carriage, retry: cfg.RetryAfter, probed: cfg.HealthInterval > 0, log: log}
	for _, one := range cfg.Servers {
		one.Weight = orDefault(one.Weight, 1)
		s.list = append(s.list, &server{Server: one})
	}
	return s
}

// order is the servers in the order to try them: those that are up, shuffled by
// weight, and then the others, because they may have come back.
func (s *servers) order() []*server {
	s.mu.Lock()
	defer s.mu.Unlock()
	var up, down []*server
	now := time.Now()
	for _, one := range s.list {
		if one.suits(now, s) {
			up = append(up, one)
		} else {
			down = append(down, one)
		}
	}
	return append(shuffle(up, rand.IntN), down...)
}

// shuffle puts each server before the rest with a likelihood that is its share
// of their weight. random(n) is a number below n.
func shuffle(list []*server, random func(n int) int) []*server {
	list = slices.Clone(list)
	for i := range list {
		total := 0
		for _, one := range list[i:] {
			total += one.Weight
		}
		at, chosen := random(total), i
		for at >= list[chosen].Weight {
			at -= list[chosen].Weight
			chosen++
		}
		list[i], list[chosen] = list[chosen], list[i]
	}
	return list
}

// suspect leaves a server alone for a while that a session was lost with. Whoever
// lost it logs that. There is none yet while a session opens.
func (s *servers) suspect(one *server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one != nil {
		one.lost = time.Now()
	}
}

// note remembers how a server did. It logs only what changes.
func (s *servers) note(one *server, err error) {
	s.mu.Lock()
	changed := one.down != (err != nil)
	one.down, one.until = err != nil, time.Now().Add(s.retry)
	s.mu.Unlock()
	switch {
	case changed && err != nil:
		s.log.Warn("speech server is down", "server", one.URI, "err", err)
	case changed:
		s.log.Info("speech server is up", "server", one.URI)
	}
}

// down is how many servers are.
func (s *servers) down() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, one := range s.list {
		if one.down {
			n++
		}
	}
	return n
}

// open opens a session with the first server that takes it. A server's refusal
// of the codecs is its own; what no server can help with ends the search.
func (s *servers) open(ctx context.Context, timeout time.Duration, o Opening) (placed, error) {
	var failures []error
	for _, one := range s.order() {
		o.Server = one.URI
		trying, cancel := context.WithTimeout(ctx, timeout)
		link, err := s.carriage.Open(trying, o)
		cancel()
		if err == nil {
			s.note(one, nil)
			return placed{link, one}, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", one.URI, err))
		if ctx.Err() != nil {
			break // the caller gave up, which says nothing about the server
		}
		if !errors.Is(err, speech.ErrNoCodec) {
			s.note(one, err)
		}
	}
	return placed{}, errors.Join(failures...)
}

// watch probes every server until the context ends.
func (s *servers) watch(ctx context.Context, interval, timeout time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.probe(ctx, timeout)
		}
	}
}

// probe asks all servers at once, so that a dead one delays none.
func (s *servers) probe(ctx context.Context, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, one := range s.list {
		wg.Go(func() {
			err := s.carriage.Probe(ctx, one.URI)
			if !errors.Is(ctx.Err(), context.Canceled) {
				s.note(one, err)
			}
		})
	}
	wg.Wait()
}
