package fetch_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp/vxml/fetch"
)

// slow is a web server that answers after a time.
type slow time.Duration

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	timer := time.NewTimer(time.Duration(s))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Cache-Control": {"max-age=60"}}, Body: io.NopCloser(strings.NewReader("page")), Request: r,
	}, nil
}

// Many who wait for one slow answer are told of while they wait, but not again and
// again, nor are few.
func TestCrowdsAreToldOf(t *testing.T) {
	for _, tt := range []struct {
		name  string
		calls int
		late  time.Duration
		open  bool
		told  []time.Duration // when, by the age of the request
	}{
		{name: "few", calls: 10, late: 9 * time.Second},
		{name: "soon over", calls: 100, late: 1900 * time.Millisecond},
		{name: "many", calls: 11, late: 9 * time.Second, told: []time.Duration{2 * time.Second}},
		{name: "many, who open streams", calls: 11, late: 9 * time.Second, open: true, told: []time.Duration{2 * time.Second}},
		{name: "many for long", calls: 40, late: 25 * time.Second, told: []time.Duration{2 * time.Second, 12 * time.Second, 22 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fetch.New(fetch.Config{Client: &http.Client{Transport: slow(tt.late)}, Timeout: time.Minute})
				told := make(chan fetch.Crowd, 10)
				f.OnCrowd(func(c fetch.Crowd) { told <- c })
				var calls sync.WaitGroup
				for range tt.calls {
					calls.Go(func() { fetches(t, f, tt.open) })
				}
				synctest.Wait()
				if n := f.Waiting(); n != tt.calls-1 {
					t.Errorf("%d wait", n)
				}
				calls.Wait()
				time.Sleep(time.Minute)
				if f.Waiting() != 0 || len(told) != len(tt.told) {
					t.Fatalf("%d wait; told %d times", f.Waiting(), len(told))
				}
				for _, age := range tt.told {
					if c := <-told; c.Host != "web:8080" || c.Waiting != tt.calls-1 || c.Age != age {
						t.Errorf("told %+v, want it after %v", c, age)
					}
				}
			})
		})
	}
}

func fetches(t *testing.T, f *fetch.Fetcher, open bool) {
	req := fetch.Request{URL: "http://web:8080/main.vxml?secret=1"}
	if !open {
		if _, err := f.Get(context.Background(), req); err != nil {
			t.Error(err)
		}
		return
	}
	s, err := f.Open(context.Background(), req)
	if err != nil {
		t.Error(err)
		return
	}
	s.Close()
}
