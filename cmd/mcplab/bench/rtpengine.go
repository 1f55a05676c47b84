package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mcp/cmd/mcplab/rtpengine"
	"mcp/control/sdp"
)

// engine is the relay that an operator would otherwise run, in userspace, as
// one process in the relay's namespace, driven over its control protocol.
type engine struct {
	process *exec.Cmd
	log     bytes.Buffer
	ended   chan error
	control *rtpengine.Control
}

const (
	controlAddress = "127.0.0.1:2223"
	engineFirst    = 20000 // of its ports
	engineLast     = 59998
	startLimit     = 5 * time.Second
)

func haveRTPEngine() bool {
	_, err := exec.LookPath(rtpengine.Program)
	return err == nil
}

// startRTPEngine has each stream relayed by rtpengine.
func startRTPEngine(c *course) (func() error, error) {
	if err := c.attachSink(c.end); err != nil {
		return nil, err
	}
	e, err := openRTPEngine(c)
	if err != nil {
		return nil, err
	}
	for i := range streams {
		port, err := e.relay(i)
		if err != nil {
			return nil, errors.Join(err, e.stop())
		}
		if err := c.retarget(i, netip.AddrPortFrom(near(i).Addr(), port)); err != nil {
			return nil, errors.Join(err, e.stop())
		}
	}
	c.beside = e.process.Process.Pid
	return e.stop, nil
}

func openRTPEngine(c *course) (*engine, error) {
	e := &engine{ended: make(chan error, 1)}
	// Without the kernel module, which the comparison is not about.
	e.process = exec.Command(rtpengine.Program, "--foreground", "--log-stderr", "--log-level=3", "--table=-1",
		"--interface=in/10.1.0.1", "--interface=on/10.2.0.1", "--listen-ng="+controlAddress,
		fmt.Sprintf("--port-min=%d", engineFirst), fmt.Sprintf("--port-max=%d", engineLast), "--num-threads=1",
		"--scheduling=fifo", "--priority=1") // as the player has
	e.process.Stderr, e.process.Stdout = &e.log, &e.log
	err := c.relay.Do(func() error {
		if err := onOneCore(e.process.Start); err != nil {
			return err
		}
		var err error
		e.control, err = rtpengine.Dial(controlAddress)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", rtpengine.Program, err)
	}
	go func() { e.ended <- e.process.Wait() }()
	if err := e.control.Ready(startLimit); err != nil {
		return nil, errors.Join(err, e.stop())
	}
	return e, nil
}

// onOneCore calls a function that starts a process, which gets one core for all
// that it does. The caller's thread is its own.
func onOneCore(start func() error) error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, &all))
}

// relay asks for a stream's relay and returns the port that takes its packets.
func (e *engine) relay(i int) (uint16, error) {
	describe := func(at netip.AddrPort) string {
		return string(sdp.Offer(sdp.Local{Addr: at, Codecs: sdp.DefaultCodecs()[:1], SessionID: 1, Version: 1}))
	}
	offer := about(i, "offer", "a", map[string]any{"sdp": describe(talker(i)), "direction": []string{"in", "on"}})
	if _, err := e.control.Ask(offer); err != nil {
		return 0, err
	}
	answer, err := e.control.Ask(about(i, "answer", "a", map[string]any{"sdp": describe(listener(i)), "to-tag": "b"}))
	if err != nil {
		return 0, err
	}
	text, _ := answer["sdp"].(string)
	session, err := sdp.Parse([]byte(text))
	if err != nil || session.Audio == nil {
		return 0, errors.Join(fmt.Errorf("%s answered %q", rtpengine.Program, text), err)
	}
	return session.Audio.RTP.Port(), nil
}

// about makes a command about a stream's call.
func about(i int, command, tag string, more map[string]any) map[string]any {
	more["command"], more["call-id"], more["from-tag"] = command, "call-"+strconv.Itoa(i), tag
	return more
}

func (e *engine) stop() error {
	err := errors.Join(e.control.Close(), e.process.Process.Signal(syscall.SIGTERM))
	select {
	case <-e.ended:
	case <-time.After(startLimit):
		err = errors.Join(err, e.process.Process.Kill())
		<-e.ended
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w\n%s", rtpengine.Program, err, e.log.String())
	}
	return nil
}
