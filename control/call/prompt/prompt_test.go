package prompt

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/tone"
	"mcp/vxml/fetch"
)

// served is one recording, whose second half comes later, or never.
type served struct {
	mediaType     string
	first, second []byte
	after         time.Duration
	dies          bool
	left          chan struct{} // nobody wants it any more
}

// RoundTrip implements http.RoundTripper.
func (s *served) RoundTrip(q *http.Request) (*http.Response, error) {
	out, in := io.Pipe()
	context.AfterFunc(q.Context(), func() { out.CloseWithError(q.Context().Err()) })
	go func() {
		defer close(s.left)
		if _, err := in.Write(s.first); err != nil {
			return
		}
		time.Sleep(s.after)
		if s.dies {
			<-q.Context().Done()
			return
		}
		if _, err := in.Write(s.second); err == nil {
			in.Close()
		}
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {s.mediaType}}, Body: out, ContentLength: -1, Request: q}, nil
}

// hum is so many seconds of mu-law.
func hum(t *testing.T, seconds time.Duration) []byte {
	t.Helper()
	law, err := codec.PCMU.Encode(tone.PCM(codec.Narrowband, tone.Part{Hz: []float64{440}, Level: -10, For: seconds * time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	return law
}

// TestOpen gets what is there at once whole, and what is not as it arrives.
func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		name, mediaType, asked string
		after                  time.Duration
		dies                   bool
		opens                  error // nil: it does
		whole                  bool
		samples                int // that there are in the end
		spoiled                bool
	}{
		{name: "whole", mediaType: "audio/basic", whole: true, samples: 16000},
		{name: "whole, of a type that is asked for", mediaType: "text/plain", asked: "audio/basic", whole: true, samples: 16000},
		{name: "arriving", mediaType: "audio/basic", after: 3 * time.Second, samples: 16000},
		{name: "arriving, and dying", mediaType: "audio/basic", after: 3 * time.Second, dies: true, samples: 8000, spoiled: true},
		{name: "of another type", mediaType: "text/plain", opens: errType},
		{name: "of another type, arriving", mediaType: "text/plain", after: 3 * time.Second, opens: errType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			half := hum(t, 1)
			synctest.Test(t, func(t *testing.T) {
				web := &served{mediaType: tt.mediaType, first: half, second: half, after: tt.after, dies: tt.dies, left: make(chan struct{})}
				from := fetch.New(fetch.Config{Client: &http.Client{Transport: web}, MaxBody: 1 << 20, Timeout: 10 * time.Second})
				r, err := Open(t.Context(), from, "http://h/a", tt.asked)
				if tt.opens != nil {
					if err == nil || !Unreadable(err) || !Spoiled(err) {
						t.Errorf("%v", err)
					}
					<-web.left
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				pcm, whole := r.Whole()
				if whole != tt.whole {
					t.Errorf("whole: %t", whole)
				}
				if !whole {
					pcm, err = read(t, r)
				}
				if len(pcm) != tt.samples || Spoiled(err) != tt.spoiled {
					t.Errorf("%d samples, %v", len(pcm), err)
				}
				r.Close()
				r.Close()
				<-web.left
			})
		})
	}
}

var errType = errors.New("it is no recording")

func read(t *testing.T, r *Recording) (all []int16, err error) {
	t.Helper()
	from, err := r.Reader()
	if err != nil {
		return nil, err
	}
	for {
		pcm, err := from.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, pcm...)
	}
}

// Who gives up while a recording is opened is not kept waiting.
func TestOpenIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := &served{mediaType: "", first: []byte("RIFF"), after: time.Hour, dies: true, left: make(chan struct{})}
		from := fetch.New(fetch.Config{Client: &http.Client{Transport: web}, MaxBody: 1 << 20, Timeout: 2 * time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if _, err := Open(ctx, from, "http://h/a", ""); err == nil || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		<-web.left
	})
}
