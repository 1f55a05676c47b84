package agentx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// session is one connection to a master. Only the goroutine that runs it writes.
type session struct {
	agent    *Subagent
	conn     net.Conn
	id       uint32
	packet   uint32 // of the last PDU sent
	ping     uint32 // packet of the ping that is not answered; 0: none
	requests chan *pdu
	failed   chan error
	reading  sync.WaitGroup
}

// open opens the session and registers the subtree (RFC 2741 section 7.1).
func (s *session) open() error {
	cfg := s.agent.cfg
	opened, err := s.ask(&pdu{kind: kindOpen, timeout: byte(min(cfg.Timeout/time.Second, 255)), id: cfg.Subtree, text: cfg.Description})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	s.id = opened.session
	_, err = s.ask(&pdu{kind: kindRegister, priority: defaultPriority, id: cfg.Subtree})
	if err != nil {
		return fmt.Errorf("register %s: %w", cfg.Subtree, err)
	}
	return nil
}

// ask sends a PDU and waits for its response; nothing else may be under way.
func (s *session) ask(p *pdu) (*pdu, error) {
	if err := s.send(p); err != nil {
		return nil, err
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(s.agent.cfg.Timeout)); err != nil {
		return nil, err
	}
	response, err := read(s.conn)
	if err != nil {
		return nil, err
	}
	if response.kind != kindResponse || response.packet != p.packet {
		return nil, fmt.Errorf("PDU of type %d instead of the response", response.kind)
	}
	if code := response.result.code; code == errorDuplicate {
		return nil, errors.New("another subagent has registered it")
	} else if code != 0 {
		return nil, fmt.Errorf("refused with error %d", code)
	}
	return response, s.conn.SetReadDeadline(time.Time{})
}

// send numbers and sends a PDU of ours.
func (s *session) send(p *pdu) error {
	s.packet++
	p.session, p.packet = s.id, s.packet
	return s.write(p)
}

func (s *session) write(p *pdu) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.agent.cfg.Timeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(p.encode())
	return err
}

// run answers the master until it is lost or ctx ends.
func (s *session) run(ctx context.Context) error {
	s.agent.unsent()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.reading.Go(func() { s.failed <- s.receive(ctx) })
	idle := time.NewTimer(s.agent.cfg.Ping)
	defer idle.Stop()
	err := s.notify()
	for err == nil {
		select {
		case <-ctx.Done():
			return s.send(&pdu{kind: kindClose, reason: reasonShutdown})
		case err = <-s.failed:
		case <-s.agent.wake:
			err = s.notify()
		case p := <-s.requests:
			idle.Reset(s.agent.cfg.Ping)
			err = s.take(p)
		case <-idle.C:
			if s.ping != 0 {
				return errors.New("the master does not answer")
			}
			idle.Reset(s.agent.cfg.Timeout)
			err = s.send(&pdu{kind: kindPing})
			s.ping = s.packet
		}
	}
	return err
}

// receive reads what the master sends.
func (s *session) receive(ctx context.Context) error {
	for {
		p, err := read(s.conn)
		if err != nil {
			return err
		}
		select {
		case s.requests <- p:
		case <-ctx.Done():
			return nil
		}
	}
}

// take acts upon a PDU of the master's.
func (s *session) take(p *pdu) error {
	switch p.kind {
	case kindResponse:
		return s.confirmed(p)
	case kindClose:
		return fmt.Errorf("the master closed the session, reason %d", p.reason)
	case kindOpen, kindRegister, kindUnregister, kindNotify:
		return errors.Join(fmt.Errorf("PDU of type %d from a master", p.kind), s.send(&pdu{kind: kindClose, reason: reasonProtocol}))
	}
	if response := answer(p, s.agent.mib); response != nil {
		return s.write(response)
	}
	return nil
}

// confirmed takes a response to a ping or a notification.
func (s *session) confirmed(p *pdu) error {
	if p.packet == s.ping {
		s.ping = 0
		if p.result.code != 0 {
			return fmt.Errorf("the master knows the session no more: error %d", p.result.code)
		}
		return nil
	}
	if s.agent.delivered(p.packet) && p.result.code != 0 {
		s.agent.log.Warn("SNMP notification refused", "error", p.result.code)
	}
	return nil
}

// notify sends the notifications that have not been.
func (s *session) notify() error {
	for {
		variables, some := s.agent.next(s.packet + 1)
		if !some {
			return nil
		}
		if err := s.send(&pdu{kind: kindNotify, variables: variables}); err != nil {
			return err
		}
	}
}

// end closes the connection and waits for the reader.
func (s *session) end() {
	s.conn.Close()
	s.reading.Wait()
}

// next is the first notification that was not sent, from now on carried by a packet.
func (s *Subagent) next(packet uint32) (variables []Variable, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range s.outbox {
		if n.packet == 0 {
			s.outbox[i].packet = packet
			return n.variables, true
		}
	}
	return nil, false
}

// unsent marks what no master has confirmed as to be sent again.
func (s *Subagent) unsent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.outbox {
		s.outbox[i].packet = 0
	}
}

// delivered forgets the notification that a packet carried, and tells whether it was one.
func (s *Subagent) delivered(packet uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range s.outbox {
		if packet != 0 && n.packet == packet {
			s.outbox = append(s.outbox[:i:i], s.outbox[i+1:]...)
			return true
		}
	}
	return false
}
