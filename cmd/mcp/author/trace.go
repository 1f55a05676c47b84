package author

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mcp/control/reporting/live"
	"mcp/control/reporting/recent"
)

// tracer follows live calls.
type tracer struct {
	dir       string
	all       bool
	variables bool
	json      bool
}

func traceCommand() *cobra.Command {
	var trace tracer
	cmd := &cobra.Command{
		Use:   "trace [CALL]",
		Short: "Follow the dialogue of a live call",
		Long: `Follows the dialogue of a call that a platform on this machine serves: what is
fetched and how long that takes, dialogs and form items visited, transitions, what
is said and heard, values, events, handlers and logs, first the last few that have
been. CALL is the beginning of the call's identifier, as "call" in the
platform's log; without it the calls are listed. With --variables, the first time
that the dialogue goes on all variables are shown, and then those that have changed
since. What a caller gives in private (com.genesyslab.private) is not shown, and of
variables that change meanwhile only the names.`,
		Example: "  mcp vxml trace\n  mcp vxml trace 01a207\n  mcp vxml trace --variables 01a207\n  mcp vxml trace --all --json | jq .text",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 || trace.all {
				return trace.follow(cmd, strings.Join(args, ""))
			}
			return trace.list(cmd)
		},
	}
	cmd.Flags().StringVar(&trace.dir, "dir", live.Dir(), "directory of the platform's socket (application.trace)")
	cmd.Flags().BoolVar(&trace.all, "all", false, "follow every call")
	cmd.Flags().BoolVar(&trace.variables, "variables", false, "show how variables change as well")
	cmd.Flags().BoolVar(&trace.json, "json", false, "print an object of JSON a line")
	return cmd
}

// platforms are the clients of the platforms that run here.
func (v *tracer) platforms() ([]*live.Client, error) {
	var out []*live.Client
	for _, socket := range live.Sockets(v.dir) {
		out = append(out, live.NewClient(socket))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no platform serves traces in %s: does one run, under the same user?", v.dir)
	}
	return out, nil
}

func (v *tracer) list(cmd *cobra.Command) error {
	platforms, err := v.platforms()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "CALL\tFOR\tFROM\tEVENTS\tAPPLICATION")
	for _, p := range platforms {
		calls, err := p.Calls(cmd.Context())
		if err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), err) // a platform that was killed, perhaps
			continue
		}
		for _, c := range calls {
			if v.json {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(c); err != nil {
					return fmt.Errorf("print the calls: %w", err)
				}
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", c.ID, time.Since(c.Begun).Round(time.Second), c.From, c.Events, c.Application)
		}
	}
	if v.json {
		return nil
	}
	return t.Flush()
}

// follow follows a call by the beginning of its identifier, or every call.
func (v *tracer) follow(cmd *cobra.Command, call string) error {
	platforms, err := v.platforms()
	if err != nil {
		return err
	}
	if v.all {
		return v.followAll(cmd, platforms)
	}
	for _, p := range platforms {
		calls, err := p.Calls(cmd.Context())
		if err != nil {
			continue
		}
		for _, c := range calls {
			if strings.HasPrefix(c.ID, call) {
				return ended(p.Follow(cmd.Context(), recent.Wanted{Call: c.ID, Variables: v.variables}, v.print(cmd.OutOrStdout())))
			}
		}
	}
	return fmt.Errorf("there is no call %s", call)
}

func (v *tracer) followAll(cmd *cobra.Command, platforms []*live.Client) error {
	done := make(chan error)
	lines := make(chan recent.Line)
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	for _, p := range platforms {
		go func() {
			done <- p.Follow(ctx, recent.Wanted{Variables: v.variables}, func(l recent.Line) error {
				select {
				case lines <- l:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}()
	}
	show := v.print(cmd.OutOrStdout())
	var failed error
	for left := len(platforms); left > 0; {
		select {
		case l := <-lines:
			if failed = show(l); failed != nil {
				stop()
			}
		case err := <-done:
			failed = errors.Join(failed, ended(err))
			left--
		}
	}
	return failed
}

// ended is the error of following, without that of being told to stop.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// print writes lines.
func (v *tracer) print(w io.Writer) func(recent.Line) error {
	return func(l recent.Line) error {
		if v.json {
			if err := json.NewEncoder(w).Encode(l); err != nil {
				return fmt.Errorf("print the trace: %w", err)
			}
			return nil
		}
		id := ""
		if v.all {
			id = l.Call + "  "
		}
		if _, err := fmt.Fprintf(w, "%s  %s%8s  %s\n", l.Time.Local().Format("15:04:05.000"), id, l.Kind, l.Text); err != nil {
			return fmt.Errorf("print the trace: %w", err)
		}
		return nil
	}
}
