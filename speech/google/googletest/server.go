// Package googletest stands in for Google Cloud's Text-to-Speech and Speech-to-Text:
// their generated gRPC interfaces with any engine behind them. It is what tests and
// demonstrations of package google talk to.
package googletest

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	asr "cloud.google.com/go/speech/apiv1/speechpb"
	tts "cloud.google.com/go/texttospeech/apiv1/texttospeechpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"mcp/speech/speechtest"
)

// Config is where and how the server listens.
type Config struct {
	Listen string      // HOST:PORT; 127.0.0.1:0
	TLS    *tls.Config // nil: plain
	// Pause is how long a silence ends an utterance; 800 ms.
	Pause time.Duration
	// Token, if set, is what a request's bearer token is checked with.
	Token func(token string) bool
}

// Server serves both services at one address.
type Server struct {
	config   Config
	engine   speechtest.Engine
	log      *slog.Logger
	grpc     *grpc.Server
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	faults Faults
	asked  []*tts.SynthesizeSpeechRequest
	heard  []*asr.StreamingRecognitionConfig
	open   int // streams
}

// Faults are what goes wrong on purpose.
type Faults struct {
	// Refuse answers this often with Code before anything works again; negative:
	// for ever.
	Refuse int
	Code   codes.Code
	Text   string
	// Silent never answers.
	Silent bool
	// Cut ends streams of recognition once the caller has begun to speak, and those of
	// synthesis after their first piece.
	Cut bool
	// Garbage answers with what is no audio and no result.
	Garbage bool
}

// NewServer binds the address and serves. Close must be called.
func NewServer(c Config, engine speechtest.Engine, log *slog.Logger) (*Server, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Pause <= 0 {
		c.Pause = 800 * time.Millisecond
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	transport := insecure.NewCredentials()
	if c.TLS != nil {
		transport = credentials.NewTLS(c.TLS)
	}
	s := &Server{config: c, engine: engine, log: log, listener: listener}
	s.grpc = grpc.NewServer(grpc.Creds(transport))
	tts.RegisterTextToSpeechServer(s.grpc, &voice{server: s})
	asr.RegisterSpeechServer(s.grpc, &ears{server: s})
	s.serving.Go(func() {
		if err := s.grpc.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			log.Error("serve", "error", err)
		}
	})
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close ends all requests.
func (s *Server) Close() error {
	s.grpc.Stop()
	s.serving.Wait()
	return nil
}

// Fail has things go wrong from now on.
func (s *Server) Fail(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// Synthesized are the syntheses that were asked for; streaming ones have no effects
// profile.
func (s *Server) Synthesized() []*tts.SynthesizeSpeechRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*tts.SynthesizeSpeechRequest(nil), s.asked...)
}

// Recognized are the recognitions that were asked for.
func (s *Server) Recognized() []*asr.StreamingRecognitionConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*asr.StreamingRecognitionConfig(nil), s.heard...)
}

// Streams is how many are open.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// enter counts a stream until leave is called.
func (s *Server) enter() (leave func()) {
	s.mu.Lock()
	s.open++
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}
}

// admit checks a request's token, and lets it fail if it is to.
func (s *Server) admit(ctx context.Context) (Faults, error) {
	if s.config.Token != nil {
		md, _ := metadata.FromIncomingContext(ctx)
		values := md.Get("authorization")
		const scheme = "Bearer "
		if len(values) != 1 || len(values[0]) < len(scheme) || !s.config.Token(values[0][len(scheme):]) {
			return Faults{}, status.Error(codes.Unauthenticated, "request had invalid authentication credentials")
		}
	}
	s.mu.Lock()
	f := s.faults
	if s.faults.Refuse > 0 {
		s.faults.Refuse--
	}
	s.mu.Unlock()
	if f.Refuse != 0 {
		return f, status.Error(f.Code, f.Text)
	}
	if f.Silent {
		<-ctx.Done()
		return f, ctx.Err()
	}
	return f, nil
}
