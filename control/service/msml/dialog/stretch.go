package dialog

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"mcp/control/call/prompt"
	"mcp/control/media/audiofile"
	"mcp/control/service/msml/doc"
)

// longestAudio bounds the audio that one <play> keeps in memory: half an hour.
const longestAudio = 30 * 60 * audiofile.Rate

// tooLong refuses more than that.
func tooLong() error { return doc.Faultf(doc.NoResource, "<play> is longer than half an hour") }

// reel is a recording as far as it has arrived.
type reel struct {
	mu   sync.Mutex // guards what follows
	pcm  []int16
	more chan struct{} // closed when there is more, or the end; nil: it is over
	err  error         // why it ended too early
}

// wound is a reel that is whole.
func wound(pcm []int16) *reel { return &reel{pcm: pcm} }

// winding is a reel of which more arrives.
func winding() *reel { return &reel{more: make(chan struct{})} }

// wind fills it from a recording until that ends, or is closed.
func (w *reel) wind(from *audiofile.Reader) {
	for more := true; more; {
		pcm, err := from.Next()
		more = w.append(pcm, err)
	}
}

// append adds what has arrived, or the end; false: nothing more is wanted.
func (w *reel) append(pcm []int16, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pcm = append(w.pcm, pcm...)
	if err == nil && len(w.pcm) > longestAudio {
		err = tooLong()
	}
	close(w.more)
	if w.more = nil; err == nil {
		w.more = make(chan struct{})
		return true
	}
	if err != io.EOF {
		w.err = err
	}
	return false
}

// have is what there is; more is closed when there is more, nil: there will not be.
func (w *reel) have() (pcm []int16, more <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pcm, w.more, w.err
}

// track is a reel that is heard so many times.
type track struct {
	*reel
	times int
}

// stretch is recordings and silence in a row, with places in samples.
type stretch []track

// from is some of what there is from a place on. Without any, more is closed when there may
// be; else the error is io.EOF, or why there is no more.
func (s stretch) from(at int) (pcm []int16, more <-chan struct{}, err error) {
	for _, t := range s {
		have, more, err := t.have()
		switch total := len(have) * t.times; {
		case at < len(have):
			return have[at:], nil, nil
		case more != nil || err != nil:
			return nil, more, err
		case at < total:
			return have[at%len(have):], nil, nil
		default:
			at -= total
		}
	}
	return nil, nil, io.EOF
}

// length is that of all; false: it is not known yet.
func (s stretch) length() (samples int, known bool) {
	for _, t := range s {
		have, more, err := t.have()
		if more != nil || err != nil {
			return 0, false
		}
		samples += len(have) * t.times
	}
	return samples, true
}

// rest is all from a place on; false: it has yet to arrive, or is too much to hold.
func (s stretch) rest(at int) ([]int16, bool) {
	length, known := s.length()
	if !known || length-at > longestAudio {
		return nil, false
	}
	rest := make([]int16, 0, max(0, length-at))
	for {
		pcm, _, err := s.from(at)
		if err != nil {
			return rest, true
		}
		rest = append(rest, pcm...)
		at += len(pcm)
	}
}

// supply hands over a stretch from a place on, as it arrives. It implements media.Supply.
type supply struct {
	of   stretch
	at   int
	once sync.Once
	quit chan struct{}
}

func (s stretch) supply(at int) *supply { return &supply{of: s, at: at, quit: make(chan struct{})} }

// Next implements media.Supply: a second at most.
func (s *supply) Next() ([]int16, error) {
	for {
		select {
		case <-s.quit:
			return nil, fs.ErrClosed
		default:
		}
		pcm, more, err := s.of.from(s.at)
		if len(pcm) > 0 {
			pcm = pcm[:min(len(pcm), audiofile.Rate)]
			s.at += len(pcm)
			return pcm, nil
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-more:
		case <-s.quit:
		}
	}
}

// Close implements media.Supply; who waits in Next is told.
func (s *supply) Close() error {
	s.once.Do(func() { close(s.quit) })
	return nil
}

// unplayed is why a recording was not played to its end, as a dialog's error.
func unplayed(err error) error {
	var fault *doc.Fault
	switch {
	case err == nil, errors.As(err, &fault):
		return err
	case prompt.Spoiled(err):
		return doc.Faultf(doc.FetchError, "%v", err)
	}
	return doc.Faultf(doc.ServerError, "play: %v", err)
}
