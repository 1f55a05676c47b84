package author

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"mcp/vxml"
	application "mcp/vxml/check"
	"mcp/vxml/fetch"
	"mcp/vxml/rehearsal"
	"mcp/vxml/script"
)

func checkCommand(configured Configured) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check FILE-OR-URL...",
		Short: "Say what is wrong with an application, and where",
		Long: `Reads the pages, and every page, script, grammar and recording that they name,
and prints all that is wrong with them. Addresses that pages compute, and what
is posted, are not followed. How large scripts may be, the configuration says
(application.scripts).`,
		Example: "  mcp vxml check main.vxml\n  mcp vxml check --config mcp.yaml http://web.example/main.vxml http://web.example/night.vxml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, addresses []string) error {
			scripts, err := configured(file)
			if err != nil {
				return err
			}
			return check(cmd, addresses, scripts)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `file` of the platform that the application is for; default: the one in force")
	return cmd
}

func check(cmd *cobra.Command, addresses []string, scripts script.Limits) error {
	platform := application.Platform{Fetcher: fetch.New(fetch.Config{}), Scripts: scripts.WithDefaults()}
	documents, problems := 0, 0
	for _, address := range addresses {
		report, err := platform.Run(cmd.Context(), address)
		if err != nil {
			return err
		}
		for _, p := range report.Problems {
			fmt.Fprintln(cmd.OutOrStdout(), p)
		}
		documents += report.Documents
		problems += len(report.Problems)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s, %s; a script may have %s and %s\n", count(documents, "document"), count(problems, "problem"),
		count(platform.Scripts.Work, "token"), count(platform.Scripts.Size, "byte"))
	if problems > 0 {
		return errors.New("the application has problems")
	}
	return nil
}

// rehearsalSuffix ends the names of files that hold rehearsals.
const rehearsalSuffix = ".call"

func testCommand() *cobra.Command {
	var junit string
	cmd := &cobra.Command{
		Use:   "test DIR-OR-FILE...",
		Short: "Test applications with dialogues that are written down (*" + rehearsalSuffix + ")",
		Long: `Plays the dialogues of all files *` + rehearsalSuffix + ` with a simulated caller, and compares:

  page: menu.vxml         the application, relative to the file
  hear: Sales or service? what the caller hears before the next step
  dtmf: 2                 a step, in the words of "mcp vxml run"
  filled: n = "2"         a form item's value
  never: Sorry            what the caller never hears
  end:  exit              how the session ends`,
		Example: "  mcp vxml test dialogues/\n  mcp vxml test --junit report.xml dialogues/ night.call",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return rehearse(cmd, args, junit) },
	}
	cmd.Flags().StringVar(&junit, "junit", "", "write a JUnit report to this file")
	return cmd
}

func rehearse(cmd *cobra.Command, args []string, junit string) error {
	files, err := rehearsals(args)
	if err != nil {
		return err
	}
	in := vxml.New(vxml.Options{})
	var results []rehearsal.Result
	failed := 0
	for _, file := range files {
		r := rehearsal.Run(cmd.Context(), in, file)
		results = append(results, r)
		outcome := "ok"
		if len(r.Faults) > 0 {
			outcome = "FAIL"
			failed++
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%-4s  %s\n", outcome, file)
		for _, fault := range r.Faults {
			fmt.Fprintf(cmd.OutOrStdout(), "      %v\n", fault)
		}
	}
	if junit != "" {
		if err := saveJUnit(junit, results); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d dialogues failed", failed, len(files))
	}
	return nil
}

func saveJUnit(name string, results []rehearsal.Result) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return rehearsal.JUnit(f, results)
}

// rehearsals finds the files: those named, and all those in the folders named.
func rehearsals(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		err := filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (path == arg || filepath.Ext(path) == rehearsalSuffix) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("find dialogues: %w", err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no dialogues (*%s) in %v", rehearsalSuffix, args)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// count is a number of things: 1 document, 2 documents.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
