package media

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/media/report"
	"mcp/control/media/roll"
	"mcp/control/media/srtp"
)

// tally is what an engine's legs carry and have carried.
type tally struct {
	digits     atomic.Uint64
	lostDigits atomic.Uint64 // that nobody read in time
	handshakes

	mu   sync.Mutex // guards what follows
	open roll.Roll[*Leg]
	past LegStats // of the legs that have ended

	quality quality
}

// handshakes are those of DTLS that have ended.
type handshakes struct {
	shaken, impostors, unshaken atomic.Uint64
}

// count counts one by how it ended.
func (h *handshakes) count(err error) {
	switch {
	case err == nil:
		h.shaken.Add(1)
	case errors.Is(err, srtp.ErrFingerprint):
		h.impostors.Add(1)
	default:
		h.unshaken.Add(1)
	}
}

func newTally() *tally {
	return &tally{past: LegStats{Dropped: map[string]uint64{}}, quality: newQuality()}
}

func (t *tally) opened(l *Leg) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open.Join(&l.open, l)
}

// closed keeps what a leg has carried.
func (t *tally) closed(l *Leg, s Summary) {
	t.quality.observe("received", s.Received)
	t.quality.observe("sent", s.Sent)
	t.mu.Lock()
	defer t.mu.Unlock()
	l.open.Leave()
	t.past.add(s.Stats)
}

// sum adds up all legs, and tells how many are open. The planes are asked
// without the lock: a leg that ends meanwhile still tells what it carried.
func (t *tally) sum() (LegStats, int) {
	t.mu.Lock()
	total := t.past
	total.Dropped = maps.Clone(t.past.Dropped)
	open := t.open.Members()
	t.mu.Unlock()
	for _, l := range open {
		if s, err := l.carrier.Load().Stats(); err == nil {
			total.add(s)
		}
	}
	return total, len(open)
}

// LegView is an open leg as it is at a moment.
type LegView struct {
	Call, Name string
	Local, Far netip.AddrPort // Far is invalid while none is known
	Codec      string
	Protection srtp.Profile // empty: in the clear
	Keys       string       // of the protection: "dtls" or "sdes"
	Stats      LegStats
	// How well packets have come so far, and reached the far end as it has told.
	Received, Sent report.Quality
}

// Legs are the legs that are open, in no order.
func (e *Engine) Legs() []LegView {
	e.tally.mu.Lock()
	open := e.tally.open.Members()
	e.tally.mu.Unlock()
	views := make([]LegView, 0, len(open))
	for _, l := range open {
		stats, err := l.carrier.Load().Stats()
		if err != nil {
			continue // it has just ended
		}
		v := LegView{Call: l.session.call, Name: l.name, Local: l.local, Codec: l.spoken().Name, Stats: stats}
		v.Protection, v.Keys = l.protection()
		if s := l.state.Load(); s != nil {
			v.Far = s.far.RTP
		}
		far, _ := l.FarReport()
		v.Received = report.Received(stats.RxPackets, stats.RxLost, stats.RxJitter, far.RoundTrip)
		v.Sent = report.Sent(stats.TxPackets, far)
		views = append(views, v)
	}
	return views
}

// PlaneInfo says which media plane carries the audio, and why.
func (e *Engine) PlaneInfo() (mode, reason string) { return e.plane.Mode(), e.plane.Reason() }

// spoken counts the open legs by the codec agreed with the far end.
func (t *tally) spoken() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	legs := map[string]int{}
	for l := range t.open.All() {
		if s := l.state.Load(); s != nil {
			legs[strings.ToUpper(s.codec.Name)]++
		}
	}
	return legs
}

// protection is how packets are protected: the profile, and how keys were agreed.
type protection struct {
	profile srtp.Profile
	keys    string
}

// protected counts the open legs whose packets are protected.
func (t *tally) protected() map[protection]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	legs := map[protection]int{}
	for l := range t.open.All() {
		if p, keys := l.protection(); p != "" {
			legs[protection{p, keys}]++
		}
	}
	return legs
}

// add adds what can be added: packets and their fates.
func (s *LegStats) add(o LegStats) {
	s.RxPackets += o.RxPackets
	s.RxRelayed += o.RxRelayed
	s.RxUser += o.RxUser
	s.TxPackets += o.TxPackets
	s.TxRelayed += o.TxRelayed
	s.RTCP += o.RTCP
	for reason, n := range o.Dropped {
		s.Dropped[reason] += n
	}
}

// Describe implements prometheus.Collector.
func (e *Engine) Describe(ch chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(e, ch)
	ch <- droppedDesc()
	ch <- codecDesc()
	ch <- protectedDesc()
	ch <- handshakesDesc()
	for _, h := range e.tally.quality.all() {
		h.Describe(ch)
	}
}

func droppedDesc() *prometheus.Desc {
	return prometheus.NewDesc("mcp_media_dropped_packets_total", "Packets of legs that were refused, by reason.", []string{"reason"}, nil)
}

func codecDesc() *prometheus.Desc {
	return prometheus.NewDesc("mcp_media_codec_legs", "Media legs that are open, by the codec agreed.", []string{"codec"}, nil)
}

func protectedDesc() *prometheus.Desc {
	return prometheus.NewDesc("mcp_media_srtp_legs", "Media legs that are open and protected (SRTP), by profile and by how keys were agreed (dtls, sdes).", []string{"profile", "keys"}, nil)
}

func handshakesDesc() *prometheus.Desc {
	return prometheus.NewDesc("mcp_media_dtls_handshakes_total", "DTLS handshakes of media legs that have ended, by outcome: keys, fingerprint (another certificate than was signalled), timeout.", []string{"outcome"}, nil)
}

// Collect implements prometheus.Collector. No label comes from the wire.
func (e *Engine) Collect(ch chan<- prometheus.Metric) {
	total, legs := e.tally.sum()
	gauge := func(name, help string, v float64) { ch <- sample(prometheus.GaugeValue, name, help, v) }
	count := func(name, help string, v uint64) { ch <- sample(prometheus.CounterValue, name, help, float64(v)) }
	gauge("mcp_media_legs", "Media legs that are open.", float64(legs))
	gauge("mcp_media_ports_used", "RTP port pairs that are taken.", float64(e.ports.Used()))
	gauge("mcp_media_playbacks", "Clips and key presses that are being played.", float64(e.pacer.active()))
	for p, n := range e.tally.protected() {
		ch <- prometheus.MustNewConstMetric(protectedDesc(), prometheus.GaugeValue, float64(n), string(p.profile), p.keys)
	}
	for outcome, n := range map[string]*atomic.Uint64{"keys": &e.tally.shaken, "fingerprint": &e.tally.impostors, "timeout": &e.tally.unshaken} {
		ch <- prometheus.MustNewConstMetric(handshakesDesc(), prometheus.CounterValue, float64(n.Load()), outcome)
	}
	for codec, n := range e.tally.spoken() {
		ch <- prometheus.MustNewConstMetric(codecDesc(), prometheus.GaugeValue, float64(n), codec)
	}
	count("mcp_media_rx_packets_total", "RTP packets accepted from far ends.", total.RxPackets)
	count("mcp_media_rx_relayed_packets_total", "Of the packets accepted, those relayed without entering userspace.", total.RxRelayed)
	count("mcp_media_rx_user_packets_total", "Of the packets accepted, those handed to userspace.", total.RxUser)
	count("mcp_media_tx_packets_total", "RTP packets sent to far ends.", total.TxPackets)
	count("mcp_media_tx_relayed_packets_total", "Of the packets sent, those relayed without entering userspace.", total.TxRelayed)
	count("mcp_media_rtcp_packets_total", "RTCP packets accepted from far ends.", total.RTCP)
	count("mcp_media_digits_total", "DTMF digits received as telephone-event.", e.tally.digits.Load())
	count("mcp_media_digits_lost_total", "DTMF digits that nobody read in time.", e.tally.lostDigits.Load())
	for _, h := range e.tally.quality.all() {
		h.Collect(ch)
	}
	dropped := droppedDesc()
	for _, reason := range slices.Sorted(maps.Keys(total.Dropped)) {
		ch <- prometheus.MustNewConstMetric(dropped, prometheus.CounterValue, float64(total.Dropped[reason]), reason)
	}
}

func sample(kind prometheus.ValueType, name, help string, v float64) prometheus.Metric {
	return prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), kind, v)
}

// quality is how well the legs that have ended were carried, by direction as the
// platform sees it.
type quality struct {
	mos, loss, jitter, roundTrip *prometheus.HistogramVec
}

func newQuality() quality {
	vec := func(name, help string, buckets ...float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"direction"})
	}
	return quality{
		mos: vec("mcp_media_leg_mos", "Mean opinion score of legs by the E-model (ITU-T G.107), at their end.",
			1.5, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.3, 4.4),
		loss: vec("mcp_media_leg_loss_ratio", "Share of a leg's packets that were lost, at its end.",
			0, .001, .002, .005, .01, .02, .05, .1, .2, .5),
		jitter: vec("mcp_media_leg_jitter_seconds", "Interarrival jitter of legs (RFC 3550), at their end.",
			.0005, .001, .002, .005, .01, .02, .05, .1, .2),
		roundTrip: vec("mcp_media_leg_round_trip_seconds", "Round trip to the far ends of legs by RTCP, at their end.",
			.005, .01, .02, .05, .1, .15, .2, .3, .5, 1, 2),
	}
}

// observe counts a leg of which something is known.
func (q quality) observe(direction string, leg report.Quality) {
	if leg.MOS == 0 {
		return
	}
	q.mos.WithLabelValues(direction).Observe(leg.MOS)
	q.loss.WithLabelValues(direction).Observe(leg.Loss)
	q.jitter.WithLabelValues(direction).Observe(leg.Jitter.Seconds())
	if leg.RoundTrip > 0 {
		q.roundTrip.WithLabelValues(direction).Observe(leg.RoundTrip.Seconds())
	}
}

func (q quality) all() []*prometheus.HistogramVec {
	return []*prometheus.HistogramVec{q.mos, q.loss, q.jitter, q.roundTrip}
}
