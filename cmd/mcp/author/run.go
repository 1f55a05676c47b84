// Package author is "mcp vxml": the tools for people who write voice applications.
package author

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcp/vxml"
	"mcp/vxml/script"
	"mcp/vxml/sim"
)

// Configured is what a configuration file, or the one in force when its name is empty,
// lets scripts have.
type Configured func(file string) (script.Limits, error)

// Command holds the tools; version is the program's, for reports.
func Command(version string, configured Configured) *cobra.Command {
	cmd := &cobra.Command{Use: "vxml", Short: "Tools for VoiceXML applications",
		Example: "  mcp vxml run main.vxml\n  mcp vxml check main.vxml\n  mcp vxml test dialogues/\n  mcp vxml trace"}
	cmd.AddCommand(runCommand(), suiteCommand(version), checkCommand(configured), testCommand(), benchCommand(version), traceCommand())
	return cmd
}

// rehearsing is one run of an application on the terminal.
type rehearsing struct {
	script  string
	vars    map[string]string
	verbose bool
}

func runCommand() *cobra.Command {
	var run rehearsing
	cmd := &cobra.Command{
		Use:   "run FILE-OR-URL",
		Short: "Play a dialogue on the terminal, without a telephone",
		Long: `Plays a dialogue on the terminal. What the application says is printed; what the
caller does is read line by line from the script, or from the terminal:

  say:yes       the caller says yes
  say(0.4):yes  the same, and the recognizer is only so sure of it
  dtmf:1234     the caller presses keys
  silence       the caller says nothing until the time is over
  hangup        the caller hangs up
  show:x + 1    prints a variable's value, or any expression's
  barge say:yes the same as any of these, without waiting for the prompts
  message:a=1   a message comes for the application
  say(#):hello  while being recorded: the caller says hello and presses #
  talk:hello    and goes on until the recording is long enough
  cut:hello     and hangs up in the middle of it
  far:busy      while being transferred: what becomes of it, or hangup

After the last line the caller hangs up.`,
		Example: "  mcp vxml run main.vxml\n  mcp vxml run --script caller.txt --vars com.genesyslab.userdata.city=Bonn http://web.example/main.vxml",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return run.run(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&run.script, "script", "", "file with the caller's lines (default: the terminal)")
	cmd.Flags().StringToStringVar(&run.vars, "vars", nil, "members of the page's session object: name=value,...")
	cmd.Flags().BoolVarP(&run.verbose, "verbose", "v", false, "log what the interpreter does")
	return cmd
}

func (r *rehearsing) run(cmd *cobra.Command, page string) error {
	var steps io.Reader = interruptible{cmd.Context(), cmd.InOrStdin()}
	if r.script != "" {
		text, err := os.ReadFile(r.script)
		if err != nil {
			return fmt.Errorf("read the script: %w", err)
		}
		steps = strings.NewReader(string(text))
	}
	var vars []vxml.Variable
	for _, name := range slices.Sorted(maps.Keys(r.vars)) {
		vars = append(vars, vxml.Variable{Name: name, Make: func() any { return r.vars[name] }})
	}
	caller := sim.New(steps, coloured(cmd.OutOrStdout()))
	out, err := vxml.New(vxml.Options{Logger: r.logger(cmd.ErrOrStderr())}).Run(cmd.Context(), vxml.Start{
		URL: page, Vars: vars, Trace: caller.Trace, Inspect: caller.Inspect,
	}, caller)
	if err != nil {
		return err
	}
	if err := caller.Err(); err != nil {
		return fmt.Errorf("script: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%8s  %s\n", "end", summary(out))
	if out.End == vxml.Errored {
		return fmt.Errorf("the session ended with %w", out.Event)
	}
	return nil
}

// colours of a transcript's lines, by who does something (ECMA-48 section 8.3.117).
var colours = map[string]string{
	"system": "\x1b[32m", "caller": "\x1b[36m", "thrown": "\x1b[31m", "logged": "\x1b[2m", "value": "\x1b[33m", "filled": "\x1b[35m",
}

// painter colours the lines of a transcript, each of which is one write.
type painter struct{ w io.Writer }

func (p painter) Write(line []byte) (int, error) {
	who, _, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	if colour := colours[who]; colour != "" {
		_, err := fmt.Fprintf(p.w, "%s%s\x1b[0m\n", colour, strings.TrimSuffix(string(line), "\n"))
		return len(line), err
	}
	return p.w.Write(line)
}

// coloured is w with colours if it is a terminal, and nobody has said that there
// shall be none (https://no-color.org).
func coloured(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return w
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return w
	}
	return painter{w}
}

func summary(out vxml.Outcome) string {
	text := string(out.End)
	if len(out.Values) > 0 {
		text += fmt.Sprint(" ", out.Values)
	}
	if out.Result != nil {
		text += fmt.Sprint(" ", out.Result)
	}
	return text
}

func (r *rehearsing) logger(w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if r.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// interruptible is a terminal that stops being waited for when the context ends.
// The read itself cannot be ended; the process is about to.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		own := make([]byte, len(p))
		n, err := r.in.Read(own)
		read <- result{own[:n], err}
	}()
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case got := <-read:
		return copy(p, got.text), got.err
	}
}
