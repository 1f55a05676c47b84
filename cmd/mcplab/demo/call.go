package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/go-audio/wav"

	"mcp/cmd/mcplab/caller"
	"mcp/cmd/mcplab/netlab"
	"mcp/control/reporting"
	"mcp/control/reporting/journal"
)

// call has the caller call, and reads what it tells.
func (d *demo) call(ctx context.Context) error {
	script := fmt.Sprintf("listen; say %s; listen; dtmf %s; await", d.options.Answer, d.options.Digits)
	summary, err := d.place(ctx, "--script", script, "--voice", d.options.Voice, "--quiet", "1200ms", "--wav", d.path(recording))
	if err != nil {
		return err
	}
	d.facts.call = &caller.Summary{}
	if err := json.Unmarshal(summary, d.facts.call); err != nil {
		return fmt.Errorf("read the caller's summary: %w", err)
	}
	d.facts.heard, err = readHeard(d.path(recording))
	return err
}

// place runs a caller to its end and returns what it prints.
func (d *demo) place(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	p, err := d.start(program{name: "caller", namespace: d.lab.SBC, path: d.options.Lab, hear: d.fromCaller, args: append([]string{
		"call", "--to", fmt.Sprintf("sip:demo@%s:%d", netlab.MCPToSBC, sipPort), "--local", netlab.SBCAddr.String(),
		"--from", "sip:caller@" + netlab.SBCAddr.String(), "--timeout", callTime.String(), "--log-format", "json",
	}, args...)})
	if err != nil {
		return nil, err
	}
	if err := p.Wait(ctx); err != nil {
		err = errors.Join(err, p.Abandon())
		return nil, fmt.Errorf("the call failed: %w\n%s%s", err, p.Tail(), p.Printed())
	}
	return []byte(p.Printed()), nil
}

// readHeard reads the right channel of the recording: what a person would hear
// is what is checked.
func readHeard(path string) ([]int16, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	buffer, err := wav.NewDecoder(file).FullPCMBuffer()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	heard := make([]int16, len(buffer.Data)/2)
	for i := range heard {
		heard[i] = int16(buffer.Data[2*i+1])
	}
	return heard, nil
}

// settle waits for the call's record and looks at what is left in the kernel.
func (d *demo) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for d.facts.record == nil {
		if err := d.readRecord(); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("no record of the call: %w", ctx.Err())
		}
	}
	return d.countLegs(ctx)
}

func (d *demo) readRecord() error {
	d.facts.records = 0
	for stored, err := range reporting.Read(d.facts.journal, journal.Position{}) {
		if err != nil {
			return fmt.Errorf("read call records: %w", err)
		}
		if stored.Kind != reporting.KindCall {
			continue
		}
		d.facts.records++
		d.facts.record, d.facts.json = stored.Record, bytes.Clone(stored.JSON)
	}
	return nil
}

// countLegs asks the platform's own tool what the kernel still holds.
func (d *demo) countLegs(ctx context.Context) error {
	if !d.inKernel() {
		return nil
	}
	out, err := exec.CommandContext(ctx, d.options.Platform, "plane", "status", "--json", "--pins", d.pins).Output()
	if err != nil {
		return fmt.Errorf("plane status: %w: %s", err, out)
	}
	var status struct{ Legs int }
	if err := json.Unmarshal(out, &status); err != nil {
		return fmt.Errorf("plane status: %w", err)
	}
	d.facts.legs = status.Legs
	return nil
}

func (d *demo) inKernel() bool {
	d.facts.mu.Lock()
	defer d.facts.mu.Unlock()
	return d.facts.plane != "" && d.facts.plane != "socket"
}

// unload removes the pins that the platform leaves for its successor.
func (d *demo) unload() error {
	if _, err := os.Stat(d.pins); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, d.options.Platform, "plane", "unload", "--pins", d.pins).CombinedOutput()
	if err != nil {
		return fmt.Errorf("unload the plane: %w: %s", err, out)
	}
	return nil
}

// legsDump is the kernel's legs in mid-call.
const legsDump = "legs.txt"

// dumpOnce keeps what an operator would see of the legs during the call.
func (d *demo) dumpOnce() {
	if d.facts.dumped || !d.inKernel() {
		return
	}
	d.facts.dumped = true
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, d.options.Platform, "legs", "--wide", "--pins", d.pins).CombinedOutput()
	if err == nil {
		err = os.WriteFile(d.path(legsDump), out, 0o644)
	}
	if err != nil {
		d.facts.note(func() {
			d.facts.problems = append(d.facts.problems, fmt.Sprintf("mcp legs: %v: %s", err, out))
		})
		return
	}
	d.timeline.tell("demo", "mcp legs --pins %s > %s", d.pins, d.path(legsDump))
}
