package audiofile

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/thesyncim/gopus"
)

func isOgg(data []byte) bool { return len(data) >= 27 && string(data[:4]) == "OggS" }

// longestOpus is the most samples of a packet, 120 ms at 48 kHz.
const longestOpus = 5760

// lastPage is the flag of a stream's last page (RFC 3533 section 6).
const lastPage = 4

// opusRate is what Opus is decoded at. Its lengths are counted at 48 kHz.
const (
	opusRate  = 16000
	opusClock = 48000
)

// opus is Opus in Ogg (RFC 7845), the first stream of a file.
type opus struct {
	pages   oggPages
	decoder *gopus.Decoder
	skip    int    // samples in the beginning that are not heard
	at      uint64 // in the stream, at 48 kHz
	buf     [longestOpus]int16
}

func openOgg(r *bufio.Reader) (source, error) {
	d, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(opusRate, 1))
	if err != nil {
		return nil, err
	}
	o := &opus{pages: oggPages{r: r}, decoder: d}
	head, err := o.pages.packet()
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(head) < 19 || string(head[:8]) != "OpusHead" {
		return nil, fmt.Errorf("%w: Ogg without Opus", ErrUnsupported)
	}
	o.skip = int(binary.LittleEndian.Uint16(head[10:])) * opusRate / opusClock
	if _, err := o.pages.packet(); err != nil && err != io.EOF { // tags
		return nil, err
	}
	return o, nil
}

func (*opus) rate() int { return opusRate }

func (o *opus) next() ([]int16, error) {
	for {
		packet, err := o.pages.packet()
		if err != nil {
			return nil, err
		}
		n, err := o.decoder.DecodeInt16(packet, o.buf[:])
		if err != nil {
			continue
		}
		skipped := min(o.skip, n)
		o.skip -= skipped
		o.at += uint64(n * opusClock / opusRate)
		if skipped < n-o.beyond() {
			return o.buf[skipped : n-o.beyond()], nil
		}
	}
}

// beyond is how many of the samples so far are after the end that the last page tells
// (RFC 7845 section 4.4).
func (o *opus) beyond() int {
	if !o.pages.last || o.at <= o.pages.granule {
		return 0
	}
	return int(min(o.at-o.pages.granule, longestOpus) * opusRate / opusClock)
}

// oggPages takes the packets out of the pages of the first stream (RFC 3533 section 6).
// What is broken off ends the file.
type oggPages struct {
	r       *bufio.Reader
	begun   bool
	serial  uint32
	granule uint64 // where the page ends
	last    bool   // it is the stream's
	lacing  []byte // of the page, as far as it was not read
	packed  []byte
}

// packet is the next, valid until the one after.
func (o *oggPages) packet() ([]byte, error) {
	o.packed = o.packed[:0]
	for {
		for len(o.lacing) == 0 {
			if err := o.page(); err != nil {
				return nil, brokenOff(err)
			}
		}
		l := int(o.lacing[0])
		o.lacing = o.lacing[1:]
		at := len(o.packed)
		o.packed = append(o.packed, make([]byte, l)...)
		if _, err := io.ReadFull(o.r, o.packed[at:]); err != nil {
			return nil, brokenOff(err)
		}
		if l < 255 {
			return o.packed, nil
		}
	}
}

// page reads the head of the stream's next page.
func (o *oggPages) page() error {
	for {
		var head [27]byte
		if _, err := io.ReadFull(o.r, head[:]); err != nil {
			return err
		}
		if !isOgg(head[:]) {
			return io.EOF
		}
		o.lacing = make([]byte, head[26])
		if _, err := io.ReadFull(o.r, o.lacing); err != nil {
			return err
		}
		serial := binary.LittleEndian.Uint32(head[14:])
		if !o.begun {
			o.begun, o.serial = true, serial
		}
		if serial == o.serial {
			o.granule, o.last = binary.LittleEndian.Uint64(head[6:]), head[5]&lastPage != 0
			return nil
		}
		size := 0
		for _, l := range o.lacing {
			size += int(l)
		}
		if _, err := o.r.Discard(size); err != nil {
			return err
		}
	}
}
