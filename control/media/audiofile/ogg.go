package audiofile

import (
	"encoding/binary"
	"fmt"

	"github.com/thesyncim/gopus"

	"mcp/control/media/resample"
)

func isOgg(data []byte) bool { return len(data) >= 27 && string(data[:4]) == "OggS" }

// longestOpus is the most samples of a packet, 120 ms at 48 kHz.
const longestOpus = 5760

// opusRate is what Opus is decoded at. Its lengths are counted at 48 kHz.
const (
	opusRate  = 16000
	opusClock = 48000
)

// decodeOgg reads Opus in Ogg (RFC 7845), the first stream of a file.
func decodeOgg(data []byte) ([]int16, error) {
	d, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(opusRate, 1))
	if err != nil {
		return nil, err
	}
	var pcm []int16
	var buf [longestOpus]int16
	skip, n := 0, 0
	err = eachPacket(data, func(packet []byte) error {
		n++
		switch {
		case n == 1:
			if len(packet) < 19 || string(packet[:8]) != "OpusHead" {
				return fmt.Errorf("%w: Ogg without Opus", ErrUnsupported)
			}
			skip = int(binary.LittleEndian.Uint16(packet[10:])) * opusRate / opusClock
		case n > 2:
			if got, err := d.DecodeInt16(packet, buf[:]); err == nil {
				pcm = append(pcm, buf[:got]...)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resample.Whole(pcm[min(skip, len(pcm)):], opusRate, Rate), nil
}

// eachPacket takes the packets out of the pages of the first stream (RFC 3533
// section 6). What is broken off ends the file.
func eachPacket(data []byte, visit func([]byte) error) error {
	var packet []byte
	var serial uint32
	for first := true; isOgg(data); first = false {
		segments := int(data[26])
		if len(data) < 27+segments {
			return nil
		}
		lacing, body := data[27:27+segments], data[27+segments:]
		own := first || binary.LittleEndian.Uint32(data[14:]) == serial
		if first {
			serial = binary.LittleEndian.Uint32(data[14:])
		}
		for _, l := range lacing {
			if len(body) < int(l) {
				return nil
			}
			if own {
				packet = append(packet, body[:l]...)
				if l < 255 {
					if err := visit(packet); err != nil {
						return err
					}
					packet = packet[:0]
				}
			}
			body = body[l:]
		}
		data = body
	}
	return nil
}
