package caller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mcp/control/sdp"
	"mcp/control/sip"
)

// Answer takes a call that came in and follows the script, as Call does with one
// that it placed; before, it plays Config.Early to whoever calls. The dialog must
// carry an offer.
func (p *Phone) Answer(ctx context.Context, dialog *sip.Dialog, script []Step) (*Summary, error) {
	spoken, err := p.rehearse(ctx, append(slices.Clone(p.config.Early), script...))
	if err != nil {
		return nil, err
	}
	offer, err := sdp.Parse(dialog.RemoteSDP())
	if err != nil {
		return nil, fmt.Errorf("the caller's offer: %w", err)
	}
	l, err := openLine(dialog.LocalHost())
	if err != nil {
		return nil, err
	}
	began := time.Now()
	local := sdp.Local{
		Addr: l.local(), Codecs: sdp.DefaultCodecs()[:1], Events: eventType,
		SessionID: uint64(began.UnixNano()), Version: 1,
	}
	answer, agreed, err := sdp.Answer(offer, local)
	early := p.config.Early
	switch {
	case err != nil:
	case len(early) > 0:
		err = dialog.Progress(ctx, 183, sip.Content{Type: "application/sdp", Body: answer})
	default:
		err = dialog.Answer(ctx, answer)
	}
	if err != nil {
		// Nothing was sent or received: there is nothing in closing to report.
		_ = l.stop()
		return nil, fmt.Errorf("answer the call: %w", err)
	}
	p.config.Tell("answers", fmt.Sprintf("%s, %s at %s", dialog.CallID(), agreed.Codec.Name, agreed.Remote))
	s := &session{phone: p, dialog: dialog, line: l, offer: local, spoken: spoken, over: make(chan struct{})}
	if len(early) > 0 {
		s.pickUp = func() error {
			if err := s.play(ctx, early); err != nil {
				return err
			}
			return dialog.Answer(ctx, answer)
		}
	}
	summary, err := s.follow(ctx, script, agreed)
	summary.Setup = summary.Answered.Sub(began)
	return summary, err
}
