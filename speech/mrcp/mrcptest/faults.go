package mrcptest

import (
	"slices"
)

// Faults are what a Server is told to do wrong.
type Faults struct {
	// Refuse turns down every INVITE.
	Refuse bool
	// Silent are methods that are read and never answered nor acted upon.
	Silent []string
	// Drop are methods upon which the TCP connection is closed.
	Drop []string
	// Rewrite changes the octets of every message sent; nil leaves them.
	Rewrite func(message []byte) []byte
}

// Fail makes the server do wrong from now on; the zero Faults ends it.
func (s *Server) Fail(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// DropConnections closes all TCP connections.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.controls {
		_ = c.nc.Close() // the point is that it is gone
	}
}

func (s *Server) failing() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

func (f Faults) silent(method string) bool { return slices.Contains(f.Silent, method) }

func (f Faults) drop(method string) bool { return slices.Contains(f.Drop, method) }
