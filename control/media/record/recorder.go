package record

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/jitter"
)

// Options say how a recording is made.
type Options struct {
	Format Format
	Limit  time.Duration // the longest it may be; 0: any length
	// Piece is how much audio is written at once, and lost at most when the process
	// is killed; 200 ms when zero.
	Piece time.Duration
	// Judge is shown each frame of 20 ms, all channels in turns; false ends the
	// recording after it. It must not block.
	Judge func(pcm []int16) bool
}

// End tells why a recording ended.
type End string

// The ends of recordings.
const (
	Stopped End = "stopped"
	Judged  End = "judged" // by Options.Judge
	Limited End = "limit"
	Failed  End = "failed"
)

// Result is what became of a recording.
type Result struct {
	Duration time.Duration
	End      End
	Missing  time.Duration // of that, what could not be written in time: silence
}

// waiting is how many pieces may wait for a slow disk before silence stands in for
// what is said.
const waiting = 50

// Recorder records what its lines hear, from New until it ends, in real time.
type Recorder struct {
	clock   *clock.Clock
	o       Options
	encoder Encoder
	tape
	done chan struct{}

	mu     sync.Mutex // guards what follows
	lines  []*line
	silent silence
	now    []int16 // the piece that grows
	mixed  []int16 // a frame of all channels
	pulled []int16
	ending bool
	missed int // samples of all channels that are to be made up for
	result Result
	err    error
}

// tape is what waits to be written, and what has been and can be filled again.
type tape struct {
	pieces chan piece
	free   chan []int16
}

// piece is what is written at once, after so much silence.
type piece struct {
	silence int
	pcm     []int16
}

// line is one voice of a recording.
type line struct {
	channel int
	ear     puller
	tap     *media.Tap // nil: a Sink
	still   int        // samples at hand that were said in a silence
	late    atomic.Bool
}

// puller is what a line hears.
type puller interface {
	Pull(dst []int16) bool
	Held() int // samples that are at hand
}

// New begins to record to a destination, at first silence: nobody is heard yet.
func New(c *clock.Clock, to io.Writer, o Options) (*Recorder, error) {
	e, err := NewEncoder(to, o.Format)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if o.Piece <= 0 {
		o.Piece = 200 * time.Millisecond
	}
	n := o.Format.Rate / 50
	r := &Recorder{
		clock: c, o: o, encoder: e, tape: tape{make(chan piece, waiting), make(chan []int16, waiting+2)},
		done: make(chan struct{}), silent: silence{reasons: map[string]bool{}},
		mixed: make([]int16, n*o.Format.Channels), pulled: make([]int16, n),
	}
	go r.write()
	c.Add(r)
	return r, nil
}

// Hear records what a leg's far end says, on a channel from 0.
func (r *Recorder) Hear(channel int, leg *media.Leg) error { return r.listen(channel, leg.Tap) }

// Overhear records what a leg's far end hears, on a channel from 0.
func (r *Recorder) Overhear(channel int, leg *media.Leg) error { return r.listen(channel, leg.Monitor) }

func (r *Recorder) listen(channel int, tap func(media.Listener) (*media.Tap, error)) error {
	if channel < 0 || channel >= r.o.Format.Channels {
		return fmt.Errorf("record: there is no channel %d", channel)
	}
	ear := jitter.NewEar(r.o.Format.Rate)
	l := &line{channel: channel, ear: ear}
	t, err := tap(media.ListenerFunc(func(h media.Heard) { l.hear(ear, h, &r.silent) }))
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	l.tap = t
	r.add(l)
	return nil
}

func (r *Recorder) add(l *line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
}

// Done is closed when the recording has ended and all is written.
func (r *Recorder) Done() <-chan struct{} { return r.done }

// Result tells, after Done, what became of it. The error is why it could not be
// written to its end; what was written until then is whole.
func (r *Recorder) Result() (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result, r.err
}

// Stop ends the recording. Done follows.
func (r *Recorder) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLocked(Stopped)
}

// endLocked hands over the last piece.
func (r *Recorder) endLocked(why End) {
	if r.ending {
		return
	}
	r.ending = true
	r.result.End = why
	r.handLocked()
	if r.missed > 0 {
		select {
		case r.pieces <- piece{silence: r.missed}:
		default: // the disk stands still: what is missing is told
		}
	}
	close(r.pieces)
	r.clock.Remove(r)
}

// Tick implements clock.Ticker: it records one frame.
func (r *Recorder) Tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		return
	}
	r.hearLocked()
	r.now = append(r.now, r.mixed...)
	r.result.Duration += clock.Frame
	switch {
	case r.o.Judge != nil && !r.o.Judge(r.mixed):
		r.endLocked(Judged)
	case r.o.Limit > 0 && r.result.Duration >= r.o.Limit:
		r.endLocked(Limited)
	case len(r.now) >= int(r.o.Piece/clock.Frame)*len(r.mixed):
		r.handLocked()
	}
}

// hearLocked puts together one frame of all lines.
func (r *Recorder) hearLocked() {
	clear(r.mixed)
	for _, l := range r.lines {
		if !l.pull(r.pulled) || r.silent.on() {
			continue
		}
		for i, s := range r.pulled {
			at := &r.mixed[i*r.o.Format.Channels+l.channel]
			*at = int16(max(-32768, min(32767, int32(*at)+int32(s))))
		}
	}
}

// handLocked gives the piece to the writer. Where that is behind, silence of its
// length will be written instead.
func (r *Recorder) handLocked() {
	select {
	case r.pieces <- piece{r.missed, r.now}:
		r.missed = 0
	default:
		r.missed += len(r.now)
		r.result.Missing += r.time(len(r.now))
		r.now = r.now[:0]
		return
	}
	select {
	case r.now = <-r.free:
		r.now = r.now[:0]
	default:
		r.now = make([]int16, 0, cap(r.now))
	}
}

func (r *Recorder) time(samples int) time.Duration {
	return time.Duration(samples/r.o.Format.Channels) * time.Second / time.Duration(r.o.Format.Rate)
}

// write writes pieces until the recording ends. It closes the taps, too: nothing
// else waits for it.
func (r *Recorder) write() {
	defer close(r.done)
	var err error
	for p := range r.pieces {
		if err == nil {
			if err = r.put(p); err != nil {
				r.fail(err)
			}
		}
		select {
		case r.free <- p.pcm:
		default:
		}
	}
	r.deaf()
	if err == nil {
		if err = r.encoder.Close(); err != nil {
			r.fail(err)
		}
	}
}

func (r *Recorder) put(p piece) error {
	if p.silence > 0 {
		if err := r.encoder.Encode(make([]int16, p.silence)); err != nil {
			return err
		}
	}
	if len(p.pcm) == 0 {
		return nil
	}
	return r.encoder.Encode(p.pcm)
}

// fail ends the recording because it cannot be written.
func (r *Recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = fmt.Errorf("write recording: %w", err)
	r.endLocked(Failed)
	r.result.End = Failed
}

// deaf closes the taps.
func (r *Recorder) deaf() {
	r.mu.Lock()
	lines := r.lines
	r.lines = nil
	r.mu.Unlock()
	var errs []error
	for _, l := range lines {
		if l.tap != nil {
			errs = append(errs, l.tap.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		r.mu.Lock()
		r.err = errors.Join(r.err, err)
		r.mu.Unlock()
	}
}
