package node

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mcp/control/health"
	"mcp/control/listen"
)

// openWeb binds the address of probes and metrics; nil when there is to be none.
func (n *Node) openWeb() (*listen.Server, error) {
	if n.cfg.Health.Listen == "" {
		return nil, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp/", health.Handler(health.Checks{
		Readiness: []health.Check{
			{Name: "call records", Probe: n.recorder.Check},
			{Name: "accepting calls", Probe: n.accepting},
		},
	}, n.log))
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{}))
	return listen.New(n.cfg.Health.Listen, mux, n.log)
}

var errStopping = errors.New("the platform is stopping")

// accepting fails once calls should go elsewhere.
func (n *Node) accepting(context.Context) error {
	select {
	case <-n.stopping:
		return errStopping
	default:
		return nil
	}
}
