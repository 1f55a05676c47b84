// Package columns lays out rows for people: columns as wide as they must be, within
// the width of a terminal.
package columns

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// defaultWidth is that of a terminal that does not tell its own.
const defaultWidth = 80

// Column is one of a table's columns.
type Column struct {
	Title string
	Right bool // numbers
	// Least is the width down to which cells may be shortened, in their middle;
	// zero: they may not.
	Least int
	// Rank says which columns are left out when room is short: the highest first,
	// those of rank zero never.
	Rank int
	// Spare columns are left out even before cells are shortened.
	Spare bool
}

// Table is rows under titled columns.
type Table struct {
	Columns []Column
	Rows    [][]string // a cell a column
}

// Width is how many characters a line may have: as many as the terminal that w is,
// or COLUMNS, or 80.
func Width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return defaultWidth
}

// Write prints the table. Columns in which nothing stands are left out. width 0:
// there is no limit. What had no room is named in a last line.
func (t Table) Write(w io.Writer, width int) error {
	t, left := t.withoutEmpty().within(width)
	l := t.layOut(width)
	var out strings.Builder
	titles := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		titles[i] = c.Title
	}
	for _, row := range append([][]string{titles}, t.Rows...) {
		out.WriteString(l.line(t.Columns, row))
	}
	if len(left) > 0 {
		fmt.Fprintf(&out, "(no room for %s; --wide shows all)\n", strings.Join(left, ", "))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// within leaves out what has no room, and tells the titles.
func (t Table) within(width int) (_ Table, left []string) {
	leave := func(i int) {
		left = append([]string{t.Columns[i].Title}, left...)
		t = t.without(i)
	}
	isSpare := func(c Column) bool { return c.Spare }
	for i := 0; i >= 0 && width > 0 && t.layOut(0).total() > width; {
		if i = slices.IndexFunc(t.Columns, isSpare); i >= 0 {
			leave(i)
		}
	}
	for i := 0; i >= 0 && width > 0 && t.layOut(width).total() > width; {
		if i = t.leastWanted(); i >= 0 {
			leave(i)
		}
	}
	return t, left
}

func (t Table) withoutEmpty() Table {
	for i := len(t.Columns) - 1; i >= 0; i-- {
		if !slices.ContainsFunc(t.Rows, func(row []string) bool { return row[i] != "" }) {
			t = t.without(i)
		}
	}
	return t
}

// leastWanted is the column to leave out next; negative: none may be.
func (t Table) leastWanted() int {
	worst := -1
	for i, c := range t.Columns {
		if c.Rank > 0 && (worst < 0 || c.Rank >= t.Columns[worst].Rank) {
			worst = i
		}
	}
	return worst
}

func (t Table) without(column int) Table {
	out := Table{Columns: slices.Delete(slices.Clone(t.Columns), column, column+1)}
	for _, row := range t.Rows {
		out.Rows = append(out.Rows, slices.Delete(slices.Clone(row), column, column+1))
	}
	return out
}

// layout is how wide the columns are, and the space between them.
type layout struct {
	widths []int
	gap    int
}

// layOut narrows first the space between the columns, then the widest of those
// that may be shortened.
func (t Table) layOut(width int) layout {
	l := layout{gap: 2}
	for i, c := range t.Columns {
		widest := utf8.RuneCountInString(c.Title)
		for _, row := range t.Rows {
			widest = max(widest, utf8.RuneCountInString(row[i]))
		}
		l.widths = append(l.widths, widest)
	}
	if width == 0 || l.total() <= width {
		return l
	}
	l.gap = 1
	for l.total() > width {
		i := t.widest(l.widths)
		if i < 0 {
			break
		}
		l.widths[i]--
	}
	return l
}

// widest is the widest column that may be shortened still; negative: there is none.
func (t Table) widest(widths []int) int {
	widest := -1
	for i, c := range t.Columns {
		least := max(c.Least, utf8.RuneCountInString(c.Title))
		if c.Least > 0 && widths[i] > least && (widest < 0 || widths[i] > widths[widest]) {
			widest = i
		}
	}
	return widest
}

func (l layout) total() int {
	sum := l.gap * max(0, len(l.widths)-1)
	for _, w := range l.widths {
		sum += w
	}
	return sum
}

func (l layout) line(columns []Column, row []string) string {
	var out strings.Builder
	for i, cell := range row {
		cell = elide(cell, l.widths[i])
		space := strings.Repeat(" ", l.widths[i]-utf8.RuneCountInString(cell))
		if i > 0 {
			out.WriteString(strings.Repeat(" ", l.gap))
		}
		if columns[i].Right {
			out.WriteString(space + cell)
		} else {
			out.WriteString(cell + space)
		}
	}
	return strings.TrimRight(out.String(), " ") + "\n"
}

// elide shortens a text in the middle: both ends of an address or an identifier
// tell more than its middle.
func elide(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	if width <= 1 {
		return strings.Repeat("…", width)
	}
	tail := width / 2
	head := width - 1 - tail
	return string(runes[:head]) + "…" + string(runes[len(runes)-tail:])
}
