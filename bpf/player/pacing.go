package player

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// slack is how much later than asked for the kernel may wake the pacer.
	slack = 5 * time.Microsecond
	// foremost is the nice value of what goes before all else, and slice for how long
	// it then works without being asked to let others.
	foremost, slice = -20, 200 * time.Microsecond
)

// Files of a pacer that is a process of its own, in their order; its standard input
// is the other end of the player's life.
const (
	programFile = iota + 3
	paceFile
	slotsFile
	bellFile
	newsFile
)

// pacing is who paces, and how it is spoken with.
type pacing struct {
	bell, news *bell
	life       *os.File // closed at the end
	listened   *os.File // the other end
	process    *os.Process
	first      atomic.Bool // it goes before others
	apart      atomic.Bool
	ended      chan struct{}
}

func newPacing() (*pacing, error) {
	p := &pacing{ended: make(chan struct{})}
	var err error
	if p.bell, err = newBell(); err != nil {
		return nil, err
	}
	if p.news, err = newBell(); err != nil {
		return nil, errors.Join(err, p.bell.close())
	}
	if p.listened, p.life, err = os.Pipe(); err != nil {
		return nil, errors.Join(err, p.bell.close(), p.news.close())
	}
	p.bell.life = int(p.listened.Fd())
	return p, nil
}

// end has the pacer end, and waits for it.
func (p *pacing) end() {
	p.life.Close()
	<-p.ended
}

// close lets go of everything; nobody paces.
func (p *pacing) close() error {
	_ = p.life.Close()
	return errors.Join(p.listened.Close(), p.bell.close(), p.news.close())
}

// begin starts the pacer: a process of its own if there is a command for it and
// packets are made in the kernel, or else a thread.
func (p *Player) begin(c Config) error {
	k, is := p.out.(*kernel)
	if !is || len(c.Pacer) == 0 {
		return p.beginHere()
	}
	child := exec.Command(c.Pacer[0], c.Pacer[1:]...)
	if err := p.pacing.start(child, k); err != nil {
		c.lost(err)
		return p.beginHere()
	}
	p.pacing.apart.Store(true)
	go func() {
		err := child.Wait()
		p.pacing.apart.Store(false)
		if p.isClosed() {
			close(p.pacing.ended)
			return
		}
		c.lost(fmt.Errorf("it ended: %w", err))
		if err := p.beginHere(); err != nil {
			c.lost(err)
			close(p.pacing.ended)
		}
	}()
	return nil
}

func (c Config) lost(err error) {
	if c.Lost != nil {
		c.Lost(fmt.Errorf("prompts are paced by a thread and not by a process of their own: %w", err))
	}
}

// beginHere starts the pacer on a thread of its own: it is where the plane is, and is
// woken on time.
func (p *Player) beginHere() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := p.plane.Enter()
		if err == nil {
			err = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0)
		}
		p.pacing.first.Store(goFirst(unix.SCHED_FLAG_RESET_ON_FORK) == nil)
		started <- err
		if err == nil {
			defer close(p.pacing.ended)
			// What it cannot send at one time it may at the next.
			for p.pacerHere().run() != nil && !p.isClosed() {
				runtime.Gosched()
			}
		}
	}()
	return <-started
}

func (p *Player) pacerHere() *pacer {
	m := p.out.memory()
	return &pacer{pace: m.pace, slots: m.slots, send: p.out.send, bell: p.pacing.bell, news: p.pacing.news, done: tickAt(m.pace, monotonic())}
}

// start starts a process where the plane is, which goes before all else in any of its
// threads. A real-time policy does for a process that does nothing but pace: in one
// whose garbage collector has work, the collector's thread that lost its CPU to the
// pacer's keeps all others waiting.
func (p *pacing) start(child *exec.Cmd, k *kernel) error {
	for _, fd := range []int{k.objects.Play.FD(), k.objects.Paces.FD(), k.objects.Slots.FD(), p.bell.fd, p.news.fd} {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("hand on a file: %w", err)
		}
		file := os.NewFile(uintptr(dup), "pacer's")
		defer file.Close()
		child.ExtraFiles = append(child.ExtraFiles, file)
	}
	child.Stdin, child.Stderr = p.listened, os.Stderr
	child.Env = append(os.Environ(), "GOMAXPROCS=1")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it ends with this process, not by a signal to both
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := k.plane.Enter()
		if err == nil {
			p.first.Store(goBeforeAll() == nil || goFirst(0) == nil)
			err = child.Start()
			p.process = child.Process
		}
		started <- err
	}()
	return <-started
}

// goBeforeAll gives the thread, and what it starts, a real-time policy. It takes
// CAP_SYS_NICE, or RLIMIT_RTPRIO.
func goBeforeAll() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
}

// goFirst has the thread run before all that is in no such hurry: it works for a
// moment each millisecond, and says so by its slice, which the kernel takes from
// Linux 6.12 on. It takes CAP_SYS_NICE, or RLIMIT_NICE.
func goFirst(flags uint64) error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: foremost, Runtime: uint64(slice), Flags: flags,
	}, 0)
}

// Pace is the work of the process that Config.Pacer starts: it has prompts sent on
// time until the process that started it closes its player, or ends.
func Pace() error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // who started it ends it
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0); err != nil {
		return fmt.Errorf("pace prompts: %w", err)
	}
	pace, err := mapped(paceFile, int(unsafe.Sizeof(playerPace{})))
	if err != nil {
		return fmt.Errorf("pace prompts: %w", err)
	}
	slots, err := mapped(slotsFile, int(playerSlotLayoutSLOTS)*int(unsafe.Sizeof(playerSlot{})))
	if err != nil {
		return fmt.Errorf("pace prompts: %w", err)
	}
	shared := &valuesOf[playerPace](pace)[0]
	r := newRunner(programFile, shared, unix.RawSyscall6)
	p := &pacer{
		pace: shared, slots: valuesOf[playerSlot](slots), send: r.send,
		bell: &bell{fd: bellFile, enter: unix.RawSyscall6}, news: &bell{fd: newsFile}, done: tickAt(shared, monotonic()),
	}
	return p.run()
}

// where tells who paces, for the log.
func (p *pacing) where() string {
	if p.apart.Load() {
		return "process"
	}
	return "thread"
}
