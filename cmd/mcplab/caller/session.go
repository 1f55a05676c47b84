package caller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"mcp/control/sdp"
	"mcp/control/sip"
)

// ErrHungUp says that the far end ended the call before the script did.
var ErrHungUp = errors.New("the far end hung up")

// session is one call that was answered.
type session struct {
	phone  *Phone
	dialog *sip.Dialog
	line   *line
	offer  sdp.Local // the phone's side of the latest description
	spoken map[string][]int16
	over   chan struct{} // closed when the far end has hung up, or given the call up
	pickUp func() error  // answers; nil: the call is answered
	said   []Segment
}

// follow plays the script and ends the call whatever happened.
func (s *session) follow(ctx context.Context, script []Step, agreed sdp.Negotiated) (*Summary, error) {
	// The line lives as long as the call, not as the context: when that ends,
	// the BYE still has to go out first.
	talking, silence := context.WithCancel(context.WithoutCancel(ctx))
	defer silence()
	s.line.start(talking, agreed.Remote, agreed.Events)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watch(ctx)
	}()
	err := s.perform(ctx, script)
	summary := &Summary{CallID: s.dialog.CallID(), To: s.phone.config.To, Answered: s.line.began, EndedBy: "caller"}
	select {
	case <-s.over:
		summary.EndedBy = "platform"
	default:
		s.phone.config.Tell("hangs up", "")
		err = errors.Join(err, s.bye(ctx))
	}
	<-watched
	silence()
	err = errors.Join(err, s.line.stop())
	s.report(summary)
	return summary, err
}

// perform answers the call if it is not, and plays the script.
func (s *session) perform(ctx context.Context, script []Step) error {
	if s.pickUp != nil {
		if err := s.pickUp(); err != nil {
			return err
		}
	}
	s.phone.config.Answered()
	s.phone.config.Up(s.dialog)
	return s.play(ctx, script)
}

// bye hangs up even when the context is over.
func (s *session) bye(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.dialog.Bye(ctx, nil); err != nil && !errors.Is(err, sip.ErrEnded) {
		return fmt.Errorf("hang up: %w", err)
	}
	return nil
}

// watch answers what the far end asks for, until the dialog is over.
func (s *session) watch(ctx context.Context) {
	for event := range s.dialog.Events() {
		if s.phone.config.Asked(s.dialog, event) {
			continue
		}
		switch event := event.(type) {
		case sip.ByeReceived:
			s.phone.config.Tell("heard hang-up", "")
			close(s.over)
		case sip.Cancelled:
			s.phone.config.Tell("is not wanted any more", "")
			close(s.over)
		case sip.Lost:
			s.phone.config.Tell("lost the far end", event.Err.Error())
			close(s.over)
		case *sip.Reinvite:
			s.changed(ctx, event)
		case *sip.Info:
			_ = event.Respond(200)
		default:
			_ = sip.Decline(event)
		}
	}
}

// changed goes along with a new address of the far end's. An answer or a refusal
// that fails ends the dialog.
func (s *session) changed(ctx context.Context, change *sip.Reinvite) {
	s.offer.Version++
	if change.Offer == nil {
		_ = change.Reject(ctx, 488, "Not Acceptable Here")
		return
	}
	offer, err := sdp.Parse(change.Offer)
	if err != nil {
		_ = change.Reject(ctx, 400, "Bad Request")
		return
	}
	answer, agreed, err := sdp.Answer(offer, s.offer)
	if err != nil {
		_ = change.Reject(ctx, 488, "Not Acceptable Here")
		return
	}
	s.phone.config.Tell("far end is now at", agreed.Remote.String())
	s.line.move(agreed.Remote, agreed.Events)
	_ = change.Accept(ctx, answer)
}

// play takes the steps one after the other.
func (s *session) play(ctx context.Context, script []Step) error {
	for _, step := range script {
		if err := s.step(ctx, step); err != nil {
			return fmt.Errorf("%s %s: %w", step.Verb, step.Text, err)
		}
	}
	return nil
}

func (s *session) step(ctx context.Context, step Step) error {
	switch step.Verb {
	case Listen:
		return s.listen(ctx, step.After)
	case Hear:
		const noSilence = 1 // a word that lasts is enough
		return s.listen(ctx, noSilence)
	case Say:
		s.phone.config.Tell("says", step.Text)
		audio := s.spoken[step.Text]
		s.said = append(s.said, s.segment(step.Text, len(audio)))
		return s.until(ctx, s.line.say(audio))
	case Press:
		s.phone.config.Tell("presses", step.Text)
		s.said = append(s.said, s.segment("dtmf "+step.Text, 0))
		return s.until(ctx, s.line.press(step.Text))
	case Wait:
		timer := time.NewTimer(step.After)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-s.over:
			return ErrHungUp
		case <-ctx.Done():
			return ctx.Err()
		}
	case Await:
		select {
		case <-s.over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil // HangUp is what follows the last step anyway
}

func (s *session) segment(text string, samples int) Segment {
	return Segment{
		Start: time.Since(s.line.began), Duration: time.Duration(samples) * time.Second / clockRate, Text: text,
	}
}

// listen returns when the far end has spoken and fallen silent.
func (s *session) listen(ctx context.Context, quiet time.Duration) error {
	if quiet == 0 {
		quiet = s.phone.config.Quiet
	}
	s.line.attend()
	ticker := time.NewTicker(frameTime)
	defer ticker.Stop()
	for !s.line.finished(quiet) {
		select {
		case <-ticker.C:
		case <-s.over:
			return ErrHungUp
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.phone.config.Tell("heard the far end finish", "")
	return nil
}

// until waits for what is queued. Whatever was sent to its end was done, even if
// the far end hung up upon it.
func (s *session) until(ctx context.Context, sent <-chan struct{}) error {
	select {
	case <-sent:
		return nil
	case <-s.over:
		select {
		case <-sent:
			return nil
		default:
			return ErrHungUp
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// report fills in what the line knows, now that it is closed.
func (s *session) report(summary *Summary) {
	l := s.line
	summary.Duration = time.Since(l.began)
	summary.Said, summary.Audio = s.said, &l.recording
	summary.Heard = Segments(l.recording.Heard, joinWithin, 2*frameTime)
	summary.Sent, summary.SentEvents, summary.RTCP, summary.Received = l.sent, l.pressed, l.reports, l.continuity
	summary.Faults = l.continuity.Faults()
}

// hostOf is host and port of a SIP URI.
func hostOf(uri string) (string, error) {
	rest, ok := strings.CutPrefix(uri, "sip:")
	if !ok {
		return "", fmt.Errorf("%q is no SIP URI", uri)
	}
	if _, host, hasUser := strings.Cut(rest, "@"); hasUser {
		rest = host
	}
	rest, _, _ = strings.Cut(rest, ";")
	if _, _, err := net.SplitHostPort(rest); err != nil {
		rest = net.JoinHostPort(rest, "5060")
	}
	return rest, nil
}
