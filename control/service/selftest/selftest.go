// Package selftest calls the platform as a caller would, to see whether it works:
// over SIP to the platform's own listener, into a VoiceXML page, with audio and a
// key press there and back. What is judged is what is heard: a tone that the page
// plays at once, and then the tones of the very key that was pressed, which the
// caller draws by lot.
//
// These calls are served as all others are, by the same listener, media engine and
// interpreter, but they are counted, recorded and billed nowhere, and nobody else
// can make one: Split tells them by a name that only this process knows.
package selftest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/sdp"
	"mcp/control/sip"
)

// Config is how and how often a Tester calls. The zero value of a field stands for
// the default beside it.
type Config struct {
	// Target is the listener's address, and Transport what it speaks: "udp", "tcp" or "tls".
	Target    netip.AddrPort
	Transport string
	// Media is the caller's local address of audio, which must be one that the
	// platform's audio can be sent to. The host of Target.
	Media netip.Addr
	// Above is where the platform's own ports of audio end; the caller's is higher.
	Above uint16
	// Codecs are offered. PCMU and PCMA.
	Codecs []sdp.Codec
	// Interval is for how long the outcome of a call is believed, a bad one for 5 s
	// at most. 30 s.
	Interval time.Duration
	// Timeout bounds a call. 5 s.
	Timeout time.Duration
}

// hardly is for how long a bad outcome is believed.
const hardly = 5 * time.Second

func (c Config) withDefaults() Config {
	if !c.Media.IsValid() {
		c.Media = c.Target.Addr()
	}
	if len(c.Codecs) == 0 {
		c.Codecs = sdp.DefaultCodecs()
	}
	if c.Interval <= 0 {
		c.Interval = 30 * time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	return c
}

// Stage is a part of the platform that a call goes through.
type Stage string

// The stages, in the order of a call.
const (
	Signalling Stage = "signalling" // the INVITE is not answered with 200
	Media      Stage = "media"      // the page's first tone is not heard
	Dialogue   Stage = "dialogue"   // the page does not answer the key that was pressed
	HangingUp  Stage = "hanging up" // BYE is not answered
)

// Error says at which stage a call failed.
type Error struct {
	Stage Stage
	Err   error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Stage, e.Err) }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrUntested says that the platform was too busy for its first test.
var ErrUntested = errors.New("not tested yet: the platform takes no further call at present")

// Tester makes the calls. It is safe for concurrent use; one call is made at a time.
type Tester struct {
	config  Config
	caller  *sip.Agent
	gate    sip.Gate
	name    string // user part of the calls' Request-URI, which nobody else knows
	metrics *metrics
	log     *slog.Logger

	mu      sync.Mutex
	outcome error
	at      time.Time // of the outcome; zero: there is none yet
}

// New makes a Tester. The agent makes the calls, and must be serving; the gate is the
// platform's, which says whether it could take one.
func New(config Config, caller *sip.Agent, gate sip.Gate, log *slog.Logger) *Tester {
	return &Tester{
		config: config.withDefaults(), caller: caller, gate: gate, name: "self-test-" + rand.Text(),
		metrics: newMetrics(), log: log,
	}
}

// Check tells whether the latest call went well, or makes one when that is too long
// ago. A platform that is full is not tested, and no worse for it: then the latest
// outcome stands, however old. An *Error names the stage that failed.
func (t *Tester) Check(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	believed := t.config.Interval
	if t.outcome != nil {
		believed = min(believed, hardly)
	}
	if !t.at.IsZero() && time.Since(t.at) < believed {
		return t.outcome
	}
	if t.full() {
		return t.standingLocked()
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	err := t.call(ctx)
	if err != nil && t.full() { // it has filled up meanwhile
		return t.standingLocked()
	}
	t.outcome, t.at = err, time.Now()
	t.metrics.count(err, t.at.Sub(begun))
	if err != nil {
		t.log.Warn("self-test call failed", "took", t.at.Sub(begun), "error", err)
	}
	return err
}

// full tells whether a call would be refused at present.
func (t *Tester) full() bool {
	_, refused := t.gate.Capacity()
	return refused != nil
}

func (t *Tester) standingLocked() error {
	if t.at.IsZero() {
		return ErrUntested
	}
	return t.outcome
}

// Describe implements prometheus.Collector.
func (t *Tester) Describe(ch chan<- *prometheus.Desc) { t.metrics.describe(ch) }

// Collect implements prometheus.Collector.
func (t *Tester) Collect(ch chan<- prometheus.Metric) { t.metrics.collect(ch) }
