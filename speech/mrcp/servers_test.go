package mrcp

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"
)

// Each server comes first as often as its weight says, over all that chance may do.
func TestShuffleByWeight(t *testing.T) {
	list := []*server{{Server: Server{URI: "a", Weight: 1}}, {Server: Server{URI: "b", Weight: 2}}, {Server: Server{URI: "c", Weight: 1}}}
	first := map[string]int{}
	for draw := range 4 {
		order := shuffle(list, func(n int) int { return min(draw, n-1) })
		first[order[0].URI]++
		if len(order) != 3 {
			t.Errorf("%d servers", len(order))
		}
	}
	if first["a"] != 1 || first["b"] != 2 || first["c"] != 1 {
		t.Errorf("%v", first)
	}
	if list[0].URI != "a" {
		t.Error("the list has changed")
	}
}

// nowhere is a carriage that reaches no server but "up".
type nowhere struct{ Carriage }

func (nowhere) Probe(_ context.Context, server string) error {
	if server == "up" {
		return nil
	}
	return errors.New("nobody there")
}

func TestServersAreTriedInOrder(t *testing.T) {
	cfg := Config{Servers: []Server{{URI: "down"}, {URI: "up"}}, RetryAfter: time.Hour}
	s := newServers(cfg, nowhere{}, slog.New(slog.DiscardHandler))
	uris := func() (all []string) {
		for _, one := range s.order() {
			all = append(all, one.URI)
		}
		return all
	}
	s.probe(t.Context(), time.Second)
	for range 20 {
		if got := uris(); !slices.Equal(got, []string{"up", "down"}) {
			t.Fatalf("%v", got)
		}
	}
	if s.down() != 1 {
		t.Errorf("%d down", s.down())
	}
	s.list[0].until = time.Now().Add(-time.Second)
	seen := map[string]bool{}
	for range 100 {
		seen[uris()[0]] = true
	}
	if !seen["down"] {
		t.Error("one that failed long ago is not tried again")
	}
}
