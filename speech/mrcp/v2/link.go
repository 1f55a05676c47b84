package v2

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/wire"
)

// link is one SIP dialog with its control channels.
type link struct {
	carriage *Carriage
	opening  mrcp.Opening
	dialog   Dialog

	mu       sync.Mutex
	ours     *sdp.Description // the last that was agreed on
	media    speech.Media
	channels map[string]channel // by resource
}

// channel is a control channel and the connection it runs over.
type channel struct {
	id   string
	conn *conn
}

var _ receiver = (*link)(nil)

// receive is part of receiver.
func (l *link) receive(m *wire.Message) { l.opening.Receiver.Receive(m) }

// lost is part of receiver.
func (l *link) lost(err error) { l.opening.Receiver.Lost(err) }

// Media is part of mrcp.Link.
func (l *link) Media() speech.Media { return l.media }

// Done is part of mrcp.Link.
func (l *link) Done() <-chan struct{} { return l.dialog.Done() }

// Send is part of mrcp.Channels.
func (l *link) Send(resource string, m *wire.Message) {
	l.mu.Lock()
	c, open := l.channels[resource]
	l.mu.Unlock()
	if !open {
		return // the response that stays away tells
	}
	m.Header = append(wire.Header{{Name: wire.HeaderChannelIdentifier, Value: c.id}}, m.Header...)
	c.conn.send(m)
}

// settle takes the answer to an offer: it connects the channels that are new and
// gives back those that are gone.
func (l *link) settle(ctx context.Context, offered *sdp.Description, answer []byte, reserved *conn) error {
	agreed, err := agree(offered, answer)
	if err != nil {
		return err
	}
	for _, resource := range wanted(offered) {
		if err := l.connect(ctx, resource, agreed.channels[resource], reserved); err != nil {
			return err
		}
	}
	l.detach(wanted(offered))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.media = agreed.media
	// What follows is answered or offered with the next version, because it says
	// connection:existing and names one codec.
	next := *offered
	next.Version++
	l.ours = &next
	return nil
}

// connect attaches a channel, unless it is already, to the connection it runs
// over; channels of one session to the same address always share.
func (l *link) connect(ctx context.Context, resource string, at channelAt, reserved *conn) error {
	l.mu.Lock()
	had := l.channels[resource]
	var c *conn
	for _, other := range l.channels {
		if other.conn.addr == at.addr {
			c = other.conn
		}
	}
	l.mu.Unlock()
	if had.id == at.id {
		return nil
	}
	pool := l.carriage.pool
	if c != nil {
		pool.retain(c)
	} else {
		at.server = l.opening.Server
		var err error
		if c, err = pool.acquire(ctx, at, reserved); err != nil {
			return err
		}
	}
	if err := c.attach(at.id, l); err != nil {
		pool.release(c)
		return fmt.Errorf("%w: %w", speech.ErrUnavailable, err)
	}
	l.mu.Lock()
	l.channels[resource] = channel{at.id, c}
	l.mu.Unlock()
	return nil
}

// detach gives back the channels of all resources but these.
func (l *link) detach(keep []string) {
	l.mu.Lock()
	var gone []channel
	for resource, c := range l.channels {
		if !slices.Contains(keep, resource) {
			gone = append(gone, c)
			delete(l.channels, resource)
		}
	}
	l.mu.Unlock()
	for _, c := range gone {
		c.conn.detach(c.id)
		l.carriage.pool.release(c.conn)
	}
}

// Alter is part of mrcp.Link: a re-INVITE, if anything changes.
func (l *link) Alter(ctx context.Context, resources []string) ([]string, error) {
	l.mu.Lock()
	next := alter(l.ours, l.media, resources)
	before := wanted(l.ours)
	l.mu.Unlock()
	after := wanted(next)
	if slices.Equal(before, after) {
		return before, nil
	}
	answer, err := l.dialog.Reoffer(ctx, next.Marshal())
	if err == nil {
		err = l.settle(ctx, next, answer, nil)
	}
	if err != nil {
		return before, fmt.Errorf("re-INVITE: %w", unavailable(err))
	}
	return after, nil
}

// Shun is part of mrcp.Channels.
func (l *link) Shun() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.channels {
		l.carriage.pool.abandon(c.conn)
	}
}

// Close is part of mrcp.Link: the connections first, then the dialog, the order
// in which deployed servers expect it.
func (l *link) Close(ctx context.Context) error {
	l.detach(nil)
	return l.dialog.Bye(ctx)
}

// answer answers the server's re-INVITE.
func (l *link) answer(offered []byte) []byte {
	l.mu.Lock()
	ours, media := l.ours, l.media
	l.mu.Unlock()
	log := l.carriage.log
	if len(offered) == 0 {
		return ours.Marshal()
	}
	theirs, err := sdp.Parse(offered)
	if err != nil {
		log.Warn("speech server's new offer not understood", "err", err)
		return nil
	}
	if audio := theirs.Audio(); audio != nil && media.Addr.IsValid() && audio.Addr != media.Addr {
		log.Warn("speech server wants to move its audio, which is not supported", "from", media.Addr, "to", audio.Addr)
		return nil
	}
	return refresh(ours, theirs, media).Marshal()
}

// sessionID is the origin's session identifier, which must be unique among all
// that this host makes (RFC 8866 section 5.2). 53 bits survive every parser.
func sessionID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return binary.BigEndian.Uint64(b[:]) >> 11
}
