package conference

import "github.com/prometheus/client_golang/prometheus"

// Describe implements prometheus.Collector.
func (b *Bridge) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(b, ch) }

// Collect implements prometheus.Collector.
func (b *Bridge) Collect(ch chan<- prometheus.Metric) {
	b.mu.Lock()
	open := make([]*Conference, 0, len(b.open))
	for _, c := range b.open {
		open = append(open, c)
	}
	b.mu.Unlock()
	carried := map[string][2]int{"mixed": {}, "relayed": {}}
	for _, c := range open {
		by := "relayed"
		if c.Mixed() {
			by = "mixed"
		}
		n := carried[by]
		carried[by] = [2]int{n[0] + 1, n[1] + len(c.Members())}
	}
	gauge := func(name, help string, v int, by string) {
		desc := prometheus.NewDesc(name, help, []string{"carried"}, nil)
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(v), by)
	}
	for by, n := range carried {
		gauge("mcp_conferences", "Conferences that are open, by how they are carried.", n[0], by)
		gauge("mcp_conference_members", "Members of conferences, by how those are carried.", n[1], by)
	}
	late := prometheus.NewDesc("mcp_conference_late_frames_total", "Frames that were left out because mixing was late.", nil, nil)
	ch <- prometheus.MustNewConstMetric(late, prometheus.CounterValue, float64(b.clock.Late()))
}
