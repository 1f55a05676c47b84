// Package speechbench measures the platform's clients of speech services against
// servers on the loopback whose engines do nothing: sessions set up and ended a
// second, recognitions at a time, what all of them leave behind, and, for either
// version of MRCP, the time between a recognizer's event and the VoiceXML turn that it
// leads to. Client and server share the machine, and what is between them is real.
package speechbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/control/node/speaking"
	"mcp/control/sip"
	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/mrcp/v1"
	"mcp/speech/mrcp/v2"
)

// Options say how much to measure.
type Options struct {
	bench.Options
	Sessions     int // to set up and end
	Recognitions int // at a time
	Turns        int // of one call
	Attached     int // sessions with each of the services that are not MRCP
}

// Run measures everything, prints a table and writes speech.json.
func Run(ctx context.Context, out io.Writer, o Options) error {
	var results []bench.Result
	for _, v := range []version{{2, "speech."}, {1, "speech.v1."}} {
		more, err := v.measure(ctx, o)
		if err != nil {
			return fmt.Errorf("MRCPv%d: %w", v.number, err)
		}
		results = append(results, more...)
	}
	more, err := measureAttached(ctx, o)
	if err != nil {
		return err
	}
	return bench.Publish(out, o.Options, "speech.json", append(results, more...))
}

// version is a version of MRCP, and what the names of its results begin with.
type version struct {
	number int
	prefix string
}

func (v version) measure(ctx context.Context, o Options) ([]bench.Result, error) {
	far, err := newFarEnd(ctx, v.number)
	if err != nil {
		return nil, err
	}
	results, err := far.measure(ctx, o)
	if err = errors.Join(err, far.close()); err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Progress, "measuring %d turns of a call over MRCPv%d\n", o.Turns, v.number)
	turns, err := measureTurns(ctx, v.number, o.Turns)
	if err != nil {
		return nil, err
	}
	results = append(results, turns...)
	for i := range results {
		results[i].Name = v.prefix + results[i].Name
	}
	return results, nil
}

// farEnd is a speech server, with a SIP agent of its own for MRCPv2.
type farEnd struct {
	*null
	server *mrcptest.Server
	agent  *sip.Agent // nil: it speaks MRCPv1
	log    *slog.Logger
	stop   context.CancelFunc
	served chan error
}

// null is an engine that waits for as many recognitions as it is told to, and
// hears the same in all of them.
type null struct {
	mrcptest.Canned
	together atomic.Int64
	mu       sync.Mutex
	waiting  int
	all      chan struct{}
}

// Recognize implements mrcptest.Engine.
func (n *null) Recognize(ctx context.Context, h mrcptest.Hearing) ([]mrcptest.Hypothesis, error) {
	n.mu.Lock()
	n.waiting++
	if int64(n.waiting) == n.together.Load() {
		close(n.all)
	}
	all := n.all
	n.mu.Unlock()
	select {
	case <-all:
	case <-ctx.Done():
	}
	return []mrcptest.Hypothesis{{Grammar: h.Grammars[0].URI, Text: "yes", Confidence: 0.9}}, nil
}

// expect has recognitions wait until there are so many.
func (n *null) expect(together int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.together.Store(int64(together))
	n.waiting, n.all = 0, make(chan struct{})
}

func newFarEnd(ctx context.Context, version int) (*farEnd, error) {
	log := slog.New(slog.DiscardHandler)
	f := &farEnd{null: &null{}, log: log, stop: func() {}, served: make(chan error, 1)}
	f.expect(1)
	var err error
	if f.server, err = mrcptest.NewServer(mrcptest.Config{Instant: true, RTSP: version == 1}, f.null, log); err != nil {
		return nil, err
	}
	if version == 1 {
		f.served <- nil
		return f, nil
	}
	if f.agent, err = sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, log); err != nil {
		return nil, errors.Join(err, f.server.Close())
	}
	ctx, f.stop = context.WithCancel(ctx)
	go func() { f.served <- f.agent.Serve(ctx, f) }()
	return f, nil
}

func (f *farEnd) uri() string {
	if f.agent == nil {
		return f.server.URI()
	}
	return "sip:x@" + f.agent.Addrs()[0].String() + ";transport=tcp"
}

// carriage takes a client's messages to it.
func (f *farEnd) carriage(agent *sip.Agent) mrcp.Carriage {
	if f.agent == nil {
		return v1.New(v1.Config{}, f.log)
	}
	return v2.New(v2.Config{}, speaking.Dialer(agent, f.log), f.log)
}

func (f *farEnd) close() error {
	f.stop()
	return errors.Join(<-f.served, f.server.Close())
}

// Invite implements sip.Handler.
func (f *farEnd) Invite(ctx context.Context, d *sip.Dialog) {
	answer, session, err := f.server.Answer(d.RemoteSDP(), d.RemoteHost())
	if err != nil {
		_ = d.Reject(ctx, 500, "", nil)
		return
	}
	defer session.Close()
	if d.Answer(ctx, answer) != nil {
		return
	}
	for event := range d.Events() {
		_ = sip.Decline(event)
	}
}

// measure opens sessions as the platform does.
func (f *farEnd) measure(ctx context.Context, o Options) ([]bench.Result, error) {
	agent, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, f.log)
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- agent.Serve(serving, f) }()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		stop()
		return nil, errors.Join(err, <-served)
	}
	c := &client{
		Client: mrcp.NewClient(mrcp.Config{Servers: []mrcp.Server{{URI: f.uri()}}, ResponseTimeout: time.Minute, OpenTimeout: time.Minute, CloseTimeout: time.Minute},
			f.carriage(agent), f.log),
		media: speech.Media{Addr: socket.LocalAddr().(*net.UDPAddr).AddrPort(), Events: 101,
			Codecs: []speech.Codec{{PayloadType: 0, Name: "PCMU", ClockRate: 8000}}},
	}
	fmt.Fprintf(o.Progress, "measuring %d sessions\n", o.Sessions)
	results, err := c.setups(ctx, o.Sessions)
	if err == nil {
		fmt.Fprintf(o.Progress, "measuring %d recognitions at a time\n", o.Recognitions)
		f.expect(o.Recognitions)
		var more []bench.Result
		more, err = c.recognitions(ctx, o.Recognitions)
		results = append(results, more...)
	}
	stopped := errors.Join(c.Close(), socket.Close())
	stop()
	return results, errors.Join(err, stopped, <-served)
}

type client struct {
	*mrcp.Client
	media speech.Media
}

// workers is how many sessions are set up beside each other.
const workers = 20

// setups opens and closes n sessions and looks what they leave.
func (c *client) setups(ctx context.Context, n int) ([]bench.Result, error) {
	life := func(ctx context.Context) error {
		s, err := c.Open(ctx, c.media)
		if err == nil {
			err = s.Close(ctx)
		}
		return err
	}
	if err := inParallel(ctx, workers, workers, life); err != nil { // what there is once is not left behind
		return nil, err
	}
	goroutines, files := leftovers()
	began := time.Now()
	if err := inParallel(ctx, workers, n, life); err != nil {
		return nil, err
	}
	rate := float64(n) / time.Since(began).Seconds()
	moreGoroutines, moreFiles := settled(goroutines, files)
	return []bench.Result{
		bench.Result{Name: "sessions_per_s", Value: rate, Unit: "sessions/s", AtLeast: 200}.Rate(),
		{Name: "sessions", Value: float64(n), Unit: "sessions"},
		{Name: "left_goroutines", Value: float64(moreGoroutines), Unit: "goroutines"},
		{Name: "left_files", Value: float64(moreFiles), Unit: "files"},
	}, nil
}

// inParallel does something n times, so many beside each other.
func inParallel(ctx context.Context, beside, n int, something func(context.Context) error) error {
	var next atomic.Int64
	failed := make(chan error, beside)
	for range beside {
		go func() {
			for next.Add(1) <= int64(n) {
				if err := something(ctx); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	var all error
	for range beside {
		all = errors.Join(all, <-failed)
	}
	return all
}

func leftovers() (goroutines, files int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return runtime.NumGoroutine(), 0
	}
	return runtime.NumGoroutine(), len(entries)
}

// settled is how many more there are than before, once what is on its way out has
// had the time to go.
func settled(goroutines, files int) (moreGoroutines, moreFiles int) {
	for range 100 {
		g, f := leftovers()
		if moreGoroutines, moreFiles = max(g-goroutines, 0), max(f-files, 0); moreGoroutines+moreFiles == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return moreGoroutines, moreFiles
}

// recognitions has n of them run at the same time: the engine answers none before
// all have come.
func (c *client) recognitions(ctx context.Context, n int) ([]bench.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	outcomes := make(chan error, n)
	began := time.Now()
	for range n {
		go func() { outcomes <- c.recognize(ctx) }()
	}
	matched := 0
	var failures error
	for range n {
		if err := <-outcomes; err != nil {
			failures = err
			continue
		}
		matched++
	}
	if matched == 0 {
		return nil, failures
	}
	return []bench.Result{
		bench.Result{Name: "recognitions", Value: float64(matched), Unit: "at a time", AtLeast: 500}.Rate(),
		{Name: "recognitions_s", Value: time.Since(began).Seconds(), Unit: "s for all"},
	}, nil
}

func (c *client) recognize(ctx context.Context) error {
	s, err := c.Open(ctx, c.media)
	if err != nil {
		return err
	}
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{{URI: "builtin:speech/boolean"}}})
	if err == nil {
		select {
		case <-rec.Done():
			var result speech.Result
			if result, err = rec.Result(); err == nil && result.Outcome != speech.Match {
				err = fmt.Errorf("outcome %d", result.Outcome)
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
}
