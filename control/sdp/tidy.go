package sdp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// What is read of a description at most. A call's has a dozen lines and one or
// two streams; hostile ones have thousands.
const (
	maxBytes = 64 << 10
	maxMedia = 64
	// maxRead bounds the streams of audio together, with what the session says of
	// each: lines of the session count once for every stream.
	maxRead = 2 * maxBytes
)

// What a section of a call has, more or less: so many lines of so many bytes.
const (
	usualLines = 8
	usualLine  = 32
)

// description is a text divided into its sections, before any line is
// understood.
type description struct {
	session []string
	media   [][]string // each beginning with its m= line
	read    int        // bytes of audio sections so far, as proper writes them
}

// divide splits a text into lines and sections. Lines may end in CR LF or in LF
// alone.
func divide(text []byte) (description, error) {
	var d description
	if len(text) > maxBytes {
		return d, fmt.Errorf("%w: %d bytes", ErrMalformed, len(text))
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return d, fmt.Errorf("%w: NUL in text", ErrMalformed)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n \t")
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' || strings.Contains(line, "\r") {
			return d, fmt.Errorf("%w: line %q", ErrMalformed, clip(line))
		}
		switch {
		case line[0] == 'm':
			if len(d.media) == maxMedia {
				return d, fmt.Errorf("%w: more than %d media lines", ErrMalformed, maxMedia)
			}
			d.media = append(d.media, append(make([]string, 0, usualLines), line))
		case len(d.media) > 0:
			last := len(d.media) - 1
			d.media[last] = append(d.media[last], line)
		default:
			if d.session == nil {
				d.session = make([]string, 0, usualLines)
			}
			d.session = append(d.session, line)
		}
	}
	if len(d.session) == 0 || !strings.HasPrefix(d.session[0], "v=") {
		return d, fmt.Errorf("%w: no v= line", ErrMalformed)
	}
	return d, nil
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// value is the first value of a line type in a section, "" when there is none.
func value(lines []string, kind byte) string {
	for _, line := range lines {
		if line[0] == kind {
			return line[2:]
		}
	}
	return ""
}

// proper writes one audio section, with the session's lines that bear on it, in
// the order that RFC 4566 demands and the parser insists on. Real equipment puts
// attributes before t=, sends origins that are not numbers and streams of types
// that the parser does not know; none of that is reason to refuse a call.
func (d description) proper(section []string) string {
	var b strings.Builder
	b.Grow(usualLines * usualLine)
	b.WriteString("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\n")
	if c := value(d.session, 'c'); c != "" {
		b.WriteString("c=" + c + "\r\n")
	}
	b.WriteString("t=0 0\r\n")
	writeAttributes(&b, d.session)
	b.WriteString(section[0] + "\r\n")
	if c := value(section, 'c'); c != "" {
		b.WriteString("c=" + c + "\r\n")
	}
	writeAttributes(&b, section)
	return b.String()
}

func writeAttributes(b *strings.Builder, lines []string) {
	for _, line := range lines {
		if line[0] == 'a' && len(line) > 2 {
			b.WriteString(line + "\r\n")
		}
	}
}

// mirror keeps of an m= line what an answer repeats.
func mirror(section []string) (media, bool) {
	fields := strings.Fields(section[0][2:])
	if len(fields) < 3 {
		return media{}, false
	}
	m := media{kind: fields[0], proto: fields[2], formats: slices.Clone(fields[3:])}
	for _, line := range section {
		if mid, ok := strings.CutPrefix(line, "a=mid:"); ok {
			m.mid = mid
		}
	}
	return m, true
}
