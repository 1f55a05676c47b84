package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"mcp/bpf/bpfbench"
)

// arrivals is the whole platform at work: so many calls a second arrive, each
// hears a recording until it hangs up, and the recordings of all are listened to.
type arrivals struct {
	platform string        // its binary
	lab      string        // the binary that measures wake-ups; empty: they are not measured
	rate     int           // calls a second
	length   time.Duration // of a call
	listen   time.Duration
}

// As many recordings at once as jitter is measured with.
func fullArrivals(platform, lab string) arrivals {
	return arrivals{platform: platform, lab: lab, rate: 200, length: jitterAt / 200 * time.Second, listen: 10 * time.Second}
}

const (
	sippProgram = "sipp"
	sipAddress  = "10.1.0.1:5070"
	pageAddress = "127.0.0.1:8080"
	stateAddr   = "127.0.0.1:8300"
)

//go:embed arrivals.xml
var arrivalsScenario []byte

const platformConfig = `
sip: {listen: ["udp:%s"]}
calls: {max: 0}
media: {plane: xdp, interfaces: [in, on], pins: %s, address: 10.2.0.1, port-min: %d, port-max: 45000}
application: {default: "http://%s/main.vxml"}
reporting: {journal: %s}
health: {listen: "%s"}
log: {level: warn}
`

const platformPage = `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><form><block>
<prompt><audio src="long.wav"/></prompt></block></form></vxml>`

// can tells whether this machine has what it takes.
func (a arrivals) can() bool {
	_, err := exec.LookPath(sippProgram)
	_, none := os.Stat(a.platform)
	return err == nil && none == nil
}

// measure has the calls arrive until as many are up as there will be, and listens.
func (a arrivals) measure(ctx context.Context) (_ []Result, err error) {
	c, err := newListeningCourse(bpfbench.Listen{BySource: true, First: firstPort})
	if err != nil {
		return nil, err
	}
	defer c.close(&err)
	if err := c.attachListener(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mcpbench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	stop, err := a.start(ctx, c, dir)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, a.length+a.length/8+time.Second); err != nil {
		return nil, err
	}
	return a.hear(ctx, c)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// hear listens, and sees how many calls there are meanwhile and how evenly the machine
// wakes what only wakes.
func (a arrivals) hear(ctx context.Context, c *course) ([]Result, error) {
	before, err := c.platformState()
	if err != nil {
		return nil, err
	}
	if _, err := c.bench.Evenness(); err != nil {
		return nil, err
	}
	begin := time.Now()
	wakes, err := a.wakes(ctx)
	if err != nil {
		return nil, err
	}
	even, err := c.bench.Evenness()
	if err != nil {
		return nil, err
	}
	took := time.Since(begin).Seconds()
	after, err := c.platformState()
	if err != nil {
		return nil, err
	}
	return append(append([]Result{
		{Name: arrivalsPlayer + ".streams", Unit: "streams", Value: min(before.streams, after.streams)},
		{Name: arrivalsPlayer + ".calls_per_s", Unit: "calls/s", Value: (after.calls - before.calls) / took},
	}, wakes...), jitter(arrivalsPlayer, even)...), nil
}

// start starts the web server, the platform and the callers. What it returns stops
// those that were started, whether it fails or not.
func (a arrivals) start(ctx context.Context, c *course, dir string) (func() error, error) {
	var stops []func() error
	stop := func() error {
		var err error
		for i := len(stops) - 1; i >= 0; i-- {
			err = errors.Join(err, stops[i]())
		}
		return err
	}
	mount, release, err := mountBPF()
	if err != nil {
		return stop, err
	}
	stops = append(stops, release)
	closePages, err := servePages(c, a.length)
	if err != nil {
		return stop, err
	}
	stops = append(stops, closePages)
	endPlatform, err := a.startPlatform(c, dir, mount)
	if err != nil {
		return stop, err
	}
	stops = append(stops, endPlatform)
	if err := c.awaitPlatform(ctx); err != nil {
		return stop, err
	}
	endCallers, err := a.startCallers(c, dir)
	if err == nil {
		stops = append(stops, endCallers)
	}
	return stop, err
}

func (a arrivals) startPlatform(c *course, dir, mount string) (func() error, error) {
	config := filepath.Join(dir, "mcp.yaml")
	text := fmt.Sprintf(platformConfig, sipAddress, filepath.Join(mount, "plane"), firstPort, pageAddress,
		filepath.Join(dir, "journal"), stateAddr)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return startIn(c.relay, exec.Command(a.platform, "serve", "--config", config))
}

func (a arrivals) startCallers(c *course, dir string) (func() error, error) {
	scenario := filepath.Join(dir, "arrivals.xml")
	if err := os.WriteFile(scenario, arrivalsScenario, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(sippProgram, sipAddress, "-sf", scenario, "-i", "10.1.0.2", "-t", "u1", "-nostdin",
		"-r", strconv.Itoa(a.rate), "-l", strconv.Itoa(2*a.rate*int(a.length.Seconds())), "-d", strconv.Itoa(int(a.length.Milliseconds())))
	cmd.Dir = dir
	return startIn(c.source, cmd)
}
