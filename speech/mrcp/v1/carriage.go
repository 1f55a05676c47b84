// Package v1 carries MRCPv1 (RFC 4463): sessions are RTSP's, each over a TCP
// connection of its own, because deployed servers bind a session to the one it
// began on; messages travel in the bodies of ANNOUNCE requests, both ways.
package v1

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/rtsp"
	"mcp/speech/mrcp/wire"
	"mcp/speech/nlsml"
)

// defaultPort is RTSP's (RFC 2326 section 3.2).
const defaultPort = "554"

// Config says how sessions are carried. The zero value suits most servers.
type Config struct {
	// PortMin and PortMax are the local TCP ports that connections come from; 14000
	// to 15999.
	PortMin, PortMax uint16
	// TLS has RTSP go over TLS; it holds for rtsps URIs, whatever is in it.
	TLS *tls.Config
	// Paths are where on a server its resources are, by resource:
	// media/speechsynthesizer, media/speechrecognizer and media/recorder.
	Paths map[string]string
	// Describe sends DESCRIBE before a resource is set up, and takes the resource
	// for missing when that is refused.
	Describe bool
	// MaxMessage bounds the messages a server may send, in octets; 1 MiB.
	MaxMessage int
	// WriteTimeout bounds how long a server may leave its connection unread; 5 s.
	WriteTimeout time.Duration
	// Lost is how long nothing need be heard of a server's machine to take it for
	// gone; 25 s.
	Lost time.Duration
}

func (c Config) withDefaults() Config {
	if c.PortMin == 0 {
		c.PortMin, c.PortMax = 14000, 15999
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 5 * time.Second
	}
	paths := map[string]string{
		wire.Synthesizer: "media/speechsynthesizer",
		wire.Recognizer:  "media/speechrecognizer",
		wire.Recorder:    "media/recorder",
	}
	for resource, path := range c.Paths {
		paths[resource] = strings.TrimPrefix(path, "/")
	}
	c.Paths = paths
	return c
}

// Carriage carries sessions with any number of servers.
type Carriage struct {
	cfg    Config
	plain  *rtsp.Dialer
	secure *rtsp.Dialer
	log    *slog.Logger
	open   atomic.Int64 // connections
}

var _ mrcp.Carriage = (*Carriage)(nil)

// New makes a Carriage.
func New(cfg Config, log *slog.Logger) *Carriage {
	cfg = cfg.withDefaults()
	secure := cfg.TLS
	if secure == nil {
		secure = &tls.Config{}
	}
	return &Carriage{cfg: cfg, log: log,
		plain:  &rtsp.Dialer{PortMin: cfg.PortMin, PortMax: cfg.PortMax, Lost: cfg.Lost},
		secure: &rtsp.Dialer{PortMin: cfg.PortMin, PortMax: cfg.PortMax, Lost: cfg.Lost, TLS: secure}}
}

// Connections is part of mrcp.Carriage.
func (c *Carriage) Connections() int { return int(c.open.Load()) }

// Traits is part of mrcp.Carriage.
func (c *Carriage) Traits() mrcp.Traits {
	return mrcp.Traits{SSML: wire.TypeSSMLDraft, Scale: nlsml.Percent, VendorApart: true}
}

// Probe is part of mrcp.Carriage: OPTIONS over a connection of its own. Any
// answer will do, but for that of a server that can take no sessions.
func (c *Carriage) Probe(ctx context.Context, server string) error {
	at, err := parse(server)
	if err != nil {
		return err
	}
	conn, err := c.connect(ctx, at, rtsp.ConnConfig{Handle: refuse, Lost: func(error) {}})
	if err != nil {
		return err
	}
	defer c.disconnect(conn)
	response, err := conn.Do(ctx, rtsp.NewRequest(rtsp.MethodOptions, at.base))
	if err != nil {
		return unavailable(err)
	}
	if response.Status >= rtsp.StatusUnavailable {
		return failure(rtsp.MethodOptions, response)
	}
	return nil
}

// target is a server's address and the URI that its resources' begin with.
type target struct {
	address string
	base    string
	secure  bool
}

func parse(server string) (target, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return target{}, fmt.Errorf("%w: %q is no rtsp uri", speech.ErrUnavailable, server)
	}
	t := target{address: u.Host, base: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/"), secure: u.Scheme == "rtsps"}
	if u.Port() == "" {
		t.address = net.JoinHostPort(u.Hostname(), defaultPort)
	}
	return t, nil
}

func (c *Carriage) connect(ctx context.Context, at target, cfg rtsp.ConnConfig) (*rtsp.Conn, error) {
	dialer := c.plain
	if at.secure {
		dialer = c.secure
	}
	nc, err := dialer.Dial(ctx, at.address)
	if err != nil {
		return nil, unavailable(err)
	}
	// Ports of the range are scarce: the session has been torn down by the time of
	// the close, so nothing that a lingering connection would protect is on its way.
	if tcp, is := nc.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	cfg.MaxMessage, cfg.WriteTimeout = c.cfg.MaxMessage, c.cfg.WriteTimeout
	c.open.Add(1)
	return rtsp.NewConn(nc, cfg), nil
}

func (c *Carriage) disconnect(conn *rtsp.Conn) {
	conn.Close()
	c.open.Add(-1)
}

// refuse answers a server that asks for anything.
func refuse(request *rtsp.Message) *rtsp.Message {
	return rtsp.NewResponse(request, rtsp.StatusMethodNotAllowed, "Allow", rtsp.MethodAnnounce)
}

func unavailable(err error) error {
	if errors.Is(err, speech.ErrUnavailable) || errors.Is(err, speech.ErrNoCodec) {
		return err
	}
	return fmt.Errorf("%w: %w", speech.ErrUnavailable, err)
}

// failure is the error of a response other than success.
func failure(method string, m *rtsp.Message) error {
	return fmt.Errorf("%w: %s: %s", speech.ErrUnavailable, method, m)
}

// Open is part of mrcp.Carriage: a connection, and a SETUP for each resource.
func (c *Carriage) Open(ctx context.Context, o mrcp.Opening) (mrcp.Link, error) {
	at, err := parse(o.Server)
	if err != nil {
		return nil, err
	}
	l := &link{carriage: c, opening: o, target: at, log: c.log.With("server", o.Server),
		asked: make(map[uint32]string), done: make(chan struct{})}
	if l.conn, err = c.connect(ctx, at, rtsp.ConnConfig{Handle: l.handle, Lost: l.lost}); err != nil {
		return nil, err
	}
	for _, resource := range o.Resources {
		if err := l.setup(ctx, resource); err != nil {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.WriteTimeout)
			defer cancel()
			return nil, errors.Join(err, l.Close(closing))
		}
	}
	return l, nil
}
