package fetch

import (
	"container/list"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cache keeps answers of GET requests in memory, the least recently used leaving first.
type cache struct {
	mu    sync.Mutex
	limit int64
	size  int64
	order *list.List // of *slot, most recently used first
	slots map[string]*list.Element
}

type slot struct {
	url   string
	entry *entry
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, order: list.New(), slots: make(map[string]*list.Element)}
}

func (c *cache) get(url string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.slots[url]
	if el == nil {
		return nil
	}
	c.order.MoveToFront(el)
	return el.Value.(*slot).entry
}

func (c *cache) put(url string, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(url)
	if e.size() > c.limit {
		return
	}
	c.slots[url] = c.order.PushFront(&slot{url, e})
	c.size += e.size()
	for c.size > c.limit {
		c.dropLocked(c.order.Back().Value.(*slot).url)
	}
}

func (c *cache) drop(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(url)
}

func (c *cache) dropLocked(url string) {
	if el := c.slots[url]; el != nil {
		c.size -= el.Value.(*slot).entry.size()
		c.order.Remove(el)
		delete(c.slots, url)
	}
}

// entry is a stored answer; immutable.
type entry struct {
	resource *Resource
	digest   digest // of its body
	answered sync.Once
	answer   Resource // of the cache
	header   http.Header
	asked    time.Time     // when it was asked for
	born     time.Time     // when the origin made or confirmed it
	life     time.Duration // freshness lifetime (RFC 9111 section 4.2.1)
	must     bool          // never used stale, though somebody would take it
}

func (e *entry) size() int64 { return int64(len(e.resource.Body)) + 512 }

// newEntry decides whether an answer may be stored by a cache shared between
// callers (RFC 9111 section 3).
func newEntry(now time.Time, a *answer) (*entry, bool) {
	control := directives(a.header)
	_, noStore := control["no-store"]
	_, private := control["private"]
	if noStore || private || variable(a.header) || a.status != 0 && a.status != http.StatusOK {
		return nil, false
	}
	if a.header.Get("Set-Cookie") != "" && len(control) == 0 {
		return nil, false
	}
	e := &entry{resource: a.resource, header: a.header}
	e.judge(now, control)
	if e.life <= 0 && e.validators() == nil {
		return nil, false
	}
	return e, true
}

// variable tells whether another caller would perhaps get another answer: of all
// that is sent, only the cookies are a caller's own.
func variable(h http.Header) bool {
	for _, line := range h.Values("Vary") {
		for _, name := range strings.Split(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Cookie") {
				return true
			}
		}
	}
	return false
}

// hit is the entry as an answer, the same for all.
func (e *entry) hit() *Resource {
	e.answered.Do(func() {
		e.answer = *e.resource
		e.answer.FromCache, e.answer.digest = true, &e.digest
	})
	return &e.answer
}

func (e *entry) judge(now time.Time, control map[string]string) {
	e.asked, e.born = now, now.Add(-e.age(now))
	_, noCache := control["no-cache"]
	for _, name := range []string{"no-cache", "must-revalidate", "proxy-revalidate", "s-maxage"} { // ours is a shared cache
		if _, given := control[name]; given {
			e.must = true
		}
	}
	switch {
	case noCache:
	case control["s-maxage"] != "":
		e.life = seconds(control["s-maxage"])
	case control["max-age"] != "":
		e.life = seconds(control["max-age"])
	default:
		if expires, err := http.ParseTime(e.header.Get("Expires")); err == nil {
			date, err := http.ParseTime(e.header.Get("Date"))
			if err != nil {
				date = now
			}
			e.life = expires.Sub(date)
		}
	}
}

// age is how old an answer was already when it came (RFC 9111 section 4.2.3).
func (e *entry) age(now time.Time) time.Duration {
	age := seconds(e.header.Get("Age"))
	if date, err := http.ParseTime(e.header.Get("Date")); err == nil {
		age = max(age, now.Sub(date).Truncate(time.Second))
	}
	return age
}

// renewed is e after the server has confirmed it (RFC 9111 section 4.3.4).
func (e *entry) renewed(now time.Time, header http.Header) *entry {
	merged := e.header.Clone()
	for k, v := range header {
		merged[k] = v
	}
	out := &entry{resource: e.resource, header: merged}
	out.judge(now, directives(merged))
	return out
}

func (e *entry) usable(now time.Time, req Request) bool {
	age := now.Sub(e.born)
	if req.MaxAge != nil && age >= *req.MaxAge {
		return false
	}
	stale := age - e.life
	return stale < 0 || !e.must && req.MaxStale > 0 && stale <= req.MaxStale
}

func (e *entry) validators() http.Header {
	h := make(http.Header)
	if tag := e.header.Get("ETag"); tag != "" {
		h.Set("If-None-Match", tag)
	}
	if date := e.header.Get("Last-Modified"); date != "" {
		h.Set("If-Modified-Since", date)
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

func directives(h http.Header) map[string]string {
	out := make(map[string]string)
	for _, line := range h.Values("Cache-Control") {
		for _, d := range strings.Split(line, ",") {
			k, v, _ := strings.Cut(strings.TrimSpace(d), "=")
			if k != "" {
				out[strings.ToLower(k)] = strings.Trim(v, `"`)
			}
		}
	}
	return out
}

// seconds is a time in seconds, and 0 when it is none.
func seconds(s string) time.Duration {
	n, err := strconv.ParseUint(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) || n > most {
		n = most
	} else if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// most is how many seconds a longer time counts as (RFC 9111 section 1.2.2).
const most = 1 << 31
