package audiohook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"mcp/speech/nexus"
)

// Config says where the far end is and who asks.
type Config struct {
	// URL is wss://HOST/PATH. ws:// is for loopback addresses only.
	URL          string
	Organization string // UUID; empty: the nil UUID
	APIKey       string
	// Secret signs requests, base64; empty: they are not signed.
	Secret string
	CA     string // PEM file of root certificates; empty: the system's
	// Custom is the customConfig of every session.
	Custom map[string]string
	// L16 offers 16-bit audio alone; otherwise mu-law is preferred and both offered.
	L16 bool
	// OpenTimeout bounds the set-up of a session, CloseTimeout its end; 5 s and 2 s.
	OpenTimeout, CloseTimeout time.Duration
	// Ping is how often the far end is asked whether it is there; 5 s.
	Ping time.Duration
}

func (c Config) withDefaults() Config {
	set := func(to *time.Duration, otherwise time.Duration) {
		if *to <= 0 {
			*to = otherwise
		}
	}
	set(&c.OpenTimeout, 5*time.Second)
	set(&c.CloseTimeout, 2*time.Second)
	set(&c.Ping, 5*time.Second)
	if c.Organization == "" {
		c.Organization = uuid.Nil.String()
	}
	return c
}

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	var faults []error
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "wss" && u.Scheme != "ws":
		faults = append(faults, fmt.Errorf("url: %q is no wss URL", c.URL))
	case u.Scheme == "ws":
		if addr, err := netip.ParseAddr(u.Hostname()); err != nil || !addr.IsLoopback() {
			faults = append(faults, fmt.Errorf("url: %s is no loopback address, and ws allows none else", u.Hostname()))
		}
	}
	if _, err := base64.StdEncoding.DecodeString(c.Secret); err != nil {
		faults = append(faults, errors.New("secret: it is not base64"))
	}
	if c.Secret != "" && c.APIKey == "" {
		faults = append(faults, errors.New("api-key: a secret needs one"))
	}
	if c.Organization != "" {
		if _, err := uuid.Parse(c.Organization); err != nil {
			faults = append(faults, fmt.Errorf("organization: %q is no UUID", c.Organization))
		}
	}
	return errors.Join(faults...)
}

// Client opens sessions. It implements nexus.Bot.
type Client struct {
	config Config
	secret []byte
	http   *http.Client
	log    *slog.Logger
}

var _ nexus.Bot = (*Client)(nil)

// New makes a client. The configuration must be valid.
func New(c Config, log *slog.Logger) (*Client, error) {
	secret, err := base64.StdEncoding.DecodeString(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 5 * time.Second,
	}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("root certificates: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("root certificates: %s holds none in PEM form", c.CA)
		}
	}
	return &Client{config: c.withDefaults(), secret: secret, http: &http.Client{Transport: transport}, log: log}, nil
}

// Close closes idle connections. Sessions are to be closed before.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Open implements nexus.Bot.
func (c *Client) Open(ctx context.Context, o nexus.Opening) (nexus.Conversation, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.OpenTimeout)
	defer cancel()
	conversation := &conversation{client: c, opening: o, id: conversationID(o.Party.Conversation), events: make(chan nexus.Event, eventsWaiting)}
	s, err := c.dial(ctx, conversation, nil)
	if err != nil {
		return nil, &nexus.Fault{Class: "open_session", Err: err}
	}
	conversation.begin(s)
	return conversation, nil
}

// conversationID is a UUID: the contact centre's own, or one that is made of it, or a
// new one.
func conversationID(own string) string {
	if id, err := uuid.Parse(own); err == nil {
		return id.String()
	}
	if own != "" {
		return uuid.NewSHA1(uuid.NameSpaceURL, []byte(own)).String()
	}
	return uuid.NewString()
}

// dial opens a WebSocket and on it a session, which may continue another.
func (c *Client) dial(ctx context.Context, of *conversation, before *session) (*session, error) {
	s := &session{conversation: of, config: c.config, id: uuid.NewString(), closed: make(chan struct{})}
	header, err := c.headers(s.id, of)
	if err != nil {
		return nil, err
	}
	ws, response, err := websocket.Dial(ctx, c.config.URL, &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: header, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("connect: answered with %s", response.Status)
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	ws.SetReadLimit(maxFrame)
	s.ws = ws
	if err := s.open(ctx, before); err != nil {
		s.hangUp()
		return nil, err
	}
	return s, nil
}

// headers identify and sign a request.
func (c *Client) headers(session string, of *conversation) (http.Header, error) {
	to, err := url.Parse(c.config.URL)
	if err != nil {
		return nil, err
	}
	key := c.config.APIKey
	if of.opening.APIKey != "" {
		key = of.opening.APIKey
	}
	if strings.ContainsAny(key, "\"\\\r\n") {
		return nil, errors.New("the API key has characters that cannot be sent")
	}
	h := http.Header{}
	h.Set(headerOrganization, c.config.Organization)
	h.Set(headerSession, session)
	h.Set(headerCorrelation, of.id)
	h.Set(headerKey, key)
	if len(c.secret) > 0 {
		Sign(to, h, c.secret, time.Now())
	}
	return h, nil
}
