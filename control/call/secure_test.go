package call

import (
	"strings"
	"testing"

	"mcp/control/call/secure"
	"mcp/control/media/srtp"
	"mcp/control/sdp"
)

const (
	firstKey  = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
	secondKey = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
)

func protected(key string) string {
	return strings.Replace(string(offer()), "RTP/AVP", "RTP/SAVP", 1) + key + "\r\n"
}

func keyOf(t *testing.T, text string) string {
	t.Helper()
	s, err := sdp.Parse([]byte(text))
	if err != nil || len(s.Audio.Keying.Crypto) != 1 || s.Audio.Keying.Crypto[0].Err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(s.Audio.Keying.Crypto[0].Secret)
}

func required() Config {
	return Config{SRTP: secure.Policy{Mode: secure.Required, Profiles: srtp.Profiles(), SDES: true, Clear: true}}
}

// TestProtectedCall offers a key, offers it again, another, and none: the platform's
// own key follows, and what is not protected is refused without an end to the call.
func TestProtectedCall(t *testing.T) {
	b := newBench(t, required(), &scripted{run: untilHungUp})
	c := dialRaw(t, b, protected(firstKey))
	peer := c.Peer
	reinvite := func(text string) string {
		peer.Send(c.Request("INVITE").WithSDP(text))
		final := peer.Expect("SIP/2.0 200", "SIP/2.0 100")
		peer.Send(c.Ack(final))
		return body(final)
	}
	first := keyOf(t, reinvite(protected(firstKey)))
	if again := keyOf(t, reinvite(protected(firstKey))); again != first {
		t.Error("the key changes with an offer that does not")
	}
	if next := keyOf(t, reinvite(protected(secondKey))); next == first {
		t.Error("a new key is answered with the old one")
	}
	peer.Send(c.Request("INVITE").WithSDP(string(offer())))
	refused := peer.Expect("SIP/2.0 488", "SIP/2.0 100")
	peer.Send(c.Ack(refused))
	peer.Send(c.Request("BYE"))
	peer.Expect("SIP/2.0 200")
	if r := b.record(); len(r.Media) != 1 || r.Media[0].SRTP != "AES_CM_128_HMAC_SHA1_80" {
		t.Errorf("%+v", r.Media)
	}
	b.empty()
}

// TestUnprotectedCallIsRefused answers with the reason in a Warning.
func TestUnprotectedCallIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		config Config
		offer  string
	}{
		"clear where protection is required": {required(), string(offer())},
		"protected where there is none":      {Config{}, protected(firstKey)},
		"keys over open signalling": {
			Config{SRTP: secure.Policy{Mode: secure.Optional, Profiles: srtp.Profiles(), SDES: true}}, protected(firstKey)},
	} {
		b := newBench(t, tc.config, &scripted{run: untilHungUp})
		if d, err := b.dial([]byte(tc.offer)); err == nil || !strings.Contains(err.Error(), "488") {
			t.Errorf("%s: %v, %v", name, d, err)
		}
		if r := b.record(); r.End.SIPStatus != 488 || strings.Contains(r.End.Error, "d0Rm") {
			t.Errorf("%s: %+v", name, r.End)
		}
		b.empty()
	}
}
