// Package sim is a caller made of text: a vxml.Platform that prints what is said
// and takes what the caller does from a script or a terminal, a line a time:
//
//	say:yes          the caller says yes; it is matched against the active voice grammars
//	say(0.4):yes     the recognizer is only so sure of it
//	dtmf:1234        the caller presses keys
//	silence          the caller says nothing until the time is over
//	hangup           the caller hangs up
//	barge say:yes    the same, but without waiting for the prompts to end
//
// Blank lines and lines that begin with # are skipped. After the last line the
// caller hangs up.
//
// The simulator has no goroutine: it acts when the interpreter tells, through
// the trace, that it waits for the caller. So pass Caller.Trace as Start.Trace.
package sim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcp/vxml"
)

// Caller is the simulated caller and line.
type Caller struct {
	out     io.Writer
	lines   *bufio.Scanner
	pace    time.Duration
	digits  chan vxml.Digit
	hungUp  chan struct{}
	once    sync.Once
	hearing *listening // recognition under way, or nil
	peeked  *string
	err     error
}

// New makes a caller that does what the lines of steps say, and prints the
// dialogue to out.
func New(steps io.Reader, out io.Writer) *Caller {
	return &Caller{
		out: out, lines: bufio.NewScanner(steps),
		digits: make(chan vxml.Digit, 256), hungUp: make(chan struct{}),
	}
}

// Pace makes prompts last, for each character that they say. Without it they are
// over at once.
func (c *Caller) Pace(perCharacter time.Duration) { c.pace = perCharacter }

// Err tells what was wrong with the script, if anything.
func (c *Caller) Err() error { return c.err }

// Trace acts when the interpreter waits for the caller.
func (c *Caller) Trace(e vxml.TraceEvent) {
	switch e.Kind {
	case vxml.Waiting:
		c.act(c.next())
	case vxml.Filled, vxml.Thrown, vxml.Logged:
		c.print(string(e.Kind), e.Text)
	}
}

func (c *Caller) print(who, text string) { fmt.Fprintf(c.out, "%8s  %s\n", who, text) }

// peek is the next step without taking it; hangup when there is none.
func (c *Caller) peek() string {
	if c.peeked == nil {
		step := "hangup"
		for c.lines.Scan() {
			if line := strings.TrimSpace(c.lines.Text()); line != "" && line[0] != '#' {
				step = line
				break
			}
		}
		c.peeked = &step
	}
	return *c.peeked
}

func (c *Caller) next() string {
	step := c.peek()
	c.peeked = nil
	return strings.TrimPrefix(step, "barge ")
}

// act does one step.
func (c *Caller) act(step string) {
	verb, what, _ := strings.Cut(step, ":")
	what = strings.TrimSpace(what)
	verb, sure, graded := strings.Cut(strings.TrimSuffix(verb, ")"), "(")
	confidence := 1.0
	if graded {
		var err error
		if confidence, err = strconv.ParseFloat(sure, 64); err != nil {
			c.fault(step)
		}
	}
	c.print("caller", step)
	switch verb {
	case "say":
		if c.hearing != nil {
			c.hearing.say(what, confidence)
		}
	case "dtmf":
		for _, key := range strings.ToUpper(strings.ReplaceAll(what, " ", "")) {
			c.press(byte(key))
		}
	case "silence":
		if c.hearing != nil {
			c.hearing.finish(vxml.SpeechResult{Outcome: vxml.NoInput})
		}
	case "hangup":
		c.HangUp()
	default:
		c.fault(step)
	}
}

func (c *Caller) fault(step string) {
	c.err = errors.Join(c.err, fmt.Errorf("unknown step %q: say:, dtmf:, silence or hangup", step))
	c.HangUp()
}

func (c *Caller) press(key byte) {
	select {
	case c.digits <- vxml.Digit{Key: key, At: time.Now()}:
	default: // more keys than anybody takes
	}
}

// HangUp hangs up, from any goroutine and as often as one likes.
func (c *Caller) HangUp() { c.once.Do(func() { close(c.hungUp) }) }

// Digits implements vxml.Connection.
func (c *Caller) Digits() <-chan vxml.Digit { return c.digits }

// HungUp implements vxml.Connection.
func (c *Caller) HungUp() <-chan struct{} { return c.hungUp }

// Disconnect implements vxml.Connection.
func (c *Caller) Disconnect(_ context.Context, namelist map[string]string) error {
	c.print("system", strings.TrimSpace(fmt.Sprint("hangs up ", describe(namelist))))
	return nil
}

func describe(namelist map[string]string) string {
	if len(namelist) == 0 {
		return ""
	}
	return fmt.Sprint(namelist)
}

// Info implements vxml.Connection.
func (c *Caller) Info() vxml.ConnectionInfo {
	return vxml.ConnectionInfo{
		LocalURI: "sip:application@sim.invalid", RemoteURI: "sip:caller@sim.invalid",
		ProtocolName: "sip", ProtocolVersion: "2.0", CallID: "sim",
	}
}

// Play implements vxml.Speaker.
func (c *Caller) Play(_ context.Context, prompts []vxml.Prompt) (vxml.Playback, error) {
	length := 0
	for _, p := range prompts {
		text := p.Text()
		length += len(text)
		c.print("system", text)
	}
	p := &playback{done: make(chan struct{})}
	if c.pace == 0 {
		close(p.done)
		return p, nil
	}
	p.timer = time.AfterFunc(time.Duration(length)*c.pace, func() { close(p.done) })
	if strings.HasPrefix(c.peek(), "barge ") {
		c.act(c.next())
	}
	return p, nil
}

type playback struct {
	done  chan struct{}
	timer *time.Timer
}

func (p *playback) Done() <-chan struct{} { return p.done }
func (p *playback) Err() error            { return nil }

func (p *playback) Stop() {
	if p.timer != nil && p.timer.Stop() {
		close(p.done)
	}
}
