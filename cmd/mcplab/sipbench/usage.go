package sipbench

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// spent is CPU time of a callee: of its first process, and of those that this one has
// started, such as the one that paces prompts.
type spent struct{ own, others time.Duration }

func (s spent) all() time.Duration { return s.own + s.others }

func (s spent) since(before spent) spent {
	return spent{s.own - before.own, s.others - before.others}
}

// cpu is what the callee has used so far.
func (s *server) cpu() (used spent) {
	for _, p := range s.processes() {
		if p.pid == s.cmd.Process.Pid {
			used.own += p.cpu
		} else {
			used.others += p.cpu
		}
	}
	return used
}

// process is one as /proc/PID/stat has it.
type process struct {
	pid, parent int
	cpu         time.Duration
}

// processes are the callee's, without the children of its children, which it has none of.
func (s *server) processes() (found []process) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it is gone
		}
		p := readStat(string(text))
		if p.pid == s.cmd.Process.Pid || p.parent == s.cmd.Process.Pid {
			found = append(found, p)
		}
	}
	return found
}

// readStat reads a line of proc_pid_stat(5); the name in it may have anything in it.
func readStat(line string) (p process) {
	const parent, user, system = 1, 11, 12 // after the name
	end := strings.LastIndex(line, ") ")
	if end < 0 {
		return p
	}
	p.pid, _ = strconv.Atoi(strings.TrimSpace(line[:strings.IndexByte(line, '(')]))
	fields := strings.Fields(line[end+2:])
	if len(fields) <= system {
		return process{}
	}
	p.parent, _ = strconv.Atoi(fields[parent])
	for _, i := range []int{user, system} {
		ticks, _ := strconv.Atoi(fields[i])
		p.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	return p
}

// memory is what a callee takes, in KiB: its processes, each its part of what they
// share, and its maps in the kernel, of which some are in the processes' memory too.
type memory struct{ processes, maps float64 }

func (s *server) memory() (m memory) {
	for _, p := range s.processes() {
		dir := fmt.Sprintf("/proc/%d", p.pid)
		m.processes += sumOf(filepath.Join(dir, "smaps_rollup"), "Pss:") // kB
		if p.pid != s.cmd.Process.Pid {
			continue // it has the same maps
		}
		descriptors, _ := filepath.Glob(filepath.Join(dir, "fdinfo", "*"))
		seen := map[float64]bool{}
		for _, d := range descriptors {
			if id := sumOf(d, "map_id:"); id > 0 && !seen[id] {
				seen[id] = true
				m.maps += sumOf(d, "memlock:") / 1024 // octets
			}
		}
	}
	return m
}

// sumOf adds up the numbers behind a name in a file of /proc.
func sumOf(file, name string) (sum float64) {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 1 && fields[0] == name {
			n, _ := strconv.ParseFloat(fields[1], 64)
			sum += n
		}
	}
	return sum
}
