package sdp

import (
	"bytes"
	"fmt"
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

// section is the lines of a session, or those of one of its streams, which begin
// with its m= line.
type section []string

// description is a text divided into its sections, before any line is
// understood.
type description struct {
	session section
	media   []section
	read    int // bytes of audio sections so far, with the session's each time
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
	lines := make(section, 0, 1+bytes.Count(text, []byte("\n")))
	begin := 0 // of the section under way
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n \t")
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' || strings.Contains(line, "\r") {
			return d, fmt.Errorf("%w: line %q", ErrMalformed, clip(line))
		}
		if line[0] == 'm' {
			if len(d.media) == maxMedia {
				return d, fmt.Errorf("%w: more than %d media lines", ErrMalformed, maxMedia)
			}
			d.end(lines[begin:])
			d.media, begin = append(d.media, nil), len(lines)
		}
		lines = append(lines, line)
	}
	d.end(lines[begin:])
	if len(d.session) == 0 || !strings.HasPrefix(d.session[0], "v=") {
		return d, fmt.Errorf("%w: no v= line", ErrMalformed)
	}
	return d, nil
}

// end gives the section that began last its lines.
func (d *description) end(lines section) {
	if n := len(d.media); n > 0 {
		d.media[n-1] = lines
	} else {
		d.session = lines
	}
}

// usualFields is how many the value of a line has that is not an m= line, at most.
const usualFields = 4

// words adds the fields of a value to room.
func words(room []string, value string) []string {
	for field := range strings.FieldsSeq(value) {
		room = append(room, field)
	}
	return room
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// value is the first value of a line type, "" when there is none.
func (s section) value(kind byte) string {
	for _, line := range s {
		if line[0] == kind {
			return line[2:]
		}
	}
	return ""
}

// attributes are the names and values of the a= lines.
func (s section) attributes(yield func(name, value string) bool) {
	for _, line := range s {
		if line[0] != 'a' {
			continue
		}
		if name, value, _ := strings.Cut(line[2:], ":"); !yield(name, value) {
			return
		}
	}
}

// attribute is the first value of an attribute, if there is one.
func (s section) attribute(name string) (value string, ok bool) {
	for _, line := range s {
		if line[0] != 'a' {
			continue
		}
		if rest, named := strings.CutPrefix(line[2:], name); named && (rest == "" || rest[0] == ':') {
			return strings.TrimPrefix(rest, ":"), true
		}
	}
	return "", false
}

func (s section) bytes() (n int) {
	for _, line := range s {
		n += len(line) + len("\r\n")
	}
	return n
}

// mirror keeps of an m= line what an answer repeats.
func (s section) mirror() (media, bool) {
	fields := strings.Fields(s[0][2:])
	if len(fields) < 3 {
		return media{}, false
	}
	m := media{kind: fields[0], port: fields[1], proto: fields[2], formats: fields[3:]}
	m.mid, _ = s.attribute("mid")
	return m, true
}
