package sdp

import "testing"

// Comfort noise (RFC 3389 section 5.1) is agreed on where both sides want it and its
// clock is the codec's.
func TestNoiseIsAgreedOn(t *testing.T) {
	tests := []struct {
		name            string
		formats, rtpmap string
		wanted          bool
		noise           uint8
		media           string
	}{
		{"by its static type", "0 13 101", "a=rtpmap:101 telephone-event/8000", true, 13, "m=audio 20000 RTP/AVP 0 13 101"},
		{"under another type", "8 98", "a=rtpmap:98 cn/8000", true, 98, "m=audio 20000 RTP/AVP 8 98"},
		{"of another clock", "0 98", "a=rtpmap:98 CN/16000", true, NoNoise, "m=audio 20000 RTP/AVP 0"},
		{"not offered", "0", "a=sendrecv", true, NoNoise, "m=audio 20000 RTP/AVP 0"},
		{"not wanted here", "0 13", "a=sendrecv", false, NoNoise, "m=audio 20000 RTP/AVP 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			offer, err := Parse(text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 5000 RTP/AVP "+tt.formats, tt.rtpmap))
			if err != nil {
				t.Fatal(err)
			}
			ours := local()
			ours.Noise = tt.wanted
			answer, n, err := Answer(offer, ours)
			if err != nil || n.Noise != tt.noise {
				t.Errorf("agreed on %d, %v", n.Noise, err)
			}
			checkLines(t, answer, []string{tt.media}, nil, nil)
		})
	}
}

func TestNoiseIsOffered(t *testing.T) {
	ours := local()
	ours.Noise = true
	offer := Offer(ours)
	checkLines(t, offer, []string{"m=audio 20000 RTP/AVP 0 8 13 101"}, []string{"a=rtpmap:13 CN/8000"}, nil)
	for formats, noise := range map[string]uint8{"0 13": 13, "0": NoNoise} {
		answer, err := Parse(text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 5000 RTP/AVP "+formats))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := Negotiate(ours, answer); err != nil || n.Noise != noise {
			t.Errorf("answer %s: agreed on %d, %v", formats, n.Noise, err)
		}
	}
}
