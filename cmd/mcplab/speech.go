package main

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/speechserver"
)

func speechCommand() *cobra.Command {
	var config speechserver.Config
	var addr string
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "speech",
		Short: "Run an MRCPv2 speech server over flite, espeak-ng and pocketsphinx",
		Long: `Run an MRCPv2 speech server (RFC 6787) until interrupted. flite speaks English,
espeak-ng other languages; pocketsphinx recognizes American English against SRGS
grammars in XML, inline, by URI, or builtin:grammar/boolean and /digits. Tags of
semantics/1.0-literals and simple assignments of semantics/1.0 are evaluated.

Its confidences are ranks, not probabilities: 0.9 and 0.6 for words that win
against any other sequence of sounds, strictly or leniently judged, and 0.3 for
words that are only the nearest the grammar has.`,
		Example: `  mcplab speech
  mcplab speech --addr 10.0.2.2
  mcplab speech --addr 10.0.2.2 --listen tcp:10.0.2.2:5070 --voice slt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if config.Addr, err = netip.ParseAddr(addr); err != nil {
				return fmt.Errorf("--addr: %w", err)
			}
			log, err := logs.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			server, err := speechserver.New(config, log)
			if err != nil {
				return err
			}
			log.Info("ready", "sip", server.Addrs())
			return server.Serve(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&addr, "addr", "127.0.0.1", "address of SIP, MRCP and RTP")
	flags.StringArrayVar(&config.Listen, "listen", nil, "SIP socket such as tcp:10.0.0.2:5060; may be repeated (default tcp and udp, port 5060)")
	flags.StringVar(&config.Engine.Voice, "voice", "rms", "voice for English: rms, slt, awb, kal or kal16")
	flags.IntVar(&config.Engine.Jobs, "jobs", 0, "engine processes at once (default one a CPU)")
	flags.IntVar(&config.MaxSessions, "max-sessions", 0, "sessions at once, more are refused; 0: no limit")
	logs.register(cmd)
	return cmd
}
