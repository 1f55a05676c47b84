package connections

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// The verdicts.
const (
	Proved = "proved"
	Failed = "FAILED"
	NotRun = "not run"
)

// Verdict is what a run of the tests says about one connection.
type Verdict struct {
	Connection Connection
	Outcome    string   // Proved, Failed or NotRun
	Tests      int      // that passed
	Missing    []string // tests that failed, or were not run
}

// Judge judges every connection. One of which a test failed has failed; one of
// which a test did not run is not proved.
func Judge(run *Run) []Verdict {
	var out []Verdict
	for _, c := range All() {
		out = append(out, judge(c, run))
	}
	return out
}

func judge(c Connection, run *Run) Verdict {
	v := Verdict{Connection: c, Outcome: Proved}
	for _, p := range c.Proofs {
		for _, test := range p.Tests {
			switch run.outcome(p.Package, test) {
			case actionPass:
				v.Tests++
			case actionFail:
				v.Outcome = Failed
				v.Missing = append(v.Missing, test)
			default:
				if p.Elsewhere {
					continue
				}
				if v.Outcome != Failed {
					v.Outcome = NotRun
				}
				v.Missing = append(v.Missing, test)
			}
		}
	}
	return v
}

// Write prints the verdicts as a table for a terminal.
func Write(out io.Writer, verdicts []Verdict) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "#\tFAR END\tWIRE\tOUTCOME\tTESTS\tMISSING")
	for _, v := range verdicts {
		c := v.Connection
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%d\t%s\n", c.Number, c.FarEnd, c.Wire, v.Outcome, v.Tests, v.missing())
	}
	return t.Flush()
}

// missing is what there is room for.
func (v Verdict) missing() string {
	if n := len(v.Missing); n > 1 {
		return fmt.Sprintf("%s and %d more", v.Missing[0], n-1)
	}
	return strings.Join(v.Missing, "")
}

// Markdown is the table of the documentation.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| # | Far end | Tests | Against |\n|---|---|---|---|\n")
	for _, c := range All() {
		var tests []string
		for _, p := range c.Proofs {
			tests = append(tests, fmt.Sprintf("`%s`: %s", p.Package, strings.Join(p.Tests, ", ")))
		}
		fmt.Fprintf(&b, "| %d | %s, %s | %s | %s |\n", c.Number, c.FarEnd, c.Wire, strings.Join(tests, "; "), c.Against)
	}
	return b.String()
}
