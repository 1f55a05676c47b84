package wire

import (
	"strconv"
	"strings"
)

// startLine is a message of which the start line has been read.
type startLine struct {
	Message
	length uint64
}

// parseStartLine reads a start line. The reason is empty when it succeeded. It
// accepts what deployed servers and RFC 6787's own examples send: lower case,
// status and state of a response in either order, a status inside an event.
func parseStartLine(line string) (*startLine, string) {
	s := &startLine{}
	tokens := strings.Fields(line)
	s.Version = strings.ToUpper(tokens[0])
	if !validVersion(s.Version) {
		return s, "no protocol version"
	}
	if len(tokens) < 4 {
		return s, "too few words in the start line"
	}
	length, err := strconv.ParseUint(tokens[1], 10, 63)
	if err != nil {
		return s, "message-length is no number"
	}
	s.length = length
	if isNumber(tokens[2]) {
		return s, s.parseResponse(tokens[2:])
	}
	return s, s.parseNamed(tokens[2:])
}

func validVersion(v string) bool {
	major, minor, found := strings.Cut(strings.TrimPrefix(v, "MRCP/"), ".")
	return found && len(major) <= 2 && len(minor) <= 2 && isNumber(major) && isNumber(minor)
}

// parseResponse reads "id status state".
func (s *startLine) parseResponse(tokens []string) string {
	s.Kind = Response
	if !s.parseID(tokens[0]) {
		return "request-id is no 32-bit number"
	}
	for _, token := range tokens[1:] {
		if isNumber(token) && len(token) == 3 && token[0] != '0' {
			s.Status, _ = strconv.Atoi(token)
		} else if !s.parseState(token) {
			return "unknown request-state"
		}
	}
	if s.Status == 0 || s.State == "" {
		return "response without status or state"
	}
	return ""
}

// parseNamed reads "method id" or "event id state". A number after the id is
// passed over: RFC 6787 prints one in INTERPRETATION-COMPLETE (section 5.1) and
// in a STOP request (section 9.10).
func (s *startLine) parseNamed(tokens []string) string {
	s.Kind = Request
	s.Name = strings.ToUpper(tokens[0])
	if !s.parseID(tokens[1]) {
		return "request-id is no 32-bit number"
	}
	for _, token := range tokens[2:] {
		if isNumber(token) {
			continue
		}
		if !s.parseState(token) {
			return "unknown request-state"
		}
		s.Kind = Event
	}
	return ""
}

func (s *startLine) parseID(token string) bool {
	id, err := strconv.ParseUint(token, 10, 32)
	s.ID = uint32(id)
	return err == nil
}

func (s *startLine) parseState(token string) bool {
	state := State(strings.ToUpper(token))
	// RFC 6787 section 8.10 prints "IN-PROGRESS@speechsynth".
	if before, _, found := strings.Cut(string(state), "@"); found {
		state = State(before)
	}
	switch state {
	case Pending, InProgress, Complete:
		s.State = state
		return true
	}
	return false
}

func isNumber(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
