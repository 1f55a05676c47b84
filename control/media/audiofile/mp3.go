package audiofile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"
)

// isMP3 knows an ID3 tag or the sync of a frame of layer III.
func isMP3(data []byte) bool {
	return len(data) >= 4 && (string(data[:3]) == "ID3" || data[0] == 0xff && data[1]&0xe6 == 0xe2)
}

// decodeMP3 reads layer III of MPEG-1, MPEG-2 and MPEG-2.5, but for the lowest rate of
// the latter, 8 kHz. The decoder makes two channels of one.
func decodeMP3(data []byte) (pcm []int16, err error) {
	defer func() { // the decoder indexes by what broken files say
		if p := recover(); p != nil {
			pcm, err = nil, fmt.Errorf("%w: broken MP3: %v", ErrUnsupported, p)
		}
	}()
	data, rate, err := readableMP3(data)
	if err != nil {
		return nil, err
	}
	d, err := mp3.NewDecoder(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: MP3: %w", ErrUnsupported, err)
	}
	if rate == 0 {
		rate = d.SampleRate()
	}
	body, err := io.ReadAll(d)
	if err != nil && len(body) == 0 {
		return nil, fmt.Errorf("%w: MP3: %w", ErrUnsupported, err)
	}
	f := &format{tag: wavPCM, channels: 2, bits: 16, rate: rate}
	if len(body)%4 != 0 {
		body = body[:len(body)&^3]
	}
	return f.decode(body)
}
