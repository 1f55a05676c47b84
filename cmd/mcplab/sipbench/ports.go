package sipbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/cmd/mcplab/netlab"
	"mcp/cmd/mcplab/sipbench/keypad"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// correctShare is how many calls must go as they should: the product's sizing
// guide's pass line.
const correctShare = 0.9999

// PortsOptions are what a run needs.
type PortsOptions struct {
	Options
	Ports []int // calls at once, in rising order
}

// RunPorts has more and more callers at once do what the sizing guide's application
// with keys asks for, until a call goes wrong, and writes ports.json.
func RunPorts(ctx context.Context, out io.Writer, o PortsOptions) (err error) {
	r := report{Commit: o.Commit, Machine: map[string]any{"cpus": runtime.NumCPU(), "arch": runtime.GOARCH, "go": runtime.Version()}}
	if err := leaveTo(calleeCore); err != nil {
		return err
	}
	way, err := openRoad(ctx, ProfilePages())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, way.close()) }()
	way.profiles = o.Profiles
	platform := contender{name: "ports.dtmf_profile", command: func(r *road, dir string) ([]string, error) {
		return r.platform(o.Platform, dir, "http://"+r.web.addr+"/page1.vxml", 0)
	}}
	var best crowd
	for _, n := range o.Ports {
		c, err := platform.crowd(ctx, way, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(o.Progress, "  %d ports: %s\n", n, c)
		for what, calls := range c.wrong {
			fmt.Fprintf(o.Progress, "    %d calls: %s\n", calls, what)
		}
		if len(c.wrong) > 0 {
			fmt.Fprintf(o.Progress, "    %s\n", c.keys)
		}
		if !c.passes() {
			break
		}
		best = c
	}
	if best.calls == 0 {
		return fmt.Errorf("no crowd of %v callers was served: begin with fewer (--ports)", o.Ports)
	}
	r.Results = best.results(platform.name)
	if err := bench.Save(o.Out, "ports.json", r); err != nil {
		return err
	}
	return r.print(out)
}

// crowd is how the calls of so many callers went.
type crowd struct {
	ports, calls, correct int
	setup                 []time.Duration
	wrong                 map[string]int
	length                time.Duration // of all calls together
	cpu                   float64       // cores that the platform used while all were there
	heard                 float64       // of the prompts' packets, the share that was heard
	keys                  keys
}

func (c crowd) passes() bool {
	return float64(c.correct) >= correctShare*float64(c.calls) && c.heard > 0.99
}

func (c crowd) String() string {
	return fmt.Sprintf("%d of %d calls correct, %.1f s each, set-up 99 %% within %s, %.2f cores, %.1f %% of the prompts heard",
		c.correct, c.calls, c.mean().Seconds(), c.p99().Round(time.Millisecond), c.cpu, 100*c.heard)
}

func (c crowd) mean() time.Duration {
	if c.correct == 0 {
		return 0
	}
	return c.length / time.Duration(c.correct)
}

func (c crowd) p99() time.Duration {
	if len(c.setup) == 0 {
		return 0
	}
	slices.Sort(c.setup)
	return c.setup[len(c.setup)*99/100]
}

func (c crowd) results(name string) []Result {
	return []Result{
		{Name: name + "_per_core", Value: float64(c.ports), Unit: "ports", Goal: 2000},
		{Name: name + ".calls", Value: float64(c.calls), Unit: "calls"},
		{Name: name + ".correct", Value: 100 * float64(c.correct) / float64(max(c.calls, 1)), Unit: "%"},
		{Name: name + ".call_s", Value: c.mean().Seconds(), Unit: "s"},
		{Name: name + ".cps", Value: float64(c.ports) / max(c.mean().Seconds(), 1), Unit: "calls/s"},
		{Name: name + ".setup_p99_ms", Value: float64(c.p99().Microseconds()) / 1000, Unit: "ms"},
		{Name: name + ".cores", Value: c.cpu, Unit: "cores"},
	}
}

// crowd has callers arrive for the length of a call, so that as many are there then
// as are to be, and for half of it more.
func (c contender) crowd(ctx context.Context, r *road, ports int) (crowd, error) {
	s, err := c.start(ctx, r, calleeCore)
	if err != nil {
		return crowd{}, err
	}
	defer s.stop()
	callers, err := r.newCallers(ctx)
	if err != nil {
		return crowd{}, err
	}
	defer callers.close()
	length := profileLength()
	calls := ports * 3 / 2
	seen, err := r.ears.Seen()
	if err != nil {
		return crowd{}, err
	}
	profiled := s.profile(fmt.Sprintf("ports-%d", ports), 2*length)
	var cpu float64
	watch := time.AfterFunc(length, func() {
		before, begin := s.cpu(), time.Now()
		time.Sleep(length / 2)
		cpu = s.cpu().since(before).all().Seconds() / time.Since(begin).Seconds()
	})
	defer watch.Stop()
	result := callers.place(ctx, calls, length/time.Duration(ports))
	heard, err := r.ears.Seen()
	err = errors.Join(err, <-profiled)
	found, counted := s.keys()
	err = errors.Join(err, counted)
	found.pressed, found.unsent = callers.board.Pressed(), callers.board.Lost()
	result.keys = found
	result.ports, result.cpu = ports, cpu
	result.heard = float64(heard-seen) / float64(calls*profilePackets)
	return result, err
}

// telephones are what people call and press keys with.
type telephones struct {
	agent *sip.Agent
	board *keypad.Board
	conn  *net.UDPConn
	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu     sync.Mutex
	result crowd
}

// newCallers gives them what they call with, in one namespace, and what they press
// keys with, in another.
func (r *road) newCallers(ctx context.Context) (_ *telephones, err error) {
	c := &telephones{}
	err = r.lab.In(r.lab.SBC, func() (err error) {
		c.agent, err = sip.New(sip.Config{Listen: []string{"udp:" + netlab.SBCAddr.String() + ":5060"}}, slog.New(slog.DiscardHandler))
		return err
	})
	if err != nil {
		return nil, err
	}
	err = r.lab.In(r.lab.Nuance, func() (err error) {
		c.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netlab.NuanceAddr, farPort)))
		return err
	})
	if err != nil {
		c.agent.Close()
		return nil, err
	}
	c.board = keypad.New(c.conn)
	running, stop := context.WithCancel(ctx)
	c.stop = stop
	c.tasks.Go(func() { _ = c.agent.Serve(running, sip.Nobody{}) })
	c.tasks.Go(func() { c.board.Run(running) })
	return c, nil
}

func (c *telephones) close() {
	c.stop()
	c.tasks.Wait()
	_ = c.conn.Close() // nothing is lost with it
}

// place has one call begin after the other and waits for the last to end.
func (c *telephones) place(ctx context.Context, calls int, apart time.Duration) crowd {
	c.result = crowd{calls: calls, wrong: map[string]int{}}
	var placed sync.WaitGroup
	begin := time.Now()
	for i := range calls {
		if !sleepUntil(ctx, begin.Add(time.Duration(i)*apart)) {
			break
		}
		placed.Go(func() { c.note(c.call(ctx)) })
	}
	placed.Wait()
	return c.result
}

func sleepUntil(ctx context.Context, at time.Time) bool {
	select {
	case <-time.After(time.Until(at)):
		return true
	case <-ctx.Done():
		return false
	}
}

// one is how one call went.
type one struct{ setup, length time.Duration }

func (c *telephones) note(o one, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result.setup = append(c.result.setup, o.setup)
	if err != nil {
		c.result.wrong[err.Error()]++
		return
	}
	c.result.correct++
	c.result.length += o.length
}

// What can go wrong with a call, beside not coming about.
var (
	errEarly = errors.New("hung up before the last key was pressed")
	errNever = errors.New("not hung up after the last key")
)

// goodbye is how long the platform may take to hang up after the last key.
const goodbye = 10 * time.Second

// call places one, presses its keys and waits to be hung up on.
func (c *telephones) call(ctx context.Context) (one, error) {
	began := time.Now()
	offer := sdp.Local{
		Addr: netip.AddrPortFrom(netlab.NuanceAddr, farPort), Codecs: sdp.DefaultCodecs()[:1], Events: keypad.PayloadType,
		SessionID: uint64(began.UnixNano()), Version: 1,
	}
	d, err := c.agent.Invite(ctx, sip.Outgoing{To: "sip:app@" + callee(), Offer: sdp.Offer(offer)})
	if err != nil {
		return one{setup: time.Since(began)}, err
	}
	o := one{setup: time.Since(began)}
	answer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		return o, errors.Join(err, d.Bye(ctx, nil))
	}
	agreed, err := sdp.Negotiate(offer, answer)
	if err != nil {
		return o, errors.Join(err, d.Bye(ctx, nil))
	}
	answered := time.Now()
	phone, pressed := c.board.Dial(agreed.Remote, profilePresses())
	defer c.board.Drop(phone)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for range d.Events() { // a BYE is the last
		}
	}()
	select {
	case <-over:
	case <-pressed:
		select {
		case <-over:
		case <-time.After(goodbye):
			return o, errors.Join(errNever, d.Bye(ctx, nil))
		}
	case <-ctx.Done():
		return o, errors.Join(ctx.Err(), d.Bye(context.WithoutCancel(ctx), nil))
	}
	o.length = time.Since(answered)
	select {
	case <-pressed:
		return o, nil
	default:
		return o, fmt.Errorf("%w: %d keys left, after %v", errEarly, c.board.Left(phone), o.length)
	}
}
