package srtp

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
)

const (
	// breath is how long a client rests whose handshake went wrong, before the next try.
	breath = 50 * time.Millisecond
	// secondWord is how long a client waits for the answer to a cookie that it was asked
	// for: half a dozen flights. It may have been another's; then it begins anew, and waits
	// twice as long.
	secondWord = time.Second
	// firstWord is how long a client heeds nobody but whom signalling has named.
	firstWord = 300 * time.Millisecond
	// maxTrials bounds the handshakes that a server has begun at one time. Each takes
	// about 30 KiB until the one that succeeds ends the others.
	maxTrials = 32
)

// association is one DTLS association, from the first packet to its end.
//
// Where the far end begins, anybody may who could be the far end by his address. So
// each ClientHello is a trial of its own, whose cookie (RFC 6347 section 4.2.1) must
// come back before anything else is taken; who forges an address never gets it. The
// first handshake that ends with the certificate that was signalled is the far end's.
// Where we begin there is one trial, and where signalling said the far end is has the
// first word.
type association struct {
	terms Handshake
	wire  Wire
	keyed func(send, receive Key) error
	begun time.Time
	stop  context.CancelFunc
	done  sync.WaitGroup // of run, which waits for tries
	tries sync.WaitGroup
	sent  atomic.Uint64 // records that are not encrypted
	// shaken is the handshake that succeeded, failed why none can succeed any more.
	shaken chan *dtls.Conn
	failed chan error

	mu     sync.Mutex   // guards what follows
	begin  func(*trial) // nil: no more is to be begun
	trials []*trial     // those that go on, the oldest first
	won    *trial       // the one that has succeeded
	why    error        // a trial's that has not; a wrong certificate before others
}

// associate begins an association.
func associate(h Handshake, w Wire, keyed func(send, receive Key) error) *association {
	ctx, stop := context.WithCancel(context.Background())
	a := &association{
		terms: h, wire: w, keyed: keyed, begun: time.Now(), stop: stop,
		shaken: make(chan *dtls.Conn, 1), failed: make(chan error, 1),
	}
	limit, expire := context.WithTimeout(ctx, h.Limit)
	a.begin = func(t *trial) {
		own, stop := context.WithCancel(limit)
		t.stop = stop
		a.trials = append(a.trials, t)
		a.tries.Go(func() {
			defer stop()
			if !a.try(own, t) && h.Active {
				a.again(limit, t)
			}
		})
	}
	if h.Active {
		a.mu.Lock()
		a.begin(newTrial(a, netip.AddrPort{}))
		a.mu.Unlock()
	}
	a.done.Go(func() {
		defer expire()
		a.run(ctx, limit)
	})
	return a
}

// take takes a packet from where the far end may be.
func (a *association) take(p []byte, from netip.AddrPort) {
	seen, ok := inspect(p, !a.terms.Active)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.concernedLocked(seen, from)
	if t == nil && seen.hello != nil && seen.hello.cookie == "" {
		t = a.admitLocked(seen.hello, from)
	}
	if t != nil {
		t.take(p)
	}
	if t != nil && a.terms.Active {
		a.awaitLocked(t, seen)
	}
}

// awaitLocked gives up a client's trial that is asked for a cookie and told nothing more.
func (a *association) awaitLocked(t *trial, seen glimpse) {
	switch {
	case !seen.asks && t.unanswered != nil:
		t.unanswered.Stop()
	case seen.asks && t.unanswered == nil:
		t.unanswered = time.AfterFunc(t.patience, t.stop)
	}
}

// concernedLocked is the trial that a packet belongs to; nil: none.
func (a *association) concernedLocked(seen glimpse, from netip.AddrPort) *trial {
	for _, t := range slices.Backward(a.trials) {
		switch with, proven := t.with(); {
		case a.terms.Active:
			if far := a.wire.Far(); (from == far || time.Since(a.begun) > firstWord) && t.heeds(from, far) {
				return t
			}
		case seen.hello != nil:
			if t.answers(*seen.hello, from) {
				return t
			}
		case proven && with == from:
			return t
		}
	}
	return nil
}

// admitLocked begins a trial; nil: there is no room.
func (a *association) admitLocked(h *hello, from netip.AddrPort) *trial {
	if a.begin == nil || a.won != nil {
		return nil
	}
	if len(a.trials) >= maxTrials && !a.evictLocked() {
		return nil
	}
	t := newTrial(a, from)
	t.random = h.random
	a.begin(t)
	return t
}

// evictLocked ends the oldest trial, of the first kind that there is: with somebody
// who is elsewhere than signalling said and may have forged that; who is where it
// said, but may not be; who is elsewhere.
func (a *association) evictLocked() bool {
	signalled := a.wire.Far()
	for _, kind := range []struct{ far, proven bool }{{false, false}, {true, false}, {false, true}} {
		i := slices.IndexFunc(a.trials, func(t *trial) bool {
			with, proven := t.with()
			return proven == kind.proven && (with == signalled) == kind.far
		})
		if i >= 0 {
			a.trials[i].stop()
			a.trials = slices.Delete(a.trials, i, i+1)
			return true
		}
	}
	return false
}

// try shakes hands once; false: there are no keys.
func (a *association) try(ctx context.Context, t *trial) bool {
	conn, err := t.shake(ctx)
	if err == nil && a.wins(t) {
		if err = a.use(conn); err == nil {
			a.shaken <- conn
			return true
		}
	}
	if conn != nil {
		err = errors.Join(err, conn.Close())
	}
	a.loses(t, err)
	return false
}

// again begins a client's next trial, after a breath.
func (a *association) again(limit context.Context, last *trial) {
	select {
	case <-limit.Done():
	case <-time.After(breath):
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begin == nil || limit.Err() != nil {
		return
	}
	t := newTrial(a, netip.AddrPort{})
	if t.patience = last.patience; last.unanswered != nil {
		t.patience *= 2
	}
	a.begin(t)
}

// wins makes a trial the one that has succeeded, if it is the first.
func (a *association) wins(t *trial) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.won != nil || a.begin == nil {
		return false
	}
	a.won = t
	for _, other := range a.trials {
		if other != t {
			other.stop()
		}
	}
	a.trials = []*trial{t}
	return true
}

// loses forgets a trial. A wrong certificate is the far end's where signalling said
// that it is: who forges an address gets no further than to the cookie.
func (a *association) loses(t *trial, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trials = slices.DeleteFunc(a.trials, func(other *trial) bool { return other == t })
	if a.won == t {
		a.won = nil
	}
	if a.why == nil || !errors.Is(a.why, ErrFingerprint) {
		a.why = err
	}
	if with, _ := t.with(); errors.Is(err, ErrFingerprint) && with == a.wire.Far() {
		select {
		case a.failed <- err:
		default:
		}
	}
}

// use takes the keys that a handshake has made.
func (a *association) use(conn *dtls.Conn) error {
	send, receive, err := keysOf(conn, a.terms.Active)
	if err != nil {
		return err
	}
	if err = a.keyed(send, receive); err == nil {
		a.wire.Keyed(send.Profile(), nil)
	}
	return err
}

// run waits for the keys, and then keeps the association.
func (a *association) run(ctx, limit context.Context) {
	select {
	case conn := <-a.shaken:
		a.settle()
		a.hold(ctx, conn)
		return
	case err := <-a.failed:
		a.settle()
		a.wire.Keyed("", err)
		return
	case <-limit.Done():
	}
	why := a.settle()
	select {
	case conn := <-a.shaken: // in the last moment
		a.hold(ctx, conn)
		return
	default:
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(why, ErrFingerprint):
		a.wire.Keyed("", why)
	default:
		a.wire.Keyed("", errors.Join(ErrHandshake, why))
	}
}

// settle ends all trials but one that has won, and waits.
func (a *association) settle() (why error) {
	a.mu.Lock()
	a.begin = nil
	for _, t := range a.trials {
		t.stop()
	}
	a.mu.Unlock()
	a.tries.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.why
}

// hold keeps the association, which answers a far end that has lost our last
// flight, until it is closed by either side. The keys outlive it.
func (a *association) hold(ctx context.Context, conn *dtls.Conn) {
	unhold := context.AfterFunc(ctx, func() { conn.Close() })
	defer unhold()
	var buf [2048]byte
	for {
		if _, err := conn.Read(buf[:]); err != nil {
			break
		}
	}
	conn.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trials = nil
}

// close ends it, and waits.
func (a *association) close() {
	a.stop()
	a.done.Wait()
}
