package record

import (
	"io"

	"github.com/braheezy/shine-mp3/pkg/mp3"
)

// mp3Delay is by how many samples what a decoder hears is late, and at the end missing:
// as long as the filters of both.
const mp3Delay = 1105

// mp3Frame is the samples of a channel in a frame of MPEG-2 layer III at low rates.
const mp3Frame = 576

// The columns and rows of MPEG-2.5's and MPEG-2's table of bit rates are the same
// for what is written here.
var mp3Rates = map[int]int64{16: 2, 32: 4}

type mp3Writer struct {
	to      io.Writer
	encoder *mp3.Encoder
	fifo    []int16
	samples int // of a frame, all channels
}

func newMP3(to io.Writer, f Format) Encoder {
	e := mp3.NewEncoder(f.Rate, f.Channels)
	e.Mpeg.Bitrate, e.Mpeg.BitrateIndex = int64(f.Bitrate), mp3Rates[f.Bitrate]
	slots := mp3Frame * float64(f.Bitrate) * 1000 / float64(f.Rate) / 8
	e.Mpeg.WholeSlotsPerFrame = int64(slots)
	e.Mpeg.FracSlotsPerFrame = slots - float64(int64(slots))
	e.Mpeg.Slot_lag = -e.Mpeg.FracSlotsPerFrame
	e.Mpeg.Padding = 0
	return &mp3Writer{to: to, encoder: e, samples: mp3Frame * f.Channels}
}

// Encode implements Encoder.
func (m *mp3Writer) Encode(pcm []int16) error {
	for _, s := range pcm { // the encoder makes all louder by an eighth
		m.fifo = append(m.fifo, int16(int(s)*8/9))
	}
	used := 0
	for ; len(m.fifo)-used >= m.samples; used += m.samples {
		if err := m.encoder.Write(m.to, m.fifo[used:used+m.samples]); err != nil {
			return err
		}
	}
	m.fifo = m.fifo[:copy(m.fifo, m.fifo[used:])]
	return nil
}

// Close implements Encoder: silence follows until all has been heard.
func (m *mp3Writer) Close() error {
	rest := len(m.fifo) + mp3Delay*m.samples/mp3Frame
	return m.Encode(make([]int16, (rest+m.samples-1)/m.samples*m.samples-len(m.fifo)))
}
