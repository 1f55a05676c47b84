package media

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mcp/control/media/dtmf"
)

// Digit is one DTMF key press.
type Digit struct {
	Key byte // 0-9, *, #, A-D
	At  time.Time
}

// ErrNoEvents says that the far end takes no telephone-event packets.
var ErrNoEvents = errors.New("the far end has not agreed to telephone-event")

// SendDigits presses keys towards the far end (RFC 4733), which hears nothing
// else meanwhile. It returns when all have been sent; when ctx ends it stops at
// once.
func (l *Leg) SendDigits(ctx context.Context, keys string) error {
	b, err := l.session.press(l, keys)
	if err != nil {
		return fmt.Errorf("send digits to leg %s: %w", l.name, err)
	}
	select {
	case <-b.Done():
	case <-ctx.Done():
		b.Stop()
		<-b.Done()
		return ctx.Err()
	}
	return b.Err()
}

// keyScript plays key presses.
type keyScript struct{ *dtmf.Sequence }

func (s keyScript) frames() int { return s.Frames() }

func (s keyScript) frame(n int, to *legState) (Payload, bool, error) {
	if to.far.Events < 0 {
		return Payload{}, false, ErrNoEvents
	}
	p, ok := s.Packet(n)
	return Payload{PayloadType: uint8(to.far.Events), Marker: p.First, Samples: p.Ticks, Data: p.Data}, ok, nil
}

// event takes a telephone-event packet.
func (l *Leg) event(payload []byte, at time.Time) {
	l.keys = l.detector.Packet(l.keys[:0], l.header.SSRC, l.header.Timestamp, payload)
	for _, key := range l.keys {
		select {
		case l.digits <- Digit{Key: key, At: at}:
			l.session.engine.tally.digits.Add(1)
		default:
			l.session.engine.tally.lostDigits.Add(1)
			l.session.log.Warn("DTMF digit lost: nobody reads them", "leg", l.name)
		}
	}
}
