package fetch

import (
	"context"
	"net/url"
	"sync"
	"time"
)

// Many who wait for one answer are a crowd once the request has been under way for a
// while, and told of no more often than this, whatever they wait for.
const (
	crowdSize  = 10
	crowdAge   = 2 * time.Second
	crowdQuiet = 10 * time.Second
)

// Crowd is many who wait for the answer to one request.
type Crowd struct {
	Host    string        // of the URL
	Waiting int           // how many, besides the one who asked
	Age     time.Duration // of the request
}

// flights are the requests under way, by URL.
type flights struct {
	mu      sync.Mutex
	all     map[string]*flight
	waiting int         // for any of them
	crowded func(Crowd) // nil: nobody wants to know
	told    time.Time   // of the latest crowd
}

// flight is one of them. The lock of the flights guards it.
type flight struct {
	landed  chan struct{} // closed when it is over
	begun   time.Time
	waiting int
	alarm   *time.Timer // looks for a crowd; nil: nobody has waited
}

// OnCrowd has a function hear of crowds, on a goroutine of its own. It is called before
// the first request.
func (f *Fetcher) OnCrowd(hear func(Crowd)) { f.flights.crowded = hear }

// Waiting is how many wait for the answer to a request of somebody else for the same URL.
func (f *Fetcher) Waiting() int {
	f.flights.mu.Lock()
	defer f.flights.mu.Unlock()
	return f.flights.waiting
}

// enter begins a request unless one for the URL is under way; then first is false.
func (f *flights) enter(url string) (leave func(), first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[url] != nil {
		return nil, false
	}
	one := &flight{landed: make(chan struct{}), begun: time.Now()}
	f.all[url] = one
	return func() {
		f.mu.Lock()
		delete(f.all, url)
		if one.alarm != nil {
			one.alarm.Stop()
		}
		f.mu.Unlock()
		close(one.landed)
	}, true
}

// wait waits for the request under way, if there is any. Its error is the context's.
func (f *flights) wait(ctx context.Context, url string) error {
	one := f.join(url)
	if one == nil {
		return nil
	}
	defer func() {
		f.mu.Lock()
		one.waiting--
		f.waiting--
		f.mu.Unlock()
	}()
	select {
	case <-one.landed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join adds to those who wait for the request under way, or is nil.
func (f *flights) join(url string) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.all[url]
	if one == nil {
		return nil
	}
	one.waiting++
	f.waiting++
	if one.alarm == nil && f.crowded != nil {
		one.alarm = time.AfterFunc(time.Until(one.begun.Add(crowdAge)), func() { f.look(url, one) })
	}
	return one
}

// look tells of a crowd, and looks again as long as the request is under way.
func (f *flights) look(url string, one *flight) {
	f.mu.Lock()
	if f.all[url] != one {
		f.mu.Unlock()
		return
	}
	one.alarm.Reset(crowdAge)
	now := time.Now()
	crowd := Crowd{Host: hostOf(url), Waiting: one.waiting, Age: now.Sub(one.begun)}
	tell := one.waiting >= crowdSize && now.Sub(f.told) >= crowdQuiet
	if tell {
		f.told = now
	}
	f.mu.Unlock()
	if tell {
		f.crowded(crowd)
	}
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
