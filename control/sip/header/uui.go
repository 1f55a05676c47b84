package header

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// UUIHeader carries what users tell each other as a call is set up (RFC 7433).
const UUIHeader = "User-to-User"

// maxUUI is how much the network's service carries, octets (RFC 7434 section 8.1).
const maxUUI = 128

// Discriminators say what the data of the network's service is, in its first octet
// (ITU-T Q.931 section 4.5.30).
const (
	ownKind  = 0x00 // of the users' own kind
	textKind = 0x04 // IA5 characters
)

// UUI is one piece of what a user tells another.
type UUI struct {
	Data     string // as written; without its quotes
	Purpose  string // the package; empty: the network's service, isdn-uui
	Encoding string // "hex" or none
}

// ParseUUI reads the values of a header that may come several times and have several
// entries each.
func ParseUUI(values []string) []UUI {
	var all []UUI
	for _, value := range values {
		for _, one := range Split(value, ',') {
			v := ParseValue(one)
			if data := unquote(v.Text); data != "" {
				all = append(all, UUI{data, strings.ToLower(v.Params["purpose"]), strings.ToLower(v.Params["encoding"])})
			}
		}
	}
	return all
}

// Text is what was said, where it is text: what hexadecimal digits stand for, without
// the octet that the network's service begins with. Else it is the data as written.
func (u UUI) Text() string {
	if u.Encoding != "hex" {
		return u.Data
	}
	octets, err := hex.DecodeString(u.Data)
	if err != nil {
		return u.Data
	}
	if u.Purpose == "" || strings.HasPrefix(u.Purpose, "isdn-") {
		if len(octets) > 1 && (octets[0] == textKind || octets[0] == ownKind) {
			octets = octets[1:]
		}
	}
	text := string(octets)
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return u.Data
	}
	return text
}

// TextUUI is the header's value that says a text over the network's service; empty
// when there is none, or it is too long.
func TextUUI(text string) string {
	if text == "" || len(text) > maxUUI {
		return ""
	}
	return hex.EncodeToString(append([]byte{textKind}, text...)) + ";encoding=hex"
}
