// Package sipbench measures signalling: at which rate calls are answered without
// one that fails or is sent again, how long setting one up takes, and what a call
// costs in CPU time and memory; for the platform with a VoiceXML application that
// plays a prompt, and beside it, on the same core, for the plainest callee that the
// SIP library makes. The callers are SIPp's, on another core.
package sipbench

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"
)

//go:embed sippcall.xml
var scenario []byte

// Options are what a run needs.
type Options struct {
	Out      string // folder of the results
	Platform string // the platform's binary
	Commit   string
	Progress io.Writer
}

// Result is one number.
type Result struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Against string  `json:"against,omitempty"`
	Ratio   float64 `json:"ratio,omitempty"`
	Goal    float64 `json:"goal,omitempty"` // what the ratio is to be at least
}

type report struct {
	Machine map[string]any `json:"machine"`
	Commit  string         `json:"commit"`
	Results []Result       `json:"results"`
}

// The rates tried, and how long each is held.
const (
	firstRate = 50
	stepTime  = 4 * time.Second
	held      = 1000 // calls that memory is measured with
)

// contender is a callee.
type contender struct {
	name    string
	command func(addr, dir string) ([]string, error)
}

// Run measures both contenders and writes sip.json.
func Run(ctx context.Context, out io.Writer, o Options) error {
	r := report{Commit: o.Commit, Machine: map[string]any{"cpus": runtime.NumCPU(), "arch": runtime.GOARCH, "go": runtime.Version()}}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, c := range []contender{
		{"sip.bare", func(addr, _ string) ([]string, error) { return []string{self, "bare", "--listen", addr}, nil }},
		{"sip.vxml", func(addr, dir string) ([]string, error) { return platform(o.Platform, addr, dir) }},
	} {
		fmt.Fprintf(o.Progress, "%s ...\n", c.name)
		results, err := c.measure(ctx, o.Progress)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.Results = append(r.Results, results...)
	}
	r.compare()
	if err := r.write(o.Out); err != nil {
		return err
	}
	return r.print(out)
}

// compare sets the platform's rate beside the bare callee's, of which it is to
// reach 60 %.
func (r *report) compare() {
	values := map[string]float64{}
	for _, one := range r.Results {
		values[one.Name] = one.Value
	}
	for i, one := range r.Results {
		if one.Name == "sip.vxml.cps" && values["sip.bare.cps"] > 0 {
			r.Results[i].Against, r.Results[i].Goal = "sip.bare.cps", 0.6
			r.Results[i].Ratio = one.Value / values["sip.bare.cps"]
		}
	}
}

func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "sip.json"), append(b, '\n'), 0o644)
}

func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, one := range r.Results {
		against := ""
		if one.Against != "" {
			against = fmt.Sprintf("%.2f of %s, goal %.2f", one.Ratio, one.Against, one.Goal)
		}
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%s\n", one.Name, one.Value, one.Unit, against)
	}
	return w.Flush()
}

// measure climbs to the highest rate that is served without fault, and looks at
// what a call costs on the way.
func (c contender) measure(ctx context.Context, progress io.Writer) ([]Result, error) {
	var best load
	var cost float64
	_, err := climb(func(rate int) (bool, error) {
		l, cpu, err := c.try(ctx, rate, stepTime)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(progress, "  %d calls/s: %d failed, %d sent again, set-up %.0f ms, 99 %% within %.0f ms\n", rate, l.failed, l.resent, l.p50, l.p99)
		if l.clean() {
			best, cost = l, cpu
			best.rate = rate
		}
		return l.clean(), nil
	})
	if err != nil {
		return nil, err
	}
	kib, err := c.hold(ctx)
	if err != nil {
		return nil, err
	}
	memory := c.name + ".call_kib"
	if c.name == "sip.vxml" {
		memory = "call.kib"
	}
	return []Result{
		{Name: c.name + ".cps", Value: float64(best.rate), Unit: "calls/s"},
		{Name: c.name + ".setup_p50_ms", Value: best.p50, Unit: "ms"},
		{Name: c.name + ".setup_p99_ms", Value: best.p99, Unit: "ms"},
		{Name: c.name + ".call_cpu_us", Value: cost, Unit: "us/call"},
		{Name: memory, Value: kib, Unit: "KiB/call"},
	}, nil
}

// climb finds the highest rate that is served, to a sixteenth: it doubles until one
// is not, and halves what is between from then on.
func climb(served func(rate int) (bool, error)) (int, error) {
	low, high := 0, 0
	for rate := firstRate; ; {
		ok, err := served(rate)
		if err != nil {
			return 0, err
		}
		if ok {
			low = rate
		} else {
			high = rate
		}
		switch {
		case high == 0:
			rate = 2 * low
		case high-low <= max(low/16, 10) || low == 0:
			return low, nil
		default:
			rate = low + (high-low)/2
		}
	}
}

// try runs one rate against a fresh callee and returns what the callers saw and
// what a call cost in microseconds of CPU time.
func (c contender) try(ctx context.Context, rate int, d time.Duration) (load, float64, error) {
	s, err := c.start(ctx)
	if err != nil {
		return load{}, 0, err
	}
	defer s.stop()
	calls := rate * int(d/time.Second)
	before := s.cpu()
	l, err := s.place(ctx, callers{rate: rate, calls: calls, hold: time.Second})
	if err != nil {
		return load{}, 0, err
	}
	return l, float64((s.cpu() - before).Microseconds()) / float64(calls), nil
}

// hold has many calls up at once and returns the memory of one.
func (c contender) hold(ctx context.Context) (float64, error) {
	s, err := c.start(ctx)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	before := s.resident()
	grown := make(chan float64, 1)
	timer := time.AfterFunc(13*time.Second, func() { grown <- s.resident() - before })
	defer timer.Stop()
	if _, err := s.place(ctx, callers{rate: held / 10, calls: held, hold: 18 * time.Second}); err != nil {
		return 0, err
	}
	return <-grown / held, nil
}

// platform writes the configuration and the application that one is measured with.
func platform(binary, addr, dir string) ([]string, error) {
	page := filepath.Join(dir, "main.vxml")
	config := filepath.Join(dir, "mcp.yaml")
	probes, err := freePort()
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`
sip: {listen: ["udp:%s"]}
calls: {cpu: 0, drain: 0s}
media: {plane: socket, timeout: 0s}
application: {default: "file://%s"}
reporting: {journal: %s}
health: {listen: "127.0.0.1:%d"}
log: {level: error}
`, addr, page, filepath.Join(dir, "journal"), probes)
	return []string{binary, "serve", "--config", config}, errors.Join(
		os.WriteFile(config, []byte(text), 0o600), os.WriteFile(page, []byte(application), 0o600),
		os.WriteFile(filepath.Join(dir, "prompt.wav"), prompt(30), 0o600))
}

const application = `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><property name="inputmodes" value="dtmf"/>
<form><field name="digit"><grammar mode="dtmf" version="1.0" root="d" xmlns="http://www.w3.org/2001/06/grammar">
<rule id="d"><one-of><item>1</item><item>2</item></one-of></rule></grammar>
<prompt timeout="60s"><audio src="prompt.wav"/></prompt></field></form></vxml>`

// prompt is so many seconds of mu-law as a WAV file.
func prompt(seconds int) []byte {
	n := seconds * 8000
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x12\x00\x00\x00\x07\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00\x00\x00data")
	put := func(at int, v int) {
		for i := range 4 {
			head[at+i] = byte(v >> (8 * i))
		}
	}
	head = append(head, 0, 0, 0, 0)
	put(4, len(head)-8+n)
	put(len(head)-4, n)
	body := make([]byte, n)
	for i := range body {
		body[i] = byte(i*37) | 0x80
	}
	return append(head, body...)
}

func freePort() (int, error) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port, nil
}

// pinned runs a command on one core.
func pinned(ctx context.Context, core int, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", fmt.Sprint(core % runtime.NumCPU())}, args...)...)
}
