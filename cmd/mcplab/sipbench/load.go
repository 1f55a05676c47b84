package sipbench

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"mcp/cmd/mcplab/netlab"
	"mcp/control/sip/backlog"
)

// server is a callee that runs.
type server struct {
	road *road
	dir  string
	cmd  *exec.Cmd
}

// start runs a callee on a core and waits until it answers.
func (c contender) start(ctx context.Context, r *road, core int) (*server, error) {
	dir, err := os.MkdirTemp("", "sipbench")
	if err != nil {
		return nil, err
	}
	s := &server{road: r, dir: dir}
	args, err := c.command(r, dir)
	if err != nil {
		return nil, err
	}
	s.cmd = r.command(ctx, r.lab.MCP, core, args)
	var log bytes.Buffer
	s.cmd.Stderr = &log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	for range 100 {
		if s.answers(ctx) {
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer: %s", args[0], log.String())
}

// answers asks for a sign of life.
func (s *server) answers(ctx context.Context) bool {
	conn, err := s.road.lab.Dial(ctx, s.road.lab.SBC, "udp", netip.MustParseAddrPort(callee()))
	if err != nil {
		return false
	}
	defer conn.Close()
	fmt.Fprintf(conn, "OPTIONS sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\n"+
		"Call-ID: %d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", callee(), conn.LocalAddr(), time.Now().UnixNano(), time.Now().UnixNano())
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	n, err := conn.Read(make([]byte, 2048))
	if n == 0 || err != nil {
		time.Sleep(100 * time.Millisecond)
	}
	return err == nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-done
	}
	_ = os.RemoveAll(s.dir)
}

// callers is what SIPp does.
type callers struct {
	rate, calls int
	hold        time.Duration
	core        int  // where it runs; -1: anywhere
	refused     bool // by a platform that is full
}

// length is for how long they place calls.
func (c callers) length() time.Duration {
	return time.Duration(c.calls) * time.Second / time.Duration(c.rate)
}

// load is what the callers saw.
type load struct {
	rate           int
	failed, resent int
	p50, p99       float64       // of the set-up, in milliseconds
	spent          time.Duration // of CPU time by SIPp
}

func (l load) clean() bool { return l.failed == 0 && l.resent == 0 }

// place runs SIPp until every call is over.
func (s *server) place(ctx context.Context, c callers) (load, error) {
	dir, err := os.MkdirTemp(s.dir, "callers")
	if err != nil {
		return load{}, err
	}
	file := filepath.Join(dir, "call.xml")
	script := scenario
	if c.refused {
		script = refusedScenario
	}
	if err := os.WriteFile(file, script, 0o600); err != nil {
		return load{}, err
	}
	cmd := s.road.command(ctx, s.road.lab.SBC, c.core, []string{
		"sipp", callee(), "-sf", file, "-i", netlab.SBCAddr.String(), "-t", "u1", "-nostdin", "-s", "ivr",
		"-key", "ear", hearing(), "-key", "port", fmt.Sprint(farPort),
		"-r", fmt.Sprint(c.rate), "-m", fmt.Sprint(c.calls), "-l", "30000", "-d", fmt.Sprint(c.hold.Milliseconds()),
		"-trace_stat", "-fd", "1", "-stf", "stat.csv", "-trace_rtt", "-rtt_freq", "1", "-timeout", "90s",
		"-buff_size", fmt.Sprint(backlog.Size), // what a caller loses says nothing of the callee
	})
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=dumb")
	err = cmd.Run() // a status other than 0 says that calls failed, which the statistics say better
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return load{}, fmt.Errorf("sipp: %w", err)
	}
	l, err := read(dir)
	l.rate = c.rate
	l.spent = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return l, err
}

// read takes the outcome from SIPp's files.
func read(dir string) (load, error) {
	rows, err := table(filepath.Join(dir, "stat.csv"))
	if err != nil || len(rows) < 2 {
		return load{}, fmt.Errorf("sipp's statistics: %w", errors.Join(err, errors.New("too short")))
	}
	last := rows[len(rows)-1]
	column := func(name string) int {
		i := slices.Index(rows[0], name)
		if i < 0 || i >= len(last) {
			return -1
		}
		n, _ := strconv.Atoi(last[i])
		return n
	}
	l := load{failed: column("FailedCall(C)"), resent: column("Retransmissions(C)")}
	if l.failed < 0 || l.resent < 0 {
		return l, errors.New("sipp's statistics lack a column")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*rtt.csv"))
	var times []float64
	for _, f := range files {
		rows, err := table(f)
		if err != nil {
			return l, err
		}
		for _, row := range rows {
			if len(row) < 2 {
				continue
			}
			if ms, err := strconv.ParseFloat(row[1], 64); err == nil {
				times = append(times, ms)
			}
		}
	}
	if len(times) > 0 {
		slices.Sort(times)
		l.p50, l.p99 = times[len(times)/2], times[len(times)*99/100]
	}
	return l, nil
}

func table(file string) ([][]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = ';', -1, true
	return r.ReadAll()
}
