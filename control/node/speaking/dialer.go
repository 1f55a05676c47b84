package speaking

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"mcp/control/sip"
	"mcp/control/sip/header"
	"mcp/speech"
	"mcp/speech/mrcp/v2"
)

// maxRedirects is how many servers in a row may send a session elsewhere.
const maxRedirects = 5

// dialer lets the MRCP client open its SIP dialogs through the platform's own
// agent.
type dialer struct {
	agent *sip.Agent
	// sessionType is the media type of a description of the session that goes beside
	// the offer.
	sessionType string
	log         *slog.Logger
}

// Dialer is how the platform opens SIP dialogs with speech servers.
func Dialer(agent *sip.Agent, log *slog.Logger) v2.Dialer {
	return dialer{agent: agent, log: log}
}

// Dial implements v2.Dialer. It goes where redirect servers, such as those that
// spread load over speech servers, send it.
func (d dialer) Dial(ctx context.Context, i v2.Invitation) (v2.Dialog, error) {
	out := sip.Outgoing{To: i.Target, Offer: i.Offer, Direct: true}
	if len(i.SessionXML) > 0 {
		out.OfferType, out.Offer = header.Join(boundary,
			header.Part{Type: "application/sdp", Disposition: "session", Body: i.Offer},
			header.Part{Type: d.sessionType, Disposition: "session;handling=optional", Body: i.SessionXML})
	}
	dialog, err := d.agent.Invite(ctx, out)
	for range maxRedirects {
		next, redirected := redirection(err)
		if !redirected {
			break
		}
		out.To = next
		dialog, err = d.agent.Invite(ctx, out)
	}
	if err != nil {
		return nil, fmt.Errorf("invite %s: %w", out.To, unsuited(err))
	}
	s := &speechDialog{dialog: dialog, done: make(chan struct{}), log: d.log.With("sip_call_id", dialog.CallID())}
	go s.follow(i.Answer)
	return s, nil
}

// unsuited tells a server that has no codec in common with us from one that cannot
// be had (RFC 3261 section 21.4.26).
func unsuited(err error) error {
	var rejected *sip.RejectedError
	if errors.As(err, &rejected) && (rejected.Status == 488 || rejected.Status == 606) {
		return fmt.Errorf("%w: %w", speech.ErrNoCodec, err)
	}
	return err
}

// boundary parts the bodies of an INVITE; nothing in them begins a line with it.
const boundary = "mcp-session-7d1f0b6a"

// redirection is where a 3xx response sends the caller.
func redirection(err error) (string, bool) {
	var rejected *sip.RejectedError
	if !errors.As(err, &rejected) || rejected.Status/100 != 3 {
		return "", false
	}
	for _, contact := range rejected.Headers["contact"] {
		if party, ok := header.ParseParty(contact); ok && strings.HasPrefix(strings.ToLower(party.URI), "sip") {
			return party.URI, true
		}
	}
	return "", false
}

// Probe implements v2.Dialer. A server that refuses OPTIONS is there all the same,
// unless it says that it cannot serve.
func (d dialer) Probe(ctx context.Context, target string) error {
	err := d.agent.Options(ctx, target)
	var rejected *sip.RejectedError
	if errors.As(err, &rejected) && rejected.Status != 503 && rejected.Status != 408 {
		return nil
	}
	return err
}

// speechDialog is the SIP dialog of a speech session.
type speechDialog struct {
	dialog *sip.Dialog
	done   chan struct{}
	log    *slog.Logger
}

func (s *speechDialog) Answer() []byte                { return s.dialog.RemoteSDP() }
func (s *speechDialog) Bye(ctx context.Context) error { return s.dialog.Bye(ctx, nil) }
func (s *speechDialog) Done() <-chan struct{}         { return s.done }

// Reoffer implements v2.Dialog.
func (s *speechDialog) Reoffer(ctx context.Context, offer []byte) ([]byte, error) {
	return s.dialog.Reinvite(ctx, sip.Change{Offer: offer})
}

// follow answers the server's re-INVITEs, its session timer's among them, until
// the dialog is over; the agent closes Events then.
func (s *speechDialog) follow(refresh func([]byte) []byte) {
	defer close(s.done)
	for ev := range s.dialog.Events() {
		switch ev := ev.(type) {
		case *sip.Reinvite:
			s.refresh(ev, refresh)
		default:
			if err := sip.Decline(ev); err != nil {
				s.log.Warn("decline what the speech server asks", "error", err)
			}
		}
	}
}

func (s *speechDialog) refresh(ev *sip.Reinvite, answer func([]byte) []byte) {
	ctx := context.Background() // the dialog's own timers bound it
	body := answer(ev.Offer)
	var err error
	if body == nil {
		err = ev.Reject(ctx, 488, "Not Acceptable Here")
	} else {
		err = ev.Accept(ctx, body)
	}
	if err != nil {
		s.log.Warn("answer the speech server's re-INVITE", "error", err)
	}
}

// localAddressFor says which local address a speech server's audio should come
// to: the one the kernel routes to the server from.
func localAddressFor(uri string) func(context.Context) (netip.Addr, error) {
	host := hostOf(uri)
	return func(ctx context.Context) (netip.Addr, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", host)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("route to speech server: %w", err)
		}
		defer conn.Close()
		return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
	}
}

// hostOf is the host and port of a SIP or RTSP URI.
func hostOf(uri string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	port := map[string]string{"sips": "5061", "rtsp": "554", "rtsps": "322"}[strings.ToLower(scheme)]
	if port == "" {
		port = "5060"
	}
	rest, _, _ = strings.Cut(strings.TrimPrefix(rest, "//"), "/")
	if _, after, found := strings.Cut(rest, "@"); found {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, ";")
	if _, _, err := net.SplitHostPort(rest); err != nil {
		return net.JoinHostPort(strings.Trim(rest, "[]"), port)
	}
	return rest
}
