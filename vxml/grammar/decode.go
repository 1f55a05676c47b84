package grammar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// decodeUTF16 returns a document in UTF-16 as UTF-8; anything else, less its
// byte order mark, as it is.
func decodeUTF16(data []byte) (text []byte, was16 bool) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}), bytes.HasPrefix(data, []byte{0, '<'}), bytes.HasPrefix(data, []byte{0, '#'}):
		order = binary.BigEndian
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{'<', 0}), bytes.HasPrefix(data, []byte{'#', 0}):
		order = binary.LittleEndian
	default:
		return bytes.TrimPrefix(data, []byte("\ufeff")), false
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")), true
}

var declaredEncoding = regexp.MustCompile(`^(<\?xml[^>]*?)\s+encoding\s*=\s*("[^"]*"|'[^']*')`)

// decodeXML makes a document in UTF-16 one that an XML reader takes for UTF-8.
func decodeXML(data []byte) []byte {
	text, was16 := decodeUTF16(data)
	if was16 {
		return declaredEncoding.ReplaceAll(text, []byte("$1"))
	}
	return text
}

// decodeABNF decodes by byte order mark or by the encoding in the header.
func decodeABNF(data []byte) (string, error) {
	if len(data) > maxSource {
		return "", fmt.Errorf("grammar of %d bytes is larger than %d", len(data), maxSource)
	}
	text, was16 := decodeUTF16(data)
	first, _, _ := strings.Cut(string(text[:min(len(text), 200)]), ";")
	fields := strings.Fields(first)
	encoding := "utf-8"
	switch {
	case !was16 && len(fields) == 3 && fields[0] == "#ABNF":
		encoding = fields[2]
	case !utf8.Valid(text):
		encoding = "windows-1252" // what files that declare nothing are in
	}
	r, err := charset.NewReaderLabel(encoding, bytes.NewReader(text))
	if err != nil {
		return "", fmt.Errorf("unknown encoding %q", encoding)
	}
	if text, err = io.ReadAll(r); err != nil {
		return "", fmt.Errorf("decode: %w", err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n"), nil
}
