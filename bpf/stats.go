package bpf

import (
	"fmt"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/prometheus/client_golang/prometheus"

	"mcp/bpf/ktime"
)

// LegStats is what a leg carried. Directions are the plane's view: Rx from the
// far end, Tx towards it.
type LegStats struct {
	RxPackets, RxBytes uint64 // accepted RTP
	RxRelayed          uint64 // of those, relayed in the kernel
	RxHanded           uint64 // of those, relayed with the help of userspace
	RxUser             uint64 // of those, handed to the handler
	RxLost             int64  // RFC 3550 A.3
	RxJitter           time.Duration
	TxPackets, TxBytes uint64
	TxRelayed          uint64 // of those, relayed from other legs
	RTCP               uint64
	Dropped            map[string]uint64 // by reason; nil: none was
	Source             Source
	Tx                 Place // the latest packet that left; the zero value: none has
}

// Place is where an outgoing stream is: the stamp of its latest packet, and when
// that left.
type Place struct {
	Sequence  uint16
	Timestamp uint32
	At        time.Time
}

// Source is what receiver reports tell of the stream that arrives at present
// (RFC 3550 section 6.4.1).
type Source struct {
	SSRC    uint32
	Highest uint32    // extended sequence number
	Lost    int64     // of this source
	Jitter  uint32    // timestamp units
	At      time.Time // of the latest packet; zero: none yet
}

// Verdict counts the packets with one fate.
type Verdict struct {
	Name           string
	Packets, Bytes uint64
}

func statsOf(e *relayLeg, clock ktime.Clock) LegStats {
	c, in := &e.Counts, &e.Ingress
	s := LegStats{
		RxPackets: c.RxPackets, RxBytes: c.RxBytes,
		RxRelayed: c.RxRelayed, RxHanded: c.RxHanded, RxUser: c.RxUser,
		TxPackets: c.TxRelayed + c.TxUser, TxBytes: c.TxRelayedBytes + c.TxUserBytes, TxRelayed: c.TxRelayed,
		RTCP:    c.RxRtcp,
		Dropped: drops(c),
	}
	if in.LastNs != 0 {
		expected := int64(in.Cycles) + int64(in.MaxSeq) - int64(in.BaseSeq) + 1
		lost := expected - int64(in.Received)
		s.RxLost = in.LostBefore + lost
		s.Source = Source{SSRC: in.Ssrc, Highest: in.Cycles + uint32(in.MaxSeq), Lost: lost, Jitter: in.JitterX16 >> 4, At: clock.Time(in.LastNs)}
	}
	if out := &e.Egress; out.Started != 0 {
		s.Tx = Place{Sequence: out.Place.LastSeq, Timestamp: out.Place.LastTs, At: clock.Time(out.LastNs)}
	}
	if rate := e.Config.ClockRate; rate != 0 {
		s.RxJitter = time.Duration(in.JitterX16) * time.Second / 16 / time.Duration(rate)
	}
	return s
}

// drops lists the reasons that occurred; nil: none did.
func drops(c *relayLegCounts) map[string]uint64 {
	var all map[string]uint64
	for _, of := range [...]struct {
		reason string
		n      uint64
	}{
		{"source", c.DropSource}, {"ssrc", c.DropSsrc}, {"probation", c.DropProbation}, {"rate", c.DropRate},
		{"not_rtp", c.DropNotRtp}, {"type", c.DropType},
		{"held", c.DropHeld}, {"muted", c.DropMuted}, {"unlatched", c.DropUnlatched}, {"late", c.DropLate},
		{"no_leg", c.DropNoLeg}, {"too_long", c.DropTooLong}, {"overrun", c.DropOverrun},
	} {
		if of.n == 0 {
			continue
		}
		if all == nil {
			all = make(map[string]uint64)
		}
		all[of.reason] = of.n
	}
	return all
}

// verdictNames reads the names of verdicts from the programs' type information,
// so that they are written down once.
func verdictNames() (map[relayVerdict]string, error) {
	spec, err := loadRelay()
	if err != nil {
		return nil, err
	}
	var enum *btf.Enum
	if err := spec.Types.TypeByName("verdict", &enum); err != nil {
		return nil, fmt.Errorf("find verdicts: %w", err)
	}
	names := make(map[relayVerdict]string, len(enum.Values))
	for _, v := range enum.Values {
		names[relayVerdict(v.Value)] = strings.ToLower(v.Name)
	}
	delete(names, relayVerdictUNDECIDED)
	delete(names, relayVerdictVERDICTS)
	return names, nil
}

func (p *Plane) verdictName(v relayVerdict) string {
	if name, ok := p.verdicts[v]; ok {
		return strings.TrimPrefix(name, "drop_")
	}
	return fmt.Sprintf("verdict %d", v)
}

// Verdicts counts what became of all packets since the plane was loaded, in the
// order of the enumeration.
func (p *Plane) Verdicts() ([]Verdict, error) {
	return readVerdicts(p.objects.Stats, p.verdicts)
}

// nameFates writes beside each counter what it counts, for those who dump the map.
func nameFates(m *ebpf.Map) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	tallies := make([]relayTally, cpus)
	for v := range relayVerdictVERDICTS {
		for i := range tallies {
			tallies[i].Fate = v
		}
		if err := m.Put(uint32(v), tallies); err != nil {
			return fmt.Errorf("name verdicts: %w", err)
		}
	}
	return nil
}

func readVerdicts(m *ebpf.Map, names map[relayVerdict]string) ([]Verdict, error) {
	var all []Verdict
	for v := range relayVerdictVERDICTS {
		name, ok := names[v]
		if !ok {
			continue
		}
		var cpus []relayTally
		if err := m.Lookup(uint32(v), &cpus); err != nil {
			return nil, fmt.Errorf("read verdicts: %w", err)
		}
		sum := Verdict{Name: name}
		for _, t := range cpus {
			sum.Packets += t.Packets
			sum.Bytes += t.Bytes
		}
		all = append(all, sum)
	}
	return all, nil
}

// unsent counts packets that were stamped for userspace to send and that the
// network refused.
func (p *Plane) unsent() uint64 {
	return p.counts.unsent.Load()
}

// Legs counts the open legs.
func (p *Plane) Legs() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.legs)
}

// Heard tells of every open leg when it last accepted an RTP packet, by the
// kernel's clock; the zero time where it has not yet.
func (p *Plane) Heard(visit func(id uint64, at time.Time)) error {
	return eachLeg(p.objects.Legs, func(_ uint32, entry *relayLeg) error {
		var at time.Time
		if entry.Ingress.LastNs != 0 {
			at = p.clock.Time(entry.Ingress.LastNs)
		}
		visit(entry.Id, at)
		return nil
	})
}

// Describe implements prometheus.Collector.
func (p *Plane) Describe(ch chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(p, ch)
}

// Collect implements prometheus.Collector: it reads the maps when asked.
func (p *Plane) Collect(ch chan<- prometheus.Metric) {
	packets := prometheus.NewDesc("mcp_plane_packets_total", "Packets seen by the XDP programs, by what became of them.", []string{"verdict"}, nil)
	bytes := prometheus.NewDesc("mcp_plane_bytes_total", "Bytes seen by the XDP programs, by what became of them.", []string{"verdict"}, nil)
	legs := prometheus.NewDesc("mcp_plane_legs", "Legs open in the kernel.", nil, nil)
	unsent := prometheus.NewDesc("mcp_plane_unsent_total", "Stamped packets that the network refused to take from userspace.", nil, nil)
	full := prometheus.NewDesc("mcp_plane_full_total", "Legs that were refused because the maps had no room for them.", nil, nil)
	verdicts, err := p.Verdicts()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(packets, err)
	}
	for _, v := range verdicts {
		ch <- prometheus.MustNewConstMetric(packets, prometheus.CounterValue, float64(v.Packets), v.Name)
		ch <- prometheus.MustNewConstMetric(bytes, prometheus.CounterValue, float64(v.Bytes), v.Name)
	}
	ch <- prometheus.MustNewConstMetric(legs, prometheus.GaugeValue, float64(p.Legs()))
	ch <- prometheus.MustNewConstMetric(unsent, prometheus.CounterValue, float64(p.unsent()))
	ch <- prometheus.MustNewConstMetric(full, prometheus.CounterValue, float64(p.counts.full.Load()))
	p.counts.collect(ch)
}
