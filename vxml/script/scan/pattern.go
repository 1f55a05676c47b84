package scan

import "strings"

// compiled is about how many steps a regular expression is compiled to: what is
// repeated a number of times is there as often.
func compiled(pattern string) int {
	const most = 1 << 24
	groups, last := []int{0}, 0
	for i := 0; i < len(pattern); i++ {
		size := 1
		switch pattern[i] {
		case '\\':
			i++
			if strings.HasPrefix(pattern[min(i, len(pattern)):], "p{") {
				size = 200 // a class of Unicode, of many ranges
			}
		case '(':
			groups, last = append(groups, 0), 0
			continue
		case ')':
			size = groups[len(groups)-1] + 2
			if len(groups) > 1 {
				groups = groups[:len(groups)-1]
			}
		case '{':
			size = last * max(repeats(pattern[i+1:])-1, 1)
		}
		last = min(size, most)
		top := &groups[len(groups)-1]
		*top = min(*top+last, most)
	}
	all := 0
	for _, size := range groups {
		all = min(all+size, most)
	}
	return all
}

// repeats is the greatest number of a repeat that text goes on with.
func repeats(text string) int {
	greatest, n := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case digit(c):
			n = min(n*10+int(c-'0'), 1000) // the most that is compiled
		case c == ',':
			greatest, n = max(greatest, n), 0
		default:
			return max(greatest, n)
		}
	}
	return max(greatest, n)
}
