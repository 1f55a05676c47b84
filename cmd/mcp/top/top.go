// Package top is "mcp top": the calls that are up on a terminal, with how their audio
// is carried, as the platform's console tells.
package top

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp/control/node/console"
)

// viewer asks a console and shows the answers.
type viewer struct {
	url          string
	user         string
	passwordFile string
	once, json   bool
	wide         bool
	interval     time.Duration
	http         *http.Client
}

// Command is the command.
func Command() *cobra.Command {
	v := &viewer{http: &http.Client{Timeout: 10 * time.Second}}
	cmd := &cobra.Command{
		Use: "top", Short: "Show the calls that are up, their rates and losses", Args: cobra.NoArgs,
		Long: `Show the calls that are up and how their audio is carried, again and again until
q is pressed or it is interrupted. It asks the console of a platform (health.console), which on this
machine needs no more than that one runs.

A row is a media leg of a call. IN/s and OUT/s count packets, LOSS is the share that
did not come lately, JIT how unevenly they come, MOS the opinion to be expected of a
listener (1 to 4.5), DROP how many packets were refused, SRTP how keys were agreed
(dtls or sdes) and what packets are protected with. Calls with the most loss come
first.`,
		Example: `  mcp top
  mcp top --once
  mcp top --json --once | jq '.legs[] | select(.loss > 0.01)'
  mcp top --url http://mcp-1.example:8380 --password-file console.pw`,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&v.url, "url", "http://"+console.Defaults().Listen, "the console's address")
	f.StringVar(&v.user, "user", console.Defaults().User, "name to log in with")
	f.StringVar(&v.passwordFile, "password-file", "", "file with the password, where the console asks for one")
	f.BoolVar(&v.once, "once", false, "print once and end")
	f.BoolVar(&v.wide, "wide", false, "every column, whatever the terminal's width")
	f.BoolVar(&v.json, "json", false, "JSON, one object each time")
	f.DurationVar(&v.interval, "interval", 2*time.Second, "how often to look")
	return cmd
}

// report is all that is shown.
type report struct{ console.Report }

func (v *viewer) run(ctx context.Context, out io.Writer) error {
	if v.interval <= 0 {
		return errors.New("--interval must be above zero")
	}
	if !v.once && !v.json {
		var restore func()
		ctx, restore = whileWanted(ctx, os.Stdin)
		defer restore()
	}
	tick := time.NewTicker(v.interval)
	defer tick.Stop()
	for {
		r, err := v.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if err := v.show(out, r); err != nil || v.once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (v *viewer) show(out io.Writer, r report) error {
	if v.json {
		return json.NewEncoder(out).Encode(r)
	}
	width, height := sizeOf(out)
	if v.wide {
		width = 0
	}
	screen := r.screen(width, height)
	if v.once {
		_, err := io.WriteString(out, strings.TrimRight(screen, "\n")+"\n")
		return err
	}
	_, err := io.WriteString(out, "\x1b[H\x1b[2J"+screen)
	return err
}

// ask asks the console for all of one look, so that totals and rows agree.
func (v *viewer) ask(ctx context.Context) (r report, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(v.url, "/")+"/api/report", nil)
	if err != nil {
		return r, fmt.Errorf("--url: %w", err)
	}
	if v.passwordFile != "" {
		password, err := os.ReadFile(v.passwordFile)
		if err != nil {
			return r, fmt.Errorf("--password-file: %w", err)
		}
		req.SetBasicAuth(v.user, strings.TrimSpace(string(password)))
	}
	res, err := v.http.Do(req)
	if err != nil {
		return r, fmt.Errorf("no console answers at %s: %w. Does mcp serve run? Its log's line %q says where; health.console.listen sets it", v.url, errors.Unwrap(err), "console")
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return r, fmt.Errorf("the console at %s wants a password: --user and --password-file", v.url)
	case res.StatusCode != http.StatusOK:
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return r, fmt.Errorf("the console at %s answers %s: %s", v.url, res.Status, strings.TrimSpace(string(text)))
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<20)).Decode(&r); err != nil {
		return r, fmt.Errorf("read the console's answer: %w", err)
	}
	return r, nil
}
