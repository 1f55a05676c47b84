// Package player says prompts: recordings that are encoded for a leg already go
// out as RTP, a packet each few milliseconds, to many legs at once.
//
// Where the media plane's interfaces are in native mode the packets are made in
// the kernel, from recordings in memory that it shares with userspace: each
// millisecond one system call sends all that is due then. Elsewhere userspace
// does the same with stamped packets and sendmmsg.
//
// A leg's packets are stamped by the plane's one routine, so that a prompt, what
// is relayed before it and what comes after are one stream.
package player

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"mcp/bpf"
)

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type verdict -type page_layout player player.bpf.c

// What callers tell apart.
var (
	ErrClosed   = errors.New("player is closed")
	ErrFull     = errors.New("no room for recordings: all that are kept are in use")
	ErrEnded    = errors.New("the clip has ended")
	ErrPtime    = errors.New("packets are 10 to 60 ms long, in whole milliseconds")
	ErrFormat   = errors.New("clips of one stream have one format")
	ErrNotAudio = errors.New("a format needs a name and a rate whose packets fit")
)

// Config says how much a player may use. The zero value is usable.
type Config struct {
	ClipBytes int  // of recordings; 32 MiB if zero
	Portable  bool // packets are sent by userspace, even where the kernel could
}

// Player sends recordings to legs of one plane.
type Player struct {
	plane    *bpf.Plane
	out      sender
	reason   string
	store    *store
	bell     *bell
	events   *notifier
	done     chan struct{}
	realTime bool // has the player's thread; known when New returns
	closer   sync.Once

	mu     sync.Mutex // guards what follows
	wheel  wheel
	list   []*Stream // whose packets are in the list of what is due
	wakeAt uint64    // the tick that is slept until
	stats  Stats
	closed bool
}

// sender sends packets that are due.
type sender interface {
	// memory is where they and their audio are put.
	memory() (list []playerDue, pages []byte)
	// send sends the first of the list, one for each stream. It tells which did not
	// leave, and returns how many of the others userspace sends on its own.
	send(streams []*Stream, refused func(i int, err error)) (handed int)
	close() error
}

// New makes a player on a plane, whose Receive must run: it sends what the kernel
// cannot reach by itself. Close the player before the plane.
func New(plane *bpf.Plane, c Config) (*Player, error) {
	if c.ClipBytes <= 0 {
		c.ClipBytes = 32 << 20
	}
	pages := (c.ClipBytes + pageBytes - 1) / pageBytes
	out, reason, err := newSender(plane, pages, c.Portable)
	if err != nil {
		return nil, fmt.Errorf("start player: %w", err)
	}
	alarm, err := newBell()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start player: %w", err), out.close())
	}
	_, memory := out.memory()
	p := &Player{
		plane: plane, out: out, reason: reason, store: newStore(memory),
		bell: alarm, events: newNotifier(), done: make(chan struct{}),
		wheel: newWheel(time.Now()),
	}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start player: %w", err), p.release())
	}
	return p, nil
}

func newSender(plane *bpf.Plane, pages int, portable bool) (sender, string, error) {
	if portable {
		return newPortable(plane, pages), "sending from userspace was asked for", nil
	}
	if plane.Mode() != bpf.ModeNative {
		return newPortable(plane, pages), "frames made in the kernel leave in native mode only: " + plane.Reason(), nil
	}
	k, err := newKernel(plane, pages)
	if err == nil {
		return k, "packets are made in the kernel", nil
	}
	return newPortable(plane, pages), fmt.Sprintf("packets cannot be made in the kernel: %v", err), nil
}

// InKernel tells whether packets are made in the kernel.
func (p *Player) InKernel() bool {
	_, is := p.out.(*kernel)
	return is
}

// RealTime tells whether packets leave on time however busy the machine is: whether
// the process may give the player's thread real-time priority (CAP_SYS_NICE).
func (p *Player) RealTime() bool { return p.realTime }

// Reason says in a sentence why they are, or why not.
func (p *Player) Reason() string { return p.reason }

// Close stops everything that plays and waits until the last event was handed
// over. It is idempotent.
func (p *Player) Close() error {
	var err error
	p.closer.Do(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.bell.ring()
		<-p.done
		err = p.release()
	})
	return err
}

// release lets go of everything; the run has ended.
func (p *Player) release() error {
	p.events.close()
	return errors.Join(p.bell.close(), p.out.close())
}
