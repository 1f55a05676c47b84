package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/engine"
	"mcp/cmd/mcplab/transcribe"
	"mcp/speech/google/googletest"
	"mcp/speech/nexus/nexustest"
)

// vocabulary is what is heard where nobody says what to expect.
func vocabulary() []string {
	return []string{
		"yes", "no", "hello", "good bye", "help", "sales", "support", "billing", "agent", "operator", "stop",
		"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
	}
}

// standIn is a stand-in over the engines.
type standIn struct {
	engines engine.Config
	phrases []string
	logs    logFlags
	start   func(*transcribe.Engine, *slog.Logger) (where string, stop func() error, err error)
}

// run serves until the command's context ends.
func (s *standIn) run(cmd *cobra.Command, _ []string) error {
	log, err := s.logs.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	tools, err := engine.New(s.engines)
	if err != nil {
		return err
	}
	where, stop, err := s.start(transcribe.New(tools, s.phrases, log), log)
	if err != nil {
		return errors.Join(err, tools.Close())
	}
	log.Info("ready", "at", where)
	<-cmd.Context().Done()
	return errors.Join(stop(), tools.Close())
}

// register adds the flags that all of them have.
func (s *standIn) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.engines.Voice, "voice", "rms", "voice for English: rms, slt, awb, kal or kal16")
	cmd.Flags().IntVar(&s.engines.Jobs, "jobs", 0, "engine processes at once (default one a CPU)")
	cmd.Flags().StringSliceVar(&s.phrases, "phrases", vocabulary(), "what is heard where nobody says what to expect")
	s.logs.register(cmd)
}

func googleCommand() *cobra.Command {
	var server googletest.Config
	s := standIn{start: func(e *transcribe.Engine, log *slog.Logger) (string, func() error, error) {
		s, err := googletest.NewServer(server, e, log)
		if err != nil {
			return "", nil, err
		}
		return s.Addr(), s.Close, nil
	}}
	cmd := &cobra.Command{
		Use:   "google",
		Short: "Stand in for Google Cloud's speech services, over flite, espeak-ng and pocketsphinx",
		Long: `Serve google.cloud.texttospeech.v1 and google.cloud.speech.v1 (streaming) over plain
gRPC until interrupted. A recognition hears any run of the phrases of its adaptation.`,
		Example: `  mcplab google
  mcplab google --listen 127.0.0.1:9443
  MCP_SPEECH_GOOGLE_ENABLED=true MCP_SPEECH_GOOGLE_INSECURE=true \
  MCP_SPEECH_GOOGLE_TTS_ENDPOINT=127.0.0.1:9443 MCP_SPEECH_GOOGLE_ASR_ENDPOINT=127.0.0.1:9443 mcp serve`,
		Args: cobra.NoArgs,
		RunE: s.run,
	}
	cmd.Flags().StringVar(&server.Listen, "listen", "127.0.0.1:9443", "address and port")
	s.register(cmd)
	return cmd
}

func botCommand() *cobra.Command {
	var server nexustest.Config
	s := standIn{start: func(e *transcribe.Engine, log *slog.Logger) (string, func() error, error) {
		s, err := nexustest.NewServer(server, e, log)
		if err != nil {
			return "", nil, err
		}
		return s.URL(), s.Close, nil
	}}
	cmd := &cobra.Command{
		Use:   "bot",
		Short: "Run a voice bot over the AudioHook and Audio Connector protocol",
		Long: `Serve a bot over plain WebSockets until interrupted. It repeats what it hears, any run
of its phrases or keys that # ends, and is done at "good bye" or "stop", when it gives
back the output variable outcome. What clients do against the protocol is logged. A client that
offers both sides of a conversation is listened to.`,
		Example: `  mcplab bot
  mcplab bot --listen 127.0.0.1:9080 --api-key k --secret c2VjcmV0 --phrases "a taxi,good bye"
  MCP_SPEECH_NEXUS_URL=ws://127.0.0.1:9080/bot mcp serve`,
		Args: cobra.NoArgs,
		RunE: s.run,
	}
	cmd.Flags().StringVar(&server.Listen, "listen", "127.0.0.1:9080", "address and port")
	cmd.Flags().StringVar(&server.APIKey, "api-key", "", "key that requests must have")
	cmd.Flags().StringVar(&server.Secret, "secret", "", "base64; what requests must be signed with")
	cmd.Flags().BoolVar(&server.L16, "l16", false, "choose 16-bit audio where it is offered")
	s.register(cmd)
	return cmd
}
