package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written 512, 64KiB, 10MB or 1.5GiB.
type Size int64

// sizeUnits are the units by falling size, powers of 1024 and of 1000 (IEC 80000-13).
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9},
	{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1},
}

var errSize = errors.New("expected a number of bytes, such as 64KiB, 10MB or 512")

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(b []byte) error {
	number, factor := strings.TrimSpace(string(b)), int64(1)
	for _, u := range sizeUnits {
		if head, ok := cutUnit(number, u.name); ok {
			number, factor = strings.TrimSpace(head), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > math.MaxInt64/factor {
			return errSize
		}
		*s = Size(n * factor)
		return nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0) || f*float64(factor) >= math.MaxInt64 {
		return errSize
	}
	*s = Size(f * float64(factor))
	return nil
}

func cutUnit(text, unit string) (string, bool) {
	if len(text) <= len(unit) || !strings.EqualFold(text[len(text)-len(unit):], unit) {
		return text, false
	}
	return text[:len(text)-len(unit)], true
}

// MarshalText implements encoding.TextMarshaler: the largest unit that needs no fraction.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range sizeUnits {
		if n := int64(s); n != 0 && n%u.bytes == 0 && u.bytes > 1 {
			return []byte(strconv.FormatInt(n/u.bytes, 10) + u.name), nil
		}
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}

func (s Size) String() string {
	b, _ := s.MarshalText()
	return string(b)
}
