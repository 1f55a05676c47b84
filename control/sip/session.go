package sip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/header"
	"mcp/control/sip/wire"
)

// The intervals of RFC 4028: the one it recommends, and the least it allows.
const (
	defaultSession    = 1800 * time.Second
	defaultMinSession = 90 * time.Second
)

// errExpired ends a call whose far end has not refreshed its session in time.
var errExpired = errors.New("the session was not refreshed in time")

// session is the timer that finds out that a far end has gone without a word
// (RFC 4028).
type session struct {
	interval time.Duration // zero: none agreed
	ours     bool          // to refresh
	timer    *time.Timer
	local    []byte // our latest description, should a refresh have to repeat it
	updates  bool   // the far end takes UPDATE
}

// interval reads a Session-Expires or Min-SE header; zero when there is none.
func interval(msg message, name string) (time.Duration, header.Value) {
	for _, value := range msg.Values(name) {
		v := header.ParseValue(value)
		if seconds, err := strconv.ParseUint(v.Text, 10, 31); err == nil {
			return time.Duration(seconds) * time.Second, v
		}
	}
	return 0, header.Value{}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// tooShort refuses a session interval below what we are ready to refresh (RFC
// 4028 section 9).
func (a *Agent) tooShort(tx *wire.ServerTx) bool {
	wanted, _ := interval(tx.Request, "session-expires")
	if wanted == 0 || wanted >= a.cfg.MinSession || !hasOption(tx.Request, "Supported", "timer") {
		return false
	}
	a.answer(tx, 422, "", sip.NewHeader("Min-SE", seconds(a.cfg.MinSession)))
	return true
}

// agree puts into our 2xx what becomes of the session timer, and starts it. Who
// is asked to refresh does so if able; else it is us.
func (d *Dialog) agree(req *wire.Request, res *wire.Response, local []byte) {
	able := hasOption(req, "Supported", "timer")
	wanted, value := interval(req, "session-expires")
	least, _ := interval(req, "min-se")
	span := d.agent.cfg.Session
	if wanted > 0 {
		span = wanted
	}
	span = max(span, least, d.agent.cfg.MinSession)
	refresher := "uas"
	if able && value.Params["refresher"] != "uas" {
		refresher = "uac"
	}
	res.Add("Session-Expires", seconds(span)+";refresher="+refresher)
	if refresher == "uac" {
		res.Add("Require", "timer")
	}
	d.startSession(session{interval: span, ours: refresher == "uas", local: local, updates: takesUpdate(req)})
}

// agreed starts the timer that the far end's 2xx to a request of ours names.
func (d *Dialog) agreed(res *sip.Response, local []byte) {
	said := response{res}
	span, value := interval(said, "session-expires")
	d.startSession(session{
		interval: span, ours: value.Params["refresher"] != "uas", local: local, updates: takesUpdate(said),
	})
}

// takesUpdate says whether UPDATE is allowed; who does not say what is may take
// it or not, and a re-INVITE does for all.
func takesUpdate(msg message) bool {
	var methods []string
	for _, value := range msg.Values("allow") {
		methods = append(methods, header.Split(value, ',')...)
	}
	return slices.Contains(methods, "UPDATE")
}

// startSession replaces the timer. What the new one does not know of the former
// one's stays: our description, and that the far end takes UPDATE.
func (d *Dialog) startSession(s session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase == over {
		return
	}
	d.session.stop()
	if s.local == nil {
		s.local = d.session.local
	}
	s.updates = s.updates || d.session.updates
	d.session = s
	if s.interval > 0 {
		wait := s.interval - min(32*time.Second, s.interval/3)
		if s.ours {
			wait = s.interval / 2
		}
		ours := s.ours // alone stays for the timer
		d.session.timer = time.AfterFunc(wait, func() { d.sessionDue(ours) })
	}
}

func (s *session) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// sessionDue refreshes the session, or ends the call of a far end that has not.
func (d *Dialog) sessionDue(ours bool) {
	if ours {
		d.agent.goCall(d.refresh)
		return
	}
	if !d.finish(mvLost, Lost{Err: errExpired}) {
		return
	}
	d.log().Warn("sip session expired")
	d.leaveWith(map[string]string{"Reason": header.Reason{Protocol: "SIP", Cause: 408, Text: "Session expired"}.String()})
}

// refresh tells the far end that we are there, and learns the same. A failure
// leaves the rest of the interval for the far end to show itself.
func (d *Dialog) refresh() {
	ctx, cancel := context.WithTimeout(d.agent.ctx, 128*d.agent.cfg.T1)
	defer cancel()
	d.mu.Lock()
	s := d.session
	d.mu.Unlock()
	headers := map[string]string{"Session-Expires": seconds(s.interval) + ";refresher=uac"}
	var err error
	if s.updates || s.local == nil {
		_, err = d.Update(ctx, nil, headers)
	} else {
		_, err = d.Reinvite(ctx, Change{Offer: s.local, Headers: headers})
	}
	if err == nil || errors.Is(err, ErrEnded) {
		return
	}
	d.log().Warn("sip session not refreshed", "error", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase != over && d.session.timer == s.timer {
		rest := s.interval/2 - min(32*time.Second, s.interval/3)
		d.session.timer = time.AfterFunc(max(rest, time.Second), func() { d.sessionDue(false) })
	}
}

// leaveWith says goodbye for a dialog that is over, on a goroutine of its own.
func (d *Dialog) leaveWith(headers map[string]string) {
	if d.agent.goCall(func() {
		ctx, cancel := context.WithTimeout(d.agent.ctx, 64*d.agent.cfg.T1)
		defer cancel()
		if err := d.goodbye(ctx, Content{Headers: headers}); err != nil {
			d.log().Info("sip BYE", "error", err)
		}
	}) {
		return
	}
	d.agent.leave(d)
}

// lengthen takes from a 422 the interval that the far end is ready for.
func (c *calling) lengthen(refusal *RejectedError) bool {
	for _, value := range refusal.Headers["min-se"] {
		least, err := strconv.ParseUint(header.ParseValue(value).Text, 10, 31)
		span := time.Duration(least) * time.Second
		if err != nil || span <= c.session || span > 24*time.Hour {
			return false
		}
		c.session, c.least = span, span
		return true
	}
	return false
}

// offerSession asks for a session timer.
func (c *calling) offerSession(req *sip.Request) {
	req.AppendHeader(sip.NewHeader("Session-Expires", seconds(c.session)))
	if c.least > 0 {
		req.AppendHeader(sip.NewHeader("Min-SE", fmt.Sprint(seconds(c.least))))
	}
}
