package wire

import (
	"errors"
	"sync"
	"time"
)

// Why a transaction can fail.
var (
	ErrTimeout  = errors.New("no answer within 64*T1")
	ErrNoAck    = errors.New("no ACK within 64*T1")
	ErrAnswered = errors.New("transaction has its final response already")
	ErrClosed   = errors.New("signalling is closed")
)

// timing is what RFC 3261 section 17.1.1.1 calls T1, T2 and T4, scaled together
// so that a test with a short T1 sees the same shape in less time.
type timing struct{ t1, t2, t4 time.Duration }

func newTiming(t1 time.Duration) timing {
	return timing{t1: t1, t2: 8 * t1, t4: 10 * t1}
}

// linger is how long a transaction stays after its end to absorb stragglers.
func (t timing) linger(k kind, s state, reliable bool) time.Duration {
	switch {
	case s == accepted: // L, M
		return 64 * t.t1
	case reliable: // D, I, J, K
		return 0
	case k == inviteServer, k == otherClient: // I, K
		return t.t4
	default: // D, J
		return 64 * t.t1
	}
}

// transaction is the part that the server's and the client's side share: the
// machine's state, its two timers and the bytes last sent.
type transaction struct {
	layer    *Layer
	kind     kind
	key      txKey
	link     Link
	receiver Receiver // of what becomes of a request of ours
	name              // of a request that came

	mu    sync.Mutex
	state state
	last  []byte
	open  *ServerTx // a request that came, until its final response
	timers
	unwatch func()
}

// name is what the log calls a request.
type name struct{ method, callID string }

type timers struct {
	retry    *time.Timer
	expire   *time.Timer
	interval time.Duration
	epoch    int // tells a timer that was replaced while it fired
}

// drive feeds the machine and does what concerns the wire and the timers. What
// concerns the user is in the returned effects, for the caller to do without
// the lock. False means that the input had no meaning in this state.
func (t *transaction) drive(in input, msg []byte) (effect, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.driveLocked(in, msg)
}

func (t *transaction) driveLocked(in input, msg []byte) (effect, bool, error) {
	st, ok := next(t.kind, t.state, in)
	if !ok {
		return 0, false, nil
	}
	t.state = st.to
	switch {
	case st.do&fxSend != 0:
		t.last = msg
	case st.do&fxResend != 0 && t.last == nil && t.open != nil:
		t.last = Reply(t.open.Request, 100, "Trying", "").write()
	}
	if st.to != trying && st.to != proceeding {
		t.open = nil
	}
	t.armLocked(st.do)
	var err error
	if st.do&(fxSend|fxResend) != 0 && t.last != nil {
		err = t.link.write(t.last)
	}
	do := st.do
	if err != nil {
		more, _, _ := t.driveLocked(inError, nil)
		do |= more
	}
	switch {
	case st.to == terminated:
		t.finishLocked()
	case do&fxLinger != 0 && t.state != terminated:
		t.lingerLocked()
	}
	return do, true, err
}

func (t *transaction) armLocked(do effect) {
	tm := t.layer.timing
	if do&fxQuiet != 0 {
		t.stopLocked()
	}
	if do&fxRetry != 0 && !t.link.Reliable() {
		t.interval = min(max(2*t.interval, tm.t1), t.ceiling())
		t.retry = t.timer(t.retry, t.interval, inRetry)
	}
	if do&fxSlow != 0 && !t.link.Reliable() {
		t.retry = t.timer(t.retry, tm.t2, inRetry)
	}
	if do&fxGiveUp != 0 {
		t.expire = t.timer(t.expire, 64*tm.t1, inExpire)
	}
}

// lingerLocked has a transaction stay for stragglers, or as little of it as will do.
func (t *transaction) lingerLocked() {
	tm, reliable := t.layer.timing, t.link.Reliable()
	switch wait := tm.linger(t.kind, t.state, reliable); {
	case wait == 0:
		t.state = terminated
		t.finishLocked()
	case wait < 64*tm.t1:
		t.expire = t.timer(t.expire, wait, inExpire)
	case t.kind.server() && !reliable:
		t.layer.retire(t)
	default:
		t.layer.lingering.Add(t)
	}
	t.last = nil
}

// ceiling is how slow retransmissions get: timer A alone doubles without end.
func (t *transaction) ceiling() time.Duration {
	if t.kind == inviteClient {
		return 64 * t.layer.timing.t1
	}
	return t.layer.timing.t2
}

func (t *transaction) timer(old *time.Timer, d time.Duration, in input) *time.Timer {
	if old != nil {
		old.Stop()
	}
	epoch := t.epoch
	return time.AfterFunc(d, func() { t.fire(in, epoch) })
}

// slow says that nothing was sent for a while.
func (t *transaction) slow() {
	t.mu.Lock()
	due, epoch := t.state == proceeding && t.last == nil, t.epoch
	t.mu.Unlock()
	if due {
		t.fire(inRetry, epoch)
	}
}

// lingered says that the transaction need not stay for stragglers any longer.
func (t *transaction) lingered() { _, _, _ = t.drive(inExpire, nil) }

func (t *transaction) fire(in input, epoch int) {
	t.mu.Lock()
	if epoch != t.epoch {
		t.mu.Unlock()
		return
	}
	failure := ErrTimeout
	if t.kind == inviteServer {
		failure = ErrNoAck
	}
	do, _, err := t.driveLocked(in, nil)
	t.mu.Unlock()
	if err != nil {
		failure = err
	}
	if do&fxFail != 0 {
		t.lost(failure)
	}
}

// fail is what the connection calls when it is gone.
func (t *transaction) fail(err error) {
	do, _, _ := t.drive(inError, nil)
	if do&fxFail != 0 {
		t.lost(err)
	}
}

// lost is for a failure that comes from a timer or from the connection rather than
// from a call of the user's. The lock is not held.
func (t *transaction) lost(err error) {
	if t.receiver != nil {
		t.receiver.Failed(err)
		return
	}
	t.layer.undelivered(t.name, err)
}

func (t *transaction) stopLocked() {
	t.epoch++
	for _, timer := range []*time.Timer{t.retry, t.expire} {
		if timer != nil {
			timer.Stop()
		}
	}
	t.retry, t.expire = nil, nil
}

// end terminates without a word, whatever the state.
func (t *transaction) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != terminated {
		t.state = terminated
		t.finishLocked()
	}
}

func (t *transaction) finishLocked() {
	t.stopLocked()
	if t.unwatch != nil {
		t.unwatch()
		t.unwatch = nil
	}
	t.last = nil
	t.layer.forget(t)
}

func classify(status int) input {
	switch {
	case status < 200:
		return in1xx
	case status < 300:
		return in2xx
	default:
		return in3xx
	}
}
