package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// invent makes a tree of one package from the text of one file.
func invent(t *testing.T, path, source string) *tree {
	t.Helper()
	p := &pkg{ImportPath: module + "/" + path, Name: path[strings.LastIndex(path, "/")+1:], fset: token.NewFileSet()}
	f, err := parser.ParseFile(p.fset, "x.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	p.GoFiles, p.files = []string{"x.go"}, []*file{{name: "x.go", ast: f}}
	return &tree{root: t.TempDir(), packages: []*pkg{p}}
}

// TestRulesSeeWhatTheyForbid holds each rule against a package that breaks it
// and one that just does not.
func TestRulesSeeWhatTheyForbid(t *testing.T) {
	body := func(lines int) string { return "package p\nfunc f() {\n" + strings.Repeat("\tg()\n", lines-2) + "}\n" }
	fields := func(n int) string { return "package p\ntype s struct {" + strings.Repeat("\nf int", n) + "\n}" }
	methods := func(n int) string {
		return "package p\ntype i interface {\nio.Reader" + strings.Repeat("\nm()", n) + "\n}"
	}
	imports := func(path string) string { return fmt.Sprintf("package p\nimport %q", path) }
	tests := []struct{ rule, path, bad, good string }{
		{"floors", "vxml/doc", imports("mcp/control/call"), imports("mcp/vxml/script")},
		{"floors", "speech/mrcp", imports("mcp/bpf"), imports("mcp/speech/nlsml")},
		{"floors", "control/media", imports("mcp/control/sdp"), imports("mcp/bpf")},
		{"floors", "control/call", imports("mcp/control/service/voicexml"), imports("mcp/control/media/codec")},
		{"floors", "control/service/voicexml", imports("mcp/control/service/msml"), imports("mcp/control/call")},
		{"floors", "control/call", imports("mcp/control/config"), imports("mcp/control/reporting")},
		{"library home", "control/call", imports("github.com/emiago/sipgo/sip"), imports("github.com/google/uuid")},
		{"library home", "speech/mrcp", imports("github.com/cilium/ebpf"), imports("github.com/pion/sdp/v3")},
		{"function length", "control/x", body(maxFunctionLines + 1), body(maxFunctionLines)},
		{"file length", "control/x", "package p" + strings.Repeat("\n", maxFileLines+1), "package p" + strings.Repeat("\n", maxFileLines)},
		{"struct fields", "control/x", fields(maxStructFields + 1), fields(maxStructFields)},
		{"interface size", "control/x", methods(maxInterfaceMethods + 1), methods(maxInterfaceMethods)},
		{"parameters", "control/x", "package p\nfunc f(a, b, c int, d, e string) {}", "package p\nfunc (r T) f(ctx context.Context, a, b, c, d int) {}"},
		{"init", "control/x", "package p\nfunc init() {}", "package p\nfunc (t T) init() {}"},
		{"package state", "control/x", "package p\nvar m sync.Mutex", "package p\nconst m = 1"},
		{"package state", "control/x", "package p\nvar m = sync.Mutex{}", "package p\nvar m = [...]string{`a`}"},
		{"package state", "control/x", "package p\nvar n = 5", "package p\nvar err = errors.New(`x`)"},
		{"package state", "control/x", "package p\nvar m = make(map[int]int)", "package p\nvar r = regexp.MustCompile(`x`)"},
		{"package state", "control/x", "package p\nvar m = map[int]int{}\nfunc f() { m[1] = 2 }", "package p\nvar m = map[int]int{}\nfunc f() { m := m; m[1] = 2 }"},
		{"package state", "control/x", "package p\nvar m = map[int]int{}\nfunc f() { delete(m, 1) }", "package p\nvar _ I = (*T)(nil)"},
		{"package state", "control/x", "package p\nvar f []byte", "package p\n//go:embed x\nvar f []byte"},
		{"package name", "control/util", "package util", "package p"},
		{"package name", "control/internal/x", "package x", "package p"},
		{"package comment", "control/x", "package p", "// Package p is documented.\npackage p"},
		{"unfinished", "control/x", "package p\n// TO" + "DO: more", "package p\n// done\nvar s = `TO" + "DO`"},
	}
	for i, tt := range tests {
		good := tt.path
		if tt.rule == "package name" {
			good = "control/x"
		}
		if found := rules[tt.rule](invent(t, tt.path, tt.bad)); len(found) == 0 {
			t.Errorf("%d: %s does not see\n%.200s", i, tt.rule, tt.bad)
		}
		if found := rules[tt.rule](invent(t, good, tt.good)); len(found) != 0 {
			t.Errorf("%d: %s sees %v in\n%.200s", i, tt.rule, found, tt.good)
		}
	}
}

func TestCFunctionsAreMeasured(t *testing.T) {
	const source = `#include "x.h"
struct key {
	int a;
};

static __always_inline int
first(struct key *k)
{
	return 0;
}

int declared(void);

SEC("xdp") int second(struct xdp_md *ctx) {
	if (a) {
		b();
	}
	return 1;
}

const volatile int size = 5;
struct {
	__uint(type, 1);
} map SEC(".maps");
`
	got := cFunctions(strings.Split(source, "\n"))
	want := []cFunction{{"first", 6, 5}, {"second", 14, 6}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
