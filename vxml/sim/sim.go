// Package sim is a caller made of text: a vxml.Platform that prints what is said
// and takes what the caller does from a script or a terminal, a line a time:
//
//	say:yes          the caller says yes; it is matched against the active voice grammars
//	say(0.4):yes     the recognizer is only so sure of it
//	dtmf:1234        the caller presses keys
//	silence          the caller says nothing until the time is over
//	hangup           the caller hangs up
//	barge say:yes    the same, but without waiting for the prompts to end
//	show:expression  nothing happens, but the expression's value is printed
//
// While the caller is being recorded:
//
//	say:hello        the caller says hello and then nothing
//	say(#):hello     the caller says hello and presses #
//	talk:hello       the caller goes on until the recording is long enough
//	cut:hello        the caller hangs up in the middle of it
//
// While the caller is being transferred:
//
//	far:busy         the other party is busy, or noanswer, network_busy, ...
//	far:hangup       the other party answers and hangs up
//
// Beside the caller there is whoever controls the call:
//
//	message:a=1      a message comes for the application
//
// Blank lines and lines that begin with # are skipped. After the last line the
// caller hangs up. Nobody waits: time is simulated.
//
// The simulator has no goroutine: it acts when the interpreter tells, through
// the trace, that it waits for the caller. So pass Caller.Trace as Start.Trace.
package sim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcp/vxml"
	"mcp/vxml/fetch"
)

// Caller is the simulated caller and line.
type Caller struct {
	out    io.Writer
	answer func(said []string) string
	said   []string // since the caller last did something
	pace   time.Duration
	line
	timers  timers
	hearing *listening // recognition under way, or nil
	tape    *recording // being recorded, or nil
	far     *transfer  // being transferred, or nil
	fetcher *fetch.Fetcher
	eval    func(expr string) string // nil: nobody can look into the session
	peeked  *string
	err     error
}

// line is what the caller and the application are connected by.
type line struct {
	digits  chan vxml.Digit
	letters chan *vxml.Message
	hungUp  chan struct{}
	once    sync.Once
}

// New makes a caller that does what the lines of steps say, and prints the
// dialogue to out.
func New(steps io.Reader, out io.Writer) *Caller {
	lines := bufio.NewScanner(steps)
	return Answering(func([]string) string {
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
				return line
			}
		}
		return "hangup"
	}, out)
}

// Answering makes a caller whose steps are answers to what was said since the
// last one.
func Answering(answer func(said []string) string, out io.Writer) *Caller {
	return &Caller{answer: answer, out: out, line: line{
		digits: make(chan vxml.Digit, 256), letters: make(chan *vxml.Message, 16), hungUp: make(chan struct{}),
	}}
}

// Fetch makes the caller's recognizer get grammars through f.
func (c *Caller) Fetch(f *fetch.Fetcher) { c.fetcher = f }

// Pace makes prompts last, for each character that they say. Without it they are
// over at once.
func (c *Caller) Pace(perCharacter time.Duration) { c.pace = perCharacter }

// Inspect takes what evaluates expressions, for the step show; it is a
// vxml.Start's.
func (c *Caller) Inspect(eval func(expr string) string) { c.eval = eval }

// Err tells what was wrong with the script, if anything.
func (c *Caller) Err() error { return c.err }

// Trace acts when the interpreter waits for the caller.
func (c *Caller) Trace(e vxml.TraceEvent) {
	switch e.Kind {
	case vxml.Waiting:
		step := c.next()
		for strings.HasPrefix(step, "show") && c.eval != nil {
			_, expr, _ := strings.Cut(step, ":")
			c.print("value", strings.TrimSpace(expr)+" = "+c.eval(expr))
			step = c.next()
		}
		c.act(step)
		busy := e.Text == "record" || e.Text == "transfer"
		if verb, _, _ := strings.Cut(step, ":"); verb == "message" || verb == "dtmf" && !busy {
			if !strings.Contains(e.Text, verb) {
				c.silence() // nobody takes it
			}
		}
	case vxml.Typing:
		if len(c.digits) == 0 {
			c.timers.fire()
		}
	case vxml.Filled, vxml.Thrown, vxml.Logged:
		c.print(e.Kind.String(), e.Text)
	}
}

func (c *Caller) print(who, text string) { fmt.Fprintf(c.out, "%8s  %s\n", who, text) }

// peek is the next step without taking it.
func (c *Caller) peek() string {
	if c.peeked == nil {
		step := c.answer(c.said)
		c.peeked, c.said = &step, nil
	}
	return *c.peeked
}

func (c *Caller) next() string {
	step := c.peek()
	c.peeked = nil
	return strings.TrimPrefix(step, "barge ")
}

// Step tells whether a line is one that a caller can do.
func Step(line string) bool {
	verb, _, _ := strings.Cut(strings.TrimPrefix(line, "barge "), ":")
	verb, _, _ = strings.Cut(verb, "(")
	switch strings.TrimSpace(verb) {
	case "say", "talk", "cut", "dtmf", "far", "message", "silence", "hangup", "show":
		return true
	}
	return false
}

// act does one step.
func (c *Caller) act(step string) {
	verb, what, _ := strings.Cut(step, ":")
	what = strings.TrimSpace(what)
	verb, sure, graded := strings.Cut(strings.TrimSuffix(verb, ")"), "(")
	confidence, key := 1.0, ""
	if c.tape != nil && len(sure) == 1 {
		key = sure
	} else if graded {
		var err error
		if confidence, err = strconv.ParseFloat(sure, 64); err != nil {
			c.fault(step)
		}
	}
	c.print("caller", step)
	switch verb {
	case "say", "talk", "cut":
		c.say(verb+key, what, confidence)
		c.keys(key)
	case "dtmf":
		c.keys(what)
	case "far":
		if c.far == nil {
			c.silence() // there is no other party
		} else {
			c.far.end(what)
		}
	case "message":
		c.deliver(what)
	case "silence":
		c.silence()
	case "hangup":
		c.HangUp()
	default:
		c.fault(step)
	}
}

func (c *Caller) say(verb, words string, confidence float64) {
	switch {
	case c.tape != nil:
		c.tape.hear(verb, words)
	case c.hearing != nil:
		c.hearing.say(words, confidence)
	case c.far != nil:
		c.far.end("") // nobody listens to the caller but the other party
	default:
		c.timers.fire()
	}
}

// silence lets the time pass that somebody waits for.
func (c *Caller) silence() {
	switch {
	case c.tape != nil:
		c.tape.hear("silence", "")
	case c.far != nil:
		c.far.end("")
	case c.hearing != nil:
		c.hearing.finish(vxml.SpeechResult{Outcome: vxml.NoInput})
	default:
		c.timers.fire()
	}
}

func (c *Caller) fault(step string) {
	c.err = errors.Join(c.err, fmt.Errorf("no step that a caller knows: %q; there are say:WORDS, say(0.4):WORDS, dtmf:KEYS, silence, hangup and show:EXPRESSION", step))
	c.HangUp()
}

func (c *Caller) keys(all string) {
	for _, key := range strings.ToUpper(strings.ReplaceAll(all, " ", "")) {
		select {
		case c.digits <- vxml.Digit{Key: byte(key)}:
		default: // more keys than anybody takes
		}
	}
}

// HangUp hangs up, from any goroutine and as often as one likes.
func (c *Caller) HangUp() { c.once.Do(func() { close(c.hungUp) }) }

// Digits implements vxml.Connection.
func (c *Caller) Digits() <-chan vxml.Digit { return c.digits }

// HungUp implements vxml.Connection.
func (c *Caller) HungUp() <-chan struct{} { return c.hungUp }

// Disconnect implements vxml.Connection.
func (c *Caller) Disconnect(_ context.Context, returned vxml.Namelist) error {
	text := "hangs up"
	if len(returned.Names) > 0 {
		text += fmt.Sprint(" ", returned.Values)
	}
	c.print("system", text)
	return nil
}

// Info implements vxml.Connection.
func (c *Caller) Info() vxml.ConnectionInfo {
	return vxml.ConnectionInfo{
		LocalURI: "sip:application@sim.invalid", RemoteURI: "sip:caller@sim.invalid",
		ProtocolName: "sip", ProtocolVersion: "2.0",
	}
}

// Play implements vxml.Speaker.
func (c *Caller) Play(_ context.Context, prompts []vxml.Prompt) (vxml.Playback, error) {
	length := 0
	for _, p := range prompts {
		text := p.Text()
		length += len(text)
		c.said = append(c.said, text)
		c.print("system", text)
	}
	p := &playback{done: make(chan struct{})}
	p.mark, p.ago = lastMark(prompts)
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
	mark  string
	ago   time.Duration
}

// Mark implements vxml.Marked.
func (p *playback) Mark() (string, time.Duration) { return p.mark, p.ago }

var (
	markPattern = regexp.MustCompile(`<mark name="([^"]*)"/>`)
	tagPattern  = regexp.MustCompile(`<[^>]*>`)
)

// lastMark finds the last mark of prompts, and how long what follows it lasts.
func lastMark(prompts []vxml.Prompt) (name string, ago time.Duration) {
	for _, p := range prompts {
		for _, seg := range p.Segments {
			if seg.Mark != "" {
				name, ago = seg.Mark, 0
				continue
			}
			rest := seg.SSML
			if at := markPattern.FindAllStringSubmatchIndex(rest, -1); at != nil {
				last := at[len(at)-1]
				name, rest, ago = html.UnescapeString(rest[last[2]:last[3]]), rest[last[1]:], 0
			}
			ago += time.Duration(len(tagPattern.ReplaceAllString(rest, ""))) * perCharacter
		}
	}
	return name, ago
}

func (p *playback) Done() <-chan struct{} { return p.done }
func (p *playback) Err() error            { return nil }

func (p *playback) Stop() {
	if p.timer != nil && p.timer.Stop() {
		close(p.done)
	}
}
