package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// piece is what a server sends of a body, and how long after the piece before.
type piece struct {
	after time.Duration
	data  string
}

// trickle answers without a network, piece by piece.
type trickle struct {
	header map[string]string
	before time.Duration // the header
	pieces []piece
	err    error // in the end, instead of an end
	asked  int
	given  int32 // answers that were given up; atomic
}

// RoundTrip implements http.RoundTripper.
func (s *trickle) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	select {
	case <-time.After(s.before):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	out, in := io.Pipe()
	context.AfterFunc(r.Context(), func() { out.CloseWithError(r.Context().Err()) })
	go func() {
		for _, p := range s.pieces {
			time.Sleep(p.after)
			if _, err := io.WriteString(in, p.data); err != nil {
				atomic.AddInt32(&s.given, 1)
				return
			}
		}
		in.CloseWithError(s.err)
	}()
	h := make(http.Header)
	for k, v := range s.header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: out, ContentLength: -1, Request: r}, nil
}

// slowly is a body of ten octets, one each second.
func slowly() (all []piece) {
	for i := range 10 {
		all = append(all, piece{time.Second, fmt.Sprint(i)})
	}
	return all
}

var storable = map[string]string{"Cache-Control": "max-age=600", "Content-Type": "audio/basic"}

// streamed runs a test with a server, in simulated time.
func streamed(t *testing.T, s *trickle, test func(t *testing.T, f *Fetcher)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, New(Config{Client: &http.Client{Transport: s}, MaxBody: 1000, Timeout: 5 * time.Second}))
		time.Sleep(2 * time.Minute) // until the server has noticed that nobody hears it
		synctest.Wait()
	})
}

func open(t *testing.T, f *Fetcher) *Stream {
	t.Helper()
	s, err := f.Open(t.Context(), Request{URL: "http://site/long"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A long body is read while it arrives, again from its beginning, and is kept.
func TestLongBodyIsReadWhileItArrives(t *testing.T) {
	server := &trickle{header: storable, pieces: slowly()}
	streamed(t, server, func(t *testing.T, f *Fetcher) {
		begun := time.Now()
		s := open(t, f)
		if took := time.Since(begun); took != moment || s.Whole() != nil || s.MediaType != "audio/basic" {
			t.Fatalf("opened after %s: %+v", took, s)
		}
		r := s.Reader()
		var first [4]byte
		n, err := r.Read(first[:])
		if took := time.Since(begun); n != 1 || err != nil || first[0] != '0' || took != time.Second {
			t.Errorf("%q, %v after %s", first[:n], err, took)
		}
		rest, err := io.ReadAll(r)
		if string(rest) != "123456789" || err != nil || time.Since(begun) != 10*time.Second {
			t.Errorf("then %q, %v after %s", rest, err, time.Since(begun))
		}
		if again, err := io.ReadAll(s.Reader()); string(again) != "0123456789" || err != nil {
			t.Errorf("again %q, %v", again, err)
		}
		s.Close()
		s.Close()
		if kept := open(t, f).Whole(); kept == nil || string(kept.Body) != "0123456789" || !kept.FromCache {
			t.Errorf("kept: %+v", kept)
		}
	})
	if server.asked != 1 {
		t.Errorf("asked %d times", server.asked)
	}
}

// What is there in a moment is no stream.
func TestShortBodyIsWhole(t *testing.T) {
	server := &trickle{header: storable, pieces: []piece{{100 * time.Millisecond, "short"}}}
	streamed(t, server, func(t *testing.T, f *Fetcher) {
		s := open(t, f)
		if r := s.Whole(); r == nil || string(r.Body) != "short" || r.FromCache {
			t.Errorf("%+v", r)
		}
		if got, err := io.ReadAll(s.Reader()); string(got) != "short" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		s.Close()
		if _, err := s.Reader().Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read after the end: %v", err)
		}
		if s, err := f.Open(t.Context(), Request{URL: "file:///nowhere/at/all"}); s != nil || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// Each row is how a body fails to arrive; nothing of it is kept.
func TestBodyThatDoesNotArrive(t *testing.T) {
	broken := errors.New("connection reset")
	tests := []struct {
		name   string
		server trickle
		opens  bool
		read   string
		event  string
		after  time.Duration
	}{
		{"the header is late", trickle{before: time.Minute}, false, "", "error.badfetch.timeout", 5 * time.Second},
		{"stalls in the middle", trickle{pieces: []piece{{time.Second, "ab"}, {3 * time.Second, "cd"}, {time.Minute, "ef"}}}, true, "abcd", "error.badfetch.timeout", 9 * time.Second},
		{"breaks off", trickle{pieces: []piece{{time.Second, "ab"}}, err: broken}, true, "ab", "error.badfetch", time.Second},
		{"breaks off at once", trickle{err: broken}, false, "", "error.badfetch", 0},
		{"is too long", trickle{pieces: []piece{{time.Second, "ab"}, {time.Second, string(make([]byte, 1000))}}}, true, "ab", "error.badfetch", 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.server.header = storable
			streamed(t, &tt.server, func(t *testing.T, f *Fetcher) {
				begun := time.Now()
				s, err := f.Open(t.Context(), Request{URL: "http://site/long"})
				if (err == nil) != tt.opens {
					t.Fatalf("%+v, %v", s, err)
				}
				if tt.opens {
					defer s.Close()
					var got []byte
					got, err = io.ReadAll(s.Reader())
					if !bytes.HasPrefix(got, []byte(tt.read)) {
						t.Errorf("read %q", got)
					}
				}
				var failed *Error
				if !errors.As(err, &failed) || failed.EventName() != tt.event || time.Since(begun) != tt.after {
					t.Errorf("%v after %s", err, time.Since(begun))
				}
				if f.cache.get("http://site/long") != nil {
					t.Error("it is kept all the same")
				}
			})
		})
	}
}

// Who opens what is arriving shares it; the last to leave ends the download, and what
// was not complete is not kept.
func TestDownloadIsSharedAndGivenUp(t *testing.T) {
	server := &trickle{header: storable, pieces: slowly()}
	streamed(t, server, func(t *testing.T, f *Fetcher) {
		one := open(t, f)
		time.Sleep(3 * time.Second)
		two := open(t, f)
		blocked := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(one.Reader())
			blocked <- err
		}()
		synctest.Wait()
		one.Close()
		if err := <-blocked; !errors.Is(err, fs.ErrClosed) {
			t.Errorf("a reader of a closed stream: %v", err)
		}
		var got [5]byte
		if _, err := io.ReadFull(two.Reader(), got[:]); string(got[:]) != "01234" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		two.Close()
		time.Sleep(time.Minute)
		if f.cache.get("http://site/long") != nil || server.asked != 1 || atomic.LoadInt32(&server.given) != 1 {
			t.Errorf("asked %d times, given up %d times, or kept", server.asked, atomic.LoadInt32(&server.given))
		}
		three := open(t, f)
		defer three.Close()
		if server.asked != 2 {
			t.Errorf("asked %d times", server.asked)
		}
	})
}

// What may not be shared is not; who waits for the header can give up.
func TestPrivateStreamIsNotShared(t *testing.T) {
	server := &trickle{header: map[string]string{"Cache-Control": "private"}, pieces: slowly()}
	streamed(t, server, func(t *testing.T, f *Fetcher) {
		one, two := open(t, f), open(t, f)
		if server.asked != 2 {
			t.Errorf("asked %d times", server.asked)
		}
		one.Close()
		two.Close()
		server.before = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Open(ctx, Request{URL: "http://site/long"}); !errors.Is(err, context.DeadlineExceeded) || len(f.arrivals.all) != 0 {
			t.Errorf("%v, %d downloads", err, len(f.arrivals.all))
		}
	})
}

// However many a second want what the server must confirm each time, or what is not for
// others, nobody waits longer than for two that ask before.
func TestNobodyQueuesForWhatIsConfirmed(t *testing.T) {
	const each, takes, many = 5 * time.Millisecond, 40 * time.Millisecond, 1000
	tests := []struct {
		name   string
		header map[string]string
		most   int // that the server is asked
	}{
		{"confirmed", map[string]string{"ETag": `"1"`}, 1 + int(many*each/takes) + 1},
		{"of one caller", map[string]string{"Cache-Control": "private"}, 1 + many},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int64
				f := New(Config{Client: &http.Client{Transport: origin(func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					time.Sleep(takes)
					for k, v := range tt.header {
						w.Header().Set(k, v)
					}
					if r.Header.Get("If-None-Match") != "" {
						w.WriteHeader(http.StatusNotModified)
						return
					}
					fmt.Fprint(w, "audio")
				})}})
				open(t, f).Close()
				var all sync.WaitGroup
				for range many {
					all.Go(func() {
						begun := time.Now()
						s, err := f.Open(t.Context(), Request{URL: "http://site/long"})
						if err != nil {
							t.Error(err)
							return
						}
						defer s.Close()
						if took := time.Since(begun); took > 3*takes || string(s.Whole().Body) != "audio" {
							t.Errorf("%q after %s", s.Whole().Body, took)
						}
					})
					time.Sleep(each)
				}
				all.Wait()
				if n := int(asked.Load()); n > tt.most {
					t.Errorf("the server was asked %d times, more than %d", n, tt.most)
				}
			})
		})
	}
}
