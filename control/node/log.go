package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mcp/control/listen"
	"mcp/control/logexport"
)

func (l Log) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, fmt.Errorf("level: %q is none of debug, info, warn, error", l.Level)
	}
	return level, nil
}

// Logger makes the platform's logger. Its level is the one configured, and may be
// changed later by what is returned beside it.
func (l Log) Logger(w io.Writer) (*slog.Logger, *slog.LevelVar, error) {
	level := &slog.LevelVar{}
	if err := l.Apply(level); err != nil {
		return nil, nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), level, nil
	}
	return slog.New(slog.NewTextHandler(w, options)), level, nil
}

// Apply sets a level to the one configured.
func (l Log) Apply(to *slog.LevelVar) error {
	level, err := l.level()
	if err == nil {
		to.Set(level)
	}
	return err
}

// LogExport is the section of the counters that are taken from the log.
type LogExport struct {
	Listen string `yaml:"listen" names:"listener" doc:"address of /log, such as 0.0.0.0:8200; empty: only beside the probes"`
	Rules  string `yaml:"rules" names:"file" doc:"YAML file of rules; empty: those for the platform's own log"`
	File   string `yaml:"file" doc:"log file that --role log-exporter follows"`
	State  string `yaml:"state" doc:"file in which it keeps its place; empty: it begins at the log's end"`
}

// counter makes the counters that the section's rules name.
func (l LogExport) counter() (*logexport.Counter, error) {
	rules, err := logexport.Default()
	if l.Rules != "" {
		text, readErr := os.ReadFile(l.Rules)
		if readErr != nil {
			return nil, fmt.Errorf("log.export.rules: %w", readErr)
		}
		rules, err = logexport.Parse(text)
	}
	if err != nil {
		return nil, err
	}
	return logexport.NewCounter(rules), nil
}

// open binds the address at which a counter is read; nil when there is none.
func (l LogExport) open(c *logexport.Counter, log *slog.Logger) (*listen.Server, error) {
	if l.Listen == "" {
		return nil, nil
	}
	mux := http.NewServeMux()
	mux.Handle(logPath, logCounters(c))
	return listen.New(l.Listen, mux, log)
}

// logPath is where the product's log exporter is scraped.
const logPath = "GET /log"

// logCounters shows a counter's metrics and no others.
func logCounters(c *logexport.Counter) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// openLogExport has what the platform logs counted from now on.
func (n *Node) openLogExport() error {
	counter, err := n.cfg.Log.Export.counter()
	if err != nil {
		return err
	}
	server, err := n.cfg.Log.Export.open(counter, n.log)
	if err != nil {
		return fmt.Errorf("log.export.listen: %w", err)
	}
	n.logged, n.log = counter, slog.New(counter.Handler(n.log.Handler()))
	if server != nil {
		n.companions = append(n.companions, server.Serve)
	}
	return nil
}

// RunLogExporter is the role of the log exporter: it counts what another process logs
// to a file.
func RunLogExporter(ctx context.Context, cfg Config, log *slog.Logger) error {
	section := cfg.Log.Export
	if section.File == "" || section.Listen == "" {
		return errors.New("log.export.file and log.export.listen: the log exporter needs both")
	}
	counter, err := section.counter()
	if err != nil {
		return err
	}
	server, err := section.open(counter, log)
	if err != nil {
		return fmt.Errorf("log.export.listen: %w", err)
	}
	log.Info("log exporter ready", "file", section.File, "listen", server.Addr().String())
	follower := logexport.NewFollower(section.File, counter, log)
	follower.State = section.State
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { defer stop(); served <- server.Serve(ctx) }()
	err = follower.Run(ctx)
	stop()
	return errors.Join(err, <-served)
}
