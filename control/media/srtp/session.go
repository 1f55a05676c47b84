// Package srtp protects RTP and RTCP (RFC 3711): the profiles and keys that two
// sides agree on, and what they do to packets.
//
// A leg whose far end speaks SRTP is carried by Go, whichever plane carries the
// others: it has a socket, the kernel's program knows no leg at its port and so
// passes its packets on to that socket, ciphertext is never relayed as RTP. What
// comes out of a packet whose tag is right goes the way of all audio that Go
// touches: to a leg in the kernel, to a mixer, to a recorder, or, encrypted anew,
// to another SRTP leg. An agreement that adds or takes away SRTP moves the leg
// from one plane to the other, where its stream goes on.
package srtp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"
)

const (
	// replayWindow is how many packets back a packet may come (RFC 3711 section
	// 3.3.2 wants 64 at least).
	replayWindow = 128
	// maxSources bounds the synchronization sources that one key may have: each
	// takes memory for as long as the key is used.
	maxSources = 512

	headerLength        = 12
	controlHeaderLength = 8
)

// Why a packet is not taken.
var (
	ErrForged   = errors.New("authentication tag is wrong")
	ErrReplayed = errors.New("packet came before, or too long ago")
	ErrExpired  = errors.New("key has been used for too many packets")
	ErrSources  = errors.New("key has too many sources")
)

// Inbound takes protection off what arrives. A new key takes over with the first
// packet that it fits; until then the one before is good, because packets of it
// may still be on their way (RFC 4568 section 7.1.4). The zero value has no key.
type Inbound struct {
	mu     sync.Mutex // guards what follows
	now    *opener
	next   *opener
	header rtp.Header
	report rtcp.Header
	buf    []byte // what next is tried on: a failure destroys it
}

// Outbound protects what is sent. The zero value has no key.
type Outbound struct {
	mu      sync.Mutex // guards what follows
	now     *pion.Context
	profile Profile
	header  rtp.Header
	report  rtcp.Header
}

// opener is one key's state for what arrives.
type opener struct {
	context *pion.Context
	left    uint64 // packets that the key may still be used for
	control uint64 // the same of RTCP
	trailer int    // octets behind the payload, at least
	sources map[uint32]struct{}
}

func newContext(k Key) (*pion.Context, error) {
	key, _ := k.profile.lengths()
	if len(k.secret) <= key {
		return nil, ErrKey
	}
	c, err := pion.CreateContext([]byte(k.secret[:key]), []byte(k.secret[key:]), numbers[k.profile],
		pion.SRTPReplayProtection(replayWindow), pion.SRTCPReplayProtection(replayWindow),
		pion.MasterKeyIndicator([]byte(k.mki)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return c, nil
}

// Rekey takes the key that the far end sends with from now on.
func (i *Inbound) Rekey(k Key) error {
	c, err := newContext(k)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	o := &opener{
		context: c, left: k.lifetime, control: min(k.lifetime, maxControlLifetime),
		trailer: k.profile.tag() + len(k.mki), sources: map[uint32]struct{}{},
	}
	if i.now == nil {
		i.now = o
		return nil
	}
	i.next = o
	return nil
}

// Rekey takes the key that the far end expects from now on.
func (o *Outbound) Rekey(k Key) error {
	c, err := newContext(k)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now, o.profile = c, k.profile
	return nil
}

// RTP takes the protection off a packet, in its place.
func (i *Inbound) RTP(packet []byte) ([]byte, error) { return i.open(packet, (*Inbound).rtp) }

// RTCP takes the protection off a compound packet, in its place.
func (i *Inbound) RTCP(packet []byte) ([]byte, error) { return i.open(packet, (*Inbound).rtcp) }

func (i *Inbound) open(packet []byte, with func(*Inbound, *opener, []byte) ([]byte, error)) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.next != nil {
		i.buf = append(i.buf[:0], packet...)
		if plain, err := with(i, i.next, i.buf); err == nil {
			i.now, i.next = i.next, nil
			return packet[:copy(packet, plain)], nil
		}
	}
	if i.now == nil {
		return nil, ErrKey
	}
	return with(i, i.now, packet)
}

func (i *Inbound) rtp(o *opener, packet []byte) ([]byte, error) {
	if len(packet) < headerLength {
		return nil, ErrForged
	}
	ssrc := binary.BigEndian.Uint32(packet[8:])
	if err := o.admit(ssrc, o.left); err != nil {
		return nil, err
	}
	plain, err := o.context.DecryptRTP(packet, packet, &i.header)
	if err != nil {
		return nil, o.refusal(err, len(packet), i.header.MarshalSize)
	}
	o.left--
	o.sources[ssrc] = struct{}{}
	return plain, nil
}

func (i *Inbound) rtcp(o *opener, packet []byte) ([]byte, error) {
	if len(packet) < controlHeaderLength {
		return nil, ErrForged
	}
	ssrc := binary.BigEndian.Uint32(packet[4:])
	if err := o.admit(ssrc, o.control); err != nil {
		return nil, err
	}
	plain, err := o.context.DecryptRTCP(packet, packet, &i.report)
	if err != nil {
		return nil, o.refusal(err, len(packet), func() int { return controlHeaderLength })
	}
	o.control--
	o.sources[ssrc] = struct{}{}
	return plain, nil
}

// admit refuses a source that there is no room for, and a key that is used up.
func (o *opener) admit(ssrc uint32, left uint64) error {
	if left == 0 {
		return ErrExpired
	}
	if _, known := o.sources[ssrc]; !known && len(o.sources) >= maxSources {
		return ErrSources
	}
	return nil
}

// refusal says why pion did not take a packet. It does not name the error of one
// that came before; what else is wrong shows in the packet.
func (o *opener) refusal(err error, length int, header func() int) error {
	forged := errors.Is(err, pion.ErrFailedToVerifyAuthTag) || errors.Is(err, pion.ErrMKINotFound)
	if forged || length < header()+o.trailer {
		return ErrForged
	}
	return ErrReplayed
}

// RTP protects a packet in its place; its array has Overhead octets to spare.
func (o *Outbound) RTP(packet []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		return nil, ErrKey
	}
	out, err := o.now.EncryptRTP(packet, packet, &o.header)
	if err != nil {
		return nil, fmt.Errorf("protect RTP: %w", err)
	}
	return out, nil
}

// RTCP protects a compound packet in its place; its array has Overhead octets to
// spare.
func (o *Outbound) RTCP(packet []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		return nil, ErrKey
	}
	out, err := o.now.EncryptRTCP(packet, packet, &o.report)
	if err != nil {
		return nil, fmt.Errorf("protect RTCP: %w", err)
	}
	return out, nil
}
