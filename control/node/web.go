package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mcp/control/health"
	"mcp/control/listen"
	"mcp/control/node/monitoring"
)

// openWeb binds the address of probes and metrics; nil when there is to be none.
func (n *Node) openWeb() (*listen.Server, error) {
	if n.cfg.Health.Listen == "" {
		return nil, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp/", health.Handler(health.Platform(), health.Checks{
		Readiness: []health.Check{
			{Name: "call records", Probe: n.recorder.Check},
			{Name: "accepting calls", Probe: n.accepting},
		},
	}, n.log))
	mux.Handle(logPath, logCounters(n.logged))
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{}))
	server, err := listen.New(n.cfg.Health.Listen, mux, n.log)
	if err == nil {
		n.companions = append(n.companions, server.Serve)
	}
	return server, err
}

// openSNMP lets SNMP managers read what is counted, and tells them of alarms.
func (n *Node) openSNMP() error {
	logged := prometheus.NewRegistry()
	logged.MustRegister(n.logged)
	m, err := monitoring.Open(n.cfg.Health.SNMP, prometheus.Gatherers{n.metrics, logged}, n.log)
	if err != nil {
		return fmt.Errorf("SNMP: %w", err)
	}
	n.metrics.MustRegister(m)
	n.companions = append(n.companions, m.Run)
	return nil
}

var errStopping = errors.New("the platform is stopping")

// accepting fails once calls should go elsewhere.
func (n *Node) accepting(context.Context) error {
	if n.stopping.Err() != nil {
		return errStopping
	}
	return nil
}
