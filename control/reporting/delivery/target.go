package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Link is a connection to a broker.
type Link interface {
	// Send returns once the broker has made the messages durable. After an error
	// any of them may be.
	Send(ctx context.Context, messages []Message) error
	// Done is closed when the connection has ended, whoever ended it.
	Done() <-chan struct{}
	Close() error
}

// target is a broker's address and how to speak to it.
type target struct {
	scheme string
	host   string // with port
	secure bool
	config *Config
}

// schemes are the protocols by the scheme of a broker's URL, with their ports.
var schemes = map[string]struct {
	port   string
	secure bool
	dial   func(ctx context.Context, t target) (Link, error)
}{
	"tcp":       {"61616", false, dialOpenWire},
	"ssl":       {"61617", true, dialOpenWire},
	"stomp":     {"61613", false, dialSTOMP},
	"stomp+ssl": {"61614", true, dialSTOMP},
	"amqp":      {"5672", false, dialAMQP},
	"amqps":     {"5671", true, dialAMQP},
}

// parseTarget reads a broker's URL.
func parseTarget(text string, c *Config) (target, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return target{}, fmt.Errorf("broker %q is no URL such as tcp://rs:61616", text)
	}
	s, ok := schemes[u.Scheme]
	if !ok {
		return target{}, fmt.Errorf("broker %q: the scheme is none of tcp, ssl (OpenWire), stomp, stomp+ssl, amqp, amqps", text)
	}
	if u.User != nil || u.RawQuery != "" || u.Path != "" && u.Path != "/" {
		return target{}, fmt.Errorf("broker %s://%s: only a host and a port may follow; user and password have keys of their own", u.Scheme, u.Host)
	}
	port := u.Port()
	if port == "" {
		port = s.port
	}
	return target{scheme: u.Scheme, host: net.JoinHostPort(u.Hostname(), port), secure: s.secure, config: c}, nil
}

func (t target) dial(ctx context.Context) (Link, error) { return schemes[t.scheme].dial(ctx, t) }

func (t target) String() string { return t.scheme + "://" + t.host }

// tls is the configuration of a secure connection, or nil.
func (t target) tls() *tls.Config {
	if !t.secure {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.config.TLS != nil {
		c = t.config.TLS.Clone()
	}
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(t.host)
	}
	return c
}

// Config says where records go. The zero value of a field stands for the default
// beside it.
type Config struct {
	// Brokers are URLs of brokers that share their queues; the first that can be
	// had is used.
	Brokers        []string
	User, Password string
	TLS            *tls.Config // for the secure schemes; nil: the system's certificates
	// Queue is where records go, Queues where those of a kind go instead.
	// mcp.records.
	Queue  string
	Queues map[string]string
	// Batch is how many records are sent before the broker has confirmed them. 500.
	Batch int
	// Timeout bounds connecting, and confirming a batch. 30 s.
	Timeout time.Duration
	// MinWait and MaxWait bound the wait after a failure, which doubles with each.
	// 200 ms and 15 s.
	MinWait, MaxWait time.Duration
}

// batchBytes bounds a batch too.
const batchBytes = 4 << 20

func (c Config) withDefaults() Config {
	if c.Queue == "" {
		c.Queue = "mcp.records"
	}
	if c.Batch <= 0 {
		c.Batch = 500
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.MinWait <= 0 {
		c.MinWait = 200 * time.Millisecond
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 15 * time.Second
	}
	return c
}

// Validate tells what is wrong with the configuration.
func (c *Config) Validate() error {
	var all []error
	for _, b := range c.Brokers {
		_, err := parseTarget(b, c)
		all = append(all, err)
	}
	for kind := range c.Queues {
		if !known[kind] {
			all = append(all, fmt.Errorf("queue for %q: it is none of call, custom, trace, operations", kind))
		}
	}
	return errors.Join(all...)
}

var known = map[string]bool{"call": true, "custom": true, "trace": true, "operations": true}
