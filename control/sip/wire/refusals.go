package wire

import (
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Refusal is how an INVITE is refused.
type Refusal struct {
	Status  int
	Reason  string
	Headers []sip.Header
}

// AppendHeader adds a header.
func (r *Refusal) AppendHeader(h sip.Header) { r.Headers = append(r.Headers, h) }

// maxRefusals bounds what is remembered of calls that were turned away.
const maxRefusals = 1 << 16

// refusals remembers for a while which INVITEs were turned away, by nothing but
// their keys: one that comes again over UDP must not find room that others have left
// meanwhile, for its caller may have heard the refusal.
type refusals struct {
	tags        maphash.Seed // of what they carry in To
	mu          sync.Mutex
	now, before map[txKey]struct{}
	turned      time.Time
}

// seen says whether a key was added within the last life or so.
func (r *refusals) seen(key txKey, life time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turnLocked(life)
	_, now := r.now[key]
	_, before := r.before[key]
	return now || before
}

func (r *refusals) add(key txKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.now) < maxRefusals {
		r.now[key] = struct{}{}
	}
}

func (r *refusals) turnLocked(life time.Duration) {
	now := time.Now()
	if now.Sub(r.turned) < life && r.now != nil {
		return
	}
	r.before = r.now
	if now.Sub(r.turned) >= 2*life {
		r.before = nil
	}
	r.now, r.turned = map[txKey]struct{}{}, now
}

// turnAway refuses an INVITE that would begin a call if the core says so, without
// a transaction: what is refused for want of capacity must cost none (RFC 3261
// section 8.2.7). The tag of the response is the same each time.
func (l *Layer) turnAway(req *Request, from Link, key txKey) bool {
	if req.To.Tag != "" {
		return false
	}
	again := !from.Reliable() && l.refused.seen(key, 64*l.timing.t1)
	refusal := l.core.Refuse(again)
	if refusal == nil {
		return false
	}
	if !again && !from.Reliable() {
		l.refused.add(key)
	}
	tag := strconv.FormatUint(maphash.Comparable(l.refused.tags, key), 36)
	res := Reply(req, refusal.Status, refusal.Reason, tag)
	for _, h := range refusal.Headers {
		res.AppendHeader(h)
	}
	link := replyLink(req, from)
	if err := link.write(res.write()); err != nil {
		l.log.Debug("sip refusal not delivered", "to", link.remote, "error", err)
	}
	return true
}
