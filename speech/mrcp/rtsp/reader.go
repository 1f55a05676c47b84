package rtsp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mcp/speech/mrcp/wire"
)

// DefaultMaxMessage bounds a message when the caller names no bound, in octets.
const DefaultMaxMessage = 1 << 20

// maxHead bounds a start line with its header fields.
const maxHead = 64 << 10

// Errors after which a stream cannot be read any further.
var (
	ErrTooLarge = errors.New("rtsp message too large")
	ErrSyntax   = errors.New("not an rtsp message")
)

// Reader reads messages from a stream, in whatever pieces they arrive.
type Reader struct {
	r    *bufio.Reader
	max  int
	head int // octets of the current message's head read so far
}

// NewReader makes a Reader that accepts messages up to max octets; 0 means
// DefaultMaxMessage.
func NewReader(r io.Reader, max int) *Reader {
	if max <= 0 {
		max = DefaultMaxMessage
	}
	return &Reader{r: bufio.NewReader(r), max: max}
}

// Read returns the next message. Empty lines before it are passed over, and so is
// interleaved binary data (RFC 2326 section 10.12).
func (r *Reader) Read() (*Message, error) {
	r.head = 0
	line, err := r.startLine()
	if err != nil {
		return nil, err
	}
	m, err := parseStartLine(line)
	if err != nil {
		return nil, err
	}
	for {
		line, err := r.line()
		if err != nil {
			return nil, unexpected(err)
		}
		if line == "" {
			break
		}
		m.addLine(line)
	}
	size, err := r.bodySize(m)
	if err != nil {
		return nil, err
	}
	m.Body = make([]byte, size)
	if _, err := io.ReadFull(r.r, m.Body); err != nil {
		return nil, unexpected(err)
	}
	return m, nil
}

// addLine takes a header field, or the continuation of the last. A line that is
// neither is ignored.
func (m *Message) addLine(line string) {
	if line[0] == ' ' || line[0] == '\t' {
		if n := len(m.Header); n > 0 {
			m.Header[n-1].Value = strings.TrimSpace(m.Header[n-1].Value + " " + strings.TrimSpace(line))
		}
		return
	}
	if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) != "" {
		m.Header = append(m.Header, wire.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
}

func (r *Reader) bodySize(m *Message) (int, error) {
	value := m.Header.Get(HeaderContentLen)
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: Content-Length %q", ErrSyntax, value)
	}
	if n > uint64(r.max) {
		return 0, ErrTooLarge
	}
	return int(n), nil
}

func (r *Reader) startLine() (string, error) {
	for {
		first, err := r.r.Peek(1)
		if err != nil {
			return "", err
		}
		if first[0] == '$' {
			if err := r.skipInterleaved(); err != nil {
				return "", unexpected(err)
			}
			continue
		}
		if line, err := r.line(); err != nil || line != "" {
			return line, err
		}
	}
}

func (r *Reader) skipInterleaved() error {
	var head [4]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return err
	}
	_, err := r.r.Discard(int(binary.BigEndian.Uint16(head[2:])))
	return err
}

// line reads to the next LF and strips the line end.
func (r *Reader) line() (string, error) {
	var line strings.Builder
	for {
		piece, err := r.r.ReadSlice('\n')
		line.Write(piece)
		if r.head += len(piece); r.head > maxHead {
			return "", ErrTooLarge
		}
		if err == nil {
			return strings.TrimSuffix(strings.TrimSuffix(line.String(), "\n"), "\r"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if line.Len() > 0 {
				err = unexpected(err)
			}
			return "", err
		}
	}
}

// parseStartLine reads "RTSP/1.0 200 OK" or "METHOD uri RTSP/1.0".
func parseStartLine(line string) (*Message, error) {
	if strings.ContainsRune(line, 0) {
		return nil, fmt.Errorf("%w: %q", ErrSyntax, line) // it could not be written back
	}
	words := strings.Fields(line)
	if len(words) >= 2 && isVersion(words[0]) {
		status, err := strconv.Atoi(words[1])
		if err != nil || status < 100 || status > 999 {
			return nil, fmt.Errorf("%w: %q", ErrSyntax, line)
		}
		return &Message{Status: status, Reason: strings.Join(words[2:], " ")}, nil
	}
	if len(words) == 3 && isVersion(words[2]) {
		return &Message{Method: strings.ToUpper(words[0]), URI: words[1]}, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrSyntax, line)
}

func isVersion(word string) bool { return strings.HasPrefix(strings.ToUpper(word), "RTSP/") }

// unexpected turns the end of the stream inside a message into an error of its own.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
