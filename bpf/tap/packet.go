// Package tap is what a capture of media legs yields: packets, and the file they
// are written to.
package tap

import (
	"fmt"
	"time"
)

// Direction is the platform's view: from the far end, or towards it.
type Direction int

const (
	Received Direction = iota + 1
	Sent
)

// Packet is an IP packet that a leg received or sent.
type Packet struct {
	LegID     uint64
	SourceID  uint64 // sent: the leg whose packet it was; 0: the platform's own
	At        time.Time
	Direction Direction
	Verdict   string // what became of it
	Length    int    // on the wire; Data may be cut off
	Data      []byte // from IP's header on
}

// Leg is a leg whose packets are captured.
type Leg struct {
	ID          uint64
	Name        string
	Description string // may be empty
}

// comment tells what the packet's octets do not.
func (p Packet) comment(names map[uint64]string) string {
	if p.SourceID == 0 {
		return p.Verdict
	}
	name, known := names[p.SourceID]
	if !known {
		name = fmt.Sprintf("leg %016x", p.SourceID)
	}
	return p.Verdict + ", from " + name
}
