package rtpengine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// encode writes strings, lists of strings and maps of these in the encoding of
// BitTorrent (BEP 3), which rtpengine's control protocol uses.
func encode(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case string:
		fmt.Fprintf(&b, "%d:%s", len(v), v)
	case []string:
		b.WriteByte('l')
		for _, item := range v {
			b.WriteString(encode(item))
		}
		b.WriteByte('e')
	case map[string]any:
		b.WriteByte('d')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(encode(key) + encode(v[key]))
		}
		b.WriteByte('e')
	default:
		panic(fmt.Sprintf("encode %T", v))
	}
	return b.String()
}

var errBencode = errors.New("malformed answer")

// maxDepth bounds what is believed of nesting.
const maxDepth = 16

// decode reads one value and returns what follows it. Numbers are int64, lists
// []any, dictionaries map[string]any.
func decode(s string) (v any, rest string, err error) { return decodeAt(s, maxDepth) }

func decodeAt(s string, depth int) (v any, rest string, err error) {
	if s == "" || depth == 0 {
		return nil, "", errBencode
	}
	switch s[0] {
	case 'i':
		digits, rest, ok := strings.Cut(s[1:], "e")
		n, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil {
			return nil, "", errBencode
		}
		return n, rest, nil
	case 'l', 'd':
		items, rest, err := decodeItems(s[1:], depth-1)
		if err != nil || s[0] == 'l' {
			return items, rest, err
		}
		dict, err := pairUp(items)
		return dict, rest, err
	}
	size, rest, ok := strings.Cut(s, ":")
	n, err := strconv.Atoi(size)
	if !ok || err != nil || n < 0 || n > len(rest) {
		return nil, "", errBencode
	}
	return rest[:n], rest[n:], nil
}

func decodeItems(s string, depth int) ([]any, string, error) {
	var items []any
	for !strings.HasPrefix(s, "e") {
		v, rest, err := decodeAt(s, depth)
		if err != nil {
			return nil, "", err
		}
		items, s = append(items, v), rest
	}
	return items, s[1:], nil
}

func pairUp(items []any) (map[string]any, error) {
	dict := make(map[string]any, len(items)/2)
	for i := 0; i+1 < len(items); i += 2 {
		key, ok := items[i].(string)
		if !ok {
			return nil, errBencode
		}
		dict[key] = items[i+1]
	}
	if len(items)%2 != 0 {
		return nil, errBencode
	}
	return dict, nil
}
