// Package audiofile reads recordings as they come from files and web servers
// into what telephony plays: one channel of linear samples at 8 kHz.
package audiofile

import (
	"bytes"
	"errors"
	"io"
)

// Rate is the sample rate of what Decode returns, in Hz.
const Rate = 8000

// The sample rates of files that are read.
const (
	minRate = 4000
	maxRate = 192000
)

// ErrUnsupported says that a recording is of a type that cannot be played.
var ErrUnsupported = errors.New("unsupported audio")

// Decode reads a whole recording as a Reader does.
func Decode(mediaType string, data []byte) ([]int16, error) {
	r, err := NewReader(mediaType, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	pcm := []int16{}
	for {
		more, err := r.Next()
		if err == io.EOF {
			return pcm, nil
		}
		if err != nil {
			return nil, err
		}
		pcm = append(pcm, more...)
	}
}
