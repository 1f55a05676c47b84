package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxCFunctionLines is one screen.
const maxCFunctionLines = 80

// cSource measures the kernel programs. Functions are found by their layout,
// which clang-format keeps: they begin in the first column and end with a brace
// in it.
func cSource(t *tree) (out []violation) {
	for _, path := range t.texts("*.c", "*.h") {
		b, err := os.ReadFile(filepath.Join(t.root, path))
		if err != nil {
			out = append(out, violation{where: path, what: path, text: err.Error()})
			continue
		}
		lines := strings.Split(string(b), "\n")
		if len(lines) > maxFileLines {
			out = append(out, violation{where: path + ":1", what: path, text: over(len(lines), maxFileLines, "lines")})
		}
		for _, f := range cFunctions(lines) {
			if f.lines > maxCFunctionLines {
				out = append(out, violation{
					where: fmt.Sprintf("%s:%d", path, f.start), what: path + "." + f.name, text: over(f.lines, maxCFunctionLines, "lines"),
				})
			}
		}
	}
	return out
}

// cFunction is a function with its first line and its length.
type cFunction struct {
	name         string
	start, lines int
}

var (
	cNotFunction = regexp.MustCompile(`^(\s|#|/|\*|}|{|$|struct(\s+\w+)?\s*{|enum\b|union\b|typedef\b)`)
	cName        = regexp.MustCompile(`(\w+)\s*\(`)
)

func cFunctions(lines []string) (out []cFunction) {
	start := -1
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "}"):
			if start >= 0 {
				out = append(out, cFunction{name: cNameIn(lines[start:i]), start: start + 1, lines: i - start + 1})
			}
			start = -1
		case start < 0 && !cNotFunction.MatchString(line):
			start = i
		}
		// A declaration ends without a body.
		if start >= 0 && strings.HasSuffix(strings.TrimSpace(line), ";") && !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, " ") {
			start = -1
		}
	}
	return out
}

// cNameIn is the word before the first parenthesis, attributes such as
// SEC("xdp") apart.
func cNameIn(lines []string) string {
	for _, line := range lines {
		for _, m := range cName.FindAllStringSubmatch(line, -1) {
			if m[1] != "SEC" && !strings.HasPrefix(m[1], "__") {
				return m[1]
			}
		}
	}
	return "?"
}
