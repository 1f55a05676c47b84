package columns

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func sample() Table {
	return Table{
		Columns: []Column{{Title: "NAME", Least: 8}, {Title: "N", Right: true}, {Title: "EMPTY"}, {Title: "LESS", Rank: 1}, {Title: "LEAST", Rank: 2}},
		Rows: [][]string{
			{"2001:db8:1234::1", "1", "", "abc", "defgh"},
			{"b", "1000", "", "", "x"},
		},
	}
}

func TestTableFits(t *testing.T) {
	for _, row := range []struct {
		width int
		want  string
	}{
		{0, `
NAME                 N  LESS  LEAST
2001:db8:1234::1     1  abc   defgh
b                 1000        x
`},
		{32, `
NAME                N LESS LEAST
2001:db8:1234::1    1 abc  defgh
b                1000      x
`},
		{30, `
NAME              N LESS LEAST
2001:d…1234::1    1 abc  defgh
b              1000      x
`},
		{22, `
NAME            N LESS
2001:…234::1    1 abc
b            1000
(no room for LEAST; --wide shows all)
`},
		{10, `
NAME        N
200…4::1    1
b        1000
(no room for LESS, LEAST; --wide shows all)
`},
	} {
		var out bytes.Buffer
		if err := sample().Write(&out, row.width); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + out.String(); got != row.want {
			t.Errorf("in %d characters\n%s\nwant\n%s", row.width, got, row.want)
		}
	}
}

func TestSpareColumnsLeaveFirst(t *testing.T) {
	s := sample()
	s.Columns[4].Spare = true
	var out bytes.Buffer
	if err := s.Write(&out, 30); err != nil {
		t.Fatal(err)
	}
	want := "NAME                 N  LESS\n2001:db8:1234::1     1  abc\nb                 1000\n(no room for LEAST; --wide shows all)\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestElide(t *testing.T) {
	for _, s := range []string{"", "a", "abcdef", "äöüß€", strings.Repeat("x", 40)} {
		for width := range 12 {
			got := elide(s, width)
			if n := utf8.RuneCountInString(got); n > width || n < min(width, utf8.RuneCountInString(s)) {
				t.Errorf("%q in %d is %q", s, width, got)
			}
		}
	}
	if got := elide("0123456789", 6); got != "01…789" {
		t.Error(got)
	}
}
