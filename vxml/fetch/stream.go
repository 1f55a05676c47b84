package fetch

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// moment is how long Open waits for all of an answer: what is here by then needs no
// stream.
const moment = 200 * time.Millisecond

// Stream is a resource that is perhaps still arriving. It must be closed.
type Stream struct {
	URL       string // after redirects
	MediaType string // Content-Type as the server said it

	whole  *Resource // nil: it was not there when it was opened
	closed atomic.Bool
	from   *download     // of what was not there
	quit   chan struct{} // closed with such a stream
}

// Whole is the resource, if all of it was there when it was opened; else nil.
func (s *Stream) Whole() *Resource {
	if s == nil {
		return nil
	}
	return s.whole
}

// Reader reads the resource from its beginning, and waits for what is not there yet. Its
// errors are io.EOF, an *Error when the rest could not be had, and fs.ErrClosed once it
// or the stream is closed. There may be any number of readers.
func (s *Stream) Reader() io.ReadCloser { return &streamReader{stream: s, quit: make(chan struct{})} }

// Close ends what reads the stream. Unless somebody else wants it too, what has not
// arrived is given up. It is idempotent.
func (s *Stream) Close() error {
	if !s.closed.Swap(true) && s.from != nil {
		close(s.quit)
		s.from.leave()
	}
	return nil
}

// Open carries out a GET as Get does, but does not wait for a long body: it returns once
// the header is there, and all of the body or a moment has gone by. The request's
// Timeout is what the header may take, and how long the body may stand still after it.
// Many who open the same at once share what arrives, if a shared cache may keep it.
func (f *Fetcher) Open(ctx context.Context, req Request) (*Stream, error) {
	req = f.complete(req)
	begun := time.Now()
	var s *Stream
	var err error
	if hit := f.remembered(req, begun); hit != nil {
		s, err = opened(hit, nil)
	} else {
		s, err = f.open(ctx, req)
	}
	req.tell(begun, s.arrived(), err)
	return s, failed(ctx, req, err)
}

func (f *Fetcher) open(ctx context.Context, req Request) (*Stream, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || req.Method != http.MethodGet {
		within, cancel := context.WithTimeout(ctx, req.Timeout)
		defer cancel()
		return opened(f.get(within, req))
	}
	if err := f.config.Policy.check(u); err != nil {
		return nil, err
	}
	wanted := time.Now()
	for waits := 0; ; waits++ {
		if hit := f.usable(req, wanted); hit != nil {
			return opened(hit, nil)
		}
		if d := f.arrivals.join(req); d != nil {
			return d.stream(ctx)
		}
		if leave, may := f.mayAsk(req.URL, waits); may {
			d, r, err := f.begin(ctx, req)
			leave()
			if d == nil {
				return opened(r, err)
			}
			return d.stream(ctx)
		}
		if err := f.flights.wait(ctx, req.URL); err != nil {
			return nil, err
		}
	}
}

// usable is what the cache has for a request, fresh or confirmed by the server since it
// was wanted; or nil.
func (f *Fetcher) usable(req Request, wanted time.Time) *Resource {
	if hit := f.fresh(req); hit != nil {
		return hit
	}
	if e := f.cache.get(req.URL); e != nil && req.MaxAge == nil && !e.asked.Before(wanted) {
		return e.hit()
	}
	return nil
}

// mayAsk has one ask the server at a time. Who waited for one that asked before it came
// waits for the next, whose answer is for all who wait; then, or when nothing is kept that
// could be for others, it asks for itself, so that nobody stands in a queue.
func (f *Fetcher) mayAsk(url string, waits int) (leave func(), may bool) {
	leave, first := f.flights.enter(url)
	if !first && (waits > 1 || waits == 1 && f.cache.get(url) == nil) {
		return func() {}, true
	}
	return leave, first
}

// opened is a stream of what is there.
func opened(r *Resource, err error) (*Stream, error) {
	if err != nil {
		return nil, err
	}
	return &Stream{URL: r.URL, MediaType: r.MediaType, whole: r}, nil
}

// arrived is what is there of a stream, for who is told of it.
func (s *Stream) arrived() *Resource {
	if s == nil || s.whole != nil {
		return s.Whole()
	}
	body, _, _ := s.from.since(0)
	return &Resource{URL: s.URL, MediaType: s.MediaType, Body: body}
}

// streamReader reads a Stream.
type streamReader struct {
	stream *Stream
	at     int
	once   sync.Once
	quit   chan struct{}
}

// Close implements io.Closer; who reads meanwhile is told.
func (r *streamReader) Close() error {
	r.once.Do(func() { close(r.quit) })
	return nil
}

// Read implements io.Reader.
func (r *streamReader) Read(p []byte) (int, error) {
	s := r.stream
	for {
		if r.closed() {
			return 0, fs.ErrClosed
		}
		var have []byte
		var more <-chan struct{}
		err := io.EOF
		if s.whole != nil {
			have = s.whole.Body[r.at:]
		} else {
			have, more, err = s.from.since(r.at)
		}
		if n := copy(p, have); n > 0 {
			r.at += n
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		select {
		case <-more:
		case <-s.quit:
		case <-r.quit:
		}
	}
}

func (r *streamReader) closed() bool {
	select {
	case <-r.quit:
		return true
	default:
		return r.stream.closed.Load()
	}
}
