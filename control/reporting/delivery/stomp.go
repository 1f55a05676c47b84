package delivery

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"
)

// stompLink speaks STOMP 1.2.
type stompLink struct {
	conn *stomp.Conn
	net  *readToEnd
}

// readToEnd is a connection that tells when reading from it has ended: the library,
// which reads all the time, keeps that to itself.
type readToEnd struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func (c *readToEnd) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.once.Do(func() { close(c.ended) })
	}
	return n, err
}

func dialSTOMP(ctx context.Context, t target) (Link, error) {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	plain, err := dialNet(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	nc := &readToEnd{Conn: plain, ended: make(chan struct{})}
	options := []func(*stomp.Conn) error{
		stomp.ConnOpt.HeartBeat(10*time.Second, 10*time.Second), stomp.ConnOpt.HeartBeatGracePeriodMultiplier(3),
		stomp.ConnOpt.MsgSendTimeout(t.config.Timeout), stomp.ConnOpt.RcvReceiptTimeout(t.config.Timeout),
		stomp.ConnOpt.DisconnectReceiptTimeout(time.Second), stomp.ConnOpt.Logger(silence{}),
	}
	if t.config.User != "" {
		options = append(options, stomp.ConnOpt.Login(t.config.User, t.config.Password))
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	conn, err := stomp.Connect(nc, options...)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("log in to broker %s: %w", t.host, err)
	}
	return &stompLink{conn, nc}, nil
}

// dialNet connects to a broker, with TLS where its URL asks for it.
func dialNet(ctx context.Context, t target) (net.Conn, error) {
	if secure := t.tls(); secure != nil {
		return (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", t.host)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", t.host)
}

// Send implements Link: a transaction, whose commit the broker confirms with a
// receipt.
func (l *stompLink) Send(ctx context.Context, messages []Message) error {
	// The library has its own time-outs; an impatient caller ends the connection.
	defer context.AfterFunc(ctx, func() { _ = l.net.Close() })()
	tx, err := l.conn.BeginWithError()
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	for _, m := range messages {
		if err := tx.Send(stompDestination(m.Destination), "application/json", []byte(m.Text), stompHeaders(m)); err != nil {
			return fmt.Errorf("send to broker: %w", err)
		}
	}
	if err := tx.CommitWithReceipt(); err != nil {
		return fmt.Errorf("commit at broker: %w", err)
	}
	return nil
}

// stompHeaders sets the headers that the broker turns into those of JMS. Without
// a length a text message is made of it, for which a record must have no zero
// byte: JSON has none.
func stompHeaders(m Message) func(*frame.Frame) error {
	return func(f *frame.Frame) error {
		for name, value := range m.Properties {
			f.Header.Set(name, fmt.Sprint(value))
		}
		f.Header.Set("persistent", "true")
		f.Header.Set("type", string(m.Kind))
		if m.Call != "" {
			f.Header.Set("correlation-id", m.Call)
		}
		f.Header.Del(frame.ContentLength)
		return nil
	}
}

func stompDestination(name string) string {
	if topic, ok := strings.CutPrefix(name, "topic://"); ok {
		return "/topic/" + topic
	}
	return "/queue/" + strings.TrimPrefix(name, "queue://")
}

// Done implements Link.
func (l *stompLink) Done() <-chan struct{} { return l.net.ended }

// Close implements Link.
func (l *stompLink) Close() error {
	_ = l.conn.Disconnect() // the connection may have ended, and does now
	_ = l.net.Close()
	return nil
}

// silence keeps the library from logging: what matters is returned as errors.
type silence struct{}

func (silence) Debugf(string, ...any)   {}
func (silence) Infof(string, ...any)    {}
func (silence) Warningf(string, ...any) {}
func (silence) Errorf(string, ...any)   {}
func (silence) Debug(string)            {}
func (silence) Info(string)             {}
func (silence) Warning(string)          {}
func (silence) Error(string)            {}
