package author

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mcp/vxml/bench"
)

func benchCommand(version string) *cobra.Command {
	var config bench.Config
	var out string
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure what the interpreter costs",
		Example: "  mcp vxml bench\n  mcp vxml bench --each 10s --out build/bench",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			results, err := bench.Run(cmd.Context(), config)
			if err != nil {
				return err
			}
			if out != "" {
				if err := saveBench(out, version, results); err != nil {
					return err
				}
			}
			return printBench(cmd.OutOrStdout(), results)
		},
	}
	cmd.Flags().DurationVar(&config.Each, "each", 2*time.Second, "duration of each measurement")
	cmd.Flags().IntVar(&config.Sessions, "sessions", 1000, "idle sessions to weigh")
	cmd.Flags().StringVar(&out, "out", "", "write vxml.json into this folder")
	return cmd
}

// printBench writes the figures, and below them where their time goes.
func printBench(w io.Writer, results []bench.Result) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.1f\t%s\t\n", r.Name, r.Value, r.Unit)
	}
	for _, r := range results {
		if len(r.Where) > 0 {
			fmt.Fprintf(t, "\nwhere the time of %s goes\n", r.Name)
		}
		for _, s := range r.Where {
			fmt.Fprintf(t, "%s\t%.1f\t%%\t\n", s.Name, s.Percent)
		}
	}
	return t.Flush()
}

// machine says where something was measured.
func machine() map[string]any {
	return map[string]any{"cpus": runtime.NumCPU(), "arch": runtime.GOARCH}
}

func saveBench(dir, version string, results []bench.Result) error {
	report := map[string]any{
		"machine": machine(), "commit": version, "results": results,
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "vxml.json"), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
