package report

import (
	"time"
)

// Quality is how well one direction of a stream was carried.
type Quality struct {
	Loss      float64       // share of the packets, 0 to 1
	Jitter    time.Duration // interarrival, RFC 3550 section 6.4.1
	RoundTrip time.Duration // zero: not known
	// MOS is the mean opinion score to be expected of a listener, 1 to 4.5 (ITU-T
	// G.107, with the delay and the loss that were measured and default values
	// for all else); zero when nothing was carried.
	MOS float64
}

// Received tells how well the packets of a far end came.
func Received(received uint64, lost int64, jitter, roundTrip time.Duration) Quality {
	return qualityOf(received+uint64(max(lost, 0)), lost, jitter, roundTrip)
}

// Sent tells how well packets came to a far end, by its reports.
func Sent(sent uint64, far Far) Quality {
	if far.At.IsZero() {
		return Quality{}
	}
	lost := int64(far.Lost)
	return qualityOf(max(sent, uint64(max(lost, 0))), lost, far.Jitter, far.RoundTrip)
}

func qualityOf(expected uint64, lost int64, jitter, roundTrip time.Duration) Quality {
	if expected == 0 {
		return Quality{}
	}
	q := Quality{Jitter: jitter, RoundTrip: roundTrip, Loss: min(1, float64(max(lost, 0))/float64(expected))}
	q.MOS = opinion(rating(q.Loss, mouthToEar(jitter, roundTrip)))
	return q
}

// What G.107 and G.113 appendix I say of G.711 with packet loss concealment.
const (
	bestRating     = 93.2 // of a connection with nothing but default values
	impairment     = 0    // Ie: what the codec itself takes away
	lossRobustness = 25.1 // Bpl
	packetSpan     = 20 * time.Millisecond
)

// mouthToEar is the delay in one direction: the network's, that of a packet
// being filled, and a jitter buffer that holds twice the jitter.
func mouthToEar(jitter, roundTrip time.Duration) time.Duration {
	return roundTrip/2 + packetSpan + 2*jitter
}

// rating is the E-model's R.
func rating(loss float64, delay time.Duration) float64 {
	const slow = 177.3 // ms; from here on the two sides talk over each other
	ms := float64(delay) / float64(time.Millisecond)
	delayed := 0.024*ms + 0.11*max(0, ms-slow)
	percent := 100 * loss
	lossy := impairment + (95-impairment)*percent/(percent+lossRobustness)
	return bestRating - delayed - lossy
}

// opinion turns a rating into a mean opinion score (G.107 annex B).
func opinion(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	// Between 0 and 6.5 the polynomial falls below the worst score there is.
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}
