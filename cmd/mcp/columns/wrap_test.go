package columns

import (
	"slices"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"one two three", 7, []string{"one two", "three"}},
		{"zwölf zwölf", 11, []string{"zwölf zwölf"}},
		{"a net.ipv4.ip_local_reserved_ports=1 b", 10, []string{"a", "net.ipv4.ip_local_reserved_ports=1", "b"}},
	} {
		if got := Wrap(tt.text, tt.width); !slices.Equal(got, tt.want) {
			t.Errorf("%q in %d: %q", tt.text, tt.width, got)
		}
	}
}
