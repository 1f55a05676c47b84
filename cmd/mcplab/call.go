package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/caller"
	"mcp/cmd/mcplab/engine"
	"mcp/control/sip"
)

// callFlags are the flags of mcplab call.
type callFlags struct {
	caller.Load
	to, from, local, voice, script, wav string
	udp                                 bool
	quiet, timeout                      time.Duration
	logs                                logFlags
}

func callCommand() *cobra.Command {
	var flags callFlags
	cmd := &cobra.Command{
		Use:   "call",
		Short: "Call the platform and follow a script",
		Long: `Place a call over SIP, follow a script, and print a summary in JSON: what was
said and heard and when, and whether the RTP that arrived was one whole stream.
It exits with an error when the script could not be followed or the stream was
not whole. With --calls above one it places many and sums them up.

Steps of a script, separated by semicolons:
  listen [SILENCE]  until the far end has spoken and then been silent
  hear              until the far end has begun to speak
  say TEXT          aloud, with a voice of flite's
  dtmf KEYS         as RFC 4733 events
  wait DURATION
  await             until the far end hangs up
  hangup`,
		Example: `  mcplab call --to 'sip:demo@127.0.0.1:5070' --script 'listen; hangup'
  mcplab call --to 'sip:demo@10.0.1.2:5070' --script 'listen; say sales; listen; dtmf 1234; await' --wav call.wav
  mcplab call --to 'sip:demo@127.0.0.1:5070' --calls 500 --concurrency 50 --script 'wait 2s; hangup'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := flags.logs.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return flags.run(cmd.Context(), cmd.OutOrStdout(), log)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.to, "to", "sip:demo@127.0.0.1:5070", "whom to call")
	f.StringVar(&flags.from, "from", "", "who calls, a SIP URI")
	f.StringVar(&flags.local, "local", "", "own address (default: the one that routes to the far end)")
	f.BoolVar(&flags.udp, "udp", false, "signal over UDP instead of TCP")
	f.StringVar(&flags.script, "script", "listen; hangup", "what to do")
	f.StringVar(&flags.voice, "voice", "slt", "voice: slt, rms, awb, kal or kal16")
	f.StringVar(&flags.wav, "wav", "", "record the call here in stereo: left what was said, right what was heard")
	f.DurationVar(&flags.quiet, "quiet", time.Second, "silence by which the far end has finished speaking")
	f.DurationVar(&flags.timeout, "timeout", 2*time.Minute, "longest time for everything")
	f.IntVar(&flags.Calls, "calls", 1, "how many calls")
	f.IntVar(&flags.Concurrency, "concurrency", 1, "calls at once")
	flags.logs.register(cmd)
	return cmd
}

func (f *callFlags) run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	script, err := caller.ParseScript(f.script)
	if err != nil {
		return err
	}
	voice := &lazyVoice{name: f.voice}
	defer voice.close()
	config := caller.Config{To: f.to, From: f.from, Transport: "tcp", Quiet: f.quiet, Voice: voice.say}
	if f.udp {
		config.Transport = "udp"
	}
	if f.Calls == 1 {
		config.Tell = func(what, detail string) { log.Info(what, "detail", detail) }
	}
	host := netip.IPv4Unspecified()
	if f.local != "" {
		if host, err = netip.ParseAddr(f.local); err != nil {
			return fmt.Errorf("--local: %w", err)
		}
		config.Local = host
	}
	agent, err := sip.New(sip.Config{
		Listen: []string{config.Transport + ":" + netip.AddrPortFrom(host, 0).String()}, UserAgent: "mcplab-call",
	}, log)
	if err != nil {
		return err
	}
	return withAgent(ctx, agent, func() error {
		return f.place(ctx, caller.NewPhone(agent, config), script, out)
	})
}

// withAgent serves the agent while f runs.
func withAgent(ctx context.Context, agent *sip.Agent, f func() error) error {
	// The agent outlives the context: calls under way still have to hang up.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- agent.Serve(serving, sip.Nobody{}) }()
	err := f()
	stop()
	return errors.Join(err, <-served)
}

func (f *callFlags) place(ctx context.Context, phone *caller.Phone, script []caller.Step, out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	if f.Calls > 1 {
		result := f.Run(ctx, phone, script)
		if err := encoder.Encode(result); err != nil {
			return err
		}
		if result.Failed > 0 {
			return fmt.Errorf("%d of %d calls failed", result.Failed, result.Calls)
		}
		return nil
	}
	summary, err := phone.Call(ctx, script)
	if summary == nil {
		return err
	}
	if f.wav != "" {
		err = errors.Join(err, summary.Audio.Write(f.wav))
	}
	if err := errors.Join(err, encoder.Encode(summary)); err != nil {
		return err
	}
	if len(summary.Faults) > 0 {
		return fmt.Errorf("the stream was not whole: %v", summary.Faults)
	}
	return nil
}

// lazyVoice starts an engine when first something is to be said, since scripts
// that say nothing need none, and says the same thing only once.
type lazyVoice struct {
	name string

	mu     sync.Mutex
	engine *engine.Engine
	said   map[string][]int16
}

func (v *lazyVoice) say(ctx context.Context, text string) ([]int16, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if audio, ok := v.said[text]; ok {
		return audio, nil
	}
	if v.engine == nil {
		engine, err := engine.New(engine.Config{})
		if err != nil {
			return nil, err
		}
		v.engine, v.said = engine, map[string][]int16{}
	}
	audio, err := v.engine.Say(ctx, v.name, text)
	if err == nil {
		v.said[text] = audio
	}
	return audio, err
}

func (v *lazyVoice) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.engine != nil {
		// What is left is a folder in the system's temporary one.
		_ = v.engine.Close()
	}
}
