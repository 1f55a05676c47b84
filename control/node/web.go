package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mcp/control/health"
	"mcp/control/listen"
	"mcp/control/media"
	"mcp/control/node/console"
	"mcp/control/node/monitoring"
	"mcp/control/node/probing"
	"mcp/control/node/registering"
	"mcp/control/reporting"
	"mcp/control/reporting/live"
)

// openWeb binds the address of probes and metrics; nil when there is to be none.
func (n *Node) openWeb() (*listen.Server, error) {
	if n.cfg.Health.Listen == "" {
		return nil, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp/", health.Handler(health.Platform(), health.Checks{
		Readiness: append(n.test.Checks(),
			health.Check{Name: "call records", Probe: n.recorder.Check},
			health.Check{Name: "accepting calls", Probe: n.accepting},
		),
	}, n.log))
	mux.Handle(logPath, logCounters(n.logged))
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{}))
	if n.cfg.Health.Profiles {
		profiles(mux)
	}
	server, err := listen.New(n.cfg.Health.Listen, mux, n.log)
	if err == nil {
		n.companions = append(n.companions, server.Serve)
	}
	return server, err
}

// profiles serves what the Go runtime tells of the process.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// openSelfTest makes what calls the platform when readiness is asked for.
func (n *Node) openSelfTest(engine *media.Engine) (err error) {
	if n.cfg.Health.Listen == "" {
		return nil
	}
	n.test, err = probing.Open(n.cfg.Health.SelfTest, probing.Parts{
		SIP: n.cfg.SIP, Bound: n.agent.Addrs(), Media: n.cfg.Media.Address, PortMax: n.cfg.Media.PortMax, Codecs: n.cfg.Media.Spoken(),
		Engine: engine, Calls: n.calls, Page: n.testPage, Metrics: n.metrics, Log: n.log,
	})
	n.opened("self-test", n.test.Close)
	n.companions = append(n.companions, n.test.Run)
	return err
}

// watcher is who remembers calls for people, and traces them for a collector; nil: nobody.
func (n *Node) watcher() reporting.Watcher {
	var all reporting.Watchers
	if n.cfg.Health.Console.Listen != "" || n.cfg.Application.Trace != "" {
		all = append(all, &n.recent)
	}
	if n.spans != nil {
		all = append(all, n.spans)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

// openTracing makes traces of calls, if there is a collector of them.
func (n *Node) openTracing() (err error) {
	if n.spans, err = n.cfg.Health.Tracing.Open(n.cfg.Reporting.Name(), n.log); err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	if n.spans == nil {
		return nil
	}
	n.opened("traces of calls", n.spans.Close)
	return n.metrics.Register(n.spans)
}

// openConsole serves people who look on. That it cannot be had keeps no call away.
func (n *Node) openConsole(engine *media.Engine) {
	c, err := console.Open(n.cfg.Health.Console, console.Parts{
		Calls: &n.recent, Engine: engine, SIP: n.listensOn(), Log: n.log,
	})
	switch {
	case err != nil:
		n.log.Warn("there is no console", "error", err)
	case c != nil:
		n.log.Info("console", "url", "http://"+c.Addr()+"/")
		n.companions = append(n.companions, c.Run)
	}
}

// openTraces serves "mcp vxml trace". That it cannot be had keeps no call away.
func (n *Node) openTraces() {
	if n.cfg.Application.Trace == "" {
		return
	}
	end, err := live.Listen(n.cfg.Application.Trace, &n.recent)
	if err != nil {
		n.log.Warn("calls cannot be traced", "error", err)
		return
	}
	n.opened("traces", end)
}

// openSNMP lets SNMP managers read what is counted, and tells them of alarms.
func (n *Node) openSNMP() error {
	logged := prometheus.NewRegistry()
	logged.MustRegister(n.logged)
	m, err := monitoring.Open(n.cfg.Health.SNMP, prometheus.Gatherers{n.metrics, logged}, n.log)
	if err != nil {
		return err
	}
	n.metrics.MustRegister(m)
	n.companions = append(n.companions, m.Run)
	return nil
}

// openDiscovery makes the platform known to Consul, if one is configured: while it
// runs, and in maintenance once it stops.
func (n *Node) openDiscovery() error {
	where := registering.Platform{SIP: n.agent.Addrs()[0]}
	if n.web != nil {
		where.Probes = n.web.Addr()
	}
	registrar, err := registering.Open(n.cfg.Discovery, where, n.log)
	if err != nil || registrar == nil {
		return err
	}
	n.metrics.MustRegister(registrar)
	context.AfterFunc(n.stopping, registrar.Drain)
	n.companions = append(n.companions, func(running context.Context) error {
		registrar.Run(running)
		return nil
	})
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
