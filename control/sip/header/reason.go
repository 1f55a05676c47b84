package header

import (
	"fmt"
	"strconv"
	"strings"
)

// Reason is why a request was sent (RFC 3326). As the cause of a context that
// ends, it goes into the CANCEL of the call that was being placed.
type Reason struct {
	Protocol string // "SIP" or "Q.850"
	Cause    int
	Text     string
}

// String is the header's value.
func (r Reason) String() string {
	s := fmt.Sprintf("%s;cause=%d", r.Protocol, r.Cause)
	if r.Text != "" {
		s += ";text=" + quote(r.Text)
	}
	return s
}

// Error makes a Reason usable as the cause of a context's end.
func (r Reason) Error() string { return r.String() }

// ParseReasons reads the values of Reason headers; what is none is left out.
func ParseReasons(values []string) []Reason {
	var reasons []Reason
	for _, value := range values {
		for _, one := range Split(value, ',') {
			v := ParseValue(one)
			cause, err := strconv.Atoi(v.Params["cause"])
			if err != nil || v.Text == "" {
				continue
			}
			reasons = append(reasons, Reason{Protocol: v.Text, Cause: cause, Text: v.Params["text"]})
		}
	}
	return reasons
}

// Replaces names the dialog that a new one takes the place of (RFC 3891), as
// whoever receives it knows that dialog: To is the receiver's own tag.
type Replaces struct {
	CallID, To, From string
	EarlyOnly        bool
}

// String is the header's value.
func (r Replaces) String() string {
	s := r.CallID + ";to-tag=" + r.To + ";from-tag=" + r.From
	if r.EarlyOnly {
		s += ";early-only"
	}
	return s
}

// ParseReplaces reads the header's value; false when it is none.
func ParseReplaces(value string) (Replaces, bool) {
	v := ParseValue(value)
	_, early := v.Params["early-only"]
	r := Replaces{CallID: v.Text, To: v.Params["to-tag"], From: v.Params["from-tag"], EarlyOnly: early}
	return r, r.CallID != "" && r.To != "" && r.From != ""
}

// Fragment is the start line of a response in a message/sipfrag body (RFC
// 3420), which is how a NOTIFY tells of a transfer's progress (RFC 3515).
func Fragment(status int, phrase string) []byte {
	return fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", status, strings.NewReplacer("\r", "", "\n", "").Replace(phrase))
}

// ParseFragment reads the status out of such a body; false when there is none.
func ParseFragment(body []byte) (status int, phrase string, ok bool) {
	line, _, _ := strings.Cut(string(body), "\n")
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "SIP/2.0 ")
	if !ok {
		return 0, "", false
	}
	code, phrase, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	return status, phrase, err == nil && status >= 100 && status <= 699
}
