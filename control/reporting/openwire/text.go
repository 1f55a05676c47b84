package openwire

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"unicode/utf16"
)

// appendModifiedUTF8 writes a string as Java's DataOutput.writeUTF does: each
// UTF-16 unit for itself, and zero in two bytes.
func appendModifiedUTF8(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r != 0 && r < 0x80:
			b = append(b, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = appendUnit(appendUnit(b, high), low)
		default:
			b = appendUnit(b, r)
		}
	}
	return b
}

func appendUnit(b []byte, u rune) []byte {
	if u < 0x800 {
		return append(b, 0xc0|byte(u>>6), 0x80|byte(u&0x3f))
	}
	return append(b, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
}

// fromModifiedUTF8 is the reverse; what is malformed becomes U+FFFD.
func fromModifiedUTF8(b []byte) string {
	var units []uint16
	for len(b) > 0 {
		unit, size := firstUnit(b)
		units = append(units, unit)
		b = b[size:]
	}
	return string(utf16.Decode(units))
}

func firstUnit(b []byte) (unit uint16, size int) {
	follows := func(i int) bool { return len(b) > i && b[i]&0xc0 == 0x80 }
	switch {
	case b[0] < 0x80:
		return uint16(b[0]), 1
	case b[0]&0xe0 == 0xc0 && follows(1):
		return uint16(b[0]&0x1f)<<6 | uint16(b[1]&0x3f), 2
	case b[0]&0xf0 == 0xe0 && follows(1) && follows(2):
		return uint16(b[0]&0xf)<<12 | uint16(b[1]&0x3f)<<6 | uint16(b[2]&0x3f), 3
	}
	return 0xfffd, 1
}

// The tags of values in a map.
const (
	tagNull      = 0
	tagBool      = 1
	tagByte      = 2
	tagShort     = 4
	tagInt       = 5
	tagLong      = 6
	tagDouble    = 7
	tagFloat     = 8
	tagString    = 9
	tagBytes     = 10
	tagBigString = 13
	maxString    = 8191 // longer ones travel as big strings
)

// appendMap writes a map of primitive values, keys in order. Values are bool,
// int32, int64 and string.
func appendMap(m map[string]any) ([]byte, error) {
	c := &codec{b: binary.BigEndian.AppendUint32(nil, uint32(len(m)))}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		c.text(&key, 2)
		switch v := m[key].(type) {
		case bool:
			c.b = append(c.b, tagBool)
			c.bool(&v)
		case int32:
			c.b = append(c.b, tagInt)
			c.int(&v)
		case int64:
			c.b = append(c.b, tagLong)
			c.long(&v)
		case string:
			c.textValue(v)
		default:
			return nil, fmt.Errorf("value of %s cannot be a %T", key, v)
		}
	}
	return c.b, c.err
}

func (c *codec) textValue(s string) {
	if len(s) <= maxString {
		c.b = append(c.b, tagString)
		c.text(&s, 2)
		return
	}
	c.b = append(c.b, tagBigString)
	c.text(&s, 4)
}

// parseMap reads a map of primitive values. Integers of every size but long
// become int32.
func parseMap(b []byte) (map[string]any, error) {
	c := &codec{reading: true, b: b}
	var n int32
	c.int(&n)
	m := map[string]any{}
	for i := int32(0); i < n && c.err == nil; i++ {
		var key string
		c.text(&key, 2)
		m[key] = c.value()
	}
	if c.err != nil {
		return nil, fmt.Errorf("read map: %w", c.err)
	}
	return m, nil
}

func (c *codec) value() any {
	var (
		tag  byte
		text string
	)
	switch c.byte(&tag); tag {
	case tagNull:
		return nil
	case tagBool:
		var v bool
		c.bool(&v)
		return v
	case tagByte, tagShort, tagInt:
		var v uint64
		c.number(&v, map[byte]int{tagByte: 1, tagShort: 2, tagInt: 4}[tag])
		return int32(v)
	case tagLong, tagDouble, tagFloat:
		var v uint64
		c.number(&v, map[byte]int{tagLong: 8, tagDouble: 8, tagFloat: 4}[tag])
		return int64(v)
	case tagString:
		c.text(&text, 2)
	case tagBigString:
		c.text(&text, 4)
	case tagBytes:
		var n int32
		c.int(&n)
		return c.take(int(n))
	default:
		c.fail(fmt.Errorf("value of unknown type %d", tag))
	}
	return text
}
