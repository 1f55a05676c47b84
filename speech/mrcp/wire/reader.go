package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// DefaultMaxMessage bounds a message when the caller names no bound. The
// largest that peers send are grammars and N-best lists of some 100 KiB.
const DefaultMaxMessage = 1 << 20

// maxHead bounds a start line with its header fields.
const maxHead = 64 << 10

// ErrTooLarge says that a message exceeds the reader's bound. The stream cannot
// be read any further.
var ErrTooLarge = errors.New("mrcp message too large")

// SyntaxError is a message that cannot be understood. The reader has consumed
// it and can go on with the next.
type SyntaxError struct{ Line, Reason string }

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("mrcp message %q: %s", e.Line, e.Reason)
}

// Reader reads messages from a stream, in whatever pieces they arrive.
//
// It frames by header and Content-Length rather than by message-length: RFC
// 6787 section 6.2.11 demands Content-Length of every message with a body,
// deployed servers get the message-length wrong, and their own peers do not
// look at it. The message-length decides only when a message names a
// Content-Type and no Content-Length. What stands between messages is skipped
// up to the next line that begins with "MRCP/".
type Reader struct {
	r    *bufio.Reader
	max  int
	head int // octets of the current message read so far
}

// NewReader makes a Reader that accepts messages up to max octets; 0 means
// DefaultMaxMessage.
func NewReader(r io.Reader, max int) *Reader {
	if max <= 0 {
		max = DefaultMaxMessage
	}
	return &Reader{r: bufio.NewReader(r), max: max}
}

// Read returns the next message. After a *SyntaxError it may be called again.
// With ErrTooLarge comes the message's start line and header, so that a server
// can answer it.
func (r *Reader) Read() (*Message, error) {
	line, err := r.startLine()
	if err != nil {
		return nil, err
	}
	header, err := r.header()
	if err != nil {
		return nil, unexpected(err)
	}
	start, syntax := parseStartLine(line)
	start.Header = header
	size, err := r.bodySize(start, header)
	if err != nil {
		return &start.Message, err
	}
	start.Body = make([]byte, size)
	if _, err := io.ReadFull(r.r, start.Body); err != nil {
		return nil, unexpected(err)
	}
	if syntax != "" {
		return nil, &SyntaxError{Line: line, Reason: syntax}
	}
	return &start.Message, nil
}

// startLine finds the next line that begins a message.
func (r *Reader) startLine() (string, error) {
	for junk := 0; ; {
		r.head = 0
		line, err := r.line()
		if err != nil {
			return "", err
		}
		if len(line) >= 5 && strings.EqualFold(line[:5], "MRCP/") {
			return line, nil
		}
		if junk += r.head; junk > r.max {
			return "", ErrTooLarge
		}
	}
}

// header reads fields up to the empty line. A line that begins with white space
// continues the field before it; one that is no field is ignored.
func (r *Reader) header() (Header, error) {
	var h Header
	for {
		line, err := r.line()
		if err != nil || line == "" {
			return h, err
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(h) > 0 {
				last := &h[len(h)-1]
				last.Value = strings.TrimSpace(last.Value + " " + strings.TrimSpace(line))
			}
			continue
		}
		if name, value, found := strings.Cut(line, ":"); found && validName(strings.TrimSpace(name)) {
			h = append(h, Field{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
}

// line reads to the next LF and strips the line end.
func (r *Reader) line() (string, error) {
	var line []byte
	for {
		piece, err := r.r.ReadSlice('\n')
		r.head += len(piece)
		line = append(line, piece...)
		if r.head > maxHead {
			return "", ErrTooLarge
		}
		if err == nil {
			line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			return string(appendClean(nil, string(line))), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
}

func (r *Reader) bodySize(start *startLine, h Header) (int, error) {
	size := 0
	if n, err := strconv.ParseUint(h.Get(HeaderContentLength), 10, 63); err == nil {
		if n > uint64(r.max) {
			return 0, ErrTooLarge
		}
		size = int(n)
	} else if h.Has(HeaderContentType) && start.length > uint64(r.head) {
		if start.length > uint64(r.max) {
			return 0, ErrTooLarge
		}
		size = int(start.length) - r.head
	}
	if size+r.head > r.max {
		return 0, ErrTooLarge
	}
	return size, nil
}

// unexpected turns the end of the stream inside a message into an error of its own.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f })
}
