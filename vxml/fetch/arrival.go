package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// download is a body on its way, read once for all who want it.
type download struct {
	answer *answer
	url    string // that was asked for
	asked  time.Time
	among  *arrivals
	cancel context.CancelCauseFunc
	over   chan struct{} // closed when nothing is read any more

	users int // guarded by the lock of the arrivals

	mu   sync.Mutex // guards what follows
	body []byte
	more chan struct{} // closed when there is more, or the end
	err  error         // io.EOF, or why no more will come; nil: more may come
}

// arrivals are the downloads that others may join, by URL.
type arrivals struct {
	mu  sync.Mutex
	all map[string]*download
}

// join finds a download that will do for a request, and uses it; or nil.
func (a *arrivals) join(req Request) *download {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.all[req.URL]
	if d == nil || req.MaxAge != nil && time.Since(d.asked) >= *req.MaxAge {
		return nil
	}
	d.users++
	return d
}

// leave gives up one use of a download; with the last it ends.
func (d *download) leave() {
	d.among.mu.Lock()
	d.users--
	last := d.users == 0
	if last {
		d.retireLocked()
	}
	d.among.mu.Unlock()
	if last {
		d.cancel(nil)
		<-d.over
	}
}

// retireLocked lets nobody join any more.
func (d *download) retireLocked() {
	if d.among.all[d.url] == d {
		delete(d.among.all, d.url)
	}
}

// begin asks the server, and begins a download once the header is there. When the server
// confirms what is cached, it is that instead.
func (f *Fetcher) begin(ctx context.Context, req Request) (*download, *Resource, error) {
	e := f.cache.get(req.URL)
	var conditional http.Header
	if e != nil {
		conditional = e.validators()
	}
	within, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { cancel(ctx.Err()) })()
	late := &alarm{time.AfterFunc(req.Timeout, func() { cancel(stalled(req.Timeout)) }), req.Timeout}
	asked := time.Now()
	a, body, err := f.send(within, req, conditional)
	if err == nil && a.resource == nil && a.moved { // another address has confirmed something of its own
		body.Close()
		a, body, err = f.send(within, req, nil)
	}
	if err == nil && a.resource != nil {
		d := &download{
			answer: a, url: req.URL, asked: asked, among: &f.arrivals, cancel: cancel, over: make(chan struct{}), users: 1, more: make(chan struct{}),
		}
		d.announce()
		go d.run(within, f, body, late)
		return d, nil, nil
	}
	late.timer.Stop()
	if err != nil {
		err = because(within, err)
		cancel(nil)
		return nil, nil, err
	}
	body.Close()
	cancel(nil)
	renewed := e.renewed(asked, a.header)
	f.cache.put(req.URL, renewed)
	return nil, renewed.hit(), nil
}

// stalled is a server that has sent nothing for so long.
func stalled(d time.Duration) error {
	return fmt.Errorf("nothing came for %s: %w", d, context.DeadlineExceeded)
}

// because is why a request failed that was given up, if somebody said.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// announce lets others join, if the answer is for everybody.
func (d *download) announce() {
	if _, shared := newEntry(d.asked, d.answer); !shared || d.answer.moved {
		return
	}
	d.among.mu.Lock()
	defer d.among.mu.Unlock()
	d.among.all[d.url] = d
}

// run reads the body to its end, and gives up when nothing comes for too long: late says
// when. What is complete is kept.
func (d *download) run(ctx context.Context, f *Fetcher, body io.ReadCloser, late *alarm) {
	defer close(d.over)
	defer d.cancel(nil)
	defer body.Close()
	defer late.timer.Stop()
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			late.timer.Reset(late.after)
		}
		size := d.take(buf[:n])
		if err == nil && size > f.config.MaxBody {
			err = errSize
		}
		if err != nil {
			d.end(f, because(ctx, err))
			return
		}
	}
}

// alarm goes off after a time in which nothing came.
type alarm struct {
	timer *time.Timer
	after time.Duration
}

// take appends what came, and is how much there is.
func (d *download) take(p []byte) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.body = append(d.body, p...)
	if len(p) > 0 {
		close(d.more)
		d.more = make(chan struct{})
	}
	return int64(len(d.body))
}

// end tells that nothing more comes, and keeps what is complete.
func (d *download) end(f *Fetcher, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == io.EOF {
		d.answer.resource.Body = d.body[:len(d.body):len(d.body)]
		f.keep(d.asked, d.url, d.answer)
	} else {
		err = &Error{URL: d.url, Err: err}
	}
	d.among.mu.Lock()
	d.retireLocked()
	d.among.mu.Unlock()
	d.err = err
	close(d.more)
}

// since is what there is from a place on, what tells of more, and why there will be none
// beyond it.
func (d *download) since(at int) (have []byte, more <-chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.body[at:len(d.body):len(d.body)], d.more, d.err
}

// stream gives a use of the download to a stream, once it is complete or a moment has
// gone by.
func (d *download) stream(ctx context.Context) (*Stream, error) {
	r := d.answer.resource
	s := &Stream{URL: r.URL, MediaType: r.MediaType, from: d, quit: make(chan struct{})}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-d.over:
	case <-timer.C:
		return s, nil
	case <-ctx.Done():
		s.Close()
		return nil, ctx.Err()
	}
	_, _, err := d.since(0)
	s.Close()
	if err != io.EOF {
		return nil, err
	}
	return opened(r, nil)
}
