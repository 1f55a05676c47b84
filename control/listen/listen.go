// Package listen serves HTTP to the machines around the platform: probes and
// metrics. Everything a client could exhaust is bounded.
package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The bounds. Probes and scrapes are short; the time to write allows for the
// 50 s that a readiness probe may take.
const (
	maxConnections = 64
	maxHeaderBytes = 16 << 10
	maxBodyBytes   = 64 << 10
	headerTime     = 5 * time.Second
	readTime       = 10 * time.Second
	writeTime      = time.Minute
	idleTime       = 2 * time.Minute
	closeTime      = 5 * time.Second
)

// Server is an HTTP server on one address.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// New binds an address. Serve or Close must follow.
func New(addr string, h http.Handler, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve HTTP: %w", err)
	}
	bounded := newCrowd(l, maxConnections)
	return &Server{
		listener: bounded,
		http: &http.Server{
			ConnState:         bounded.follow,
			Handler:           http.MaxBytesHandler(h, maxBodyBytes),
			ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
			MaxHeaderBytes: maxHeaderBytes,
			ErrorLog:       slog.NewLogLogger(log.With("http", l.Addr().String()).Handler(), slog.LevelWarn),
		},
	}, nil
}

// Addr is the address that was bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve serves until ctx ends, gives requests under way a while to finish, cuts
// off those that do not, and returns nil; or an error when it could not go on.
func (s *Server) Serve(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve HTTP: %w", err), s.http.Close())
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	err := s.http.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) { // requests that hang are cut off
		err = s.http.Close()
	}
	<-served
	if err != nil {
		return fmt.Errorf("stop HTTP: %w", err)
	}
	return nil
}

// Close frees the address of a server that will not serve.
func (s *Server) Close() error { return s.listener.Close() }
