package main

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp/cmd/mcplab/speechserver"
)

// speechHelp is what the server can do, and how to use it.
const speechHelp = `Run a speech server until interrupted: MRCPv2 (RFC 6787) over SIP and TCP, MRCPv1
(RFC 4463) over RTSP, both over TLS with --certificate. flite speaks English,
espeak-ng other languages; pocketsphinx recognizes American English against SRGS
grammars in XML, inline, by URI, or builtin:grammar/boolean and /digits. Tags of
semantics/1.0-literals and simple assignments of semantics/1.0 are evaluated. Marks,
N-best lists, hot words, INTERPRET, GET-RESULT and the recorder work; lexicons and
enrolment are refused (401).

Its confidences are ranks, not probabilities: 0.9 and 0.6 for words that win
against any other sequence of sounds, strictly or leniently judged, and 0.3 for
words that are only the nearest the grammar has.

A platform uses it with

  speech: {mrcp: {uri: "sip:mresources@10.0.2.2:5060;transport=tcp"}}   # MRCPv2
  speech: {mrcp: {uri: "rtsp://10.0.2.2:1554"}}                         # MRCPv1

and any other MRCP client with any user part, and with /media/speechsynthesizer,
/media/speechrecognizer and /media/recorder under the RTSP URL. OPTIONS is
answered with 503 when it takes no sessions.

To see how a client bears it, the server does wrong what it is told to, by --fault
or, with --control, over HTTP while it runs. A fault is "refuse" (no more sessions),
or METHOD= and one of silent, drop, hang, slow:3s, status:407, cause:6.`

func speechCommand() *cobra.Command {
	var config speechserver.Config
	var addr string
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "speech",
		Short: "Run an MRCPv2 and MRCPv1 speech server over flite, espeak-ng and pocketsphinx",
		Long:  speechHelp,
		Example: `  mcplab speech
  mcplab speech --addr 10.0.2.2 --rtsp-port 4900
  mcplab speech --addr 10.0.2.2 --listen tcp:10.0.2.2:5070 --voice slt
  mcplab speech --certificate server.pem --key server.key
  mcplab speech --fault RECOGNIZE=slow:3s --fault SPEAK=cause:4
  mcplab speech --control 127.0.0.1:8099 &
    curl -X PUT 'http://127.0.0.1:8099/faults?fault=SPEAK=silent'
    curl -X DELETE http://127.0.0.1:8099/faults`,
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
			log.Info("ready", "sip", server.Addrs(), "rtsp", server.URI(), "control", server.Control())
			return server.Serve(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&addr, "addr", "127.0.0.1", "address of SIP, MRCP and RTP")
	flags.StringArrayVar(&config.Listen, "listen", nil, "SIP socket such as tcp:10.0.0.2:5060; may be repeated (default tcp and udp, port 5060)")
	flags.StringVar(&config.Engine.Voice, "voice", "rms", "voice for English: rms, slt, awb, kal or kal16")
	flags.IntVar(&config.Engine.Jobs, "jobs", 0, "engine processes at once (default one a CPU)")
	flags.IntVar(&config.MaxSessions, "max-sessions", 0, "sessions at once, more are refused; 0: no limit")
	speechFlags(flags, &config)
	logs.register(cmd)
	return cmd
}

// speechFlags are those of MRCP and of what to do wrong.
func speechFlags(flags *pflag.FlagSet, config *speechserver.Config) {
	flags.Uint16Var(&config.MRCPPort, "mrcp-port", 0, "TCP port of MRCPv2 (default a free one, told in SIP)")
	flags.Uint16Var(&config.RTSPPort, "rtsp-port", 1554, "TCP port of RTSP")
	flags.StringVar(&config.Certificate, "certificate", "", "certificate (PEM) that has MRCPv2 and RTSP go over TLS")
	flags.StringVar(&config.Key, "key", "", "its key (PEM)")
	flags.StringArrayVar(&config.Faults, "fault", nil, "what to do wrong, such as SPEAK=silent; may be repeated")
	flags.StringVar(&config.Control, "control", "", "address where faults can be asked for over HTTP (default nowhere)")
	flags.StringVar(&config.Recordings, "recordings", "", "folder of what is recorded (default the system's for temporary files)")
}
