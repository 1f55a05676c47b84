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

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type verdict -type page_layout -type run_layout player player.bpf.c

// What callers tell apart.
var (
	ErrClosed   = errors.New("player is closed")
	ErrFull     = errors.New("no room for recordings: all that are kept are in use")
	ErrCrowded  = errors.New("no room for more streams")
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
	plane  *bpf.Plane
	out    sender
	reason string
	store  *store
	bell   *bell
	events *notifier
	done   chan struct{}
	first  bool // goes the player's thread; known when New returns
	closer sync.Once

	mu     sync.Mutex // guards what follows
	wheel  wheel
	desk   desk
	wakeAt uint64 // the tick that is slept until
	stats  Stats
	closed bool
}

// sender sends packets that are due.
type sender interface {
	// memory is where streams say what comes next, and where audio is.
	memory() (prompts []playerPrompt, pages []byte)
	// send sends a packet of each of the first streams in some rows, no more than
	// those of a run, and goes on in what they say. It tells at which places userspace
	// must look: nothing is left to say, or a packet did not leave, and why.
	send(d *desk, rows []uint32, streams int, look func(place uint32, err error)) sent
	close() error
}

// sent is how many packets left, and how many of those userspace sends on its own.
type sent struct{ packets, handed int }

// New makes a player on a plane, whose Receive must run: it sends what the kernel
// cannot reach by itself. Close the player before the plane.
func New(plane *bpf.Plane, c Config) (*Player, error) {
	if c.ClipBytes <= 0 {
		c.ClipBytes = 32 << 20
	}
	out, reason, err := newSender(plane, c)
	if err != nil {
		return nil, fmt.Errorf("start player: %w", err)
	}
	alarm, err := newBell()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start player: %w", err), out.close())
	}
	prompts, pages := out.memory()
	p := &Player{
		plane: plane, out: out, reason: reason, store: newStore(pages),
		bell: alarm, events: newNotifier(), done: make(chan struct{}),
		wheel: newWheel(time.Now()), desk: newDesk(prompts),
	}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start player: %w", err), p.release())
	}
	return p, nil
}

// room is how much memory a sender has.
type room struct{ pages, prompts int }

func newSender(plane *bpf.Plane, c Config) (sender, string, error) {
	r := room{
		pages:   (c.ClipBytes + pageBytes - 1) / pageBytes,
		prompts: (plane.MaxLegs()/rowLength + 1 + spareRows) * rowLength,
	}
	if c.Portable {
		return newPortable(plane, r), "sending from userspace was asked for", nil
	}
	if plane.Mode() != bpf.ModeNative {
		return newPortable(plane, r), "frames made in the kernel leave in native mode only: " + plane.Reason(), nil
	}
	k, err := newKernel(plane, r)
	if err == nil {
		return k, "packets are made in the kernel", nil
	}
	return newPortable(plane, r), fmt.Sprintf("packets cannot be made in the kernel: %v", err), nil
}

// InKernel tells whether packets are made in the kernel.
func (p *Player) InKernel() bool {
	_, is := p.out.(*kernel)
	return is
}

// First tells whether packets leave on time however busy the machine is: whether the
// process may have the player's thread go before others (CAP_SYS_NICE).
func (p *Player) First() bool { return p.first }

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
	p.mu.Lock()
	for _, s := range p.desk.streams {
		if s != nil {
			p.leaveLocked(s)
		}
	}
	p.mu.Unlock()
	p.events.close()
	return errors.Join(p.bell.close(), p.out.close())
}
