// Package mib is the platform's management information base: objects whose values
// are its metrics, and alarms that are told as notifications.
package mib

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"mcp/control/snmp/agentx"
)

// DefaultSubtree is below the product's enterprise. The branch 5070 is the number of
// the platform's SIP port.
const DefaultSubtree = "1.3.6.1.4.1.1729.5070"

// fresh is how long gathered metrics are answered from.
const fresh = time.Second

// MIB answers a master agent. Its methods may be called from any goroutine.
type MIB struct {
	subtree agentx.OID
	metrics prometheus.Gatherer
	log     *slog.Logger
	objects []agentx.OID // all scalars and columns

	mu       sync.Mutex // guards what follows
	gathered time.Time
	all      []agentx.Variable
	alarms   []alarm
}

// New makes a MIB of metrics below a subtree.
func New(subtree agentx.OID, metrics prometheus.Gatherer, log *slog.Logger) *MIB {
	m := &MIB{subtree: subtree, metrics: metrics, log: log, alarms: conditions()}
	for number, g := range groups() {
		at := m.group(number + 1)
		for i := range g.scalars {
			m.objects = append(m.objects, at.Append(uint32(i+1)))
		}
		for i, t := range g.tables {
			for column := range t.columns {
				m.objects = append(m.objects, at.Append(firstTable+uint32(i), 1, uint32(column+2)))
			}
		}
	}
	for column := range uint32(alarmColumns) {
		m.objects = append(m.objects, m.alarmColumn(column+2))
	}
	return m
}

func (m *MIB) group(number int) agentx.OID {
	return m.subtree.Append(branchObjects, uint32(number))
}

// Known implements agentx.MIB.
func (m *MIB) Known(name agentx.OID) bool {
	return slices.ContainsFunc(m.objects, name.Below)
}

// Variables implements agentx.MIB.
func (m *MIB) Variables() []agentx.Variable {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.gathered) < fresh {
		return m.all
	}
	found := m.gather()
	var all []agentx.Variable
	for number, g := range groups() {
		at := m.group(number + 1)
		for i, o := range g.scalars {
			if v, there := o.value(found[o.from.metric]); there {
				all = append(all, agentx.Variable{Name: at.Append(uint32(i+1), 0), Value: v})
			}
		}
		for i, t := range g.tables {
			all = append(all, t.rows(at.Append(firstTable+uint32(i), 1), found)...)
		}
	}
	all = append(all, m.alarmRows()...)
	slices.SortFunc(all, func(a, b agentx.Variable) int { return slices.Compare(a.Name, b.Name) })
	m.all, m.gathered = all, time.Now()
	return all
}

// gather reads the metrics, by name. What can be read counts even if some cannot.
func (m *MIB) gather() map[string][]*dto.Metric {
	families, err := m.metrics.Gather()
	if err != nil {
		m.log.Warn("SNMP values are missing", "error", err)
	}
	found := make(map[string][]*dto.Metric, len(families))
	for _, f := range families {
		found[f.GetName()] = append(found[f.GetName()], f.GetMetric()...)
	}
	return found
}

// value is what samples of the object's metric come to. Without samples a counter is
// zero and anything else is not there.
func (o object) value(samples []*dto.Metric) (agentx.Value, bool) {
	if len(samples) == 0 && o.kind != agentx.Counter64 {
		return agentx.Value{}, false
	}
	if o.from.text != "" {
		return agentx.Text(labelOf(samples[0], o.from.text)), true
	}
	sum := 0.0
	for _, s := range samples {
		sum += o.from.of(s)
	}
	n := uint64(max(0, sum*cmp.Or(o.from.scale, 1)))
	if o.kind == agentx.Counter64 {
		return agentx.Count(n), true
	}
	return agentx.Gauge(n), true
}

func (m measure) of(s *dto.Metric) float64 {
	switch {
	case s.Histogram != nil && m.part == partCount:
		return float64(s.Histogram.GetSampleCount())
	case s.Histogram != nil:
		return s.Histogram.GetSampleSum()
	case s.Counter != nil:
		return s.Counter.GetValue()
	}
	return s.GetGauge().GetValue()
}

func labelOf(s *dto.Metric, name string) string {
	for _, l := range s.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// maxIndex keeps names of instances within what SNMP allows.
const maxIndex = 64

// rows are a table's cells.
func (t table) rows(entry agentx.OID, found map[string][]*dto.Metric) (cells []agentx.Variable) {
	for column, o := range t.columns {
		byRow := map[string][]*dto.Metric{}
		for _, s := range found[o.from.metric] {
			row := labelOf(s, t.label)
			row = row[:min(len(row), maxIndex)]
			byRow[row] = append(byRow[row], s)
		}
		for row, samples := range byRow {
			if v, there := o.value(samples); there && row != "" {
				cells = append(cells, agentx.Variable{Name: entry.Append(uint32(column + 2)).Append(index(row)...), Value: v})
			}
		}
	}
	return cells
}

// index is a string as it ends the name of an instance (RFC 2578 section 7.7).
func index(row string) []uint32 {
	numbers := []uint32{uint32(len(row))}
	for _, b := range []byte(row) {
		numbers = append(numbers, uint32(b))
	}
	return numbers
}

// Subtree reads the subtree of a configuration.
func Subtree(text string) (agentx.OID, error) {
	o, err := agentx.ParseOID(text)
	if err != nil {
		return nil, err
	}
	if enterprises := (agentx.OID{1, 3, 6, 1, 4, 1}); !o.Below(enterprises) || len(o) < 7 || len(o) > 20 {
		return nil, fmt.Errorf("subtree: %s is not an enterprise's branch below %s", text, enterprises)
	}
	return o, nil
}
