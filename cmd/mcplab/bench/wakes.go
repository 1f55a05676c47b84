package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wakeMost is how late a wake-up may be and still be told apart.
const wakeMost = 10 * time.Second

// wakePriority is of what does nothing but wake, above what sends prompts.
const wakePriority = 2

// Wakes is how evenly this machine wakes what goes before all else, once a
// millisecond: the least jitter that anything that is sent on time can have on it,
// with whatever else runs beside it. A stretch of 20 of them is compared with 20 ms.
type Wakes struct {
	One    time.Duration // on one CPU, of 99 in 100
	Either time.Duration // on whichever of two CPUs is first
}

// MeasureWakes measures for a while, on a thread for each of the first two CPUs. Nothing
// should run beside it in the process.
func MeasureWakes(d time.Duration) (Wakes, error) {
	n := int(d / time.Millisecond)
	begin := monotonic() + int64(10*time.Millisecond)
	late, ended := make([][]int64, min(runtime.NumCPU(), 2)), make(chan error)
	for cpu := range late {
		late[cpu] = make([]int64, n)
		go func() { ended <- wake(cpu, begin, late[cpu]) }()
	}
	for range late {
		if err := <-ended; err != nil {
			return Wakes{}, fmt.Errorf("measure wake-ups: %w", err)
		}
	}
	one := late[0]
	either := slices.Clone(one)
	for _, others := range late[1:] {
		for i, l := range others {
			either[i] = min(either[i], l)
		}
	}
	return Wakes{One: uneven(one), Either: uneven(either)}, nil
}

// wake notes how late, in ns, each millisecond is woken for.
func wake(cpu int, begin int64, late []int64) error {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	var on unix.CPUSet
	on.Set(cpu)
	err := unix.SchedSetaffinity(0, &on)
	if err == nil {
		err = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: wakePriority}, 0)
	}
	if err != nil {
		return err
	}
	for i := range late {
		at := begin + int64(i)*int64(time.Millisecond)
		until := unix.NsecToTimespec(at)
		// A raw call: the runtime does not keep the thread from coming back.
		_, _, _ = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&until)), 0, 0, 0)
		late[i] = min(max(monotonic()-at, 0), int64(wakeMost))
	}
	return nil
}

func monotonic() int64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0 // it cannot fail: the clock is there
	}
	return now.Nano()
}

// uneven is how far from a packet's time 99 in 100 of the stretches of one are.
func uneven(late []int64) time.Duration {
	const stretch = int(ptime / time.Millisecond)
	var off []int64
	for i := stretch; i < len(late); i++ {
		off = append(off, max(late[i]-late[i-stretch], late[i-stretch]-late[i]))
	}
	if len(off) == 0 {
		return 0
	}
	slices.Sort(off)
	return time.Duration(off[(len(off)-1)*99/100])
}

// WakesCommand is how this program is called to print Wakes, in JSON.
const WakesCommand = "wakes"

// startWakes has a program measure for a while. What it returns awaits what was found.
func startWakes(program string, d time.Duration) (func() (Wakes, error), error) {
	cmd := exec.Command(program, "bench", WakesCommand, "--for", d.String())
	cmd.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS=3", "GODEBUG=asyncpreemptoff=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", WakesCommand, err)
	}
	return func() (w Wakes, err error) {
		failed := json.NewDecoder(out).Decode(&w)
		if err := cmd.Wait(); err != nil {
			return w, fmt.Errorf("%s: %w", WakesCommand, err)
		}
		return w, failed
	}, nil
}

// wakes measures for a while beside the calls; nothing where there is no program for it.
func (a arrivals) wakes(ctx context.Context) ([]Result, error) {
	if a.lab == "" {
		return nil, pause(ctx, a.listen)
	}
	await, err := startWakes(a.lab, a.listen)
	if err != nil {
		return nil, err
	}
	found, err := await()
	return []Result{
		{Name: arrivalsPlayer + ".wakes_one_cpu_p99_ms", Unit: "ms", Value: inMS(found.One)},
		{Name: arrivalsPlayer + ".wakes_either_cpu_p99_ms", Unit: "ms", Value: inMS(found.Either)},
	}, err
}
