package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// readWAV reads 16-bit mono PCM as the synthesizers write it. espeak-ng, which
// writes to a pipe, cannot know the length of its data chunk and leaves a huge
// one, so what is there counts.
func readWAV(file []byte) (samples []int16, rate int, err error) {
	if len(file) < 12 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" {
		return nil, 0, fmt.Errorf("not a WAV file")
	}
	for rest := file[12:]; len(rest) >= 8; {
		size := int(binary.LittleEndian.Uint32(rest[4:8]))
		kind, body := string(rest[:4]), rest[8:]
		if size > len(body) {
			size = len(body)
		}
		switch kind {
		case "fmt ":
			if size < 16 || binary.LittleEndian.Uint16(body[2:]) != 1 || binary.LittleEndian.Uint16(body[14:]) != 16 {
				return nil, 0, fmt.Errorf("WAV is not 16-bit mono")
			}
			rate = int(binary.LittleEndian.Uint32(body[4:]))
		case "data":
			samples = make([]int16, size/2)
			for i := range samples {
				samples[i] = int16(binary.LittleEndian.Uint16(body[2*i:]))
			}
			return samples, rate, nil
		}
		rest = body[min(size+size%2, len(body)):]
	}
	return nil, 0, fmt.Errorf("WAV without data")
}

// writeWAV makes a 16-bit mono WAV file.
func writeWAV(samples []int16, rate int) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) } // a Buffer takes everything
	b.WriteString("RIFF")
	put(uint32(36 + 2*len(samples)))
	b.WriteString("WAVEfmt ")
	put(uint32(16))
	put([]uint16{1, 1})
	put([]uint32{uint32(rate), uint32(2 * rate)})
	put([]uint16{2, 16})
	b.WriteString("data")
	put(uint32(2 * len(samples)))
	put(samples)
	return b.Bytes()
}
