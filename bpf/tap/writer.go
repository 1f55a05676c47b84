package tap

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// SnapLength is the most octets of a packet that are captured.
const SnapLength = 2048

// Numbers of the pcapng format, draft-ietf-opsawg-pcapng. The link type is Linux's
// "cooked" one, because packets that userspace sends have no Ethernet header when
// they are captured. Raw IP would do for one leg: libpcap confuses two numbers that
// it has, and takes the second interface of a file for one of another type.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockStatistics = 5
	blockPacket     = 6

	byteOrderMagic = 0x1a2b3c4d
	linkTypeCooked = 113

	optionEnd         = 0
	optionComment     = 1
	optionApplication = 4 // of a section
	optionName        = 2 // of an interface
	optionDescription = 3
	optionResolution  = 9
	optionFlags       = 2 // of a packet: 1 inbound, 2 outbound
	optionReceived    = 4 // of statistics
	optionDropped     = 5

	nanoseconds = 9 // a power of ten, negative
)

// Writer writes packets as pcapng: one interface a leg, every packet with its
// direction and, as comment, what became of it.
type Writer struct {
	out     *bufio.Writer
	numbers map[uint64]uint32 // of interfaces, by leg
	names   map[uint64]string
	packets uint64
	at      time.Time
}

// NewWriter writes the file's header and describes the legs.
func NewWriter(out io.Writer, application string, legs []Leg) (*Writer, error) {
	w := &Writer{out: bufio.NewWriter(out), numbers: make(map[uint64]uint32), names: make(map[uint64]string)}
	section := block{}
	section.uint32(byteOrderMagic)
	section.uint16(1) // version 1.0
	section.uint16(0)
	section.uint64(^uint64(0)) // the section's length is not known
	section.option(optionApplication, []byte(application))
	err := w.write(blockSection, section)
	for _, l := range legs {
		err = errors.Join(err, w.Add(l))
	}
	return w, errors.Join(err, w.out.Flush())
}

// Name makes a leg known that is not captured, but may be the source of packets.
func (w *Writer) Name(id uint64, name string) { w.names[id] = name }

// Add describes a leg whose packets follow.
func (w *Writer) Add(l Leg) error {
	if _, known := w.numbers[l.ID]; known {
		return nil
	}
	w.numbers[l.ID], w.names[l.ID] = uint32(len(w.numbers)), l.Name
	b := block{}
	b.uint16(linkTypeCooked)
	b.uint16(0)
	b.uint32(cookedLength + SnapLength)
	b.option(optionName, []byte(l.Name))
	if l.Description != "" {
		b.option(optionDescription, []byte(l.Description))
	}
	b.option(optionResolution, []byte{nanoseconds})
	return w.write(blockInterface, b)
}

// Write adds a packet. It reaches the file with the next Flush at the latest.
func (w *Writer) Write(p Packet) error {
	number, known := w.numbers[p.LegID]
	if !known {
		return fmt.Errorf("write packet: leg %016x is not described", p.LegID)
	}
	b := block{}
	b.uint32(number)
	b.timestamp(p.At)
	b.uint32(uint32(cookedLength + len(p.Data)))
	b.uint32(uint32(cookedLength + p.Length))
	b.padded(append(p.cooked(), p.Data...))
	b.option(optionFlags, binary.LittleEndian.AppendUint32(nil, uint32(p.Direction)))
	b.option(optionComment, []byte(p.comment(w.names)))
	w.packets++
	w.at = p.At
	return w.write(blockPacket, b)
}

// Packets counts those written.
func (w *Writer) Packets() uint64 { return w.packets }

// Flush makes sure that everything written is in the file.
func (w *Writer) Flush() error { return w.out.Flush() }

// Finish ends the file with the number of packets, and of those that were lost to
// it. They are told of the first interface, as nobody knows which leg's they were.
func (w *Writer) Finish(dropped uint64) error {
	b := block{}
	b.uint32(0)
	b.timestamp(w.at)
	b.option(optionReceived, binary.LittleEndian.AppendUint64(nil, w.packets+dropped))
	b.option(optionDropped, binary.LittleEndian.AppendUint64(nil, dropped))
	return errors.Join(w.write(blockStatistics, b), w.out.Flush())
}

// write frames a block: its type and, on both sides, its length.
func (w *Writer) write(kind uint32, b block) error {
	b.uint32(optionEnd)
	length := uint32(len(b) + 12)
	head := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, kind), length)
	b.uint32(length)
	_, err := w.out.Write(append(head, b...))
	return err
}

// block is the body of a block under construction.
type block []byte

func (b *block) uint16(n uint16) { *b = binary.LittleEndian.AppendUint16(*b, n) }
func (b *block) uint32(n uint32) { *b = binary.LittleEndian.AppendUint32(*b, n) }
func (b *block) uint64(n uint64) { *b = binary.LittleEndian.AppendUint64(*b, n) }

// timestamp has its high half first, whatever the byte order.
func (b *block) timestamp(t time.Time) {
	n := uint64(t.UnixNano())
	b.uint32(uint32(n >> 32))
	b.uint32(uint32(n))
}

func (b *block) option(code uint16, value []byte) {
	b.uint16(code)
	b.uint16(uint16(len(value)))
	b.padded(value)
}

// padded appends octets up to a multiple of four.
func (b *block) padded(value []byte) {
	*b = append(*b, value...)
	*b = append(*b, make([]byte, -len(value)&3)...)
}
