package sdp

import (
	"errors"
	"strings"
	"testing"
)

func amrBody(fmtp string) []byte {
	if fmtp != "" {
		fmtp = "a=fmtp:110 " + fmtp + "\r\n"
	}
	return []byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 4000 RTP/AVP 110\r\na=rtpmap:110 amr/8000\r\na=fmtp:96 octet-align=1\r\n" + fmtp)
}

// An offer of AMR is answered in the packing and the modes that it has (RFC 4867
// section 8.3.1), or not at all.
func TestAMRIsAnsweredAsOffered(t *testing.T) {
	for _, tt := range []struct{ offer, format, answer string }{
		{"", "", "mode-change-capability=2"},
		{"octet-align=0; crc=0; robust-sorting=0; max-red=0", "", "mode-change-capability=2"},
		{"Octet-Align=1;channels=1", "octet-align=1", "octet-align=1; mode-change-capability=2"},
		{"mode-set=7,5,2,0; octet-align=1", "octet-align=1; mode-set=0,2,5,7", "octet-align=1; mode-set=0,2,5,7; mode-change-capability=2"},
		{"mode-change-period=2; mode-change-neighbor=1; mode-change-capability=2", "mode-change-period=2; mode-change-neighbor=1", "mode-change-capability=2"},
		{offer: "octet-align=1; interleaving=30"}, {offer: "octet-align=1; crc=1"}, {offer: "octet-align=1; robust-sorting=1"},
		{offer: "mode-set=9"}, {offer: "mode-set="}, {offer: "octet-align=2"}, {offer: "channels=2"}, {offer: "mode-change-period=3"},
	} {
		offer, err := Parse(amrBody(tt.offer))
		if err != nil {
			t.Fatal(err)
		}
		text, n, err := Answer(offer, Local{Addr: addr("192.0.2.2:30000"), Codecs: []Codec{narrow("AMR", 98)}})
		if tt.answer == "" {
			if !errors.Is(err, ErrNoCommonCodec) {
				t.Errorf("%q: %+v, %v", tt.offer, n.Codec, err)
			}
			continue
		}
		want := narrow("AMR", 110)
		want.Format = tt.format
		if err != nil || n.Codec != want || !strings.Contains(string(text), "a=fmtp:110 "+tt.answer+"\r\n") {
			t.Errorf("%q: %+v, %v\n%s", tt.offer, n.Codec, err, text)
		}
	}
}

// An answer has the packing of an offer of ours, and its modes if it had any.
func TestAMRIsAgreedAsAnswered(t *testing.T) {
	for _, tt := range []struct {
		offer, answer, format string
		refused               bool
	}{
		{offer: "", answer: "", format: ""},
		{offer: "", answer: "mode-set=7", format: "mode-set=7"},
		{offer: "octet-align=1", answer: "octet-align=1; mode-change-period=2", format: "octet-align=1; mode-change-period=2"},
		{offer: "mode-set=0,7", answer: "", format: "mode-set=0,7"},
		{offer: "mode-set=0,7", answer: "mode-set=7,0", format: "mode-set=0,7"},
		{offer: "mode-set=0,7", answer: "mode-set=7", refused: true},
		{offer: "", answer: "octet-align=1", refused: true},
		{offer: "octet-align=1", answer: "", refused: true},
	} {
		answer, err := Parse(amrBody(tt.answer))
		if err != nil {
			t.Fatal(err)
		}
		ours := narrow("AMR", 110)
		ours.Format = tt.offer
		n, err := Negotiate(Local{Addr: addr("192.0.2.2:30000"), Codecs: []Codec{ours}}, answer)
		if (err != nil) != tt.refused || n.Codec.Format != tt.format {
			t.Errorf("%q answered by %q: %+v, %v", tt.offer, tt.answer, n.Codec, err)
		}
	}
}
