package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"mcp/control/sip"
	"mcp/speech/mrcp/v2"
)

// errNoReoffer says that the platform's agent cannot change a session.
var errNoReoffer = errors.New("re-INVITE to a speech server is not possible")

// dialer lets the MRCP client open its SIP dialogs through the platform's own
// agent.
type dialer struct {
	agent *sip.Agent
	log   *slog.Logger
}

// Dial implements v2.Dialer.
func (d dialer) Dial(ctx context.Context, i v2.Invitation) (v2.Dialog, error) {
	dialog, err := d.agent.Invite(ctx, sip.Outgoing{To: i.Target, Offer: i.Offer, Direct: true})
	if err != nil {
		return nil, fmt.Errorf("invite %s: %w", i.Target, err)
	}
	s := &speechDialog{dialog: dialog, done: make(chan struct{}), log: d.log.With("sip_call_id", dialog.CallID())}
	go s.follow(i.Answer)
	return s, nil
}

// Probe implements v2.Dialer: whether the server's port can be reached.
func (d dialer) Probe(ctx context.Context, target string) error {
	if !strings.Contains(strings.ToLower(target), "transport=tcp") {
		return nil // there is nothing to connect to
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", hostOf(target))
	if err != nil {
		return err
	}
	return conn.Close()
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
func (s *speechDialog) Reoffer(context.Context, []byte) ([]byte, error) { return nil, errNoReoffer }

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

// hostOf is the host and port of a SIP URI.
func hostOf(uri string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(uri, "sip:"), "sips:")
	if _, after, found := strings.Cut(rest, "@"); found {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, ";")
	if _, _, err := net.SplitHostPort(rest); err != nil {
		return net.JoinHostPort(strings.Trim(rest, "[]"), "5060")
	}
	return rest
}
