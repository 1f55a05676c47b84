package e2e

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mcp/control/media/rtpstream"
	"mcp/control/node"
	"mcp/control/sdp"
	"mcp/control/service/siprec/siprectest"
	"mcp/control/sip"
)

// patient is a page that waits for keys that never come.
const patient = `<property name="inputmodes" value="dtmf"/><property name="timeout" value="300s"/><form><field name="f" type="digits"/></form>`

// TestRecordTellsOfLoss has a caller whose network loses three packets.
func TestRecordTellsOfLoss(t *testing.T) {
	r := newRig(t, nil)
	r.pages.page("/main.vxml", patient)
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	d, err := r.agent.Invite(t.Context(), sip.Outgoing{To: r.target(), Offer: sdp.Offer(sdp.Local{
		Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: []sdp.Codec{{Name: "PCMU", ClockRate: 8000}},
		Events: eventsNone, Direction: sdp.SendRecv, SessionID: 1, Version: 1,
	})})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	h := rtpstream.Header{SSRC: 7}
	for i := range 60 {
		if i%20 != 10 {
			if _, err := conn.WriteToUDPAddrPort(append(h.Append(nil), make([]byte, 160)...), answer.Audio.RTP); err != nil {
				t.Fatal(err)
			}
		}
		h.Sequence, h.Timestamp = h.Sequence+1, h.Timestamp+160
		<-tick.C
	}
	if err := d.Bye(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	in := r.record(1).Media[0].Received
	t.Logf("%+v", in)
	if in.Lost != 3 || in.SSRC != 7 || in.Packets < 50 || in.MOS < 1 || in.MOS > 4 {
		t.Errorf("received %+v", in)
	}
	r.nothingLeft()
}

// TestRecordNamesTheRecordingServer has a call recorded by somebody else (RFC 7866).
func TestRecordNamesTheRecordingServer(t *testing.T) {
	server, err := siprectest.Start(siprectest.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	r := newRig(t, func(c *node.Config) { c.Recording.Server.URI = server.URI() + ";x={id}" })
	r.pages.page("/main.vxml", `<form><field name="f"><prompt>one two three</prompt>`+voiceGrammar+`<filled><disconnect/></filled></field></form>`)
	if _, err := r.call(t.Context(), "listen; say one two; await"); err != nil {
		t.Fatal(err)
	}
	rec, session := r.record(1), <-server.Sessions()
	<-session.Ended
	if len(rec.Recordings) != 1 {
		t.Fatalf("recordings %+v", rec.Recordings)
	}
	if one := rec.Recordings[0]; one.ID != session.Dialog.CallID() || one.URI != strings.ReplaceAll(r.cfg.Recording.Server.URI, "{id}", rec.ID) ||
		one.Duration <= 0 || one.Duration > rec.Durations.Total {
		t.Errorf("recording %+v of %+v", one, rec.Durations)
	}
	r.nothingLeft()
}
