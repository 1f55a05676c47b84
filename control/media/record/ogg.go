package record

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"

	"github.com/thesyncim/gopus"
)

// The frame of Opus in files, and what its granule positions count in (RFC 7845
// section 4): 48 kHz whatever the rate.
const (
	oggFrames  = 50 // a second
	oggClock   = 48000
	oggPreSkip = 312 // samples at 48 kHz that the encoder begins with
	oggPage    = 25  // packets
	maxPacket  = 1275
	opusSpeech = 24000 // bit/s a channel
	opusEffort = 5     // of ten: more costs twice as much and is hardly heard
)

// oggWriter writes Opus in Ogg (RFC 7845), a page each half second.
type oggWriter struct {
	to      io.Writer
	encoder *gopus.Encoder
	fifo    []int16
	samples int // of a packet, all channels
	step    int // of a packet, at 48 kHz

	serial, sequence uint32
	granule          uint64 // of what the packets so far become
	lacing           []byte
	body             []byte
	page             []byte
	packet           [maxPacket]byte
}

func newOgg(to io.Writer, f Format) (Encoder, error) {
	e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: f.Rate, Channels: f.Channels, Application: gopus.ApplicationVoIP})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.SetFrameSize(f.Rate/oggFrames), e.SetBitrate(opusSpeech*f.Channels), e.SetComplexity(opusEffort)); err != nil {
		return nil, err
	}
	w := &oggWriter{
		to: to, encoder: e, samples: f.Rate / oggFrames * f.Channels, step: oggClock / oggFrames,
		serial: rand.Uint32(),
	}
	head := append([]byte("OpusHead\x01"), byte(f.Channels))
	head = binary.LittleEndian.AppendUint16(head, oggPreSkip)
	head = binary.LittleEndian.AppendUint32(head, uint32(f.Rate))
	w.add(append(head, 0, 0, 0))
	err = w.flush(first, 0)
	tags := append([]byte("OpusTags\x03\x00\x00\x00mcp"), 0, 0, 0, 0)
	w.add(tags)
	return w, errors.Join(err, w.flush(0, 0))
}

// Flags of pages (RFC 3533 section 6).
const (
	first = 2
	last  = 4
)

// add puts a packet into the page, in segments (RFC 3533 section 5).
func (w *oggWriter) add(packet []byte) {
	for n := len(packet); ; n -= 255 {
		w.lacing = append(w.lacing, byte(min(n, 255)))
		if n < 255 {
			break
		}
	}
	w.body = append(w.body, packet...)
}

// flush writes the page.
func (w *oggWriter) flush(flags byte, granule uint64) error {
	p := append(w.page[:0], "OggS\x00"...)
	p = append(p, flags)
	p = binary.LittleEndian.AppendUint64(p, granule)
	p = binary.LittleEndian.AppendUint32(p, w.serial)
	p = binary.LittleEndian.AppendUint32(p, w.sequence)
	p = append(p, 0, 0, 0, 0, byte(len(w.lacing)))
	p = append(append(p, w.lacing...), w.body...)
	binary.LittleEndian.PutUint32(p[22:], checksum(p))
	w.page, w.lacing, w.body = p, w.lacing[:0], w.body[:0]
	w.sequence++
	_, err := w.to.Write(p)
	return err
}

// checksum is Ogg's: CRC-32 with the polynomial 0x04c11db7, most significant bit
// first, neither inverted nor reflected.
func checksum(p []byte) (crc uint32) {
	for _, b := range p {
		crc ^= uint32(b) << 24
		for range 8 {
			top := crc >> 31
			crc = crc<<1 ^ 0x04c11db7*top
		}
	}
	return crc
}

// Encode implements Encoder.
func (w *oggWriter) Encode(pcm []int16) error {
	w.fifo = append(w.fifo, pcm...)
	used := 0
	for ; len(w.fifo)-used >= w.samples; used += w.samples {
		n, err := w.encoder.EncodeInt16(w.fifo[used:used+w.samples], w.packet[:])
		if err != nil {
			return err
		}
		if len(w.lacing) >= oggPage {
			if err := w.flush(0, w.granule); err != nil {
				return err
			}
		}
		w.add(w.packet[:n])
		w.granule += uint64(w.step)
	}
	w.fifo = w.fifo[:copy(w.fifo, w.fifo[used:])]
	return nil
}

// Close implements Encoder: silence follows until all has been heard, and the last page
// tells where that is (RFC 7845 section 4.4).
func (w *oggWriter) Close() error {
	end := w.granule + uint64(len(w.fifo)*w.step/w.samples) + oggPreSkip
	packets := (int(end-w.granule) + w.step - 1) / w.step
	err := w.Encode(make([]int16, packets*w.samples-len(w.fifo)))
	return errors.Join(err, w.flush(last, end))
}
