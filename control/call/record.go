package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"mcp/control/call/lifecycle"
	"mcp/control/call/progress"
	"mcp/control/logline"
	"mcp/control/media"
	"mcp/control/media/report"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/genesys"
	"mcp/control/sip/header"
)

// facts gathers what the call's record will say. The first thing that ends a
// call is its cause; what follows from it is not.
type facts struct {
	record  *reporting.Record
	end     reporting.End      // without a cause: nothing has ended the call
	reasons []reporting.Reason // of the far end that hung up
}

func (f *facts) begin(id string, d Dialog, known genesys.Call, headers header.Fields) {
	f.record = reporting.Begin(id, time.Now())
	f.record.SIPCallID = d.CallID()
	f.record.Session, f.record.Profile = known.Session, known.Profile
	f.record.Tenant = cmp.Or(known.Tenant, strings.TrimSpace(header.First(headers, "gvp-tenant-id")), d.RequestURI().Params["gvp-tenant-id"])
	f.record.Parties = reporting.Parties{
		Local: d.LocalURI(), Remote: d.RemoteURI(), Request: requestURI(d.RequestURI()),
		DNIS: userPart(d.LocalURI()), ANI: userPart(d.RemoteURI()),
	}
}

// Trail takes the events that the call's service reports.
func (c *Call) Trail() *reporting.Trail { return c.trail }

// offered begins the call's trail, with what ties it to the systems around.
func (c *Call) offered() {
	r := c.life.facts.record
	c.trail = c.server.recorder.Begin(r)
	if !c.trail.Traces() {
		return
	}
	c.trail.Step(reporting.StepCall, r.ID)
	c.trail.Step(reporting.StepLeg, "caller "+r.Parties.Remote)
	c.trail.Step(reporting.StepInitiated, r.Parties.Remote)
	if !c.placed() {
		c.message(true, "INVITE "+r.Parties.Request)
	}
	c.trail.Step(reporting.StepReference, strings.Join([]string{r.SIPCallID, r.Session, r.Tenant, r.Profile}, "|"))
}

// tracked tells of the steps of the call.
func (c *Call) tracked(m message) {
	r := c.life.facts.record
	switch m.trigger {
	case lifecycle.Prepared:
		c.server.recorder.Serve(r)
		c.trail.Serve(r.Application)
	case lifecycle.Acknowledged, lifecycle.AcknowledgedBare:
		r.SIPCallID = c.dialog.CallID() // a call that the platform makes has none before
		c.server.recorder.Answered(r)
		if c.placed() {
			c.message(true, "200 OK")
		}
		c.message(!c.placed(), "ACK")
		c.trail.Step(reporting.StepBegun, r.Parties.Local)
	}
}

// placed tells whether the platform made the call.
func (c *Call) placed() bool {
	_, ours := c.dialog.(*Placed)
	return ours
}

// message tells of a SIP message, by its first line, more or less.
func (c *Call) message(received bool, line string) {
	step := reporting.StepSent
	if received {
		step = reporting.StepReceived
	}
	c.trail.Step(step, line)
}

// note takes from a message what the record wants.
func (f *facts) note(s lifecycle.State, m message) {
	switch m.trigger {
	case lifecycle.Prepared:
		f.record.Application = m.program.Application()
	case lifecycle.Refused:
		f.refused(refusalOf(m.err))
	case lifecycle.Acknowledged, lifecycle.AcknowledgedBare:
		f.record.Answer(time.Now())
	case lifecycle.AnswerFailed:
		f.ended(unanswered(m))
	case lifecycle.Cancelled:
		f.ended(reporting.End{Cause: reporting.Cancelled, By: reporting.Caller, SIPStatus: 487})
	case lifecycle.FarEndHungUp:
		f.ended(farEndGone(s, m))
	case lifecycle.HangUp:
		f.ended(reporting.End{Cause: reporting.Disconnected, By: reporting.Application, SIPStatus: 200})
	case lifecycle.MediaSilent:
		cause := reporting.MediaTimeout
		if errors.Is(m.err, errInsecure) {
			cause = reporting.NoMedia
		}
		f.ended(reporting.End{Cause: cause, By: reporting.Fault, SIPStatus: 200, Error: m.err.Error()})
	case lifecycle.ShutDown:
		f.ended(reporting.End{Cause: reporting.ShutDown, By: reporting.Platform, SIPStatus: 503})
	case lifecycle.ServiceEnded:
		f.served(*m.ending)
	}
}

func (f *facts) ended(e reporting.End) {
	if f.end.Cause == "" {
		f.end = e
	}
}

func (f *facts) refused(r *Refusal) {
	cause := r.Cause
	if cause == "" {
		cause = reporting.Refused
	}
	f.ended(reporting.End{Cause: cause, By: reporting.Platform, SIPStatus: r.Status, Error: r.Error()})
}

func (f *facts) served(e Ending) {
	end := reporting.End{Cause: e.Cause, By: reporting.Application, SIPStatus: 200}
	if e.Err != nil {
		end.Error = e.Err.Error()
	}
	f.ended(end)
	if f.end.Error == "" {
		f.end.Error = end.Error
	}
	f.record.Dialogue, f.record.Speech = e.Dialogue, e.Speech
}

func unanswered(m message) reporting.End {
	var refused *sip.RejectedError
	var heard *progress.FailedError
	switch {
	case errors.As(m.err, &refused): // of a call that the platform made
		return reporting.End{Cause: reporting.Refused, By: reporting.Caller, SIPStatus: refused.Status, Error: m.err.Error()}
	case errors.Is(m.err, ErrNoAnswer), errors.As(m.err, &heard), errors.Is(m.err, context.Canceled):
		return reporting.End{Cause: reporting.Cancelled, By: reporting.Platform, SIPStatus: 487, Error: m.err.Error()}
	case errors.Is(m.err, sip.ErrCancelled):
		return reporting.End{Cause: reporting.Cancelled, By: reporting.Caller, SIPStatus: 487}
	case errors.Is(m.err, sip.ErrNoAck):
		return reporting.End{Cause: reporting.NoAck, By: reporting.Fault, SIPStatus: 200}
	case errors.Is(m.err, sip.ErrLost):
		return reporting.End{Cause: reporting.DialogLost, By: reporting.Fault, Error: m.err.Error()}
	case errors.Is(m.err, sip.ErrEnded):
		return reporting.End{Cause: reporting.HangUp, By: reporting.Caller, SIPStatus: 200}
	}
	cause := reporting.PlatformError
	if errors.Is(m.err, errNegotiation) {
		cause = reporting.NoMedia
	}
	return reporting.End{Cause: cause, By: reporting.Platform, SIPStatus: 200, Error: m.err.Error()}
}

func farEndGone(s lifecycle.State, m message) reporting.End {
	if m.err != nil {
		return reporting.End{Cause: reporting.DialogLost, By: reporting.Fault, Error: m.err.Error()}
	}
	if s == lifecycle.Offered {
		return reporting.End{Cause: reporting.Cancelled, By: reporting.Caller, SIPStatus: 487}
	}
	return reporting.End{Cause: reporting.HangUp, By: reporting.Caller, SIPStatus: 200}
}

// finish releases the media and makes the record durable.
func (c *Call) finish() {
	if c.life.grace != nil {
		c.life.grace.Stop()
	}
	if a, ok := c.life.program.(Abandoner); ok && c.life.stop == nil {
		a.Abandon()
	}
	c.unrecord()
	if p, ours := c.dialog.(*Placed); ours {
		p.analysis.Load().Close()
	}
	f := &c.life.facts
	f.record.Media = legsOf(c.session.Close())
	f.ended(reporting.End{Cause: reporting.PlatformError, By: reporting.Fault})
	f.end.Reasons = f.reasons
	f.record.Finish(time.Now(), f.end)
	c.trail.Complete(f.record)
	c.trail.Step(reporting.StepEnded, string(f.end.Cause))
	c.server.metrics.end(f.record)
	if err := c.server.recorder.Record(context.Background(), f.record); err != nil {
		c.log.Error("the call's record could not be kept", "record", f.record, "error", err)
	}
	c.logEnd(f.record)
}

func (c *Call) logEnd(r *reporting.Record) {
	attrs := []slog.Attr{
		slog.String("cause", string(r.End.Cause)), slog.String("by", string(r.End.By)), slog.Int("sip_status", r.End.SIPStatus),
		slog.Int64("setup_ms", r.Durations.Setup), slog.Int64("talk_ms", r.Durations.Talk),
	}
	if r.End.Error != "" {
		c.log.LogAttrs(context.Background(), slog.LevelWarn, "call ended", append(attrs, slog.String("error", r.End.Error))...)
		return
	}
	logline.Info(c.log, "call ended", attrs...)
}

func legsOf(legs []media.Summary) []reporting.Leg {
	var out []reporting.Leg
	for _, l := range legs {
		s := l.Stats
		leg := reporting.Leg{
			Name: l.Name, Codec: l.Codec.Name, SRTP: string(l.Protection), SRTPKeys: l.Keys,
			Received: reporting.Received{
				Packets: s.RxPackets, Bytes: s.RxBytes, Relayed: s.RxRelayed, User: s.RxUser, Lost: s.RxLost,
				Jitter: milliseconds(s.RxJitter), Dropped: s.Dropped, RTCP: s.RTCP,
				MOS: l.Received.MOS, SSRC: s.Source.SSRC,
			},
			Sent: reporting.Sent{
				Packets: s.TxPackets, Bytes: s.TxBytes, Relayed: s.TxRelayed, SSRC: l.SSRC, Heard: heard(l.Sent),
			},
		}
		if l.Remote.IsValid() {
			leg.Remote = l.Remote.String()
		}
		out = append(out, leg)
	}
	return out
}

// heard is what the far end told; nil: nothing.
func heard(q report.Quality) *reporting.Heard {
	if q.MOS == 0 {
		return nil
	}
	return &reporting.Heard{
		Loss: q.Loss, Jitter: milliseconds(q.Jitter), RoundTrip: milliseconds(q.RoundTrip), MOS: q.MOS,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// byeReason tells the far end why a call ends that nobody chose to end (RFC 3326).
func (f *facts) byeReason() map[string]string {
	switch f.end.Cause {
	case reporting.NoMedia:
		return map[string]string{"Reason": `SIP;cause=488;text="media could not be protected"`}
	case reporting.MediaTimeout:
		return map[string]string{"Reason": `Q.850;cause=102;text="media timeout"`}
	}
	return nil
}

// userPart is the number, or name, in a SIP URI.
func userPart(uri string) string {
	_, rest, ok := strings.Cut(uri, ":")
	user, _, found := strings.Cut(rest, "@")
	if !ok || !found {
		return ""
	}
	user, _, _ = strings.Cut(user, ";")
	user, _, _ = strings.Cut(user, ":") // a password
	return user
}

// requestURI writes a Request-URI for people to read: without its parameters,
// which may be long and private.
func requestURI(u sip.URI) string {
	host := u.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.Port != 0 {
		host = fmt.Sprintf("%s:%d", host, u.Port)
	}
	if u.User == "" {
		return u.Scheme + ":" + host
	}
	return u.Scheme + ":" + u.User + "@" + host
}
