package demo

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

// entry is a line of a structured log.
type entry map[string]any

func (e entry) msg() string { return e.text("msg") }

// text is a field's value as text; empty when there is none.
func (e entry) text(field string) string {
	if e[field] == nil {
		return ""
	}
	return fmt.Sprint(e[field])
}

func (e entry) number(field string) float64 {
	n, _ := e[field].(float64)
	return n
}

// program is something to be started in a namespace. Its log, in JSON, is heard
// line by line and kept in a file.
type program struct {
	name, namespace string
	path            string
	args            []string
	hear            func(entry)
}

// process is a running program.
type process struct {
	name    string
	cmd     *exec.Cmd
	output  *bytes.Buffer
	isReady chan struct{} // closed when the log says ready
	ended   chan struct{} // closed when the program is gone and its log was heard
	err     error         // after ended
	log     string
}

// start starts a program. It stays in this process's session but in a process
// group of its own, so that an interrupt from the keyboard reaches only us and
// everything is ended in order.
func (d *demo) start(p program) (*process, error) {
	log, err := os.Create(d.path(p.name + ".log"))
	if err != nil {
		return nil, err
	}
	cmd := d.lab.Command(context.Background(), p.namespace, p.path, p.args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run := &process{name: p.name, cmd: cmd, output: &bytes.Buffer{}, isReady: make(chan struct{}), ended: make(chan struct{}), log: log.Name()}
	cmd.Stdout = run.output
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.name, err), log.Close())
	}
	go func() {
		defer close(run.ended)
		run.listen(io.TeeReader(stderr, log), p.hear)
		run.err = errors.Join(cmd.Wait(), log.Close())
	}()
	return run, nil
}

// listen reads the log until the program closes it.
func (p *process) listen(log io.Reader, hear func(entry)) {
	var once sync.Once
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadBytes('\n')
		var e entry
		if json.Unmarshal(line, &e) == nil {
			if e.msg() == "ready" {
				once.Do(func() { close(p.isReady) })
			}
			hear(e)
		}
		if err != nil {
			return
		}
	}
}

// ready waits until the program says that it is.
func (p *process) ready(ctx context.Context) error {
	select {
	case <-p.isReady:
		return nil
	case <-p.ended:
		return fmt.Errorf("%s ended before it was ready: %v\n%s", p.name, p.err, p.tail())
	case <-ctx.Done():
		return fmt.Errorf("%s is not ready: %w\n%s", p.name, ctx.Err(), p.tail())
	}
}

// wait waits until the program ends by itself.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", p.name, ctx.Err())
	}
}

// stop asks the program to end, and makes it after a while. It is idempotent.
func (p *process) stop() error {
	if err := p.abandon(); err != nil {
		return err
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, p.err, p.tail())
	}
	return nil
}

// abandon is stop for a program whose work may be unfinished, and which then
// says so by its exit status.
func (p *process) abandon() error {
	// A program that has ended by itself cannot be signalled, and need not be.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-p.ended:
		return nil
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end within %v of being asked to and was killed\n%s", p.name, stopTime, p.tail())
	}
}

// printed is what a program that has ended wrote to its standard output.
func (p *process) printed() string {
	<-p.ended
	return p.output.String()
}

// tail is the end of the program's log.
func (p *process) tail() string {
	const most = 2000
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(log) > most {
		log = log[len(log)-most:]
	}
	return string(log)
}
