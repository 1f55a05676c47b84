package player

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mcp/bpf/ktime"
)

const (
	// slack is how much later than asked for the kernel may wake the pacer.
	slack = 5 * time.Microsecond
	// foremost is the nice value of what goes before all else, and slice for how long
	// it then works without being asked to let others.
	foremost, slice = -20, 200 * time.Microsecond
	// mostPacers is how many pacers a process has, if there are as many CPUs.
	mostPacers = 2
	// mostDeaths is how often a process may end each time within steady, until a thread
	// goes on in its place.
	mostDeaths, steady = 3, time.Minute
	// mostWords is how much of what a process says is kept: a reason, or the beginning of
	// a panic.
	mostWords = 4096
	// Between attempts of a thread that cannot send.
	shortestPause, longestPause = 10 * time.Millisecond, 10 * time.Second
)

var errEndedEarly = errors.New("exit status 0")

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
	process    atomic.Pointer[os.Process]
	precedence atomic.Value // a Precedence
	apart      atomic.Bool
	ended      chan struct{}
}

func newPacing() (*pacing, error) {
	p := &pacing{ended: make(chan struct{})}
	p.precedence.Store(Usual)
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
		return p.beginHere(c)
	}
	child, err := p.pacing.start(c.Pacer, k)
	if err != nil {
		c.lost("prompts are paced by a thread and not by a process of their own", err)
		return p.beginHere(c)
	}
	go p.keep(child, k, c)
	return nil
}

// keep starts the process anew when it ends, until Close. In the place of one that
// ends often a thread goes on, for good.
func (p *Player) keep(child *exec.Cmd, k *kernel, c Config) {
	for deaths := 1; ; deaths++ {
		began := time.Now()
		err := endOf(child)
		p.pacing.apart.Store(false)
		if p.isClosed() {
			close(p.pacing.ended)
			return
		}
		if time.Since(began) > steady {
			deaths = 1
		}
		if deaths < mostDeaths {
			next, failed := p.pacing.start(c.Pacer, k)
			if failed == nil {
				c.lost("the process that paces prompts was started anew, because it ended", err)
				child = next
				continue
			}
			err = errors.Join(err, failed)
		}
		c.lost("prompts are paced by a thread, because the process for it ends", err)
		if err := p.beginHere(c); err != nil {
			c.lost("prompts are not sent", err)
			close(p.pacing.ended)
		}
		return
	}
}

// endOf waits for the end of a process and tells why it ended, in its own words.
func endOf(child *exec.Cmd) error {
	err := child.Wait()
	if err == nil {
		err = errEndedEarly
	}
	if said := strings.TrimSpace(child.Stderr.(*words).String()); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// words are the first of what a process says, as much as goes into a line of the log.
type words struct{ strings.Builder }

func (w *words) Write(b []byte) (int, error) {
	w.Builder.Write(b[:min(len(b), mostWords-w.Len())])
	return len(b), nil
}

func (c Config) lost(what string, err error) {
	if c.Lost != nil {
		c.Lost(fmt.Errorf("%s: %w", what, err))
	}
}

// beginHere starts the pacer on a thread of its own: it is where the plane is, and is
// woken on time.
func (p *Player) beginHere(c Config) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := p.plane.Enter()
		if err == nil {
			err = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0)
		}
		if goFirst(unix.SCHED_FLAG_RESET_ON_FORK) == nil {
			p.pacing.precedence.Store(First)
		}
		started <- err
		if err == nil {
			defer close(p.pacing.ended)
			insist(func() error { return p.pacerHere().run() }, p.pacing.bell.pause, func(err error) { c.lost("prompts are not sent", err) })
		}
	}()
	return <-started
}

// insist runs what has prompts sent until it ends without an error, or until a pause
// is cut short: what is not possible at one time may be at the next. It tells of the
// first error, and of one after it went well for a while.
func insist(run func() error, pause func(time.Duration) bool, tell func(error)) {
	for wait := shortestPause; ; wait = min(2*wait, longestPause) {
		began := time.Now()
		err := run()
		if err == nil {
			return
		}
		if time.Since(began) > longestPause {
			wait = shortestPause
		}
		if wait == shortestPause {
			tell(err)
		}
		if !pause(wait) {
			return
		}
	}
}

func (p *Player) pacerHere() *pacer {
	m := p.out.memory()
	return &pacer{pace: m.pace, clock: p.plane.Clock(), slots: m.slots, send: p.out.send, bell: p.pacing.bell, news: p.pacing.news, share: share}
}

// start starts a process where the plane is, which goes before all else in any of its
// threads. A real-time policy does for a process that does nothing but pace: in one
// whose garbage collector has work, the collector's thread that lost its CPU to the
// pacer's keeps all others waiting.
func (p *pacing) start(command []string, k *kernel) (*exec.Cmd, error) {
	child := exec.Command(command[0], command[1:]...)
	for _, fd := range []int{k.objects.Play.FD(), k.objects.Paces.FD(), k.objects.Slots.FD(), p.bell.fd, p.news.fd} {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("hand on a file: %w", err)
		}
		file := os.NewFile(uintptr(dup), "pacer's")
		defer file.Close()
		child.ExtraFiles = append(child.ExtraFiles, file)
	}
	child.Stdin, child.Stderr = p.listened, new(words)
	// Nothing in it is to interrupt it: it has a goroutine for each pacer, and makes no garbage.
	child.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", min(mostPacers, runtime.NumCPU())), "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it ends with this process, not by a signal to both
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := k.plane.Enter()
		if err == nil {
			p.precedence.Store(takePrecedence())
			err = child.Start()
			p.process.Store(child.Process)
			p.apart.Store(err == nil)
		}
		started <- err
	}()
	return child, <-started
}

// Precedence is whether what sends prompts goes before others.
type Precedence string

const (
	BeforeAll Precedence = "before all" // a real-time policy
	First     Precedence = "first"      // nice -20
	Usual     Precedence = "usual"      // the process may have neither
)

// takePrecedence has the thread, and what it starts, go before as many as it may.
func takePrecedence() Precedence {
	switch {
	case goBeforeAll() == nil:
		return BeforeAll
	case goFirst(0) == nil:
		return First
	default:
		return Usual
	}
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
// time until the process that started it closes its player, or ends. Where there are
// several CPUs two pacers work on two of them: when one CPU is kept busy, or is taken
// away by a hypervisor, the other does what is due.
func Pace() error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // who started it ends it
	err := closeInherited()
	var pacers []*pacer
	if err == nil {
		pacers, err = inheritedPacers()
	}
	if err != nil {
		return fmt.Errorf("pace prompts: %w", err)
	}
	ended := make(chan error)
	for n, p := range pacers {
		go func() { ended <- p.runOn(n, len(pacers)) }()
	}
	return <-ended
}

// inheritedPacers work on the memory that this process was handed.
func inheritedPacers() ([]*pacer, error) {
	pace, err := mapped(paceFile, int(unsafe.Sizeof(playerPace{})))
	if err != nil {
		return nil, err
	}
	slots, err := mapped(slotsFile, int(playerSlotLayoutSLOTS)*int(unsafe.Sizeof(playerSlot{})))
	if err != nil {
		return nil, err
	}
	shared := &valuesOf[playerPace](pace)[0]
	first := &pacer{
		pace: shared, clock: ktime.New(), slots: valuesOf[playerSlot](slots), send: newRunner(programFile, shared, unix.RawSyscall6).send,
		bell: &bell{fd: bellFile, enter: unix.RawSyscall6}, news: &bell{fd: newsFile}, share: share,
	}
	if min(runtime.GOMAXPROCS(0), runtime.NumCPU()) == 1 {
		return []*pacer{first}, nil
	}
	second := *first
	second.send = newRunner(programFile, shared, unix.RawSyscall6).send
	second.lag, second.share = reliefLag, reliefShare
	if second.bell, err = newBell(); err != nil {
		return nil, err
	}
	second.bell.enter, second.bell.life = unix.RawSyscall6, first.bell.life
	first.relief = second.bell
	return []*pacer{first, &second}, nil
}

// runOn runs one of several pacers on a thread of its own; the last has a CPU that no
// other uses. A pacer that is alone is on the only thread that runs goroutines, and stays
// there: the runtime interrupts who works for long, and while it had to come back to
// one thread another would be woken to hand over to it, each time.
func (p *pacer) runOn(n, of int) error {
	if of > 1 {
		runtime.LockOSThread()
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0); err != nil {
		return fmt.Errorf("pace prompts: %w", err)
	}
	if of > 1 {
		if err := keepApart(n == of-1); err != nil {
			return fmt.Errorf("pace prompts: %w", err)
		}
	}
	return p.run()
}

// keepApart keeps the thread on the last CPU that the process may use, or off it.
func keepApart(last bool) error {
	var may, on unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return err
	}
	for cpu, left := 0, may.Count(); left > 0; cpu++ {
		if !may.IsSet(cpu) {
			continue
		}
		if left--; (left == 0) == last {
			on.Set(cpu)
		}
	}
	return unix.SchedSetaffinity(0, &on)
}

// closeInherited closes the files that nobody meant to hand on. Those that this
// process opened itself are not for others and marked so.
func closeInherited() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= newsFile {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd) // it is closed even if that fails
		}
	}
	return nil
}
