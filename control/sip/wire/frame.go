package wire

import (
	"bytes"
	"errors"
	"strconv"
)

// Why a stream cannot be divided into messages any further.
var (
	errNoEnd     = errors.New("header section is not complete yet")
	errPartial   = errors.New("body is not complete yet")
	errTooLarge  = errors.New("message too large")
	errNoLength  = errors.New("Content-Length missing or not a number")
	errTwoLength = errors.New("Content-Length given twice, differently")
)

// frame returns the length of the message that data begins with, with errPartial
// if that is not all there. On a stream
// Content-Length alone says where a message ends (RFC 3261 section 18.3), so
// without a good one nothing after it can be understood. The first bytes of data,
// so many as were searched, are known not to have the end of the header section,
// as all of them are after errNoEnd.
func frame(data []byte, searched, limit int) (int, error) {
	from := min(max(0, searched-3), len(data))
	head := bytes.Index(data[from:], []byte("\r\n\r\n"))
	if head >= 0 {
		head += from
	}
	if head < 0 {
		if len(data) > limit {
			return 0, errTooLarge
		}
		return 0, errNoEnd
	}
	length, err := contentLength(data[:head])
	if err != nil {
		return 0, err
	}
	total := head + 4 + length
	if total > limit {
		return 0, errTooLarge
	}
	if len(data) < total {
		return total, errPartial
	}
	return total, nil
}

// contentLength reads the header out of a header section, without the cost of
// parsing the rest.
func contentLength(head []byte) (int, error) {
	length := -1
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !isContentLength(bytes.TrimSpace(name)) {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil {
			return 0, errNoLength
		}
		if length >= 0 && length != int(n) {
			return 0, errTwoLength
		}
		length = int(n)
	}
	if length < 0 {
		return 0, errNoLength
	}
	return length, nil
}

func isContentLength(name []byte) bool {
	return bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("l"))
}
