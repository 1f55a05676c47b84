package caller

import (
	"encoding/binary"
	"math"
	"strings"
	"time"
)

// keys are those of RFC 4733 table 3, at the index of their event code.
const keys = "0123456789*#ABCD"

const (
	toneTime    = 100 * time.Millisecond // how long a key is held
	toneFrames  = int(toneTime / frameTime)
	endPackets  = 3 // RFC 4733 section 2.5.1.4
	toneVolume  = 10
	pauseFrames = 5 // of silence between keys
)

// eventPayload is the payload of an RFC 4733 packet sent at the given frame of
// the event, counted from zero.
func eventPayload(key byte, frame int) []byte {
	duration := min(frame+1, toneFrames) * frameSamples
	payload := []byte{byte(strings.IndexByte(keys, key)), toneVolume, 0, 0}
	if frame >= toneFrames {
		payload[1] |= 0x80
	}
	binary.BigEndian.PutUint16(payload[2:], uint16(duration))
	return payload
}

// Frequencies of the keypad's rows and columns, Hz.
var (
	rows    = []float64{697, 770, 852, 941}
	columns = []float64{1209, 1336, 1477, 1633}
)

// tone is what a telephone lets its user hear of a key at the given frame: the
// recording has it, the line does not.
func tone(key byte, frame int) []int16 {
	at := strings.IndexByte("123A456B789C*0#D", key)
	samples := make([]int16, frameSamples)
	for i := range samples {
		t := 2 * math.Pi * float64(frame*frameSamples+i) / clockRate
		samples[i] = int16(2500 * (math.Sin(rows[at/4]*t) + math.Sin(columns[at%4]*t)))
	}
	return samples
}
