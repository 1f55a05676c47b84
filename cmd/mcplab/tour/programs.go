package tour

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"text/template"

	"mcp/cmd/mcplab/netlab"
	"mcp/cmd/mcplab/process"
	"mcp/control/reporting/brokertest"
)

//go:embed config/*.tmpl
var configs embed.FS

// build makes the namespaces, starts the far ends in them, and then the platform.
func (t *tour) build(ctx context.Context) error {
	if err := netlab.MountBPF(); err != nil {
		return err
	}
	lab, err := netlab.Build(ctx, t.options.Prefix)
	if err != nil {
		return err
	}
	t.lab = lab
	t.later(lab.Close)
	t.sites = sites{
		SBC: netlab.SBCAddr, MCP: netlab.MCPToSBC, Nuance: netlab.NuanceAddr, Plane: t.options.Plane,
		Pins: netlab.BPF + "/" + t.options.Prefix + "tour", Out: t.options.Out, Service: t.options.Prefix + "tour",
	}
	t.later(t.unload)
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := together(ctx, t.startBroker, t.startSpeech, t.startCloud, t.startRM, t.startSNMP, t.startConsul, t.serveApplication,
		func(context.Context) error { return t.serveCustomer() },
		func(context.Context) error { return t.serveORS() },
		func(context.Context) error { return t.serveGateway() }); err != nil {
		return err
	}
	if err := t.startPlatform(ctx); err != nil {
		return err
	}
	return t.startPrometheus(ctx)
}

// together runs functions at once and waits for all.
func together(ctx context.Context, all ...func(context.Context) error) error {
	var running sync.WaitGroup
	faults := make([]error, len(all))
	for i, f := range all {
		running.Go(func() { faults[i] = f(ctx) })
	}
	running.Wait()
	return errors.Join(faults...)
}

// config writes the configuration of a program.
func (t *tour) config(name string) (string, error) {
	text, err := template.ParseFS(configs, "config/"+name+".tmpl")
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := text.Execute(&out, t.sites); err != nil {
		return "", err
	}
	return t.write(name, out.Bytes())
}

// startReady starts a program of ours and waits until it is ready.
func (t *tour) startReady(ctx context.Context, p program) error {
	run, err := t.start(p)
	if err != nil {
		return err
	}
	if err := run.Ready(ctx); err != nil {
		return err
	}
	t.tell(p.name, "ready")
	return nil
}

// hear counts and tells lines of a program's log by what they say.
func (t *tour) hear(name string, lines map[string]string) func(process.Entry) {
	return func(e process.Entry) {
		if level := e.Text("level"); level == "WARN" || level == "ERROR" {
			t.tell(name, "%s: %s %s", level, e.Msg(), e.Text("error"))
		}
		field, wanted := lines[e.Msg()]
		if !wanted {
			return
		}
		t.seen.add(name + " " + e.Msg())
		t.tell(name, "%s %s", e.Msg(), e.Text(field))
	}
}

func (t *tour) startSpeech(ctx context.Context) error {
	return t.startReady(ctx, program{
		name: "speech", namespace: t.lab.Nuance, path: t.options.Lab,
		args: []string{"speech", "--addr", t.sites.Nuance.String(), "--log-format", "json"},
		hear: t.hear("speech", map[string]string{"session opened": "media", "synthesized": "ms", "recognized": "utterance"}),
	})
}

// startCloud starts the stand-ins for Google and for Nexus. They are on the
// platform's own loopback, where neither needs TLS.
func (t *tour) startCloud(ctx context.Context) error {
	return errors.Join(
		t.startReady(ctx, program{
			name: "google", namespace: t.lab.MCP, path: t.options.Lab,
			args: []string{"google", "--listen", "127.0.0.1:9443", "--log-format", "json"},
			hear: t.hear("google", map[string]string{"synthesized": "ms", "recognized": "text"}),
		}),
		t.startReady(ctx, program{
			name: "bot", namespace: t.lab.MCP, path: t.options.Lab,
			args: []string{"bot", "--listen", "127.0.0.1:9080", "--phrases", "sales,support,billing,good bye", "--log-format", "json"},
			hear: t.hear("bot", map[string]string{"answer": "text"}),
		}))
}

func (t *tour) startBroker(context.Context) error {
	b, err := brokertest.Start(brokertest.Config{Dir: t.path("broker"), Host: t.sites.SBC.String(), Namespace: t.lab.SBC})
	if err != nil {
		return err
	}
	t.broker, t.sites.Broker = b, b.OpenWire
	t.later(b.Stop)
	t.tell("activemq", "ready, OpenWire at %s", b.OpenWire)
	return nil
}

// startRM puts Kamailio where the Resource Manager is.
func (t *tour) startRM(ctx context.Context) error {
	config, err := t.config("kamailio.cfg")
	if err != nil {
		return err
	}
	p, err := t.start(program{name: "kamailio", namespace: t.lab.SBC, path: "kamailio",
		args: []string{"-f", config, "-DD", "-E", "-Y", t.options.Out, "-P", t.path("kamailio.pid"), "-m", "32", "-M", "4"}})
	if err != nil {
		return err
	}
	return t.listening(ctx, p, "kamailio", 5060)
}

// startSNMP starts the SNMP master agent on the platform's node.
func (t *tour) startSNMP(context.Context) error {
	config, err := t.config("snmpd.conf")
	if err != nil {
		return err
	}
	_, err = t.start(program{name: "snmpd", namespace: t.lab.MCP, path: "snmpd", args: []string{"-f", "-Le", "-C", "-c", config, "-I", "-smux"}})
	return err
}

func (t *tour) startPlatform(ctx context.Context) error {
	config, err := t.config("mcp.yaml")
	if err != nil {
		return err
	}
	return t.startReady(ctx, program{
		name: "platform", namespace: t.lab.MCP, path: t.options.Platform, args: []string{"serve", "--config", config},
		hear: t.hear("platform", map[string]string{"media plane": "mode", "call offered": "from", "understood": "utterance", "call ended": "cause"}),
	})
}

func (t *tour) startPrometheus(ctx context.Context) error {
	config, err := t.config("prometheus.yml")
	if err != nil {
		return err
	}
	p, err := t.start(program{name: "prometheus", namespace: t.lab.SBC, path: "prometheus", args: []string{
		"--config.file", config, "--storage.tsdb.path", t.path("prometheus"), "--web.listen-address", fmt.Sprintf("%s:9090", t.sites.SBC),
	}})
	if err != nil {
		return err
	}
	return t.listening(ctx, p, "prometheus", 9090)
}

// listening waits until a program takes connections in the caller's namespace.
func (t *tour) listening(ctx context.Context, p *process.Process, name string, port uint16) error {
	err := t.until(ctx, func() error {
		conn, err := t.lab.Dial(ctx, t.lab.SBC, "tcp", netip.AddrPortFrom(t.sites.SBC, port))
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s does not listen: %w\n%s", name, err, p.Tail())
	}
	t.tell(name, "ready")
	return nil
}

// unload removes the pins that the platform leaves for its successor.
func (t *tour) unload() error {
	if _, err := os.Stat(t.sites.Pins); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	out, err := exec.Command(t.options.Platform, "plane", "unload", "--pins", t.sites.Pins).CombinedOutput()
	if err != nil {
		return fmt.Errorf("unload the plane: %w: %s", err, out)
	}
	return nil
}
