package fetching

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/vxml/fetch"
)

// Observe counts the calls that wait for a page which another has asked for, and warns
// of many. It is called before the first request.
func (f *Fetcher) Observe(metrics prometheus.Registerer, log *slog.Logger) {
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcp_fetch_waiting", Help: "Requests that wait for the answer to another one for the same URL.",
	}, func() float64 { return float64(f.Waiting()) }))
	f.OnCrowd(func(c fetch.Crowd) {
		log.Warn("many wait for one page", "host", c.Host, "waiting", c.Waiting, "age", c.Age.Round(time.Millisecond))
	})
}
