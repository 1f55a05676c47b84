package media_test

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/detect"
	"mcp/control/media/mediatest"
	"mcp/control/media/tone"
)

// A far end without telephone-event presses keys in its audio, and is pressed keys
// there, in every codec that keeps tones whole.
func TestKeysInTheAudio(t *testing.T) {
	for _, c := range []codec.Codec{codec.PCMU, codec.PCMA, codec.G722} {
		plane := mediatest.NewPlane()
		engine, err := media.NewEngine(media.Config{}, plane, slog.New(slog.DiscardHandler))
		must(t, err)
		session := engine.NewSession("call")
		leg, err := session.OpenLeg("caller", netip.MustParseAddr("127.0.0.1"))
		must(t, err)
		must(t, leg.HearKeys(true))
		far, err := plane.Connect(leg, c, 20*time.Millisecond)
		must(t, err)
		parts, err := tone.Keys("159#", -10, 80*time.Millisecond, 60*time.Millisecond)
		must(t, err)
		say := func() {
			frame := c.SampleRate() / 50
			for pcm := tone.PCM(c.SampleRate(), parts...); len(pcm) >= frame; pcm = pcm[frame:] {
				must(t, far.Say(pcm[:frame]))
			}
		}
		say() // telephone-event was agreed: the audio is not listened to
		if n := len(leg.Digits()); n != 0 {
			t.Errorf("%s: %d keys of a far end that has telephone-event", c.Name, n)
		}
		must(t, leg.Connect(media.FarEnd{
			RTP: netip.MustParseAddrPort("192.0.2.1:4000"), PayloadType: c.PayloadType, Events: -1,
			ClockRate: c.ClockRate, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
		}, c))
		say()
		var got []byte
		for len(leg.Digits()) > 0 {
			got = append(got, (<-leg.Digits()).Key)
		}
		if string(got) != "159#" {
			t.Errorf("%s: %q was heard", c.Name, got)
		}
		must(t, leg.SendDigits(t.Context(), "4*"))
		heard, err := far.Heard(0)
		must(t, err)
		if c == codec.G722 {
			heard = every2nd(heard)
		}
		if got := detect.NewKeys().Append(nil, heard); string(got) != "4*" {
			t.Errorf("%s: the far end heard %q", c.Name, got)
		}
		session.Close()
		must(t, engine.Close())
	}
}

// every2nd halves the rate of audio that has nothing above 4 kHz.
func every2nd(pcm []int16) (out []int16) {
	for i := 0; i < len(pcm); i += 2 {
		out = append(out, pcm[i])
	}
	return out
}
