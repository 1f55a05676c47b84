package openwire

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Config says how a broker is met. The zero value of a duration stands for the
// default beside it.
type Config struct {
	Address        string // host:port
	User, Password string
	TLS            *tls.Config // nil: none
	// ConnectTimeout bounds the time until the broker has taken the connection. 10 s.
	ConnectTimeout time.Duration
	// AnswerTimeout bounds the time that a command waits for its answer: a broker
	// that is full may stop answering. 30 s.
	AnswerTimeout time.Duration
	// Inactivity is how often each side hears of the other at least; after twice
	// that a silent broker is taken for dead. The broker may want less. 30 s.
	Inactivity time.Duration
}

func (c Config) withDefaults() Config {
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if c.AnswerTimeout <= 0 {
		c.AnswerTimeout = 30 * time.Second
	}
	if c.Inactivity <= 0 {
		c.Inactivity = 30 * time.Second
	}
	return c
}

// Errors of a connection.
var (
	// ErrClosed is what commands fail with after Close.
	ErrClosed = errors.New("connection closed")
	// ErrSilent says that nothing came from the broker for too long.
	ErrSilent = errors.New("broker is silent")
	// ErrVersion says that the broker speaks only versions unknown here.
	ErrVersion = errors.New("broker's version of OpenWire is not supported")
)

// Conn is a connection to a broker with one session and one producer. Once
// anything has failed, everything fails.
type Conn struct {
	config  Config
	conn    net.Conn
	version int32
	broker  string
	id      string
	beat    time.Duration // how often something is sent

	out outbox

	mu      sync.Mutex
	last    int32 // command's number
	waiting map[int32]chan error
	failure error
	done    chan struct{} // closed with failure set
	tasks   sync.WaitGroup

	producer  producerState
	closeOnce sync.Once
}

// outbox is what is written to the broker.
type outbox struct {
	mu     sync.Mutex
	writer *bufio.Writer
	sent   time.Time // the last time
}

// Dial connects to a broker, negotiates, logs in and begins a producer.
func Dial(ctx context.Context, config Config) (*Conn, error) {
	config = config.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, config.ConnectTimeout)
	defer cancel()
	nc, err := dialNet(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	c := &Conn{
		config: config, conn: nc, out: outbox{writer: bufio.NewWriterSize(nc, 64<<10)}, id: "ID:mcp-" + uuid.NewString(),
		waiting: map[int32]chan error{}, done: make(chan struct{}), version: maxVersion,
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	reader := bufio.NewReaderSize(nc, 64<<10)
	err = c.negotiate(reader)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("negotiate with broker %s: %w", config.Address, err), nc.Close())
	}
	c.tasks.Go(func() { c.read(reader) })
	c.tasks.Go(c.keepAlive)
	if err := c.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("log in to broker %s: %w", config.Address, err), c.Close())
	}
	return c, nil
}

func dialNet(ctx context.Context, config Config) (net.Conn, error) {
	if config.TLS == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", config.Address)
	}
	return (&tls.Dialer{Config: config.TLS}).DialContext(ctx, "tcp", config.Address)
}

var magic = [8]byte{'A', 'c', 't', 'i', 'v', 'e', 'M', 'Q'}

// offer is what is wanted of the wire format: the loose encoding, no cache, no
// stacks of exceptions. An option is used only if both sides ask for it.
func (c *Conn) offer() (Command, error) {
	properties, err := appendMap(map[string]any{
		"CacheEnabled": false, "CacheSize": int32(0), "TightEncodingEnabled": false, "StackTraceEnabled": false,
		"SizePrefixDisabled": false, "TcpNoDelayEnabled": true, "MaxFrameSize": int64(maxFrame),
		"MaxInactivityDuration":            c.config.Inactivity.Milliseconds(),
		"MaxInactivityDurationInitalDelay": c.config.Inactivity.Milliseconds(), // spelt so by the broker
	})
	return &wireFormatInfo{magic: magic, version: maxVersion, properties: properties}, err
}

// negotiate exchanges wire formats. Both sides speak at once.
func (c *Conn) negotiate(r *bufio.Reader) error {
	offer, err := c.offer()
	if err == nil {
		err = c.write(offer)
	}
	if err != nil {
		return err
	}
	cmd, err := readCommand(r, maxVersion)
	if err != nil {
		return err
	}
	theirs, ok := cmd.(*wireFormatInfo)
	if !ok || theirs.magic != magic {
		return errors.New("far end does not speak OpenWire")
	}
	if c.version = min(maxVersion, theirs.version); c.version < minVersion {
		return fmt.Errorf("%w: %d", ErrVersion, theirs.version)
	}
	return c.accept(theirs)
}

func (c *Conn) accept(theirs *wireFormatInfo) error {
	properties, err := parseMap(theirs.properties)
	if err != nil {
		return err
	}
	if ms, ok := properties["MaxInactivityDuration"].(int64); ok {
		// The lesser of both holds; 0 is for ever.
		c.config.Inactivity = min(c.config.Inactivity, time.Duration(ms)*time.Millisecond)
	}
	c.beat = c.config.Inactivity / 3
	return nil
}

// begin logs in and opens session and producer.
func (c *Conn) begin(ctx context.Context) error {
	connection := &named{is: typeConnectionID, id: c.id}
	c.producer = newProducerState(connection)
	for _, cmd := range []answerable{
		&connectionInfo{
			id: connection, client: Nullable{true, c.id},
			user: nullable(c.config.User), password: nullable(c.config.Password),
			flags: [5]bool{1: true},
		},
		&sessionInfo{id: &sessionID{connection: c.id, value: 1}},
		&producerInfo{id: c.producer.id},
	} {
		if err := c.ask(ctx, cmd); err != nil {
			return err
		}
	}
	return nil
}

func nullable(s string) Nullable { return Nullable{There: s != "", Text: s} }

// answerable is a command that has a number of its own.
type answerable interface {
	Command
	number(id int32, answered bool)
}

func (h *head) number(id int32, answered bool) { h.ID, h.Answered = id, answered }

// ask sends a command and waits until the broker has taken it.
func (c *Conn) ask(ctx context.Context, cmd answerable) error {
	answer, err := c.begun(cmd)
	if err != nil {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	return c.wait(ctx, answer)
}

// begun sends a command, without flushing it, and returns where its answer arrives.
func (c *Conn) begun(cmd answerable) (chan error, error) {
	answer := make(chan error, 1)
	c.mu.Lock()
	c.last++
	id := c.last
	c.waiting[id] = answer
	c.mu.Unlock()
	cmd.number(id, true)
	return answer, c.write(cmd)
}

// tell sends a command that is not answered, without flushing it.
func (c *Conn) tell(cmd answerable) error {
	c.mu.Lock()
	c.last++
	id := c.last
	c.mu.Unlock()
	cmd.number(id, false)
	return c.write(cmd)
}

// wait waits for an answer. One that does not come ends the connection: nobody
// could tell later what was answered to what.
func (c *Conn) wait(ctx context.Context, answer chan error) error {
	timeout := time.NewTimer(c.config.AnswerTimeout)
	defer timeout.Stop()
	select {
	case err := <-answer:
		return err
	case <-c.done:
		return c.failure
	case <-timeout.C:
		return c.fail(fmt.Errorf("%w: no answer for %s", ErrSilent, c.config.AnswerTimeout))
	case <-ctx.Done():
		return c.fail(ctx.Err())
	}
}

func (c *Conn) write(cmd Command) error {
	b, err := frame(c.version, cmd)
	if err != nil {
		return err
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.sent = time.Now()
	_ = c.conn.SetWriteDeadline(c.out.sent.Add(c.config.AnswerTimeout))
	if _, err = c.out.writer.Write(b); err == nil && cmd.kind() == typeWireFormatInfo {
		err = c.out.writer.Flush()
	}
	if err != nil {
		return c.fail(fmt.Errorf("write to broker: %w", err))
	}
	return nil
}

func (c *Conn) flush() error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if err := c.out.writer.Flush(); err != nil {
		return c.fail(fmt.Errorf("write to broker: %w", err))
	}
	return nil
}

// readCommand reads one frame.
func readCommand(r *bufio.Reader, version int32) (Command, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n == 0 || n > maxFrame {
		return nil, fmt.Errorf("frame of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return parse(version, b)
}

// read takes what the broker sends until the connection ends.
func (c *Conn) read(r *bufio.Reader) {
	for {
		deadline := time.Time{}
		if c.config.Inactivity > 0 {
			// As the broker's own client does: it looks every period whether anything
			// has come, so that one may pass unseen.
			deadline = time.Now().Add(2 * c.config.Inactivity)
		}
		_ = c.conn.SetReadDeadline(deadline)
		cmd, err := readCommand(r, c.version)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			err = fmt.Errorf("%w for %s", ErrSilent, 2*c.config.Inactivity)
		case err != nil:
			err = fmt.Errorf("read from broker: %w", err)
		default:
			err = c.take(cmd)
		}
		if err != nil {
			_ = c.fail(err)
			return
		}
	}
}

// take does what a command asks; an error ends the connection.
func (c *Conn) take(cmd Command) error {
	switch cmd := cmd.(type) {
	case *response:
		c.answer(cmd.to, nil)
	case *exceptionResponse:
		c.answer(cmd.to, &cmd.exception)
	case *connectionError:
		return fmt.Errorf("broker gives up the connection: %w", &cmd.exception)
	case *connectionControl:
		if cmd.flags[0] {
			return errors.New("broker asks to close the connection")
		}
	case *plain:
		if cmd.is == typeShutdown {
			return errors.New("broker shuts down")
		}
		if cmd.Answered {
			return errors.Join(c.write(&plain{is: typeKeepAlive}), c.flush())
		}
	case *brokerInfo:
		c.mu.Lock()
		c.broker = cmd.name.Text
		c.mu.Unlock()
	}
	return nil
}

func (c *Conn) answer(id int32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer, ok := c.waiting[id]; ok {
		answer <- err
		delete(c.waiting, id)
	}
}

// keepAlive shows the broker that this end is alive.
func (c *Conn) keepAlive() {
	if c.beat <= 0 {
		return
	}
	tick := time.NewTicker(c.beat)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		c.out.mu.Lock()
		idle := time.Since(c.out.sent) >= c.beat
		c.out.mu.Unlock()
		if idle && errors.Join(c.write(&plain{is: typeKeepAlive}), c.flush()) != nil {
			return
		}
	}
}

// fail ends the connection for a reason and returns the reason it ended for.
func (c *Conn) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = err
		close(c.done)
		_ = c.conn.Close()
	}
	return c.failure
}

// Broker is the broker's name for itself, once it has told.
func (c *Conn) Broker() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broker
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection and waits for what runs in it. It is idempotent.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		select {
		case <-c.done:
		default:
			// The broker frees the producer at once; nobody waits for it to say so.
			giveUp := time.AfterFunc(time.Second, func() { _ = c.conn.Close() })
			defer giveUp.Stop()
			_ = errors.Join(c.write(&plain{is: typeShutdown}), c.flush())
		}
		_ = c.fail(ErrClosed)
		c.tasks.Wait()
	})
	return nil
}
