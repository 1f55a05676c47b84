package nexus

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/speech"
)

// The properties of a page that go along with a conversation have this prefix; those
// that also say something to the platform are named.
const (
	propertyPrefix  = "com.genesyslab.asr."
	propertyKey     = propertyPrefix + "x-api-key"
	propertySession = propertyPrefix + "sessionid"
)

// Config is how bots are talked with.
type Config struct {
	Name string // of the engine, in metrics
	// Settle is how long an answer waits for the bot to begin to say it; 300 ms.
	Settle time.Duration
	// Soon is how long after its beginning a conversation holds nothing yet that a bot
	// could have heard to the end and answered; 800 ms.
	Soon time.Duration
	// Answer is how long a turn may wait for a bot that says and reports nothing; 1
	// minute. The conversation is given up then.
	Answer time.Duration
}

// Engine opens sessions with a bot. It is a prometheus.Collector.
type Engine struct {
	config Config
	bot    Bot
	log    *slog.Logger
	counts counts
}

var (
	_ speech.Attacher      = (*Engine)(nil)
	_ prometheus.Collector = (*Engine)(nil)
)

// New makes an engine.
func New(c Config, bot Bot, log *slog.Logger) *Engine {
	if c.Settle <= 0 {
		c.Settle = 300 * time.Millisecond
	}
	if c.Soon <= 0 {
		c.Soon = 800 * time.Millisecond
	}
	if c.Answer <= 0 {
		c.Answer = time.Minute
	}
	if c.Name == "" {
		c.Name = "nexus"
	}
	return &Engine{config: c, bot: bot, log: log, counts: newCounts(c.Name)}
}

// Attach implements speech.Attacher. The conversation with the bot begins with the
// first recognition, which says what it is about.
func (e *Engine) Attach(_ context.Context, line speech.Line) (speech.Session, error) {
	ctx, cancel := context.WithCancel(context.Background())
	return &session{engine: e, line: line, ctx: ctx, cancel: cancel}, nil
}

// open begins a conversation.
func (e *Engine) open(ctx context.Context, use string, o Opening) (Conversation, error) {
	c, err := e.bot.Open(ctx, o)
	if err != nil {
		return nil, e.failed(ctx, use, err)
	}
	e.counts.conversations.WithLabelValues(use).Inc()
	return c, nil
}

// failed counts an error, unless nobody waits for what failed any more.
func (e *Engine) failed(ctx context.Context, use string, err error) error {
	if err != nil && ctx.Err() == nil {
		e.counts.errors.WithLabelValues(use, classOf(err)).Inc()
	}
	return err
}

// opening says what a page's recognition is about.
func opening(r speech.Recognition, party speech.Party) Opening {
	o := Opening{Party: party, Language: r.Language, APIKey: r.Properties[propertyKey]}
	for name, value := range r.Properties {
		if variable, ok := strings.CutPrefix(name, propertyPrefix); ok && name != propertyKey && value != "" {
			if o.Variables == nil {
				o.Variables = map[string]string{}
			}
			o.Variables[variable] = value
		}
	}
	if id := r.Properties[propertySession]; id != "" {
		o.Party.Conversation = id
	}
	return o
}

// counts are the engine's metrics.
type counts struct {
	errors, conversations, turns *prometheus.CounterVec
	lost                         *prometheus.CounterVec // seconds
}

// The uses of an engine, in metrics.
const (
	useBot    = "voicebot"
	useAssist = "assist"
)

func newCounts(name string) counts {
	vec := func(name, help, engine string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name, Help: help, ConstLabels: prometheus.Labels{"engine": engine},
		}, labels)
	}
	c := counts{
		errors:        vec("mcp_speech_nexus_errors_total", "Errors of conversations with bots and assistants by class.", name, "use", "class"),
		conversations: vec("mcp_speech_nexus_conversations_total", "Conversations opened.", name, "use"),
		turns:         vec("mcp_speech_nexus_turns_total", "Turns of bots by how they ended.", name, "outcome"),
		lost:          vec("mcp_speech_nexus_lost_audio_seconds_total", "Audio that a far end was too slow to take.", name, "use"),
	}
	for _, use := range []string{useBot, useAssist} {
		c.conversations.WithLabelValues(use)
		c.lost.WithLabelValues(use)
		for _, class := range []string{"open_session", "protocol"} {
			c.errors.WithLabelValues(use, class)
		}
	}
	c.errors.WithLabelValues(useBot, noAnswer)
	return c
}

func (c counts) all() []prometheus.Collector {
	return []prometheus.Collector{c.errors, c.conversations, c.turns, c.lost}
}

// Describe implements prometheus.Collector.
func (e *Engine) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range e.counts.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (e *Engine) Collect(ch chan<- prometheus.Metric) {
	for _, c := range e.counts.all() {
		c.Collect(ch)
	}
}
