package speechtest

import (
	"encoding/binary"
	"time"

	"github.com/zaf/g711"

	"mcp/speech/mrcp/mrcptest/line"
)

// Encode is audio as G.711, mu-law or A-law.
func Encode(pcm []int16, alaw bool) []byte {
	out := make([]byte, len(pcm))
	for i, s := range pcm {
		if alaw {
			out[i] = g711.EncodeAlawFrame(s)
		} else {
			out[i] = g711.EncodeUlawFrame(s)
		}
	}
	return out
}

// Decode is G.711 as audio.
func Decode(octets []byte, alaw bool) []int16 {
	out := make([]int16, len(octets))
	for i, b := range octets {
		if alaw {
			out[i] = g711.DecodeAlawFrame(b)
		} else {
			out[i] = g711.DecodeUlawFrame(b)
		}
	}
	return out
}

// Linear is 16-bit samples, little endian, as audio.
func Linear(octets []byte) []int16 {
	out := make([]int16, len(octets)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(octets[2*i:]))
	}
	return out
}

// WAV is a file of G.711 mu-law or A-law at Rate.
func WAV(octets []byte, alaw bool) []byte {
	format := uint16(7)
	if alaw {
		format = 6
	}
	le := binary.LittleEndian
	out := le.AppendUint32([]byte("RIFF"), uint32(36+len(octets)))
	out = le.AppendUint32(append(out, "WAVEfmt "...), 16)
	for _, field := range []uint16{format, 1} {
		out = le.AppendUint16(out, field)
	}
	for _, field := range []uint32{Rate, Rate} {
		out = le.AppendUint32(out, field)
	}
	for _, field := range []uint16{1, 8} {
		out = le.AppendUint16(out, field)
	}
	out = le.AppendUint32(append(out, "data"...), uint32(len(octets)))
	return append(out, octets...)
}

// Moment is what Listener.Hear has come to.
type Moment uint8

// The moments of an utterance.
const (
	Nothing Moment = iota
	Begun
	Ended
)

// Listener finds utterances in audio that comes in any pieces.
type Listener struct {
	pause    time.Duration
	detector line.Detector
	turn     *line.Turn
	rest     []int16
	ended    bool
}

// NewListener listens for an utterance that a pause ends.
func NewListener(pause time.Duration) *Listener {
	return &Listener{pause: pause, turn: newTurn(pause)}
}

func newTurn(pause time.Duration) *line.Turn {
	return line.NewTurn(line.Timeouts{
		NoInput: time.Hour, Complete: pause, Incomplete: pause, MaxSpeech: time.Minute,
	}, false, 0.5)
}

// Hear takes audio and gives the moments in it, in order. After Ended, Utterance is
// the one that has ended until more is heard.
func (l *Listener) Hear(pcm []int16) (moments []Moment) {
	l.rest = append(l.rest, pcm...)
	for len(l.rest) >= line.FrameSamples {
		frame := l.rest[:line.FrameSamples]
		l.rest = l.rest[line.FrameSamples:]
		if l.ended {
			l.turn, l.ended = newTurn(l.pause), false
		}
		switch l.turn.Feed(frame, l.detector.Measure(frame)) {
		case line.Started:
			moments = append(moments, Begun)
		case line.Paused, line.Finished, line.TooLong:
			l.ended = true
			return append(moments, Ended)
		}
	}
	return moments
}

// Utterance is what was said.
func (l *Listener) Utterance() []int16 { return l.turn.Audio() }

// Octets is audio as 16-bit samples, little endian.
func Octets(pcm []int16) []byte {
	out := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	return out
}
