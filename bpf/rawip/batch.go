package rawip

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BatchSize is how many packets one system call sends.
const BatchSize = 64

// Batch sends ready IP packets with few system calls. It is for one goroutine.
type Batch struct {
	v4, v6 queue
}

// queue is the packets of one IP version that are to leave.
type queue struct {
	socket   int
	count    int
	which    [BatchSize]int // of the packets added to the batch
	messages [BatchSize]message
	vectors  [BatchSize]unix.Iovec
	to4      [BatchSize]unix.RawSockaddrInet4
	to6      [BatchSize]unix.RawSockaddrInet6
}

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	sent   uint32
	_      [4]byte
}

// NewBatch makes an empty batch.
func (r *Sockets) NewBatch() *Batch {
	return &Batch{v4: queue{socket: r.v4}, v6: queue{socket: r.v6}}
}

// Len is how many packets wait.
func (b *Batch) Len() int { return b.v4.count + b.v6.count }

// Add adds a whole IP packet, whose bytes are not to change before Flush. A full
// batch must be flushed first.
func (b *Batch) Add(packet []byte) error {
	i := b.Len()
	switch {
	case len(packet) >= ipv4Length && packet[0]>>4 == 4:
		n := b.v4.count
		b.v4.to4[n] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte(packet[16:20])}
		b.v4.add(i, packet, unsafe.Pointer(&b.v4.to4[n]), unix.SizeofSockaddrInet4)
	case len(packet) >= ipv6Length && b.v6.socket >= 0:
		n := b.v6.count
		b.v6.to6[n] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: [16]byte(packet[24:40])}
		b.v6.add(i, packet, unsafe.Pointer(&b.v6.to6[n]), unix.SizeofSockaddrInet6)
	default:
		return errors.New("send packet: not an IP packet this host can send")
	}
	return nil
}

// Flush sends what was added. It tells which packets the network refused, counted
// from the first one added.
func (b *Batch) Flush(refused func(i int, err error)) {
	b.v4.flush(refused)
	b.v6.flush(refused)
}

func (q *queue) add(which int, packet []byte, to unsafe.Pointer, length uint32) {
	n := q.count
	q.which[n] = which
	q.vectors[n].Base = unsafe.SliceData(packet)
	q.vectors[n].SetLen(len(packet))
	h := &q.messages[n].header
	h.Name, h.Namelen = (*byte)(to), length
	h.Iov = &q.vectors[n]
	h.SetIovlen(1)
	q.count++
}

// flush goes on after a packet that is refused.
func (q *queue) flush(refused func(which int, err error)) {
	for next := 0; next < q.count; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(q.socket),
			uintptr(unsafe.Pointer(&q.messages[next])), uintptr(q.count-next), 0, 0, 0)
		switch {
		case errno == 0:
			next += int(n)
		case errno != unix.EINTR:
			to := unsafe.Slice(q.vectors[next].Base, q.vectors[next].Len)
			refused(q.which[next], sendError(errno, destination(to)))
			next++
		}
	}
	q.count = 0
}

func destination(packet []byte) []byte {
	if packet[0]>>4 == 4 {
		return packet[16:20]
	}
	return packet[24:40]
}
