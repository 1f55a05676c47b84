package record

import (
	"encoding/binary"
	"io"

	"mcp/control/media/codec"
)

// Format tags of WAV files (RFC 2361).
const (
	tagPCM  = 1
	tagALaw = 6
	tagMu   = 7
)

// unknown is the length of a file that is not known, as streams have it.
const unknown = 0xffffffff

// wav writes WAV files and, without their header, raw ones.
type wav struct {
	to     io.Writer
	patch  io.WriterAt // where the header can be mended; nil: it cannot
	f      Format
	code   codec.Encoder // nil: little-endian linear
	size   uint32        // octets of samples
	header int
	buf    []byte
}

func newWAV(to io.Writer, f Format) (Encoder, error) {
	w := &wav{to: to, f: f}
	var err error
	switch f.Coding {
	case ALaw:
		w.code, err = codec.NewEncoder(codec.PCMA)
	case MuLaw:
		w.code, err = codec.NewEncoder(codec.PCMU)
	}
	if err != nil || f.Container == Raw {
		return w, err
	}
	w.patch, _ = to.(io.WriterAt)
	b := w.head(unknown)
	w.header = len(b)
	_, err = to.Write(b)
	return w, err
}

// head is the header of a file with so many octets of samples.
func (w *wav) head(size uint32) []byte {
	tag, width := uint16(tagPCM), 2
	if w.code != nil {
		width = 1
		if tag = tagMu; w.f.Coding == ALaw {
			tag = tagALaw
		}
	}
	frame := width * w.f.Channels
	le := binary.LittleEndian
	b := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt "), 18, 0, 0, 0)
	b = le.AppendUint16(b, tag)
	b = le.AppendUint16(b, uint16(w.f.Channels))
	b = le.AppendUint32(b, uint32(w.f.Rate))
	b = le.AppendUint32(b, uint32(w.f.Rate*frame))
	b = le.AppendUint16(b, uint16(frame))
	b = le.AppendUint16(b, uint16(8*width))
	b = le.AppendUint16(b, 0)
	b = append(b, "fact\x04\x00\x00\x00"...)
	b = le.AppendUint32(b, size/uint32(frame))
	b = append(b, "data"...)
	b = le.AppendUint32(b, size)
	whole := uint32(unknown)
	if size != unknown {
		whole = uint32(len(b)) - 8 + size
	}
	le.PutUint32(b[4:], whole)
	return b
}

// Encode implements Encoder.
func (w *wav) Encode(pcm []int16) (err error) {
	w.buf = w.buf[:0]
	if w.code != nil {
		if w.buf, err = w.code.Encode(w.buf, pcm); err != nil {
			return err
		}
	} else {
		for _, s := range pcm {
			w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(s))
		}
	}
	n, err := w.to.Write(w.buf)
	w.size += uint32(n)
	if err != nil || w.patch == nil {
		return err
	}
	return w.mend()
}

// mend makes the header say how long the file is.
func (w *wav) mend() error {
	_, err := w.patch.WriteAt(w.head(w.size), 0)
	return err
}

// Close implements Encoder.
func (w *wav) Close() error { return nil }
