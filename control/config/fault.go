package config

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Where   string // file:line:column, or an environment variable
	Key     string // path of the key, such as media.port-min
	Problem string
}

func (f Fault) String() string {
	parts := slices.DeleteFunc([]string{f.Where, f.Key, f.Problem}, func(s string) bool { return s == "" })
	return strings.Join(parts, ": ")
}

// Faults is everything that is wrong with a configuration, in the order found.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	if len(f) == 1 {
		return "configuration: " + lines[0]
	}
	return fmt.Sprintf("configuration has %d faults:\n  %s", len(f), strings.Join(lines, "\n  "))
}

// unknown words the fault of a key that is not among a node's children.
func unknown(root, parent node, key string) string {
	suggestion := nearestKey(root, parent, key)
	if suggestion == "" {
		return "unknown key"
	}
	return fmt.Sprintf("unknown key; the nearest known key is %s", suggestion)
}

// nearestKey is the path of the key that was most likely meant: one of the
// same section that is spelt much the same, the same key of another section, or
// else the least different of the section.
func nearestKey(root, parent node, key string) string {
	best, least := "", 0
	for _, c := range parent.children() {
		if d := distance(key, c.key); best == "" || d < least {
			best, least = c.path, d
		}
	}
	if best != "" && least <= max(1, len(key)/3) {
		return best
	}
	for _, n := range root.descendants() {
		if n.key == key {
			return n.path
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to turn one word into the other (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			rows[i][j] = slices.Min([]int{rows[i-1][j] + 1, rows[i][j-1] + 1, rows[i-1][j-1] + change})
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(s)][len(t)]
}
