package archtest

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// sayNothing are package names under which anything could be found.
var sayNothing = []string{"util", "utils", "common", "helper", "helpers", "manager", "base", "internal", "misc", "shared"}

func packageNames(t *tree) (out []violation) {
	for _, p := range t.packages {
		for _, part := range append(strings.Split(p.ImportPath, "/"), p.Name) {
			if slices.Contains(sayNothing, part) {
				out = append(out, violation{where: p.relative(), what: p.ImportPath, text: part + " says nothing"})
				break
			}
		}
	}
	return out
}

func packageComments(t *tree) (out []violation) {
	for _, p := range t.packages {
		documented := slices.ContainsFunc(p.files, func(f *file) bool { return f.ast.Doc != nil })
		if len(p.GoFiles)+len(p.CgoFiles) > 0 && p.Doc == "" && !documented {
			out = append(out, violation{where: p.relative(), what: p.ImportPath, text: "no package comment"})
		}
	}
	return out
}

func (p *pkg) relative() string {
	rel, err := filepath.Rel(p.root, p.Dir)
	if err != nil {
		return p.Dir
	}
	return rel
}

// postponed matches words that put work off.
var postponed = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b|(?i)\bfor now\b`)

// unfinished looks at comments in Go and at all the text of other sources.
func unfinished(t *tree) (out []violation) {
	for _, p := range t.packages {
		for _, f := range p.files {
			for _, group := range f.ast.Comments {
				for _, c := range group.List {
					out = append(out, p.postponements(c)...)
				}
			}
		}
	}
	for _, path := range t.texts("*.c", "*.h", "*.sh", "*.xml", "*.vxml", "*.yaml", "*.yml", "*.md", "Makefile", "Dockerfile") {
		out = append(out, t.grep(path, postponed)...)
	}
	return out
}

func (p *pkg) postponements(c *ast.Comment) (out []violation) {
	if word := postponed.FindString(c.Text); word != "" {
		out = append(out, p.breach(c, "", fmt.Sprintf("%q in a comment", word)))
	}
	return out
}

// grep finds lines of a file that match.
func (t *tree) grep(path string, pattern *regexp.Regexp) (out []violation) {
	b, err := os.ReadFile(filepath.Join(t.root, path))
	if err != nil {
		return []violation{{where: path, what: path, text: err.Error()}}
	}
	for i, line := range strings.Split(string(b), "\n") {
		if word := pattern.FindString(line); word != "" {
			out = append(out, violation{where: fmt.Sprintf("%s:%d", path, i+1), what: path, text: fmt.Sprintf("%q", word)})
		}
	}
	return out
}

// texts lists the module's files whose names match, relative to its root. What
// is built, fetched or somebody else's is left out.
func (t *tree) texts(patterns ...string) (out []string) {
	// The walk's errors are directories that cannot be read: none of ours.
	_ = filepath.WalkDir(t.root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "build", "vendor", "testdata", "libbpf"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		match := func(pattern string) bool { ok, err := filepath.Match(pattern, d.Name()); return ok && err == nil }
		if rel, err := filepath.Rel(t.root, path); err == nil && slices.ContainsFunc(patterns, match) {
			out = append(out, rel)
		}
		return nil
	})
	return out
}
