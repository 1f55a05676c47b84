// Package process runs the laboratory's programs: each has a log that is heard as it
// is written and kept in a file, is waited for until it is ready, and is ended in order.
package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Entry is a line of a structured log.
type Entry map[string]any

// Msg is what happened.
func (e Entry) Msg() string { return e.Text("msg") }

// Text is a field's value as text; empty when there is none.
func (e Entry) Text(field string) string {
	if e[field] == nil {
		return ""
	}
	return fmt.Sprint(e[field])
}

// Number is a field's value; zero when it is no number.
func (e Entry) Number(field string) float64 {
	n, _ := e[field].(float64)
	return n
}

// Program is something to be run.
type Program struct {
	Name string
	Cmd  *exec.Cmd
	Log  string      // the file that what it writes to standard error goes to
	Hear func(Entry) // called for each line of the log that is JSON; nil: for none
}

// stopTime is how long a program may take to end once it is asked to.
const stopTime = 15 * time.Second

// Process is a running program.
type Process struct {
	Program
	output  *bytes.Buffer
	isReady chan struct{} // closed when the log says ready
	ended   chan struct{} // closed when the program is gone and its log was heard
	err     error         // after ended
}

// Start starts a program. It stays in this process's session but in a process
// group of its own, so that an interrupt from the keyboard reaches only us and
// everything is ended in order.
func Start(p Program) (*Process, error) {
	log, err := os.Create(p.Log)
	if err != nil {
		return nil, err
	}
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run := &Process{Program: p, output: &bytes.Buffer{}, isReady: make(chan struct{}), ended: make(chan struct{})}
	p.Cmd.Stdout = run.output
	stderr, err := p.Cmd.StderrPipe()
	if err == nil {
		err = p.Cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.Name, err), log.Close())
	}
	go func() {
		defer close(run.ended)
		run.listen(io.TeeReader(stderr, log))
		run.err = errors.Join(p.Cmd.Wait(), log.Close())
	}()
	return run, nil
}

// listen reads the log until the program closes it.
func (p *Process) listen(log io.Reader) {
	var once sync.Once
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadBytes('\n')
		var e Entry
		if json.Unmarshal(line, &e) == nil {
			if e.Msg() == "ready" {
				once.Do(func() { close(p.isReady) })
			}
			if p.Hear != nil {
				p.Hear(e)
			}
		}
		if err != nil {
			return
		}
	}
}

// Ready waits until the program says that it is.
func (p *Process) Ready(ctx context.Context) error {
	select {
	case <-p.isReady:
		return nil
	case <-p.ended:
		return fmt.Errorf("%s ended before it was ready: %v\n%s", p.Name, p.err, p.Tail())
	case <-ctx.Done():
		return fmt.Errorf("%s is not ready: %w\n%s", p.Name, ctx.Err(), p.Tail())
	}
}

// Wait waits until the program ends by itself.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", p.Name, ctx.Err())
	}
}

// Stop asks the program to end, and makes it after a while. It is idempotent.
func (p *Process) Stop() error {
	if err := p.Abandon(); err != nil {
		return err
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.Name, p.err, p.Tail())
	}
	return nil
}

// Abandon is Stop for a program whose work may be unfinished, and which then
// says so by its exit status.
func (p *Process) Abandon() error {
	// A program that has ended by itself cannot be signalled, and need not be.
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-p.ended:
		return nil
	case <-timer.C:
		_ = p.Cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end within %v of being asked to and was killed\n%s", p.Name, stopTime, p.Tail())
	}
}

// Printed is what a program that has ended wrote to its standard output.
func (p *Process) Printed() string {
	<-p.ended
	return p.output.String()
}

// Tail is the end of the program's log.
func (p *Process) Tail() string {
	const most = 2000
	log, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	if len(log) > most {
		log = log[len(log)-most:]
	}
	return string(log)
}
