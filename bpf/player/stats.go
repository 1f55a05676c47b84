package player

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stats counts what a player has done.
type Stats struct {
	Streams   int    // that play
	Sent      uint64 // packets
	Handed    uint64 // of those, made in the kernel but sent by userspace
	Refused   uint64 // packets that did not leave
	Underruns uint64 // packets that were due before they were written
	Ticks     uint64 // milliseconds in which something was due
	Missed    uint64 // of those, that were not done within their millisecond
	Stalls    uint64 // times that all was so late that it was put off
	Busy      time.Duration
	Cache     CacheStats
}

// Stats tells what was done so far.
func (p *Player) Stats() Stats {
	p.mu.Lock()
	pace := p.desk.pace
	s := Stats{
		Sent: atomic.LoadUint64(&pace.Said), Handed: atomic.LoadUint64(&pace.Handed), Refused: atomic.LoadUint64(&pace.Refused),
		Ticks: atomic.LoadUint64(&pace.Ticks), Missed: atomic.LoadUint64(&pace.Missed), Stalls: atomic.LoadUint64(&pace.Stalls),
		Busy: time.Duration(atomic.LoadUint64(&pace.BusyNs)), Underruns: p.underruns,
	}
	for _, n := range p.desk.turns {
		s.Streams += n
	}
	p.mu.Unlock()
	s.Cache = p.store.snapshot()
	return s
}

// Describe implements prometheus.Collector.
func (p *Player) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, ch) }

// Collect implements prometheus.Collector.
func (p *Player) Collect(ch chan<- prometheus.Metric) {
	s := p.Stats()
	value := func(kind prometheus.ValueType, name, help string, v float64) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("mcp_player_"+name, help, nil, nil), kind, v)
	}
	gauge := func(name, help string, v int) { value(prometheus.GaugeValue, name, help, float64(v)) }
	count := func(name, help string, v uint64) { value(prometheus.CounterValue, name, help, float64(v)) }
	gauge("streams", "Streams that play recordings.", s.Streams)
	gauge("first", "Whether what sends recordings goes before others (CAP_SYS_NICE): 1 or 0.", map[bool]int{true: 1}[p.Precedence() != Usual])
	gauge("own_process", "Whether that is a process of its own, and no thread of this one: 1 or 0.", map[bool]int{true: 1}[p.Apart()])
	count("packets_total", "Packets of recordings that left.", s.Sent)
	count("handed_packets_total", "Of those, packets made in the kernel and sent by userspace.", s.Handed)
	count("refused_packets_total", "Packets of recordings that did not leave.", s.Refused)
	count("underruns_total", "Packets that were due before their audio was there.", s.Underruns)
	count("ticks_total", "Milliseconds in which packets were due.", s.Ticks)
	count("missed_ticks_total", "Of those, milliseconds that were not done in time.", s.Missed)
	count("stalls_total", "Times that all streams were put off, because the player came too late.", s.Stalls)
	value(prometheus.CounterValue, "busy_seconds_total", "Time spent on sending.", s.Busy.Seconds())
	count("clip_hits_total", "Requests for a recording that was there.", s.Cache.Hits)
	count("clip_misses_total", "Requests for a recording that had to be made.", s.Cache.Misses)
	count("clip_evictions_total", "Recordings that made room for others.", s.Cache.Evictions)
	gauge("clips", "Recordings that are shared by calls.", s.Cache.Clips)
	gauge("clip_bytes", "Memory that holds recordings.", s.Cache.Bytes)
	gauge("clip_room_bytes", "Memory there is for recordings.", s.Cache.Room)
}
