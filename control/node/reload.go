package node

import (
	"context"
	"slices"
	"sync/atomic"

	"mcp/control/call"
	"mcp/control/config"
	"mcp/control/route"
)

// follow takes up changes of the configuration until ctx ends. Each difference is
// logged, with whether it is in force.
func (n *Node) follow(ctx context.Context, changes <-chan Config) error {
	from := n.cfg
	for {
		select {
		case <-ctx.Done():
			return nil
		case to := <-changes:
			if err := n.change(from, to); err != nil {
				return err
			}
			from = to
		}
	}
}

func (n *Node) change(from, to Config) error {
	differences, err := config.Changes(&from, &to)
	if err != nil {
		return err
	}
	waiting, err := config.Changes(&n.cfg, &to)
	if err != nil {
		return err
	}
	for _, d := range differences {
		args := []any{"key", d.Key, "from", d.From, "to", d.To}
		switch {
		case d.Live:
			n.log.Info("configuration changed", args...)
		case slices.ContainsFunc(waiting, func(w config.Change) bool { return w.Key == d.Key }):
			n.log.Warn("configuration changed, in force at the next start", args...)
		default:
			n.log.Info("configuration changed back to what is in force", args...)
		}
	}
	for _, tell := range n.followers {
		tell(to)
	}
	n.log.Info("configuration taken up", "changes", len(differences))
	return nil
}

// routing is a table of numbers that can be exchanged while calls come in. It
// implements call.Selector.
type routing struct {
	services map[string]call.Service
	table    atomic.Pointer[call.Table]
}

func (r *routing) route(c Config) {
	r.table.Store(&call.Table{Routes: route.Table{Numbers: c.Application.Numbers}, Services: r.services})
}

// Select implements call.Selector.
func (r *routing) Select(invite call.Identity) (call.Choice, error) {
	return r.table.Load().Select(invite)
}
