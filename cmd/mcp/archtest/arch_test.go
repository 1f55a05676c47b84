package archtest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
)

// violation is one place that breaks a rule.
type violation struct {
	rule  string
	where string // file:line, relative to the module
	what  string // package, or package.name: what exceptions name
	text  string
}

// rule looks at the tree.
type rule func(*tree) []violation

// rules are all the rules there are.
var rules = map[string]rule{
	"floors":          floors,
	"library home":    libraryHomes,
	"function length": functionLength,
	"file length":     fileLength,
	"struct fields":   structFields,
	"interface size":  interfaceSize,
	"parameters":      parameters,
	"package files":   packageFiles,
	"C source":        cSource,
	"init":            noInit,
	"package state":   packageState,
	"package name":    packageNames,
	"package comment": packageComments,
	"unfinished":      unfinished,
}

func TestTreeKeepsItsRules(t *testing.T) {
	tr, err := load()
	if err != nil {
		t.Fatal(err)
	}
	used := map[exception]bool{}
	for name, check := range rules {
		t.Run(name, func(t *testing.T) {
			found := check(tr)
			slices.SortFunc(found, func(a, b violation) int {
				return cmp.Or(cmp.Compare(a.where, b.where), cmp.Compare(a.text, b.text))
			})
			for _, v := range found {
				if e, ok := excused(name, v.what); ok {
					used[e] = true
					continue
				}
				t.Errorf("%s: %s: %s", v.where, v.what, v.text)
			}
		})
	}
	for _, e := range exceptions {
		if !used[e] {
			t.Errorf("exception for %s of %s is needed no more", e.rule, e.what)
		}
	}
}

// exception excuses one thing from one rule.
type exception struct {
	rule, what, reason string
}

// exceptions are kept few; each says why the rule does not serve there.
var exceptions = []exception{
	{"package state", "mcp/cmd/mcp.version", "the linker sets it (-X)"},
	{"package state", "mcp/cmd/mcplab.version", "the linker sets it (-X)"},
}

func excused(rule, what string) (exception, bool) {
	i := slices.IndexFunc(exceptions, func(e exception) bool { return e.rule == rule && e.what == what })
	if i < 0 {
		return exception{}, false
	}
	return exceptions[i], true
}

// over words a number that is too large.
func over(n, limit int, of string) string { return fmt.Sprintf("%d %s, at most %d", n, of, limit) }
