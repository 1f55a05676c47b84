package connections

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// The actions that matter here.
const (
	actionOutput      = "output"
	actionBuildOutput = "build-output"
	actionPass        = "pass"
	actionFail        = "fail"
	actionSkip        = "skip"
)

// Run is what a run of the tests came to.
type Run struct {
	outcomes map[string]string // package and test: an action
	failed   bool
}

// Failed reports whether anything failed, a build included.
func (r *Run) Failed() bool { return r.failed }

// outcome is how a test ended; empty: it did not run, or did not end.
func (r *Run) outcome(pkg, test string) string { return r.outcomes[pkg+"."+test] }

// Read reads the output of `go test -json` to its end and passes on to out what
// `go test` itself would have shown: a line for each package, and all that a
// failed test said. module is the module's name, which Run leaves out.
func Read(in io.Reader, module string, out io.Writer) (*Run, error) {
	r := &reader{run: &Run{outcomes: map[string]string{}}, module: module + "/", said: map[string][]string{}, out: out}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if err == io.EOF {
			return r.run, nil
		}
		if err != nil {
			return r.run, fmt.Errorf("reading what the tests say: %w", err)
		}
	}
}

// reader keeps what each test says until it is known whether somebody must read it.
type reader struct {
	run    *Run
	module string
	said   map[string][]string // by package and top-level test; test empty: the package itself
	out    io.Writer
}

func (r *reader) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		r.out.Write(line)
		return
	}
	top, _, sub := strings.Cut(e.Test, "/")
	key := strings.TrimPrefix(e.Package, r.module) + "." + top
	switch e.Action {
	case actionBuildOutput:
		io.WriteString(r.out, e.Output)
	case actionOutput:
		r.output(key, e)
	case actionPass, actionFail, actionSkip:
		if sub {
			return
		}
		r.ended(key, e)
	}
}

func (r *reader) output(key string, e event) {
	if strings.HasPrefix(e.Output, "=== ") {
		return
	}
	r.said[key] = append(r.said[key], e.Output)
}

// ended is the end of a test, or of a package with all its tests.
func (r *reader) ended(key string, e event) {
	said := r.said[key]
	delete(r.said, key)
	if e.Test != "" {
		r.run.outcomes[key] = e.Action
	} else if e.Action == actionFail {
		r.unfinished(key)
	}
	if e.Action == actionFail {
		r.run.failed = true
		io.WriteString(r.out, strings.Join(said, ""))
		return
	}
	if n := len(said); e.Test == "" && e.Action == actionPass && n > 0 {
		io.WriteString(r.out, said[n-1])
	}
}

// unfinished shows what tests of a package said that never ended: of a panic or a
// time-out that is all there is.
func (r *reader) unfinished(pkg string) {
	for key, said := range r.said {
		if strings.HasPrefix(key, pkg) {
			io.WriteString(r.out, strings.Join(said, ""))
			delete(r.said, key)
		}
	}
}
