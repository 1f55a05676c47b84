// Package node puts the platform together: it turns one configuration into all
// the parts, starts them in order and stops them in reverse. It is the only
// package that knows them all.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"mcp/control/call"
	"mcp/control/call/progress"
	"mcp/control/listen"
	"mcp/control/logexport"
	"mcp/control/media"
	"mcp/control/node/carrying"
	"mcp/control/node/probing"
	"mcp/control/node/recording"
	"mcp/control/node/records"
	"mcp/control/node/tuning"
	"mcp/control/node/uploading"
	"mcp/control/ors"
	"mcp/control/reporting/recent"
	"mcp/control/reporting/spans"
	"mcp/control/sip"
)

// Node is a running platform.
type Node struct {
	life
	cfg        Config
	log        *slog.Logger
	logged     *logexport.Counter
	metrics    *prometheus.Registry
	recorder   *records.Records
	agent      *sip.Agent
	testPage   call.Service // what calls to ourselves run
	calls      *call.Server
	test       *probing.Test   // nil: none
	treatments *ors.Client     // nil: there is no orchestration server
	recent     recent.Calls    // remembered for people
	spans      *spans.Tracer   // nil: calls are not traced
	web        *listen.Server  // nil: none
	stopping   context.Context // ends when calls should go elsewhere
}

// life is what goes on while the platform runs, and after.
type life struct {
	companions []companion
	followers  []func(Config) // told of a change of the configuration
	closers    []closer       // what was opened, in order
}

// companion runs while the platform does, until its last call has ended. One that
// fails stops the platform.
type companion func(running context.Context) error

type closer struct {
	what  string
	close func() error
}

// Run builds the platform, answers calls until ctx ends, and takes it down. Meanwhile
// it follows the changes of its configuration as far as they can take effect.
func Run(ctx context.Context, cfg Config, changes <-chan Config, log *slog.Logger) error {
	n := &Node{cfg: cfg, log: log, metrics: prometheus.NewRegistry(), stopping: ctx}
	n.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.companions = append(n.companions, tuning.Tune(uint64(cfg.Calls.Garbage), log))
	err := n.run(ctx, changes)
	n.close()
	if err == nil {
		n.log.Info("stopped")
	}
	return err
}

func (n *Node) run(ctx context.Context, changes <-chan Config) error {
	if err := n.build(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	n.companions = append(n.companions, func(running context.Context) error { return n.follow(running, changes) })
	defer context.AfterFunc(ctx, n.recorder.Stopping)()
	return n.serve(ctx)
}

// opened remembers how to undo what was just built.
func (n *Node) opened(what string, close func() error) {
	n.closers = append(n.closers, closer{what, close})
}

func (n *Node) close() {
	for i := len(n.closers) - 1; i >= 0; i-- {
		if err := n.closers[i].close(); err != nil {
			n.log.Error("stop", "part", n.closers[i].what, "error", err)
		}
	}
}

func (n *Node) build() error {
	if err := n.openLogExport(); err != nil {
		return err
	}
	err := n.openTracing()
	if err != nil {
		return err
	}
	if n.recorder, err = records.Open(n.cfg.Reporting, n.watcher(), n.metrics, n.log); err != nil {
		return err
	}
	n.opened("records", n.recorder.Close)
	engine, err := n.openMedia()
	if err != nil {
		return err
	}
	if n.agent, err = n.cfg.SIP.Open(n.metrics, n.log); err != nil {
		return err
	}
	n.opened("signalling", func() error { n.agent.Close(); return nil })
	kept, err := n.openRecordings(engine)
	if err != nil {
		return err
	}
	lab := progress.New(n.cfg.Calls.CPA.analysis(), n.metrics)
	services, err := n.openServices(engine, kept.Store, lab)
	if err != nil {
		return err
	}
	protection, err := n.cfg.Media.SRTP.Policy()
	if err != nil {
		return fmt.Errorf("media: srtp: %w", err)
	}
	n.calls = call.NewServer(call.Config{
		Max: n.cfg.Calls.Max, Overload: n.cfg.Calls.overload(), Codecs: n.cfg.Media.Spoken(), Noise: n.cfg.Media.Noise != "off", MediaAddress: n.cfg.Media.Address, Latch: n.cfg.Media.Latch(),
		SRTP: protection, MediaTimeout: n.cfg.Media.Timeout, HoldTimeout: n.cfg.Media.HoldTimeout,
		PrepareTime: n.cfg.Calls.Prepare, Grace: n.cfg.Calls.Grace, Overrides: n.cfg.Calls.Overrides, ParentHeader: n.cfg.Health.Tracing.ParentHeader(),
	}, call.Parts{Engine: engine, Selector: services, Recorder: n.recorder, Dialler: n.agent, Recordings: n.openRecordingServer(kept.Calls()), Progress: lab, Metrics: n.metrics, Log: n.log})
	n.followers = append(n.followers, func(c Config) { n.calls.Limit(c.Calls.Max, c.Calls.overload()) })
	if err := n.openSelfTest(engine); err != nil {
		return err
	}
	if n.web, err = n.openWeb(); err != nil {
		return fmt.Errorf("health.listen: %w", err)
	}
	n.openConsole(engine)
	n.openTraces()
	if err := n.openSNMP(); err != nil {
		return err
	}
	if err := n.openOutbound(); err != nil {
		return err
	}
	if err := n.openDiscovery(); err != nil {
		return err
	}
	return n.openUploader()
}

// openRecordings makes what keeps recordings, in the folder of the uploader.
// Without it all else goes on, unless calls are to be recorded.
func (n *Node) openRecordings(engine *media.Engine) (*recording.Recordings, error) {
	r, err := recording.Open(n.stopping, n.cfg.Recording, recording.Parts{
		Folder: n.cfg.Upload.Folder, Clock: engine.Clock(), Metrics: n.metrics, Log: n.log,
	})
	if err != nil {
		return nil, err
	}
	n.opened("recordings", r.Close)
	n.companions = append(n.companions, r.Run)
	return r, nil
}

// openRecordingServer adds to what records calls a recording server, if there is one.
func (n *Node) openRecordingServer(also []call.Recordings) []call.Recordings {
	c := n.cfg.Recording.Server.Client(n.cfg.Media.Spoken(), n.agent, n.log)
	if c == nil {
		return also
	}
	n.opened("recording server", c.Close)
	n.metrics.MustRegister(c)
	return append(also, c)
}

// openUploader lets the platform upload what it records, if it is told where to.
func (n *Node) openUploader() error {
	if n.cfg.Upload.Destination.URL == "" {
		return nil
	}
	u, err := uploading.New(n.stopping, n.cfg.Upload, n.metrics, n.log)
	if err != nil {
		return err
	}
	n.companions = append(n.companions, u.Run)
	return nil
}

func (n *Node) openMedia() (*media.Engine, error) {
	carrier, err := carrying.Open(n.cfg.Media, n.metrics, n.log)
	if err != nil {
		return nil, err
	}
	n.opened("media", carrier.Close)
	return carrier.Engine, nil
}

// serve runs signalling until ctx ends, and its companions, probes and metrics among
// them, until the last call has ended after that.
func (n *Node) serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup
	errs := make([]error, len(n.companions))
	for i, c := range n.companions {
		beside.Go(func() {
			if errs[i] = c(running); errs[i] != nil {
				stop()
			}
		})
	}
	n.ready()
	err := n.agent.Serve(n.untilDrained(ctx), n.test.Handler(n.calls))
	end()
	beside.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(append(errs, err)...)
}

// untilDrained is a context that ends once ctx has and then the last call, or the
// time that calls are given.
func (n *Node) untilDrained(ctx context.Context) context.Context {
	drained, done := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer done()
		<-ctx.Done()
		limit, cancel := context.WithTimeout(drained, n.cfg.Calls.Drain)
		defer cancel()
		n.log.Info("draining", "calls", n.calls.Active(), "limit", n.cfg.Calls.Drain)
		if err := n.calls.Drain(limit); err != nil {
			n.log.Warn("drained by force", "error", err)
		}
	}()
	return drained
}

// ready says where the platform can be reached.
func (n *Node) ready() {
	args := []any{"sip", strings.Join(n.listensOn(), " ")}
	if n.web != nil {
		args = append(args, "probes", n.web.Addr().String())
	}
	n.log.Info("ready", args...)
}

// listensOn is where the platform listens for SIP.
func (n *Node) listensOn() (sip []string) {
	for _, a := range n.agent.Addrs() {
		sip = append(sip, a.Network()+":"+a.String())
	}
	return sip
}
