package siprec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/sdp"
	"mcp/control/sip"
	"mcp/control/sip/genesys"
	"mcp/control/sip/header"
)

// The metadata's media type. RFC 7866 leaves out the suffix, RFC 7865 and servers do
// not.
const metadataType = "application/rs-metadata+xml"

// ptime is how much audio a packet to a server has, unless it wants another.
const ptime = 20 * time.Millisecond

// goodbye bounds the wait for the answer to a BYE.
const goodbye = 10 * time.Second

// link is one call to a recording server.
type link struct {
	session *session
	local   sdp.Local
	streams []sdp.Stream
	legs    []*media.Leg
	dialog  *sip.Dialog // nil before the answer
	codec   string
}

// newLink opens the legs of a call to the server.
func (s *session) newLink() (*link, error) {
	l := &link{session: s}
	for _, label := range []string{labelSaid, labelHeard} {
		leg, err := s.call.Media().OpenLeg("recording-"+label, s.call.MediaAddress())
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.legs = append(l.legs, leg)
		l.streams = append(l.streams, sdp.Stream{Addr: leg.Local(), Label: label})
	}
	l.local = sdp.Local{
		Codecs: preferring(s.call.Codec().Name, s.client.config.Codecs), Ptime: ptime,
		SessionID: uint64(time.Now().UnixNano()), Version: 1,
	}
	return l, nil
}

// preferring puts a codec first, so that the plane can relay.
func preferring(name string, all []sdp.Codec) []sdp.Codec {
	return slices.SortedStableFunc(slices.Values(all), func(a, b sdp.Codec) int {
		switch {
		case (a.Name == name) == (b.Name == name):
			return 0
		case a.Name == name:
			return -1
		}
		return 1
	})
}

// passedOn are headers of the recorded call by which the systems around know it.
var passedOn = map[string]string{
	genesys.SessionHeader: "X-Genesys-GVP-Session-ID", genesys.CallUUIDHeader: "X-Genesys-CallUUID",
}

// body is our offer, with the metadata unless the call is plain.
func (l *link) body() (mediaType string, body []byte, err error) {
	offer := sdp.OfferStreams(l.local, l.streams)
	if l.session.client.config.Plain {
		return "", offer, nil
	}
	metadata, err := l.session.snapshot()
	if err != nil {
		return "", nil, fmt.Errorf("write metadata: %w", err)
	}
	mediaType, body = header.Join("mcp-"+uuid.NewString(),
		header.Part{Type: "application/sdp", Body: offer},
		header.Part{Type: metadataType, Disposition: "recording-session", Body: metadata})
	return mediaType, body, nil
}

// headers are those of an INVITE to the server.
func (l *link) headers() map[string]string {
	h := map[string]string{}
	recorded := l.session.call.Invite().Headers()
	for known, name := range passedOn {
		if value := header.First(recorded, known); value != "" {
			h[name] = value
		}
	}
	if !l.session.client.config.Plain {
		h["Require"] = "siprec"
	}
	return h
}

// invite calls the server and agrees on the streams.
func (l *link) invite(ctx context.Context) error {
	kind, body, err := l.body()
	if err != nil {
		return err
	}
	client := l.session.client
	out := sip.Outgoing{To: client.server(l.session.call.ID()), Offer: body, OfferType: kind, Headers: l.headers()}
	if !client.config.Plain {
		out.Feature = "+sip.src"
	}
	if l.dialog, err = client.dialler.Invite(ctx, out); err != nil {
		return fmt.Errorf("call the recording server: %w", err)
	}
	return l.agree(l.dialog.RemoteSDP())
}

// agree connects the legs as a description of the server's says.
func (l *link) agree(theirs []byte) error {
	agreed, err := sdp.NegotiateStreams(l.local, theirs)
	if err != nil {
		return fmt.Errorf("recording server's description: %w", err)
	}
	for i, leg := range l.legs {
		if i >= len(agreed) || agreed[i].Codec.Name == "" {
			l.session.log.Warn("recording server refuses a stream", "label", l.streams[i].Label)
			continue
		}
		n := agreed[i]
		l.codec, l.streams[i].Held = n.Codec.Name, !n.Send
		err := leg.Connect(media.FarEnd{
			RTP: n.Remote, RTCP: n.RTCP, PayloadType: n.Codec.PayloadType, Events: sdp.NoEvents,
			ClockRate: n.Codec.ClockRate, Ptime: n.Ptime, Send: n.Send,
		}, codec.Codec{Name: n.Codec.Name, PayloadType: n.Codec.PayloadType, ClockRate: n.Codec.ClockRate, Format: n.Codec.Format})
		if err != nil {
			return err
		}
	}
	return nil
}

// update sends the metadata again, with an offer that says nothing new: the labels
// that it refers to are in there (RFC 7866 section 9.1).
func (l *link) update(ctx context.Context) error {
	kind, body, err := l.body()
	if err != nil {
		return err
	}
	answer, err := l.dialog.Reinvite(ctx, sip.Change{Offer: body, OfferType: kind, Headers: l.headers()})
	if err != nil || answer == nil {
		return err
	}
	return l.agree(answer)
}

// change answers the server's wish for another address, or to have nothing sent
// for a while.
func (l *link) change(ctx context.Context, r *sip.Reinvite) error {
	l.local.Version++
	if r.Offer == nil {
		if err := r.Accept(ctx, sdp.OfferStreams(l.local, l.streams)); err != nil {
			return err
		}
		return l.agree(l.dialog.RemoteSDP())
	}
	if err := l.agree(r.Offer); err != nil {
		return errors.Join(err, r.Reject(ctx, 488, ""))
	}
	return r.Accept(ctx, sdp.OfferStreams(l.local, l.streams))
}

// close hangs up and gives the legs back.
func (l *link) close() error {
	var errs []error
	if l.dialog != nil {
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		errs = append(errs, l.dialog.Bye(ctx, nil))
	}
	for _, leg := range l.legs {
		if err := leg.Close(); !errors.Is(err, media.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// asksForSnapshot says whether a body is a server's wish for all metadata (RFC 7865
// section 7).
func asksForSnapshot(p header.Part) bool {
	return (p.Is(metadataType) || p.Is("application/rs-metadata")) && bytes.Contains(p.Body, []byte("requestsnapshot"))
}
