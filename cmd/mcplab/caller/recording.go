package caller

import (
	"errors"
	"fmt"
	"os"

	"github.com/go-audio/audio"
	"github.com/go-audio/wav"
)

// Recording is a call in stereo, both sides at their times: Said on the left,
// Heard on the right, 8 kHz.
type Recording struct {
	Said, Heard []int16
}

// place writes a frame into a track at a sample position, silence before it
// where the track is shorter.
func place(track []int16, at int, frame []int16) []int16 {
	if at < 0 {
		return track
	}
	if missing := at + len(frame) - len(track); missing > 0 {
		track = append(track, make([]int16, missing)...)
	}
	copy(track[at:], frame)
	return track
}

// Write writes the recording as a 16-bit WAV file.
func (r *Recording) Write(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	const bits, channels, pcm = 16, 2, 1
	length := max(len(r.Said), len(r.Heard))
	samples := make([]int, channels*length)
	for i, s := range r.Said {
		samples[channels*i] = int(s)
	}
	for i, s := range r.Heard {
		samples[channels*i+1] = int(s)
	}
	encoder := wav.NewEncoder(file, clockRate, bits, channels, pcm)
	err = encoder.Write(&audio.IntBuffer{
		Format: &audio.Format{NumChannels: channels, SampleRate: clockRate}, Data: samples, SourceBitDepth: bits,
	})
	if err := errors.Join(err, encoder.Close(), file.Close()); err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	return nil
}
