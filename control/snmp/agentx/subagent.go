// Package agentx is a subagent of an SNMP agent (RFC 2741): it answers for a subtree
// of the MIB and sends notifications, and lets nothing be set.
package agentx

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where the master is and what we are for it.
type Config struct {
	// Master is tcp:HOST:PORT or unix:PATH.
	Master string
	// Subtree is what the subagent answers for.
	Subtree OID
	// Description is what the master lists us as.
	Description string
	// Timeout bounds connecting and each answer of the master's.
	Timeout time.Duration
	// Ping is how often a master that says nothing is asked whether it is there.
	Ping time.Duration
	// Retry is the longest time between tries to reach a master; the first come sooner.
	Retry time.Duration
}

// Address splits a master's address into network and address as net.Dial takes them.
func Address(master string) (network, address string, err error) {
	network, address, _ = strings.Cut(master, ":")
	if network != "tcp" && network != "unix" || address == "" {
		return "", "", fmt.Errorf("master: %q is neither tcp:HOST:PORT nor unix:PATH", master)
	}
	return network, address, nil
}

// maxOutbox is how many notifications wait for a master.
const maxOutbox = 256

// Subagent is a subagent. Its methods may be called from any goroutine.
type Subagent struct {
	cfg       Config
	mib       MIB
	log       *slog.Logger
	connected atomic.Bool
	wake      chan struct{} // a notification waits

	mu     sync.Mutex
	outbox []notification
	lost   uint64
}

// notification waits until the master has confirmed it.
type notification struct {
	variables []Variable
	packet    uint32 // that carried it in this session; 0: not sent
}

// New makes a subagent. Run must follow.
func New(cfg Config, mib MIB, log *slog.Logger) (*Subagent, error) {
	if _, _, err := Address(cfg.Master); err != nil {
		return nil, err
	}
	return &Subagent{cfg: cfg, mib: mib, log: log, wake: make(chan struct{}, 1)}, nil
}

// Connected tells whether a master has taken our subtree.
func (s *Subagent) Connected() bool { return s.connected.Load() }

// snmpTrapOID is what a notification begins with (RFC 3416 section 4.2.6).
var snmpTrapOID = OID{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}

// Notify has the master send a notification, as soon as there is a master. The oldest
// of too many is given up.
func (s *Subagent) Notify(name OID, variables ...Variable) {
	whole := append([]Variable{{Name: snmpTrapOID, Value: Identifier(name)}}, variables...)
	s.mu.Lock()
	if len(s.outbox) == maxOutbox {
		s.outbox = s.outbox[1:]
		s.lost++
		s.log.Warn("SNMP notification given up: no master took it", "waiting", maxOutbox, "lost", s.lost)
	}
	s.outbox = append(s.outbox, notification{variables: whole})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run serves a master, whichever comes and goes, until ctx ends.
func (s *Subagent) Run(ctx context.Context) {
	const first = 250 * time.Millisecond
	wait, told := first, false
	for ctx.Err() == nil {
		began := time.Now()
		reached, err := s.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		if reached || !told {
			s.log.Warn("SNMP master unreachable", "master", s.cfg.Master, "error", err)
			told = true
		}
		if reached && time.Since(began) > s.cfg.Retry {
			wait = first
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, s.cfg.Retry)
	}
}

// serve lives through one session, and tells whether the master took the subtree.
func (s *Subagent) serve(ctx context.Context) (reached bool, err error) {
	network, address, err := Address(s.cfg.Master)
	if err != nil {
		return false, err
	}
	dialer := net.Dialer{Timeout: s.cfg.Timeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return false, err
	}
	session := &session{agent: s, conn: conn, requests: make(chan *pdu), failed: make(chan error, 1)}
	defer session.end()
	if err := session.open(); err != nil {
		return false, err
	}
	s.connected.Store(true)
	defer s.connected.Store(false)
	s.log.Info("SNMP master reached", "master", s.cfg.Master, "subtree", s.cfg.Subtree.String())
	return true, session.run(ctx)
}
