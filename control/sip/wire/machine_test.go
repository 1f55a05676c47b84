package wire

import (
	"strings"
	"testing"
	"time"
)

// letters of the golden tables below.
var (
	stateLetters = map[state]string{trying: "T", proceeding: "P", completed: "C", confirmed: "F", accepted: "A", terminated: "X"}
	fxLetters    = []string{"send", "resend", "retry", "slow", "giveup", "linger", "quiet", "pass", "ack", "fail"}
)

// TestEveryInputInEveryState holds the machines to RFC 3261 figures 5 to 8 and
// RFC 6026 figures 3 and 5: every pair is named, "-" where nothing happens. The
// inputs are, in this order: request again, ACK, 1xx, 2xx, 3xx, retransmission
// timer, expiry, transport error.
func TestEveryInputInEveryState(t *testing.T) {
	golden := map[kind]map[state]string{
		inviteServer: {
			trying:     "- - - - - - - -",
			proceeding: "P:resend+quiet - P:send+quiet A:send+linger+quiet C:send+retry+giveup+quiet P:resend - X:fail",
			completed:  "C:resend F:linger+quiet - - - C:resend+retry X:fail X:fail",
			confirmed:  "- - - - - - X -",
			accepted:   "- A:pass - A:send - - X -",
			terminated: "- - - - - - - -",
		},
		otherServer: {
			trying:     "- - P:send C:send+linger C:send+linger - - X:fail",
			proceeding: "P:resend - P:send C:send+linger C:send+linger - - X:fail",
			completed:  "C:resend - - - - - X X:fail",
			confirmed:  "- - - - - - - -",
			accepted:   "- - - - - - - -",
			terminated: "- - - - - - - -",
		},
		inviteClient: {
			trying:     "- - P:quiet+pass A:linger+quiet+pass C:linger+quiet+pass+ack T:resend+retry X:fail X:fail",
			proceeding: "- - P:pass A:linger+quiet+pass C:linger+quiet+pass+ack - X:fail X:fail",
			completed:  "- - - - C:ack - X X",
			confirmed:  "- - - - - - - -",
			accepted:   "- - - A:pass - - X -",
			terminated: "- - - - - - - -",
		},
		otherClient: {
			trying:     "- - P:slow+pass C:linger+quiet+pass C:linger+quiet+pass T:resend+retry X:fail X:fail",
			proceeding: "- - P:pass C:linger+quiet+pass C:linger+quiet+pass P:resend+slow X:fail X:fail",
			completed:  "- - - - - - X X",
			confirmed:  "- - - - - - - -",
			accepted:   "- - - - - - - -",
			terminated: "- - - - - - - -",
		},
	}
	for k, states := range golden {
		for s := trying; s <= terminated; s++ {
			var got []string
			for in := inRequest; in <= inError; in++ {
				got = append(got, describe(next(k, s, in)))
			}
			if line := strings.Join(got, " "); line != states[s] {
				t.Errorf("kind %d, state %s:\n got %s\nwant %s", k, stateLetters[s], line, states[s])
			}
		}
	}
}

func describe(st step, ok bool) string {
	if !ok {
		return "-"
	}
	var do []string
	for i, name := range fxLetters {
		if st.do&(1<<i) != 0 {
			do = append(do, name)
		}
	}
	if len(do) == 0 {
		return stateLetters[st.to]
	}
	return stateLetters[st.to] + ":" + strings.Join(do, "+")
}

func TestTimersAreThoseOfTable4(t *testing.T) {
	tm := newTiming(500 * time.Millisecond)
	if tm.t2 != 4*time.Second || tm.t4 != 5*time.Second {
		t.Errorf("T2 %v, T4 %v", tm.t2, tm.t4)
	}
	for _, tc := range []struct {
		timer      string
		kind       kind
		state      state
		unreliable time.Duration
		reliable   time.Duration
	}{
		{"D", inviteClient, completed, 32 * time.Second, 0},
		{"I", inviteServer, confirmed, 5 * time.Second, 0},
		{"J", otherServer, completed, 32 * time.Second, 0},
		{"K", otherClient, completed, 5 * time.Second, 0},
		{"L", inviteServer, accepted, 32 * time.Second, 32 * time.Second},
		{"M", inviteClient, accepted, 32 * time.Second, 32 * time.Second},
	} {
		if got := tm.linger(tc.kind, tc.state, false); got != tc.unreliable {
			t.Errorf("timer %s over UDP: %v", tc.timer, got)
		}
		if got := tm.linger(tc.kind, tc.state, true); got != tc.reliable {
			t.Errorf("timer %s over TCP: %v", tc.timer, got)
		}
	}
}
