package bench

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"mcp/bpf"
	"mcp/control/media"
	"mcp/control/media/socket"
	"mcp/control/media/xdp"
)

const programRepeat = 2_000_000

func nothing() error { return nil }

// startDrop swallows packets where a relay would take them.
func startDrop(c *course) (func() error, error) {
	return nothing, c.attachSink(c.in)
}

func startNull(c *course) (func() error, error) {
	err := c.relay.Do(func() error { return c.bench.AttachNull(c.in.Index, c.on.Index) })
	return nothing, errors.Join(err, c.attachSink(c.end))
}

func startNative(c *course) (func() error, error)  { return startXDP(c, bpf.ModeNative, nil) }
func startGeneric(c *course) (func() error, error) { return startXDP(c, bpf.ModeGeneric, nil) }

// startFork also has userspace take a copy of every packet.
func startFork(c *course) (func() error, error) {
	c.copies = &counter{}
	return startXDP(c, bpf.ModeNative, c.copies)
}

// counter is a receiver that only counts what it gets.
type counter struct{ count atomic.Uint64 }

func (c *counter) RTP([]byte, time.Time)  { c.count.Add(1) }
func (c *counter) RTCP([]byte, time.Time) {}

// startXDP relays in the kernel; with a receiver, it gets copies.
func startXDP(c *course, mode bpf.Mode, copies media.Receiver) (func() error, error) {
	if err := c.attachSink(c.end); err != nil {
		return nil, err
	}
	_, plane, stop, err := loadPlane(c, mode)
	if err != nil {
		return nil, err
	}
	if err := openCalls(plane, copies); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// loadPlane loads the plane in a mode and makes one of legs of it, which unload closes.
func loadPlane(c *course, mode bpf.Mode) (kernel *bpf.Plane, plane *xdp.Plane, unload func() error, err error) {
	kernel, release, err := c.load(bpf.Config{Mode: mode, Interfaces: interfaceNames(c.in, c.on)})
	if err != nil {
		return nil, nil, nil, err
	}
	plane, err = xdp.New(kernel, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, nil, errors.Join(err, kernel.Close(), release())
	}
	return kernel, plane, func() error { return errors.Join(plane.Close(), release()) }, nil
}

// load loads the plane on a BPF file system of its own.
func (c *course) load(config bpf.Config) (*bpf.Plane, func() error, error) {
	mount, release, err := mountBPF()
	if err != nil {
		return nil, nil, err
	}
	config.Dir = filepath.Join(mount, "plane")
	var kernel *bpf.Plane
	err = c.relay.Do(func() (err error) {
		kernel, err = bpf.Load(config)
		return err
	})
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return kernel, func() error { return errors.Join(bpf.Unload(config.Dir), release()) }, nil
}

// mountBPF makes a BPF file system of its own.
func mountBPF() (dir string, release func() error, err error) {
	dir, err = os.MkdirTemp("", "mcpbench")
	if err != nil {
		return "", nil, err
	}
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	return dir, func() error { return errors.Join(unix.Unmount(dir, unix.MNT_DETACH), os.Remove(dir)) }, nil
}

func startSocket(c *course) (func() error, error) {
	if err := c.attachSink(c.end); err != nil {
		return nil, err
	}
	plane := socket.New("measured", slog.New(slog.DiscardHandler))
	if err := c.relay.Do(func() error { return openCalls(plane, nil) }); err != nil {
		return nil, errors.Join(err, plane.Close())
	}
	return plane.Close, nil
}

// openCalls relays each stream through a pair of legs, with copies to a receiver
// if there is one.
func openCalls(plane media.Plane, copies media.Receiver) error {
	for i := range streams {
		from, err := plane.Open(media.LegConfig{Local: near(i), SSRC: uint32(1000 + i), Receiver: copies})
		if err != nil {
			return err
		}
		to, err := plane.Open(media.LegConfig{Local: onward(i), SSRC: uint32(2000 + i)})
		if err != nil {
			return err
		}
		far := media.FarEnd{Events: -1, ClockRate: 8000, Send: true, Receive: true} // no ptime: no ceiling on packets
		far.RTP = talker(i)
		err = from.Connect(far)
		far.RTP = listener(i)
		err = errors.Join(err, to.Connect(far), from.Route(media.Route{To: to, Copy: copies != nil}))
		if err != nil {
			return err
		}
	}
	return nil
}

// timePrograms runs the programs alone, on the packets of streams as they come.
func timePrograms() (_ []Result, err error) {
	c, err := newCourse()
	if err != nil {
		return nil, err
	}
	defer c.close(&err)
	kernel, plane, unload, err := loadPlane(c, bpf.ModeGeneric)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unload()) }()
	if err := openCalls(plane, nil); err != nil {
		return nil, err
	}
	relay := Result{Name: programNS, Unit: "ns/packet", Against: nullRunNS}
	null := Result{Name: nullRunNS, Unit: "ns/packet"}
	err = c.relay.Do(func() error { return timeBoth(c, kernel.Dir(), &relay, &null) })
	return []Result{relay, null}, errors.Join(err, allRelayed(kernel.Dir(), rounds*programRepeat))
}

// timeBoth takes off the time to make packets.
func timeBoth(c *course, dir string, relay, null *Result) error {
	var making Result
	for range rounds {
		r, err := c.bench.TimePinned(filepath.Join(dir, "programs", "relay"), programRepeat)
		if err != nil {
			return err
		}
		n, err := c.bench.TimeNull(c.on.Index, programRepeat)
		if err != nil {
			return err
		}
		m, err := c.bench.TimeMaking(programRepeat)
		if err != nil {
			return err
		}
		relay.lower(r)
		null.lower(n)
		making.lower(m)
	}
	relay.Value -= making.Value
	null.Value -= making.Value
	return nil
}

// allRelayed tells whether so many packets went the whole way through the kernel.
func allRelayed(dir string, packets uint64) error {
	legs, err := bpf.InspectLegs(dir)
	if err != nil {
		return err
	}
	var relayed uint64
	for _, l := range legs {
		relayed += l.Stats.RxRelayed
	}
	if relayed != packets {
		return fmt.Errorf("the program relayed %d of %d packets", relayed, packets)
	}
	return nil
}
