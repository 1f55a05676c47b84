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

	"golang.org/x/sys/unix"

	"mcp/bpf"
	"mcp/bpf/ktime"
)

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type verdict -type page_layout -type slot_layout -type turn_layout -type part_layout -type part player player.bpf.c

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
	// Pacer is the command line of a process that does nothing but call Pace. However
	// busy the one of the player is, packets made in the kernel then leave on time.
	// Without, a thread has them leave.
	Pacer []string
	// Lost is told when there is no such process, or another now, and when a thread that
	// goes on in its place cannot send. It may be nil.
	Lost func(error)
}

// Player sends recordings to legs of one plane.
type Player struct {
	plane  *bpf.Plane
	out    sender
	reason string
	store  *store
	pacing *pacing
	events *notifier
	done   chan struct{}
	closer sync.Once

	mu        sync.Mutex // guards what follows
	desk      desk
	waiting   []*Stream // that are looked at again
	spare     []*Stream // room for them
	looking   bool      // attend is at them, and will look again by itself
	underruns uint64
	closed    bool
}

// sender sends packets that are due.
type sender interface {
	// memory is where streams say what comes next, where audio is, and when it is due.
	memory() memory
	// send sends a packet of each stream that is left of a turn.
	send(turn) error
	// refusal is why a packet of the stream at a place did not leave.
	refusal(place uint32) error
	// burst is how many packets may leave at once.
	burst() int
	close() error
}

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
	pacing, err := newPacing()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start player: %w", err), out.close())
	}
	m := out.memory()
	p := &Player{
		plane: plane, out: out, reason: reason, store: newStore(m.pages), pacing: pacing,
		events: newNotifier(), done: make(chan struct{}), desk: newDesk(m, out.burst()),
	}
	// The first tick is a turn away from zero, so that none before it is negative.
	m.pace.BeginNs, m.pace.WakeAt = ktime.Now()-uint64(longest)*uint64(tick), asleep
	if o, is := out.(*portable); is {
		o.player = p
	}
	news, err := pacing.news.listener()
	if err == nil {
		if err = p.begin(c); err != nil {
			news.Close()
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start player: %w", err), p.release())
	}
	go p.attend(news)
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
	const takes = "to make packets in the kernel takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, also where the plane is loaded already"
	switch {
	case errors.Is(err, unix.EPERM): // which the library takes for a want of memory
		return newPortable(plane, r), takes, nil
	case errors.Is(err, unix.EACCES): // as the verifier says it
		return newPortable(plane, r), fmt.Sprintf("%s: %v", takes, err), nil
	}
	return newPortable(plane, r), fmt.Sprintf("packets cannot be made in the kernel: %v", err), nil
}

// InKernel tells whether packets are made in the kernel.
func (p *Player) InKernel() bool {
	_, is := p.out.(*kernel)
	return is
}

// Precedence tells whether packets leave on time however busy the machine is: what
// goes before others needs CAP_SYS_NICE.
func (p *Player) Precedence() Precedence { return p.pacing.precedence.Load().(Precedence) }

// Apart tells whether a process of its own has packets leave, not a thread.
func (p *Player) Apart() bool { return p.pacing.apart.Load() }

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
		p.pacing.end()
		p.pacing.news.ring()
		<-p.done
		err = p.release()
	})
	return err
}

func (p *Player) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// release lets go of everything; nobody sends any more.
func (p *Player) release() error {
	p.mu.Lock()
	for _, s := range p.desk.streams {
		if s != nil {
			p.leaveLocked(s)
		}
	}
	p.mu.Unlock()
	p.events.close()
	return errors.Join(p.pacing.close(), p.out.close())
}
