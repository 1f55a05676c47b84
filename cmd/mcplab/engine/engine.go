// Package engine is a speech engine made of Debian's: flite and espeak-ng
// speak, pocketsphinx listens. Each runs as a subprocess per utterance, so no
// engine state outlives what it was asked for and no C is linked. It stands in
// for a commercial speech server in demos and tests.
package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Rate is the sampling rate of all audio that goes in and out, in Hz.
const Rate = 8000

// ErrMissing says that a program or model the engine needs is not installed.
var ErrMissing = errors.New("speech tools missing (apt-get install flite espeak-ng pocketsphinx pocketsphinx-en-us)")

// Config says where the engines are and how much they may do at once.
type Config struct {
	// Model is the folder with pocketsphinx's American English model. Default
	// /usr/share/pocketsphinx/model/en-us.
	Model string
	// Jobs bounds how many engine processes run at once. Default: one a CPU.
	Jobs int
	// Voice speaks English where neither SSML nor the request names one: rms
	// (default), slt, awb, kal or kal16. The recognizer understands rms and awb
	// best, digits above all.
	Voice string
}

// Engine synthesizes and recognizes. Its methods may be called from any
// goroutine; beyond Config.Jobs they wait for their turn.
type Engine struct {
	config Config
	dir    string // scratch: the adapted model and the utterances in work
	jobs   chan struct{}

	mu       sync.Mutex
	grammars map[string]*compiled // by content
	closed   bool
}

// New checks that the engines are there and adapts a copy of the model.
func New(c Config) (*Engine, error) {
	if c.Model == "" {
		c.Model = "/usr/share/pocketsphinx/model/en-us"
	}
	if c.Jobs <= 0 {
		c.Jobs = runtime.NumCPU()
	}
	if c.Voice == "" {
		c.Voice = "rms"
	}
	if err := installed(c.Model); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mcplab-engine-")
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	if err := adaptModel(filepath.Join(c.Model, "en-us"), filepath.Join(dir, "model")); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("adapt model: %w", err)
	}
	return &Engine{config: c, dir: dir, jobs: make(chan struct{}, c.Jobs), grammars: map[string]*compiled{}}, nil
}

// installed returns ErrMissing with the first thing that is not there.
func installed(model string) error {
	for _, program := range []string{"flite", "espeak-ng", "pocketsphinx_continuous"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: %s", ErrMissing, program)
		}
	}
	if _, err := os.Stat(filepath.Join(model, "en-us", "feat.params")); err != nil {
		return fmt.Errorf("%w: %v", ErrMissing, err)
	}
	return nil
}

// Close removes what the engine keeps on disk. Work still under way fails.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	return os.RemoveAll(e.dir)
}

// acquire waits for a turn to run a process; release gives it back.
func (e *Engine) acquire(ctx context.Context) error {
	select {
	case e.jobs <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Engine) release() { <-e.jobs }

// run runs an engine's program and returns its standard output.
func (e *Engine) run(ctx context.Context, stdin string, program string, args ...string) ([]byte, error) {
	if err := e.acquire(ctx); err != nil {
		return nil, err
	}
	defer e.release()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", program, err, lastLine(problems.String()))
	}
	return out.Bytes(), nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
