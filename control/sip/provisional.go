package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
	"mcp/control/sip/wire"
)

// Provisional is a provisional response to a call of ours.
type Provisional struct {
	Status int
	Reason string
	// SDP is the far end's early answer; nil: it gave none.
	SDP     []byte
	Headers map[string][]string
	// Branch tells the far ends apart that a proxy has forked the call to. It is
	// empty for 100 Trying.
	Branch string
}

// errNoPrack ends a call whose reliable provisional response nobody acknowledged.
var errNoPrack = errors.New("no PRACK within 64*T1")

// Ring tells the caller that the call is being considered: 180.
func (d *Dialog) Ring(ctx context.Context) error { return d.Progress(ctx, 180, Content{}) }

// Progress sends a provisional response of 101 to 199, with early media if the
// content has a session description. It goes reliably if the caller insists, or
// has a description to acknowledge and is able to (RFC 3262); Progress then
// returns when the caller has acknowledged it.
func (d *Dialog) Progress(ctx context.Context, status int, c Content) error {
	if status <= 100 || status > 199 {
		return fmt.Errorf("status %d is not provisional", status)
	}
	if err := d.awaitPrack(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	ready := d.phase == offered && d.tx != nil
	d.mu.Unlock()
	if !ready {
		return d.tooLate()
	}
	req := d.tx.Request
	res := d.reply(req, status, reasonFor(status))
	res.AddContact(d.contact(d.tx.From))
	if hasOption(req, "Require", "100rel") || len(c.Body) > 0 && hasOption(req, "Supported", "100rel") {
		return d.progressReliably(ctx, res, c)
	}
	c.put(res)
	return d.tx.Respond(res)
}

// reliable is a provisional response of ours, resent until its PRACK comes.
type reliable struct {
	seq   uint32
	res   *wire.Response
	timer *time.Timer
	wait  time.Duration
	spent time.Duration
	done  chan struct{}
	err   error // why no PRACK came; read after done
}

func (r *reliable) settle(err error) {
	r.timer.Stop()
	r.err = err
	close(r.done)
}

func (d *Dialog) progressReliably(ctx context.Context, res *wire.Response, c Content) error {
	r := &reliable{res: res, wait: d.agent.cfg.T1, done: make(chan struct{})}
	d.mu.Lock()
	if d.phase != offered || d.unpracked != nil {
		d.mu.Unlock()
		return d.tooLate()
	}
	if d.lastRSeq == 0 {
		d.lastRSeq = rand.Uint32N(1 << 30)
	}
	d.lastRSeq++
	r.seq = d.lastRSeq
	res.Add("Require", "100rel")
	res.Add("RSeq", strconv.FormatUint(uint64(r.seq), 10))
	c.put(res)
	d.unpracked = r
	r.timer = time.AfterFunc(r.wait, func() { d.resendProvisional(r) })
	d.mu.Unlock()
	if err := d.tx.Respond(res); err != nil {
		d.log().Info("sip provisional response not sent", "error", err)
	}
	return d.awaitPrack(ctx)
}

// awaitPrack returns when no provisional response waits for its PRACK.
func (d *Dialog) awaitPrack(ctx context.Context) error {
	d.mu.Lock()
	r := d.unpracked
	d.mu.Unlock()
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
		if r.err != nil {
			return d.tooLate()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resendProvisional repeats it at T1, 2*T1, 4*T1 ... for 64*T1 altogether; then
// the call is refused (RFC 3262 section 3).
func (d *Dialog) resendProvisional(r *reliable) {
	d.mu.Lock()
	if d.unpracked != r {
		d.mu.Unlock()
		return
	}
	r.spent += r.wait
	if r.spent < 64*d.agent.cfg.T1 {
		r.wait *= 2
		r.timer.Reset(min(r.wait, 64*d.agent.cfg.T1-r.spent))
		d.mu.Unlock()
		if err := d.tx.Respond(r.res); err != nil {
			d.log().Debug("sip provisional response not resent", "error", err)
		}
		return
	}
	d.mu.Unlock()
	d.log().Warn("sip provisional response never acknowledged")
	if d.end(mvReject, Lost{Err: errNoPrack}) {
		d.agent.respond(d.tx, d.reply(d.tx.Request, 504, "No PRACK"))
	}
}

// pracked takes the far end's PRACK.
func (d *Dialog) pracked(tx *wire.ServerTx) {
	seq, cseq, ok := parseRAck(tx.Request.First("rack"))
	d.mu.Lock()
	r := d.unpracked
	if !ok || r == nil || r.seq != seq || d.seq != cseq {
		d.mu.Unlock()
		d.agent.respond(tx, d.reply(tx.Request, 481, reasonFor(481)))
		return
	}
	d.unpracked = nil
	if sdp := sdpOf(tx.Request); sdp != nil && d.sdp == nil {
		d.sdp = sdp
	}
	d.mu.Unlock()
	d.agent.respond(tx, d.reply(tx.Request, 200, "OK"))
	r.settle(nil) // last: the answer to the INVITE goes after that to the PRACK
}

// parseRAck reads "rseq cseq INVITE" (RFC 3262 section 7.2).
func parseRAck(value string) (seq, cseq uint32, ok bool) {
	fields := strings.Fields(value)
	if len(fields) != 3 || fields[2] != "INVITE" {
		return 0, 0, false
	}
	s, err1 := strconv.ParseUint(fields[0], 10, 32)
	c, err2 := strconv.ParseUint(fields[1], 10, 32)
	return uint32(s), uint32(c), err1 == nil && err2 == nil
}

// heard takes a provisional response into an early dialog of ours. False when it
// is one that came before, or out of order.
func (d *Dialog) heard(res *sip.Response) bool {
	sdp := sdpOf(response{res})
	var seq uint64
	if hasOption(response{res}, "Require", "100rel") {
		var err error
		if seq, err = strconv.ParseUint(header.First(res.Headers(), "rseq"), 10, 32); err != nil || seq == 0 {
			return false
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if seq != 0 {
		if last := uint64(d.lastRSeq); last != 0 && seq != last+1 {
			return false
		}
		d.lastRSeq = uint32(seq)
	}
	if sdp != nil {
		d.sdp = sdp
	}
	return true
}

// prack acknowledges a reliable provisional response of the far end's.
func (p *placing) prack(d *Dialog, res *sip.Response) {
	ctx, cancel := context.WithTimeout(d.agent.ctx, 64*d.agent.cfg.T1)
	defer cancel()
	c := Content{Headers: map[string]string{
		"RAck": fmt.Sprintf("%s %d INVITE", header.First(res.Headers(), "rseq"), p.req.CSeq().SeqNo),
	}}
	if sdp := sdpOf(response{res}); sdp != nil && len(p.out.Offer) == 0 {
		answer, err := p.answer(sdp)
		if err != nil {
			d.log().Warn("sip early offer not answered", "error", err)
			return
		}
		c.Body = answer
	}
	if _, err := d.ask(ctx, sip.PRACK, c); err != nil {
		d.log().Info("sip PRACK", "error", err)
	}
}
