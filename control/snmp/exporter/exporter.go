// Package exporter shows what SNMP agents answer as metrics: a scrape of
// /snmp?module=NAME&target=HOST:PORT walks the agent as the module says. Modules are
// written as those of Prometheus' SNMP exporter, of which it knows scalars and tables
// with numbers, strings and indexes of these.
package exporter

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// timeout is for one answer of an agent, retries how often it is asked again.
const (
	timeout = 5 * time.Second
	retries = 1
)

// Exporter answers scrapes.
type Exporter struct {
	modules map[string]Module
	log     *slog.Logger
}

// New makes an exporter of modules.
func New(modules map[string]Module, log *slog.Logger) *Exporter {
	return &Exporter{modules: modules, log: log}
}

// ServeHTTP implements http.Handler.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, target := r.FormValue("module"), r.FormValue("target")
	module, known := e.modules[name]
	if !known {
		there := strings.Join(slices.Sorted(maps.Keys(e.modules)), ", ")
		http.Error(w, fmt.Sprintf("module: %q is unknown; there are %s", name, there), http.StatusBadRequest)
		return
	}
	client, err := dial(target, module)
	if err != nil {
		http.Error(w, "target: "+err.Error(), http.StatusBadRequest)
		return
	}
	client.Context = r.Context()
	registry := prometheus.NewRegistry()
	if err := scrape(client, module, registry); err != nil {
		e.log.Warn("SNMP scrape failed", "target", target, "module", name, "error", err)
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

func dial(target string, m Module) (*gosnmp.GoSNMP, error) {
	host, text, err := net.SplitHostPort(target)
	if err != nil {
		host, text = target, "161"
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || host == "" {
		return nil, fmt.Errorf("%q is not HOST or HOST:PORT", target)
	}
	return &gosnmp.GoSNMP{
		Target: host, Port: uint16(port), Community: m.Auth.Community, Version: gosnmp.Version2c,
		Timeout: timeout, Retries: retries, MaxOids: gosnmp.MaxOids,
	}, nil
}

// scrape walks an agent into a registry.
func scrape(client *gosnmp.GoSNMP, m Module, registry *prometheus.Registry) error {
	if err := client.Connect(); err != nil {
		return err
	}
	defer client.Conn.Close()
	began := time.Now()
	found := samples{}
	for _, top := range m.Walk {
		err := client.BulkWalk(top, func(v gosnmp.SnmpPDU) error {
			for _, metric := range m.Metrics {
				if rest, below := strings.CutPrefix(strings.TrimPrefix(v.Name, "."), metric.OID+"."); below {
					return found.add(metric, rest, v)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("walk %s: %w", top, err)
		}
	}
	took := prometheus.MustNewConstMetric(prometheus.NewDesc("snmp_scrape_walk_duration_seconds", "Time SNMP walk/bulkwalk took.", nil, nil),
		prometheus.GaugeValue, time.Since(began).Seconds())
	found = append(found, took)
	return registry.Register(found)
}

// samples is what one walk found.
type samples []prometheus.Metric

// Describe implements prometheus.Collector: what there is depends on the agent.
func (samples) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s samples) Collect(to chan<- prometheus.Metric) {
	for _, each := range s {
		to <- each
	}
}

// add makes a variable a sample. A string is a label, and the value 1.
func (s *samples) add(m Metric, rest string, v gosnmp.SnmpPDU) error {
	labels, values, err := m.labels(rest)
	if err != nil {
		return fmt.Errorf("%s: %w", v.Name, err)
	}
	kind, number := prometheus.GaugeValue, 0.0
	switch value := v.Value.(type) {
	case []byte:
		labels, values, number = append(labels, m.Name), append(values, strings.ToValidUTF8(string(value), "�")), 1
	case nil:
		return nil
	default:
		number, _ = gosnmp.ToBigInt(value).Float64()
	}
	if m.Type == "counter" {
		kind = prometheus.CounterValue
	}
	sample, err := prometheus.NewConstMetric(prometheus.NewDesc(m.Name, m.Help, labels, nil), kind, number, values...)
	*s = append(*s, sample)
	return err
}
