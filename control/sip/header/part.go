package header

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// maxParts bounds what is read of a multipart body.
const maxParts = 16

// ErrMultipart marks a multipart body that cannot be taken apart.
var ErrMultipart = errors.New("malformed multipart body")

// Part is one body of a message.
type Part struct {
	Type        string // media type with its parameters
	Disposition string // as it came; "" stands for the type's own
	ID          string // Content-ID without its brackets; "": it has none
	Body        []byte
}

// Is says whether the part is of a media type, whatever its parameters.
func (p Part) Is(mediaType string) bool {
	kind, _, _ := strings.Cut(p.Type, ";")
	return strings.EqualFold(strings.TrimSpace(kind), mediaType)
}

// Optional says whether a receiver that does not understand the part may pass
// it over (RFC 3261 section 20.11).
func (p Part) Optional() bool {
	return strings.EqualFold(ParseValue(p.Disposition).Params["handling"], "optional")
}

// Parts takes a body apart: its parts if it is multipart (RFC 2046 section
// 5.1), or itself as the only one. Lines may end in LF alone; a body whose last
// boundary is missing is malformed.
func Parts(mediaType, disposition string, body []byte) ([]Part, error) {
	whole := Part{Type: mediaType, Disposition: disposition, Body: body}
	kind, _, _ := strings.Cut(mediaType, "/")
	if !strings.EqualFold(strings.TrimSpace(kind), "multipart") {
		return []Part{whole}, nil
	}
	boundary := ParseValue(mediaType).Params["boundary"]
	if boundary == "" || len(boundary) > 70 {
		return nil, fmt.Errorf("%w: boundary of %d characters", ErrMultipart, len(boundary))
	}
	sections, err := divide(body, boundary)
	if err != nil {
		return nil, err
	}
	var parts []Part
	for _, section := range sections {
		p, err := parsePart(section)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// divide cuts a body at its boundary lines.
func divide(body []byte, boundary string) ([][]byte, error) {
	delimiter := []byte("--" + boundary)
	var sections [][]byte
	begin := -1
	for at := 0; at < len(body); {
		end := len(body)
		if lf := bytes.IndexByte(body[at:], '\n'); lf >= 0 {
			end = at + lf + 1
		}
		rest, ok := bytes.CutPrefix(body[at:end], delimiter)
		rest = bytes.TrimRight(rest, " \t\r\n")
		if last := string(rest) == "--"; ok && (last || len(rest) == 0) {
			if begin >= 0 {
				sections = append(sections, trimLine(body[begin:at]))
			}
			if last {
				return sections, nil
			}
			if begin = end; len(sections) == maxParts {
				return nil, fmt.Errorf("%w: more than %d parts", ErrMultipart, maxParts)
			}
		}
		at = end
	}
	return nil, fmt.Errorf("%w: no end", ErrMultipart)
}

// trimLine takes off the line end that belongs to the boundary.
func trimLine(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

// parsePart divides a part's headers from its body.
func parsePart(section []byte) (Part, error) {
	p := Part{Type: "text/plain"}
	for {
		line, rest, ok := bytes.Cut(section, []byte("\n"))
		section = rest
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			p.Body = section
			return p, nil
		}
		name, value, colon := strings.Cut(string(line), ":")
		if !colon {
			return p, fmt.Errorf("%w: header without a colon", ErrMultipart)
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "content-type", "c":
			p.Type = strings.TrimSpace(value)
		case "content-disposition":
			p.Disposition = strings.TrimSpace(value)
		case "content-id":
			p.ID = strings.Trim(strings.TrimSpace(value), "<>")
		}
		if !ok {
			return p, nil
		}
	}
}

// Join makes one body of several, and its media type. The boundary must occur
// in none of them.
func Join(boundary string, parts ...Part) (mediaType string, body []byte) {
	var b bytes.Buffer
	for _, p := range parts {
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\n", boundary, p.Type)
		if p.Disposition != "" {
			fmt.Fprintf(&b, "Content-Disposition: %s\r\n", p.Disposition)
		}
		if p.ID != "" {
			fmt.Fprintf(&b, "Content-ID: <%s>\r\n", p.ID)
		}
		b.WriteString("\r\n")
		b.Write(p.Body)
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return "multipart/mixed;boundary=" + boundary, b.Bytes()
}
