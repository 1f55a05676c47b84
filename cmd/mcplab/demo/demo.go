// Package demo has one whole call happen on one machine: the platform, a speech
// server, a web server and a caller, each where it would be, in network
// namespaces; and then checks from all sides that what was said was heard.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"mcp/cmd/mcplab/netlab"
	"mcp/cmd/mcplab/process"
)

// Options say what runs, and where its traces go.
type Options struct {
	Platform string // the mcp binary
	Lab      string // the mcplab binary
	Out      string // folder for logs, recording and record
	Prefix   string // of the namespaces' names
	Plane    string // auto, xdp, xdp-generic or socket
	Voice    string // the caller's
	Answer   string // what the caller says
	Digits   string // what the caller presses
}

// The ports and files of the demonstration.
const (
	sipPort   = 5070
	mrcpPort  = 5060
	webPort   = 8000
	recording = "call.wav"
)

// callTime bounds the call, stopTime what follows it.
const (
	startTime = 20 * time.Second
	callTime  = 90 * time.Second
	stopTime  = 15 * time.Second
)

// demo is one run.
type demo struct {
	options  Options
	lab      *netlab.Lab
	timeline *timeline
	facts    *facts
	pins     string
	closers  []func() error
}

// Run runs the demonstration and writes what happens. The error says what was
// wrong; nil means that all was as it should be. Whatever happens, what was
// started is ended and what was made is removed.
func Run(ctx context.Context, options Options, out io.Writer) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("the demonstration needs root: it makes network namespaces and loads XDP programs")
	}
	if err := os.MkdirAll(options.Out, 0o755); err != nil {
		return err
	}
	d := &demo{options: options, timeline: newTimeline(out), facts: &facts{}, pins: netlab.BPF + "/" + options.Prefix + "mcp"}
	err = d.runAndClose(ctx)
	if err != nil {
		return err
	}
	return d.report(ctx)
}

// runAndClose plays the call and takes everything down, after a panic, too.
func (d *demo) runAndClose(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.build(ctx); err != nil {
		return err
	}
	if err := d.call(ctx); err != nil {
		return err
	}
	return d.settle(ctx)
}

func (d *demo) later(close func() error) { d.closers = append(d.closers, close) }

// close undoes in reverse order what was done.
func (d *demo) close() error {
	var faults []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		faults = append(faults, d.closers[i]())
	}
	d.closers = nil
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("take down: %w", err)
	}
	d.timeline.tell("demo", "everything is taken down")
	return nil
}

// build makes the laboratory and starts what answers in it.
func (d *demo) build(ctx context.Context) error {
	if err := netlab.MountBPF(); err != nil {
		return err
	}
	lab, err := netlab.Build(ctx, d.options.Prefix)
	if err != nil {
		return err
	}
	d.lab = lab
	d.later(lab.Close)
	d.timeline.tell("demo", "namespaces %s %s -- %s %s, %s -- %s %s", lab.SBC, netlab.SBCAddr, netlab.MCPToSBC, lab.MCP, netlab.MCPToVoice, netlab.NuanceAddr, lab.Nuance)
	config, err := d.writeConfig()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	servers := []program{
		{name: "speech", namespace: lab.Nuance, path: d.options.Lab, args: []string{"speech", "--addr", netlab.NuanceAddr.String(), "--log-format", "json"}, hear: d.fromSpeech},
		{name: "web", namespace: lab.SBC, path: d.options.Lab, args: []string{"web", "--listen", fmt.Sprintf("%s:%d", netlab.SBCAddr, webPort), "--log-format", "json"}, hear: d.fromWeb},
		{name: "platform", namespace: lab.MCP, path: d.options.Platform, args: []string{"serve", "--config", config}, hear: d.fromPlatform},
	}
	// The platform ends before its pins go, and those before the namespaces.
	d.later(d.unload)
	for _, s := range servers {
		p, err := d.start(s)
		if err != nil {
			return err
		}
		d.later(p.Stop)
		if err := p.Ready(ctx); err != nil {
			return err
		}
		d.timeline.tell(s.name, "ready")
	}
	return nil
}

// program is something to be started in a namespace.
type program struct {
	name, namespace string
	path            string
	args            []string
	hear            func(process.Entry)
}

func (d *demo) start(p program) (*process.Process, error) {
	return process.Start(process.Program{
		Name: p.name, Log: d.path(p.name + ".log"), Hear: p.hear,
		Cmd: d.lab.Command(context.Background(), p.namespace, p.path, p.args...),
	})
}

func (d *demo) writeConfig() (string, error) {
	journal, err := filepath.Abs(d.path("journal"))
	if err != nil {
		return "", err
	}
	// Records of earlier runs are not this one's.
	if err := os.RemoveAll(journal); err != nil {
		return "", err
	}
	config := fmt.Sprintf(`sip:
  listen: ["tcp:%s:%d", "udp:%s:%d"]
media:
  plane: %s
  interfaces: [%s, %s]
  pins: %s
speech:
  mrcp:
    uri: "sip:mresources@%s:%d;transport=tcp"
application:
  default: "http://%s:%d/main.vxml"
reporting:
  journal: %s
log:
  format: json
`, netlab.MCPToSBC, sipPort, netlab.MCPToSBC, sipPort, d.options.Plane, netlab.ToSBC, netlab.ToNuance, d.pins,
		netlab.NuanceAddr, mrcpPort, netlab.SBCAddr, webPort, journal)
	d.facts.journal = journal
	return d.path("mcp.yaml"), os.WriteFile(d.path("mcp.yaml"), []byte(config), 0o644)
}

func (d *demo) path(name string) string { return filepath.Join(d.options.Out, name) }
