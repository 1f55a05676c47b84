// Package sipbench measures signalling: at which rate calls are answered without
// one that fails or is sent again, how long setting one up takes, and what a call
// costs in CPU time and memory; for the platform with a VoiceXML application that
// plays a prompt from the kernel, and beside it, on the same core, for the plainest
// callee that the SIP library makes: with the socket that the library opens, and with
// one whose receive buffer is as large as the platform's. The callers are SIPp's, on
// another core and in another network namespace.
package sipbench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"mcp/cmd/mcplab/bench"
)

//go:embed sippcall.xml
var scenario []byte

// Options are what a run needs.
type Options struct {
	Out      string // folder of the results
	Platform string // the platform's binary
	Commit   string
	Progress io.Writer
	// Profiles is the folder that profiles of the platform under load go to; empty: none.
	Profiles string
}

// Result is one number.
type Result struct {
	Name    string       `json:"name"`
	Value   float64      `json:"value"`
	Unit    string       `json:"unit"`
	Goal    float64      `json:"goal,omitempty"` // what the value is to be at least
	Against []comparison `json:"against,omitempty"`
}

// comparison is a number beside another contender's.
type comparison struct {
	Name  string  `json:"name"`
	Ratio float64 `json:"ratio"`
	Goal  float64 `json:"goal,omitempty"` // what the ratio is to be at least
}

type report struct {
	Machine map[string]any `json:"machine"`
	Commit  string         `json:"commit"`
	Results []Result       `json:"results"`
}

// The rates tried, how long each is held on the way up, and how long the one that
// counts: the collector of a platform under load runs each few seconds.
const (
	firstRate  = 50
	stepTime   = 4 * time.Second
	settleTime = 15 * time.Second
)

// The contenders, in the results: the platform, and the plainest callee, once as the
// library opens its socket and once with the platform's receive buffer. The first
// loses what comes while it collects garbage, the second answers it late.
const (
	vxml = "sip.vxml"
	bare = "sip.bare"
	deep = "sip.bare_deep"
)

// contender is a callee.
type contender struct {
	name    string
	held    int // calls that memory is measured with; 0: it is not
	command func(r *road, dir string) ([]string, error)
}

// contenders are who is measured.
func (o Options) contenders() ([]contender, error) {
	self, err := os.Executable()
	return []contender{
		{bare, 1000, func(*road, string) ([]string, error) { return []string{self, "bare", "--listen", callee()}, nil }},
		{deep, 0, func(*road, string) ([]string, error) {
			return []string{self, "bare", "--deep", "--listen", callee()}, nil
		}},
		{vxml, 10_000, func(r *road, dir string) ([]string, error) { return r.application(o.Platform, dir, 0) }},
	}, err
}

// each takes the contenders over a road, one after the other.
func (o Options) each(ctx context.Context, take func(contender, *road) error) (err error) {
	contenders, err := o.contenders()
	if err != nil {
		return err
	}
	way, err := openRoad(ctx, pages())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, way.close()) }()
	for _, c := range contenders {
		if err := take(c, way); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// Run measures the contenders and writes sip.json.
func Run(ctx context.Context, out io.Writer, o Options) error {
	r := report{Commit: o.Commit, Machine: map[string]any{"cpus": runtime.NumCPU(), "arch": runtime.GOARCH, "go": runtime.Version()}}
	err := o.each(ctx, func(c contender, way *road) error {
		fmt.Fprintf(o.Progress, "%s ...\n", c.name)
		results, err := c.measure(ctx, way, o.Progress)
		r.Results = append(r.Results, results...)
		return err
	})
	if err != nil {
		return err
	}
	refusals, err := o.refusals(ctx)
	if err != nil {
		return err
	}
	r.Results = append(r.Results, refusals...)
	r.compare()
	if err := bench.Save(o.Out, "sip.json", &r); err != nil {
		return err
	}
	return r.print(out)
}

// steadyTime is how long RunRate holds its rate.
const steadyTime = 12 * time.Second

// Load is calls at one rate.
type Load struct {
	Rate     int           // calls a second
	Hold     time.Duration // of each call
	AllCores bool          // callee and callers run on any core, not on one each
}

// RunRate places calls with every contender at one rate, which shows what a call
// costs at a load that they bear, and profiles the platform if o says where to.
func RunRate(ctx context.Context, out io.Writer, o Options, l Load) error {
	return o.each(ctx, func(c contender, way *road) error {
		if c.name == vxml {
			way.profiles = o.Profiles
		}
		t, err := c.try(ctx, way, callers{rate: l.Rate, calls: l.Rate * int(steadyTime/time.Second), hold: l.Hold, core: l.core(1)}, l.core(0))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s at %d calls/s: %s\n", c.name, l.Rate, t)
		return err
	})
}

func (l Load) core(own int) int {
	if l.AllCores {
		return -1
	}
	return own
}

// RunHeld has the platform hold many calls and tells what memory they take.
func RunHeld(ctx context.Context, out io.Writer, o Options) error {
	var r report
	err := o.each(ctx, func(c contender, way *road) error {
		if c.held == 0 {
			return nil
		}
		held, err := c.hold(ctx, way)
		r.Results = append(r.Results, held...)
		return err
	})
	if err != nil {
		return err
	}
	return r.print(out)
}

// compare sets the platform's rate beside the bare callees', of which it is to
// reach 60 %, and what a call costs beside what one costs them.
func (r *report) compare() {
	values := map[string]float64{}
	for _, one := range r.Results {
		values[one.Name] = one.Value
	}
	goals := map[string]float64{".cps": 0.6, ".call_cpu_us": 0, ".setup_p99_ms": 0} // 0: none of its own
	for i, one := range r.Results {
		what, ours := strings.CutPrefix(one.Name, vxml)
		goal, compared := goals[what]
		if !ours || !compared {
			continue
		}
		for _, other := range []string{bare, deep} {
			if theirs := values[other+what]; theirs > 0 {
				r.Results[i].Against = append(r.Results[i].Against, comparison{other + what, one.Value / theirs, goal})
			}
		}
	}
}

func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, one := range r.Results {
		var against []string
		for _, other := range one.Against {
			against = append(against, other.String())
		}
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%s\n", one.Name, one.Value, one.Unit, strings.Join(against, "; "))
	}
	return w.Flush()
}

func (c comparison) String() string {
	if c.Goal == 0 {
		return fmt.Sprintf("%.2f of %s", c.Ratio, c.Name)
	}
	return fmt.Sprintf("%.2f of %s, goal %.2f", c.Ratio, c.Name, c.Goal)
}

// measure climbs to the highest rate that is served without fault, and looks at
// what a call costs on the way.
func (c contender) measure(ctx context.Context, r *road, progress io.Writer) ([]Result, error) {
	var best trial
	served := func(length time.Duration) func(int) (bool, error) {
		return func(rate int) (bool, error) {
			t, err := c.try(ctx, r, callers{rate: rate, calls: rate * int(length/time.Second), hold: time.Second, core: 1}, 0)
			if err != nil {
				return false, err
			}
			fmt.Fprintf(progress, "  %d calls/s for %s: %s\n", rate, length, t)
			best = t
			return t.clean(), nil
		}
	}
	rate, err := climb(served(stepTime))
	if err != nil {
		return nil, err
	}
	if err := settle(rate, served(settleTime)); err != nil {
		return nil, err
	}
	results := []Result{
		{Name: c.name + ".cps", Value: float64(best.rate), Unit: "calls/s"},
		{Name: c.name + ".setup_p50_ms", Value: best.p50, Unit: "ms"},
		{Name: c.name + ".setup_p99_ms", Value: best.p99, Unit: "ms"},
		{Name: c.name + ".call_cpu_us", Value: best.callee, Unit: "us/call"},
		{Name: c.name + ".pacing_cpu_us", Value: best.pacing, Unit: "us/call"},
		{Name: c.name + ".caller_cpu_us", Value: best.caller, Unit: "us/call"},
	}
	if c.held > 0 {
		held, err := c.hold(ctx, r)
		if err != nil {
			return nil, err
		}
		results = append(results, held...)
	}
	if c.name != vxml {
		return results, nil
	}
	fmt.Fprintln(progress, "  calls of ten seconds, callee and callers on any core")
	long, err := c.long(ctx, r, progress)
	return append(results, long...), err
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

// settle comes down from a rate, by a sixteenth each time, until one is served.
func settle(rate int, served func(rate int) (bool, error)) error {
	for ; rate > 0; rate -= max(rate/16, 1) {
		if ok, err := served(rate); ok || err != nil {
			return err
		}
	}
	return errors.New("no rate is served for long")
}

// trial is one load on a fresh callee.
type trial struct {
	load
	callee, caller float64 // CPU time of a call, in microseconds
	pacing         float64 // of the callee's, what the process took that paces prompts
	heard          float64 // of a second of audio, how much each call heard of each second
}

func (t trial) String() string {
	return fmt.Sprintf("%d failed, %d sent again, set-up %.0f ms, 99 %% within %.0f ms, %.0f us of CPU time, %.0f of it for pacing, %.0f of the caller's, %.0f %% of the audio heard",
		t.failed, t.resent, t.p50, t.p99, t.callee, t.pacing, t.caller, 100*t.heard)
}

// try places calls with a fresh callee, which runs on a core.
func (c contender) try(ctx context.Context, r *road, by callers, core int) (t trial, err error) {
	s, err := c.start(ctx, r, core)
	if err != nil {
		return t, err
	}
	defer s.stop()
	before := s.cpu()
	seen, err := r.ears.Seen()
	if err != nil {
		return t, err
	}
	profiled := s.profile(fmt.Sprintf("%s-%d", c.name, by.rate), by.length())
	defer func() { err = errors.Join(err, <-profiled) }()
	if t.load, err = s.place(ctx, by); err != nil {
		return t, err
	}
	heard, err := r.ears.Seen()
	n, used := float64(by.calls), s.cpu().since(before)
	t.callee, t.pacing = float64(used.all().Microseconds())/n, float64(used.others.Microseconds())/n
	t.caller = float64(t.spent.Microseconds()) / n
	t.heard = float64(heard-seen) / (n * by.hold.Seconds() * packetsPerSecond)
	return t, err
}

// packetsPerSecond is how many a prompt has.
const packetsPerSecond = 50

// hold has many calls up at once and tells the memory of one.
func (c contender) hold(ctx context.Context, r *road) ([]Result, error) {
	s, err := c.start(ctx, r, 0)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	const rate = 250
	arrival := time.Duration(c.held/rate) * time.Second
	before := s.memory()
	grown := make(chan memory, 1)
	timer := time.AfterFunc(arrival+2*time.Second, func() { grown <- s.memory() })
	defer timer.Stop()
	l, err := s.place(ctx, callers{rate: rate, calls: c.held, hold: arrival + 6*time.Second, core: 1})
	if err != nil {
		return nil, err
	}
	one := c.name + ".call_kib"
	if c.name == vxml {
		one = "call.kib"
	}
	all := <-grown
	each := (all.processes - before.processes) / float64(c.held)
	return []Result{
		{Name: c.name + ".held", Value: float64(c.held - l.failed), Unit: "calls at once"},
		{Name: c.name + ".held_mib", Value: all.processes / 1024, Unit: "MiB"},
		{Name: c.name + ".held_maps_mib", Value: all.maps / 1024, Unit: "MiB"},
		{Name: one, Value: each, Unit: "KiB/call"},
		{Name: c.name + ".mib_per_1000_calls", Value: each * 1000 / 1024, Unit: "MiB"},
	}, nil
}

// long looks for the rate at which calls of ten seconds are served, when callers and
// callee share all cores.
func (c contender) long(ctx context.Context, r *road, progress io.Writer) ([]Result, error) {
	var best trial
	for rate := 200; ; rate += 100 {
		t, err := c.try(ctx, r, callers{rate: rate, calls: 15 * rate, hold: 10 * time.Second, core: -1}, -1)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(progress, "  %d calls/s: %s\n", rate, t)
		if t.failed > 0 || rate > 1500 {
			break
		}
		best = t
	}
	return []Result{
		{Name: c.name + ".ten_seconds_cps", Value: float64(best.rate), Unit: "calls/s"},
		{Name: c.name + ".ten_seconds_caller_cpu_us", Value: best.caller, Unit: "us/call"},
		{Name: c.name + ".ten_seconds_call_cpu_us", Value: best.callee, Unit: "us/call"},
	}, nil
}

// application is the command of a platform whose callers hear a prompt until they
// press a key. It gets the page from a web server and keeps it.
func (r *road) application(binary, dir string, most int) ([]string, error) {
	return r.platform(binary, dir, "http://"+r.web.addr+"/main.vxml", most)
}

// pages are what the web server has.
func pages() map[string][]byte {
	return map[string][]byte{"/main.vxml": []byte(application), "/prompt.wav": prompt(time.Minute)}
}

const application = `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><property name="inputmodes" value="dtmf"/>
<form><field name="digit"><grammar mode="dtmf" version="1.0" root="d" xmlns="http://www.w3.org/2001/06/grammar">
<rule id="d"><one-of><item>1</item><item>2</item></one-of></rule></grammar>
<prompt timeout="60s"><audio src="prompt.wav"/></prompt></field></form></vxml>`

// prompt is so much mu-law as a WAV file.
func prompt(length time.Duration) []byte {
	n := int(length.Seconds() * 8000)
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
