// Package ports knows which of this host's addresses and ports are the
// platform's: it hands out RTP ports, and refuses far ends that are none.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
)

// ErrNone says that every port of the range carries a leg.
var ErrNone = errors.New("no RTP port is free")

// Pool hands out RTP ports: even ones, the odd one above is RTCP's (RFC 3550
// section 11). They leave in random order, so that they cannot be guessed, and
// a port that comes back waits behind all others: packets of its last call that
// are still on their way find nobody, rather than the next caller.
type Pool struct {
	mu   sync.Mutex
	free []uint16 // a ring: take at head, give at tail
	head int
	n    int
	held [1 << 15]bool // by half the port
}

// New makes the pool of the even ports from first to last; each has its odd
// neighbour within the range.
func New(first, last uint16) (*Pool, error) {
	p := &Pool{}
	for port := int(first) + int(first)%2; port < int(last); port += 2 {
		p.free = append(p.free, uint16(port))
	}
	if len(p.free) == 0 {
		return nil, fmt.Errorf("RTP ports %d to %d hold no pair", first, last)
	}
	rand.Shuffle(len(p.free), func(i, j int) { p.free[i], p.free[j] = p.free[j], p.free[i] })
	p.n = len(p.free)
	return p, nil
}

// Take hands out a port, or ErrNone.
func (p *Pool) Take() (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n == 0 {
		return 0, ErrNone
	}
	port := p.free[p.head]
	p.head = (p.head + 1) % len(p.free)
	p.n--
	p.held[port/2] = true
	return port, nil
}

// Give takes a port back.
func (p *Pool) Give(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free[(p.head+p.n)%len(p.free)] = port
	p.n++
	p.held[port/2] = false
}

// Taken tells whether a port, or the one below it, carries a leg.
func (p *Pool) Taken(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[port/2]
}

// Size is the number of ports of the range.
func (p *Pool) Size() int { return len(p.free) }

// Used is the number of ports that are taken.
func (p *Pool) Used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free) - p.n
}
