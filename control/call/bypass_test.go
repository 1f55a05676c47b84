package call

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"mcp/control/call/secure"
	"mcp/control/media/srtp"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// keyed is a way to have audio protected.
func keyed(key byte) sdp.Keying {
	secret := make(sdp.Secret, 30)
	secret[0] = key
	return sdp.Keying{Transport: "RTP/SAVP", Crypto: []sdp.Crypto{{Tag: 1, Suite: string(srtp.AES128SHA80), Secret: secret}}}
}

// redirected is a call whose audio bypasses the platform, until over is closed. First is
// done before, by the call's owner.
func redirected(t *testing.T, policy secure.Policy, first func(*Call, *Party), then func(caller, party *talker, over <-chan struct{})) {
	t.Helper()
	begun := make(chan (<-chan struct{}), 1)
	conversationUnder(t, policy, func(c *Call, p *Party) {
		if first != nil {
			_ = c.owned(func() error { first(c, p); return nil })
		}
		over, err := c.Redirect(context.Background(), p)
		if err != nil {
			t.Error(err)
		}
		begun <- over
		<-c.HungUp()
	}, func(caller, party *talker) {
		over := <-begun
		if c, p := caller.told(), party.told(); over == nil || c.RTP != party.local.Addr || p.RTP != caller.local.Addr {
			t.Fatalf("the caller speaks with %v, the party with %v", c.RTP, p.RTP)
		}
		then(caller, party, over)
	})
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Audio that one end takes away is taken from the other, and brought back to it (RFC
// 3264 section 8.2).
func TestAudioTakenAwayDuringARedirect(t *testing.T) {
	redirected(t, secure.Policy{}, nil, func(caller, party *talker, over <-chan struct{}) {
		for _, from := range []*talker{caller, party} {
			to := map[*talker]*talker{caller: party, party: caller}[from]
			none := from.local
			none.Addr = netip.AddrPortFrom(loopback, 0)
			if answer, err := from.propose(none); err != nil || answer != nil {
				t.Fatalf("audio at port 0 is answered with %+v, %v", answer, err)
			}
			if got := to.told(); got != nil {
				t.Errorf("the other is told of audio at %v", got.RTP)
			}
			if answer, err := from.change(sdp.SendRecv); err != nil || answer.RTP != to.local.Addr {
				t.Fatalf("audio that comes back is answered with %+v, %v", answer, err)
			}
			if got := to.told(); got == nil || got.RTP != from.local.Addr {
				t.Errorf("the other is told of %+v", got)
			}
		}
		if closed(over) {
			t.Error("the audio passes the platform again")
		}
	})
}

// One end answers the redirect itself without audio: both are offered the platform's
// again.
func TestRedirectThatNobodyHears(t *testing.T) {
	for _, by := range []string{"caller", "party"} {
		t.Run(by, func(t *testing.T) {
			ready, done := make(chan struct{}), make(chan error, 1)
			conversation(t, func(c *Call, p *Party) {
				<-ready
				_, err := c.Redirect(context.Background(), p)
				done <- err
				<-c.HungUp()
			}, func(caller, party *talker) {
				deaf, other := caller, party
				if by == "party" {
					deaf, other = party, caller
				}
				at := deaf.local.Addr
				deaf.local.Addr = netip.AddrPortFrom(loopback, 0)
				close(ready)
				if err := <-done; !errors.Is(err, errNegotiation) {
					t.Errorf("the redirect: %v", err)
				}
				if first, last := deaf.told(), deaf.told(); first.RTP != other.local.Addr || last.RTP == other.local.Addr {
					t.Errorf("it is told of audio at %v, then %v", first.RTP, last.RTP)
				}
				if by == "party" {
					if first, last := other.told(), other.told(); first.RTP != at || last.RTP == at {
						t.Errorf("the other is told of audio at %v, then %v", first.RTP, last.RTP)
					}
				}
			})
		})
	}
}

// Keys go from end to end where signalling may have them, and the other end takes them.
func TestKeysPassARedirect(t *testing.T) {
	redirected(t, secure.Policy{Clear: true}, nil, func(caller, party *talker, over <-chan struct{}) {
		party.local.Keying = keyed(2)
		mine := caller.local
		mine.Keying = keyed(1)
		answer, err := caller.propose(mine)
		if err != nil {
			t.Fatal(err)
		}
		told := party.told()
		if k := told.Keying; told.RTP != mine.Addr || !k.Demanded() || len(k.Crypto) != 1 || k.Crypto[0].Secret[0] != 1 {
			t.Errorf("the party is offered %+v", told)
		}
		if k := answer.Keying; answer.RTP != party.local.Addr || !k.Demanded() || len(k.Crypto) != 1 || k.Crypto[0].Secret[0] != 2 {
			t.Errorf("the caller is answered %+v", answer)
		}
		if closed(over) {
			t.Error("the audio passes the platform again")
		}
	})
}

// What one end offers and the other cannot take, the platform takes, if it can: the
// audio of both passes it again. If not, the offer is refused, and nothing changes.
func TestOffersThatDoNotPassARedirect(t *testing.T) {
	sdes := secure.Policy{Mode: secure.Optional, SDES: true, Clear: true, Profiles: srtp.Profiles()}
	for _, tt := range []struct {
		name    string
		policy  secure.Policy
		offer   func(*sdp.Local)
		refused bool
	}{
		{name: "keys that the other has no use for", policy: sdes, offer: func(l *sdp.Local) { l.Keying = keyed(1) }},
		{name: "a codec that the other has not", offer: func(l *sdp.Local) { l.Codecs = sdp.DefaultCodecs()[1:] }},
		{name: "keys that nobody has a use for", policy: secure.Policy{Clear: true}, offer: func(l *sdp.Local) { l.Keying = keyed(1) }, refused: true},
		{name: "keys that may not be told", offer: func(l *sdp.Local) { l.Keying = keyed(1) }, refused: true},
		{name: "a codec that nobody has", offer: func(l *sdp.Local) { l.Codecs = []sdp.Codec{{Name: "GSM", PayloadType: 3, ClockRate: 8000}} }, refused: true},
	} {
		for _, by := range []string{"caller", "party"} {
			t.Run(tt.name+", of the "+by, func(t *testing.T) {
				redirected(t, tt.policy, nil, func(caller, party *talker, over <-chan struct{}) {
					from, to := caller, party
					if by == "party" {
						from, to = party, caller
					}
					changed := from.local
					tt.offer(&changed)
					answer, err := from.propose(changed)
					if tt.refused {
						checkStays(t, from, to, err, over)
						return
					}
					if err != nil || answer.RTP == to.local.Addr || answer.Keying.Demanded() != changed.Keying.Demanded() {
						t.Fatalf("it is answered with %+v, %v", answer, err)
					}
					if got := to.told(); got.RTP == from.local.Addr || got.RTP == answer.RTP || got.Keying.Demanded() {
						t.Errorf("the other is told of %+v", got)
					}
					wait(t, "the audio to pass the platform", over)
				})
			})
		}
	}
}

// checkStays wants a change refused that nobody can take, and the audio still to go
// from end to end.
func checkStays(t *testing.T, from, to *talker, err error, over <-chan struct{}) {
	t.Helper()
	var refused *sip.RejectedError
	if !errors.As(err, &refused) || refused.Status != 488 {
		t.Errorf("it is refused with %v", err)
	}
	if answer, err := from.change(sdp.SendOnly); err != nil || answer.RTP != to.local.Addr {
		t.Errorf("hold afterwards: %+v, %v", answer, err)
	}
	if got := to.told(); got.RTP != from.local.Addr || got.Direction != sdp.SendOnly {
		t.Errorf("the other is told of %+v", got)
	}
	if closed(over) {
		t.Error("the audio passes the platform again")
	}
}

// One end is asked for an offer on behalf of the other, whose signalling may not have
// the keys in it: the platform takes them, and makes the other an offer of its own.
func TestKeysThatMayNotBeToldOnRequest(t *testing.T) {
	policy := secure.Policy{Mode: secure.Optional, SDES: true, Profiles: srtp.Profiles()}
	confidential := func(c *Call, _ *Party) { c.caller.secure.Confidential = true }
	redirected(t, policy, confidential, func(caller, party *talker, over <-chan struct{}) {
		caller.local.Keying = keyed(1)
		_, err := party.dialog.Reinvite(t.Context(), sip.Change{Answer: func(offer []byte) ([]byte, error) {
			return party.answer(offer), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := party.told(); got.RTP == caller.local.Addr || got.Keying.Offered() {
			t.Errorf("the party is offered %+v", got)
		}
		wait(t, "the audio to pass the platform", over)
	})
}
