// Package recording puts together what records whole calls: the folder from which
// they are uploaded, the certificates that they are encrypted to, and how they
// are written.
package recording

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/call"
	"mcp/control/certs"
	"mcp/control/media/clock"
	"mcp/control/media/record"
	"mcp/control/media/record/store"
	"mcp/control/node/sealing"
	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/service/siprec"
)

// Config is the section of recordings.
type Config struct {
	Calls        string         `yaml:"calls" doc:"whether calls are recorded: off, mixed, or sides for the caller left and the platform right"`
	Type         string         `yaml:"type" gvp:"conference.callrec_default_type" doc:"of call recordings: audio/wav with codec=pcm, alaw or ulaw, audio/mpeg with bitrate=16 or 32, audio/ogg, audio/basic"`
	Server       Server         `yaml:"server" doc:"a recording server that all calls are sent to as well"`
	Certificates sealing.Config `yaml:"certificates" doc:"whom recordings are encrypted to (CMS, RFC 5652); with no source they are in the clear"`
}

// Server is the section of a recording server.
type Server struct {
	URI      string        `yaml:"uri" doc:"SIP URI to call for each call; {id} in it is the call's identifier, as in sip:record={id}@10.0.0.2:5060; empty: none"`
	Protocol string        `yaml:"protocol" doc:"siprec (RFC 7866), or plain for active recording: two streams and no metadata"`
	Failure  string        `yaml:"failure" doc:"what becomes of a call that the server does not record: continue, or refuse, which also ends it when the server hangs up"`
	Timeout  time.Duration `yaml:"timeout" doc:"longest wait for the server's answer"`
}

// Validate implements the configuration reader's check of the section.
func (s Server) Validate() error {
	switch {
	case s.URI != "" && !strings.HasPrefix(s.URI, "sip:") && !strings.HasPrefix(s.URI, "sips:"):
		return fmt.Errorf("uri: %q is no SIP URI", s.URI)
	case s.Protocol != "siprec" && s.Protocol != "plain":
		return fmt.Errorf("protocol: %q is neither siprec nor plain", s.Protocol)
	case s.Failure != "continue" && s.Failure != "refuse":
		return fmt.Errorf("failure: %q is neither continue nor refuse", s.Failure)
	case s.Timeout <= 0:
		return errors.New("timeout must be above zero")
	}
	return nil
}

// Client is what has calls recorded by the server; nil: there is none.
func (s Server) Client(codecs []sdp.Codec, dialler siprec.Dialler, log *slog.Logger) *siprec.Client {
	if s.URI == "" {
		return nil
	}
	return siprec.New(siprec.Config{
		Server: s.URI, Plain: s.Protocol == "plain", Vital: s.Failure == "refuse", Codecs: codecs, Patience: s.Timeout,
	}, dialler, log)
}

// The ways in which calls are recorded.
const (
	off   = "off"
	mixed = "mixed"
	sides = "sides"
)

// Defaults records nothing.
func Defaults() Config {
	return Config{
		Calls: off, Type: "audio/wav;codec=alaw", Certificates: sealing.Defaults(),
		Server: Server{Protocol: "siprec", Failure: "continue", Timeout: 10 * time.Second},
	}
}

// Validate implements the configuration reader's check of the section.
func (c Config) Validate() error {
	switch c.Calls {
	case off, mixed, sides:
	default:
		return fmt.Errorf("calls: %q is none of off, mixed, sides", c.Calls)
	}
	if _, err := c.format(); err != nil {
		return fmt.Errorf("type: %w", err)
	}
	return nil
}

func (c Config) format() (record.Format, error) {
	f, err := record.ParseType(c.Type)
	if c.Calls == sides {
		f.Channels = 2
	}
	return f, err
}

// Recordings keeps recordings. It implements call.Recordings.
type Recordings struct {
	Store  *store.Store // nil: nothing can be kept
	config Config
	format record.Format
	keeper *certs.Keeper // nil: recordings are in the clear
}

// Parts are what recordings are made with.
type Parts struct {
	Folder  string
	Clock   *clock.Clock
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Open makes the folder of recordings, and gives what a killed process left there
// its metadata. That there is no folder is an error only if calls are recorded.
func Open(ctx context.Context, c Config, p Parts) (*Recordings, error) {
	f, err := c.format()
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	config := store.Config{Folder: p.Folder, Clock: p.Clock}
	keeper, err := c.Certificates.Keeper(ctx, p.Metrics, p.Log)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	if keeper != nil {
		config.Certificates = keeper.Certificates
	}
	r := &Recordings{config: c, format: f, keeper: keeper}
	s, err := store.New(config, p.Log)
	if err == nil {
		_, err = s.Recover()
	}
	switch {
	case err == nil:
		r.Store = s
		return r, p.Metrics.Register(s)
	case c.Calls == off:
		p.Log.Warn("nothing can be recorded to be kept", "error", err)
		return r, nil
	}
	return nil, err
}

// Calls is what records whole calls; none: they are not recorded.
func (r *Recordings) Calls() []call.Recordings {
	if r.config.Calls == off {
		return nil
	}
	return []call.Recordings{r}
}

// Vital implements call.Recordings: a call goes on that cannot be recorded here.
func (r *Recordings) Vital() bool { return false }

// Begin implements call.Recordings.
func (r *Recordings) Begin(_ context.Context, c *call.Call) (call.Recording, error) {
	invite := c.Invite()
	rec, err := r.Store.Begin(store.Request{
		ID: c.ID(), Options: record.Options{Format: r.format},
		Metadata: map[string]any{
			"call": c.ID(), "sip_call_id": invite.CallID(), "from": invite.RemoteURI(), "to": invite.LocalURI(),
			"type": r.format.MediaType(), "channels": r.format.Channels,
		},
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(rec.Hear(0, c.Caller()), rec.Overhear(r.format.Channels-1, c.Caller())); err != nil {
		rec.Stop()
		return nil, err
	}
	return &called{Recording: rec, trail: c.Trail()}, nil
}

// called is the recording of a call.
type called struct {
	*store.Recording
	trail *reporting.Trail
	once  sync.Once
}

// Stop implements call.Recording. It waits until it is known for how long was
// recorded, which the call's record tells.
func (c *called) Stop() {
	c.once.Do(func() {
		c.Recording.Stop()
		<-c.Done()
		result, _ := c.Result() // the store logs what went wrong
		c.trail.Recorded(reporting.Recording{ID: c.ID, URI: c.URI(), Duration: result.Duration.Milliseconds()})
	})
}

// Run keeps the certificates fresh until ctx ends.
func (r *Recordings) Run(ctx context.Context) error {
	if r.keeper != nil {
		r.keeper.Run(ctx)
	}
	return nil
}

// Close waits until all recordings are kept. It comes after the calls have ended.
func (r *Recordings) Close() error {
	if r.Store == nil {
		return nil
	}
	return r.Store.Close()
}
