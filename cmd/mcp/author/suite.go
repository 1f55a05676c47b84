package author

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcp/vxml/conformance"
)

// suite is one run of conformance suites.
type suite struct {
	version string
	json    bool
	out     string
}

func suiteCommand(version string) *cobra.Command {
	suite := suite{version: version}
	cmd := &cobra.Command{
		Use:   "suite MANIFEST-OR-REPORT...",
		Short: "Run conformance suites and say which tests pass",
		Long: `Runs suites of VoiceXML pages with a simulated caller who does what the prompts
say, and the W3C's grammars that a report lists, and prints the outcome by section
of the specification, and the reason for every test that did not pass. It fails
when a test fails.`,
		Example: "  mcp vxml suite suites/w3c-vxml/manifest.json\n  mcp vxml suite --json suites/w3c-srgs/report.xml | jq -r '.results[].outcome'",
		Args:    cobra.MinimumNArgs(1),
		RunE:    suite.run,
	}
	cmd.Flags().BoolVar(&suite.json, "json", false, "print the results as JSON instead of a table")
	cmd.Flags().StringVar(&suite.out, "out", "", "write the results as JSON to this file, too")
	return cmd
}

// suiteReport is the results as JSON.
type suiteReport struct {
	Machine map[string]any    `json:"machine"`
	Commit  string            `json:"commit"`
	Results []conformance.Row `json:"results"`
}

func (v *suite) run(cmd *cobra.Command, manifests []string) error {
	report := suiteReport{Machine: machine(), Commit: v.version, Results: []conformance.Row{}}
	for _, m := range manifests {
		rows, err := conformance.RunAny(cmd.Context(), m)
		if err != nil {
			return err
		}
		report.Results = append(report.Results, rows...)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	if v.out != "" {
		if err := v.save(append(text, '\n')); err != nil {
			return err
		}
	}
	if v.json {
		fmt.Fprintln(cmd.OutOrStdout(), string(text))
	} else if err := table(cmd.OutOrStdout(), report.Results); err != nil {
		return err
	}
	for _, r := range report.Results {
		if r.Outcome == conformance.Failed {
			return errors.New("there are tests that fail")
		}
	}
	return nil
}

func (v *suite) save(text []byte) error {
	if err := os.MkdirAll(filepath.Dir(v.out), 0o755); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	if err := os.WriteFile(v.out, text, 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

// table prints the outcomes by section, and why tests did not pass.
func table(w io.Writer, rows []conformance.Row) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "suite\tsection\tpass\tfail\texcluded")
	line := func(suite, name string, count map[conformance.Outcome]int) {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\n", suite, name,
			count[conformance.Passed], count[conformance.Failed], count[conformance.Excluded])
	}
	all := make(map[conformance.Outcome]int)
	for _, s := range conformance.Sections(rows) {
		line(s.Suite, s.Name, s.Count)
		for outcome, n := range s.Count {
			all[outcome] += n
		}
	}
	line("all", "", all)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	for _, r := range rows {
		if r.Outcome != conformance.Passed {
			fmt.Fprintf(w, "\n%s %s (%s), %s:\n    %s\n", r.Suite, r.ID, r.Section, r.Outcome, r.Reason)
		}
	}
	return nil
}
