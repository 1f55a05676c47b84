// Package tap is what a capture of media legs yields: packets, and the file they
// are written to.
package tap

import (
	"encoding/binary"
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

// What stands before IP's header in a file, LINKTYPE_LINUX_SLL of tcpdump.org.
const (
	cookedLength  = 16
	cookedToUs    = 0
	cookedByUs    = 4
	cookedNoLink  = 0xfffe // an interface without addresses of its own: ARPHRD_NONE
	cookedIPv4    = 0x0800
	cookedIPv6    = 0x86dd
	cookedAddress = 2 + 8 // the sender's length, and room
)

// cooked is the header for a packet: who sent it, and IP's version.
func (p Packet) cooked() []byte {
	by, proto := uint16(cookedToUs), uint16(cookedIPv4)
	if p.Direction == Sent {
		by = cookedByUs
	}
	if len(p.Data) > 0 && p.Data[0]>>4 == 6 {
		proto = cookedIPv6
	}
	h := binary.BigEndian.AppendUint16(make([]byte, 0, cookedLength+len(p.Data)), by)
	h = binary.BigEndian.AppendUint16(h, cookedNoLink)
	h = append(h, make([]byte, cookedAddress)...)
	return binary.BigEndian.AppendUint16(h, proto)
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
