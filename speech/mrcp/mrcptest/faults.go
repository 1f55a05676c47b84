package mrcptest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp/speech/mrcp/wire"
)

// Faults are what a Server is told to do wrong.
type Faults struct {
	// Refuse turns down every session.
	Refuse bool
	// Silent are methods that are read and never answered nor acted upon.
	Silent []string
	// Drop are methods upon which the TCP connection is closed.
	Drop []string
	// Methods are what else to do wrong, by method.
	Methods map[string]Fault
	// Rewrite changes the octets of every message sent; nil leaves them.
	Rewrite func(message []byte) []byte
}

// Fault is what a Server does wrong about a method.
type Fault struct {
	Silent, Drop bool
	// Hang accepts the request and does nothing about it, nor about any other of its
	// session from then on.
	Hang bool
	// Delay is how long the request waits, and all of its session after it.
	Delay time.Duration
	// Status is the answer instead of doing anything; 0 does what was asked.
	Status int
	// Cause accepts the request and completes it at once with this cause; -1 does
	// what was asked.
	Cause int
}

// ParseFault reads "METHOD=what", where what is silent, drop, hang, slow:3s,
// status:407 or cause:6.
func ParseFault(text string) (method string, f Fault, err error) {
	method, what, found := strings.Cut(text, "=")
	kind, value, _ := strings.Cut(what, ":")
	f = Fault{Cause: -1}
	switch {
	case !found || method == "":
		err = fmt.Errorf("is not METHOD=what")
	case kind == "silent" && value == "":
		f.Silent = true
	case kind == "drop" && value == "":
		f.Drop = true
	case kind == "hang" && value == "":
		f.Hang = true
	case kind == "slow":
		if f.Delay, err = time.ParseDuration(value); err == nil && f.Delay <= 0 {
			err = fmt.Errorf("%v is no delay", f.Delay)
		}
	case kind == "status":
		if f.Status, err = strconv.Atoi(value); err == nil && (f.Status < 200 || f.Status > 599) {
			err = fmt.Errorf("%d is no status", f.Status)
		}
	case kind == "cause":
		if f.Cause, err = strconv.Atoi(value); err == nil && (f.Cause < 0 || f.Cause > 999) {
			err = fmt.Errorf("%d is no cause", f.Cause)
		}
	default:
		err = fmt.Errorf("%q is none of silent, drop, hang, slow:3s, status:407, cause:6", what)
	}
	if err != nil {
		return "", Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return strings.ToUpper(method), f, nil
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
	for t := range s.tellers {
		_ = t.nc.Close()
	}
}

func (s *Server) failing() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

func (f Faults) silent(method string) bool {
	return slices.Contains(f.Silent, method) || f.Methods[method].Silent
}

func (f Faults) drop(method string) bool {
	return slices.Contains(f.Drop, method) || f.Methods[method].Drop
}

// fail does what is to be done wrong about a request, and tells whether that was
// all there is to do.
func (s *Session) fail(r request) bool {
	f, faulty := s.server.failing().Methods[r.Name]
	switch {
	case s.hung:
		return true
	case !faulty:
		return false
	case f.Hang:
		s.hung = true
		s.reply(r.Message, wire.StatusSuccess, wire.InProgress)
		return true
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.done:
			return true
		}
	}
	switch {
	case f.Status != 0:
		s.reply(r.Message, f.Status, wire.Complete)
		return true
	case f.Cause >= 0:
		s.completeWrong(r, f.Cause)
		return true
	}
	return false
}

func (s *Session) completeWrong(r request, cause int) {
	event := map[string]string{wire.MethodSpeak: wire.EventSpeakComplete, wire.MethodRecord: wire.EventRecordComplete,
		wire.MethodInterpret: wire.EventInterpretComplete}[r.Name]
	if event == "" {
		event = wire.EventRecognitionComplete
	}
	s.reply(r.Message, wire.StatusSuccess, wire.InProgress)
	m := wire.NewEvent(event, r.ID, wire.Complete, r.Channel())
	m.Header.Add(wire.HeaderCompletionCause, fmt.Sprintf("%03d told-to", cause))
	s.send(m)
}
