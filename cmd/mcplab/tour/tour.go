// Package tour brings every far end of the platform up on one machine, in network
// namespaces, places calls through them, and shows that each connection carried
// traffic: from what the far end saw wherever that can be had.
package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mcp/cmd/mcplab/netlab"
	"mcp/cmd/mcplab/process"
	"mcp/control/ors/orstest"
	"mcp/control/reporting"
	"mcp/control/reporting/brokertest"
)

// Options say what runs, and where its traces go.
type Options struct {
	Platform string // the mcp binary
	Lab      string // the mcplab binary
	Out      string // folder for logs, records and recordings
	Prefix   string // of the namespaces' names
	Plane    string // auto, xdp, xdp-generic or socket
}

// startTime bounds the start of all programs, callTime each call.
const (
	startTime = 90 * time.Second
	callTime  = 60 * time.Second
)

// tour is one run.
type tour struct {
	options Options
	lab     *netlab.Lab
	sites   sites
	seen    *seen
	broker  *brokertest.Broker
	ors     *orstest.Server
	records []reporting.Record // of the calls, after them
	began   time.Time

	mu      sync.Mutex // guards out and closers
	out     io.Writer
	closers []func() error
}

// sites are the addresses that the configurations name.
type sites struct {
	SBC, MCP, Nuance netip.Addr
	Broker           string // host:port
	Plane, Pins, Out string
	Service          string // in Consul
}

// Run runs the tour and writes what happens, at the end a row for each connection.
// The error says which did not carry what they should. Whatever happens, what was
// started is ended and what was made is removed.
func Run(ctx context.Context, options Options, out io.Writer) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("the tour needs root: it makes network namespaces and loads XDP programs")
	}
	if options.Out, err = filepath.Abs(options.Out); err != nil {
		return err
	}
	// Records and recordings of earlier runs are not this one's.
	for _, dir := range []string{"journal", "recordings", "kept", "prometheus", "broker"} {
		if err := os.RemoveAll(filepath.Join(options.Out, dir)); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(options.Out, dir), 0o755); err != nil {
			return err
		}
	}
	t := &tour{options: options, out: out, seen: &seen{}, began: time.Now()}
	defer func() {
		err = errors.Join(err, t.close())
		t.tell("tour", "everything is taken down")
	}()
	if err := t.build(ctx); err != nil {
		return err
	}
	if err := t.calls(ctx); err != nil {
		return err
	}
	return t.judge(ctx)
}

// tell prints what happens when it happens.
func (t *tour) tell(who, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, "%7.2fs  %-11s %s\n", time.Since(t.began).Seconds(), who, fmt.Sprintf(format, args...))
}

func (t *tour) later(close func() error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closers = append(t.closers, close)
}

// close undoes in reverse order what was done.
func (t *tour) close() error {
	var faults []error
	for i := len(t.closers) - 1; i >= 0; i-- {
		faults = append(faults, t.closers[i]())
	}
	t.closers = nil
	return errors.Join(faults...)
}

func (t *tour) path(name string) string { return filepath.Join(t.options.Out, name) }

// program is something to be started in a namespace.
type program struct {
	name, namespace string
	path            string
	args            []string
	hear            func(process.Entry)
	sulky           bool // its exit status is not zero when it is asked to end
}

// start runs a program until the tour ends.
func (t *tour) start(p program) (*process.Process, error) {
	run, err := process.Start(process.Program{
		Name: p.name, Log: t.path(p.name + ".log"), Hear: p.hear,
		Cmd: t.lab.Command(context.Background(), p.namespace, p.path, p.args...),
	})
	if err != nil {
		return nil, err
	}
	if p.sulky {
		t.later(run.Abandon)
	} else {
		t.later(run.Stop)
	}
	return run, nil
}
