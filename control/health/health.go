// Package health answers the orchestrator's probes: is the process alive, and
// may calls be sent to it. It runs named checks that others hand it and knows
// nothing of what they look at.
package health

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// defaultTimeout is well within the 20 s that the product's chart gives a probe.
const defaultTimeout = 5 * time.Second

// Check is one thing that has to be in order.
type Check struct {
	Name string
	// Probe returns nil when it is. Of each check one probe runs at a time,
	// whose outcome all who ask meanwhile are told.
	Probe func(ctx context.Context) error
	// Timeout ends the context of Probe and, a moment later, the waiting for it. 5 s when zero.
	Timeout time.Duration
}

// Checks are what the two probes look at. No check is a check that passes.
type Checks struct {
	// Liveness checks fail when only a restart helps.
	Liveness []Check
	// Readiness checks fail while calls should go elsewhere.
	Readiness []Check
}

// Paths are where the two probes are answered.
type Paths struct{ Liveness, Readiness string }

// Platform and Uploader are the paths of the product's service handler and of its
// recording uploader.
func Platform() Paths { return Paths{"/mcp/liveness", "/mcp/readiness"} }

// Uploader is described at Platform.
func Uploader() Paths { return Paths{"/health/live", "/health/ready"} }

// Handler answers both probes with 200 or 503 and, as JSON, a Report.
func Handler(at Paths, c Checks, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+at.Liveness, newProbe(c.Liveness, log.With("probe", "liveness")))
	mux.Handle("GET "+at.Readiness, newProbe(c.Readiness, log.With("probe", "readiness")))
	return mux
}

// Report is the body of an answer.
type Report struct {
	Healthy bool     `json:"healthy"`
	Checks  []Result `json:"checks"`
}

// Result is the outcome of one check.
type Result struct {
	Name    string `json:"name"`
	Healthy bool   `json:"healthy"`
	Error   string `json:"error,omitempty"`
}

// probe answers one path.
type probe struct {
	checks []*runner
}

func newProbe(checks []Check, log *slog.Logger) *probe {
	p := &probe{}
	for _, c := range checks {
		if c.Timeout == 0 {
			c.Timeout = defaultTimeout
		}
		p.checks = append(p.checks, &runner{check: c, log: log.With("check", c.Name)})
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *probe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	report := p.run(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !report.Healthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// The prober may have gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(report)
}

// run runs all checks at once.
func (p *probe) run(ctx context.Context) Report {
	report := Report{Healthy: true, Checks: make([]Result, len(p.checks))}
	var wg sync.WaitGroup
	for i, c := range p.checks {
		wg.Go(func() {
			res := Result{Name: c.check.Name, Healthy: true}
			if err := c.run(ctx); err != nil {
				res.Healthy, res.Error = false, err.Error()
			}
			report.Checks[i] = res
		})
	}
	wg.Wait()
	for _, res := range report.Checks {
		report.Healthy = report.Healthy && res.Healthy
	}
	return report
}
