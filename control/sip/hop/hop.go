// Package hop keeps the list of proxies that calls go out through, a Resource
// Manager's nodes for instance, and which of them are to be tried first.
package hop

import (
	"sync"
	"time"
)

// DefaultPenalty is for how long a hop that failed is tried after the others,
// unless it said itself.
const DefaultPenalty = 30 * time.Second

// List is a list of hops in order of preference.
type List struct {
	hops []string

	mu    sync.Mutex
	until map[string]time.Time // those that failed
}

// New makes a list of URIs.
func New(uris []string) *List {
	return &List{hops: uris, until: map[string]time.Time{}}
}

// Order is in which order to try the hops now: those in good standing first.
// Those that failed follow, the one that failed longest ago first, for it is
// better to try than to fail.
func (l *List) Order(now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var good, bad []string
	for _, h := range l.hops {
		if l.until[h].After(now) {
			i := 0
			for i < len(bad) && !l.until[h].Before(l.until[bad[i]]) {
				i++
			}
			bad = append(bad[:i], append([]string{h}, bad[i:]...)...)
			continue
		}
		good = append(good, h)
	}
	return append(good, bad...)
}

// Failed puts a hop behind the others for a while; zero means DefaultPenalty.
// True says that it was in good standing until now.
func (l *List) Failed(uri string, now time.Time, penalty time.Duration) bool {
	if penalty <= 0 {
		penalty = DefaultPenalty
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	news := !l.until[uri].After(now)
	l.until[uri] = now.Add(penalty)
	return news
}

// Worked puts a hop back into good standing.
func (l *List) Worked(uri string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.until, uri)
}
