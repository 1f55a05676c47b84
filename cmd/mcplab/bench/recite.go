package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-audio/audio"
	"github.com/go-audio/wav"

	"mcp/bpf/bpfbench"
)

// recited is how long rtpengine has something to play: until all have been begun
// and heard.
const recited = 2 * time.Minute

// recite has rtpengine play a recording to many calls. It needs four sockets for
// each: with the 20,000 files that a process may usually open there are no more
// than 5,000.
func recite(ctx context.Context, streams int) (_ promptCost, err error) {
	c, err := newListeningCourse(bpfbench.Listen{BySource: true, First: engineFirst, Ports: (engineLast - engineFirst) / 2, Every: 2})
	if err != nil {
		return promptCost{}, err
	}
	defer c.close(&err)
	if err := c.attachListener(); err != nil {
		return promptCost{}, err
	}
	file, err := recording(recited)
	if err != nil {
		return promptCost{}, err
	}
	defer os.RemoveAll(filepath.Dir(file))
	e, err := openRTPEngine(c)
	if err != nil {
		return promptCost{}, err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	c.beside = e.process.Process.Pid
	for i := range streams {
		if err := ctx.Err(); err != nil {
			return promptCost{}, err
		}
		if _, err := e.relay(i); err != nil {
			return promptCost{}, fmt.Errorf("%w after %d: %w", errNoMore, i, err)
		}
		if _, err := e.control.Ask(about(i, "play media", "b", map[string]any{"file": file})); err != nil {
			return promptCost{}, fmt.Errorf("%w after %d: %w", errNoMore, i, err)
		}
	}
	time.Sleep(promptRun / 2)
	return c.hear(streams)
}

// recording makes a file of silence to play, in a folder of its own.
func recording(length time.Duration) (string, error) {
	dir, err := os.MkdirTemp("", "mcpbench")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "recited.wav")
	file, err := os.Create(name)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	const rate, bits, channels, pcm = 8000, 16, 1, 1
	encoder := wav.NewEncoder(file, rate, bits, channels, pcm)
	err = encoder.Write(&audio.IntBuffer{
		Format: &audio.Format{NumChannels: channels, SampleRate: rate}, SourceBitDepth: bits,
		Data: make([]int, int(length/time.Second)*rate),
	})
	return name, errors.Join(err, encoder.Close(), file.Close())
}
