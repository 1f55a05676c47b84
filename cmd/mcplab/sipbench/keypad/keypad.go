// Package keypad presses the keys of many telephones at once, as RFC 4733 events
// that leave one socket: it is a load, not a telephone, and hears nothing.
package keypad

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// What a key press is: a tone of 100 ms in updates of 20 ms, and three packets that
// say that it has ended (RFC 4733 section 2.5.1.4).
const (
	update  = 20 * time.Millisecond
	updates = 5
	ends    = 3
	ticks   = 160 // in an update
	volume  = 10
)

// phases is how many parts the telephones are in, whose packets do not leave together.
const phases = 5

// PayloadType is that of the events.
const PayloadType = 101

// Press is a key at a time after the call was answered.
type Press struct {
	Key byte // '0' to '9'
	At  time.Duration
}

// Board is the keys of all telephones.
type Board struct {
	conn *net.UDPConn

	mu    sync.Mutex
	turns [phases]map[*Phone]struct{}
	next  int
	keys  int // that were pressed
	lost  int // packets that could not be sent
}

// Phone is one telephone's keys.
type Phone struct {
	to      netip.AddrPort
	presses []Press
	began   time.Time
	frame   int // of the first press that is not over
	packet  [16]byte
	seq     uint16
	start   uint32 // timestamp of the call
	done    chan struct{}
}

// New presses keys through a socket, which stays its owner's.
func New(conn *net.UDPConn) *Board {
	b := &Board{conn: conn}
	for i := range b.turns {
		b.turns[i] = map[*Phone]struct{}{}
	}
	return b
}

// Dial begins to press keys towards an address, in the order of their times. The
// channel is closed as the last is pressed.
func (b *Board) Dial(to netip.AddrPort, presses []Press) (*Phone, <-chan struct{}) {
	p := &Phone{to: to, presses: presses, began: time.Now(), start: rand.Uint32(), seq: uint16(rand.Uint32()), done: make(chan struct{})}
	p.packet[0] = 2 << 6
	binary.BigEndian.PutUint32(p.packet[8:], rand.Uint32())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turns[b.next%phases][p] = struct{}{}
	b.next++
	return p, p.done
}

// Drop takes a telephone away.
func (b *Board) Drop(p *Phone) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, turn := range b.turns {
		delete(turn, p)
	}
}

// Left is how many keys a telephone has still to press.
func (b *Board) Left(p *Phone) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := len(p.presses)
	if p.frame > 0 {
		left-- // it is being pressed
	}
	return left
}

// Pressed is how many keys have been pressed, those included that are being so.
func (b *Board) Pressed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys
}

// Lost is how many packets could not be sent.
func (b *Board) Lost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// Run presses until the context ends.
func (b *Board) Run(ctx context.Context) {
	ticker := time.NewTicker(update / phases)
	defer ticker.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			b.serve(turn%phases, now)
		}
	}
}

func (b *Board) serve(turn int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := range b.turns[turn] {
		packet := p.due(now)
		if packet != nil && len(p.presses) == 1 && p.frame == 1 {
			close(p.done) // before it is sent: the answer to it may come before the next line
		}
		if packet != nil && p.frame == 1 {
			b.keys++
		}
		if packet != nil {
			if _, err := b.conn.WriteToUDPAddrPort(packet, p.to); err != nil {
				b.lost++
			}
		}
		if len(p.presses) == 0 {
			delete(b.turns[turn], p)
		}
	}
}

// due is the packet to be sent now; nil: none. It is valid until the next call.
func (p *Phone) due(now time.Time) []byte {
	if len(p.presses) == 0 || now.Sub(p.began) < p.presses[0].At {
		return nil
	}
	press := p.presses[0]
	p.packet[1] = PayloadType
	if p.frame == 0 {
		p.packet[1] |= 0x80 // marker
	}
	p.seq++
	binary.BigEndian.PutUint16(p.packet[2:], p.seq)
	binary.BigEndian.PutUint32(p.packet[4:], p.start+uint32(press.At/update)*ticks)
	p.packet[12], p.packet[13] = press.Key-'0', volume
	if p.frame >= updates {
		p.packet[13] |= 0x80 // end
	}
	binary.BigEndian.PutUint16(p.packet[14:], uint16(min(p.frame+1, updates)*ticks))
	if p.frame++; p.frame == updates+ends {
		p.frame, p.presses = 0, p.presses[1:]
	}
	return p.packet[:]
}
