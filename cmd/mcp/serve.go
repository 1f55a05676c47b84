package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"mcp/control/config"
	"mcp/control/node"
	"mcp/control/node/monitoring"
	"mcp/control/node/uploading"
)

// defaultConfigFile is read when it exists and none is named.
const defaultConfigFile = "/etc/mcp/mcp.yaml"

// errLogged is of what the log has told in its own format.
var errLogged = errors.New("the log says why")

func serveCommand() *cobra.Command {
	var file, plane, role string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer calls",
		Long: `Answer calls until interrupted. Without a configuration the platform listens on
port 5070 (TCP and UDP) and answers with a built-in application, which reads back
the keys that are pressed. Call it with any SIP phone: sip:anything@HOST:5070.

The log on standard error says where it listens, which media plane carries the
audio and why, and the address of the console for a browser. "mcp doctor" examines
the machine first; "mcp config defaults" prints every key that can be set.

SIGTERM drains: no more calls, and the end after the last one. SIGHUP reads the
configuration again: what can change while calls are up does (mcp config explain KEY
tells), and the log says what did and what waits for the next start.

The roles are platform, which does everything in one process; uploader, which sends
recordings away; log-exporter, which counts what a log file tells; snmp-exporter,
which shows SNMP agents' answers as metrics.`,
		Example: `  mcp serve
  mcp serve --config mcp.yaml
  mcp serve --media-plane socket
  mcp serve --role uploader
  MCP_LOG_LEVEL=debug mcp serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func() (node.Config, error) { return loadWith(file, plane) }
			cfg, err := load()
			if err != nil {
				return err
			}
			log, level, err := cfg.Log.Logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			run, known := roles[role]
			if !known {
				return fmt.Errorf("--role: %q is none of %s", role, strings.Join(slices.Sorted(maps.Keys(roles)), ", "))
			}
			cfg.Media.Pacer = pacer()
			log.Info("starting", "version", version, "role", role)
			changes, stop := reread(cmd.Context(), load, level, log)
			defer stop()
			if err := run(cmd.Context(), cfg, changes, log); err != nil {
				log.Error("cannot go on", "role", role, "error", err, "advice", "mcp doctor looks at this machine, its files, ports and far ends")
				return errLogged
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `file`; "+defaultConfigFile+" where it exists")
	cmd.Flags().StringVar(&plane, "media-plane", "", "auto, xdp, xdp-generic or socket")
	cmd.Flags().StringVar(&role, "role", "platform", "what this process is")
	return cmd
}

// reread reads the configuration again on each SIGHUP, until it is stopped. One with
// faults is told and left alone.
func reread(ctx context.Context, load func() (node.Config, error), level *slog.LevelVar, log *slog.Logger) (changes <-chan node.Config, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	out := make(chan node.Config, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
			}
			cfg, err := load()
			if err == nil {
				err = cfg.Log.Apply(level)
			}
			if err != nil {
				log.Error("configuration not taken up", "error", err)
				continue
			}
			select { // one that nobody has taken up yet is out of date
			case <-out:
			default:
			}
			out <- cfg
		}
	})
	return out, func() { signal.Stop(hangups); cancel(); reading.Wait() }
}

func runUploader(ctx context.Context, cfg node.Config, _ <-chan node.Config, log *slog.Logger) error {
	return uploading.Run(ctx, cfg.Upload, log)
}

func runSNMPExporter(ctx context.Context, cfg node.Config, _ <-chan node.Config, log *slog.Logger) error {
	return monitoring.RunExporter(ctx, cfg.Health.SNMP, log)
}

func runLogExporter(ctx context.Context, cfg node.Config, _ <-chan node.Config, log *slog.Logger) error {
	return node.RunLogExporter(ctx, cfg, log)
}

// roles are what one process can be of the platform.
var roles = map[string]func(context.Context, node.Config, <-chan node.Config, *slog.Logger) error{
	"platform":      node.Run,
	"uploader":      runUploader,
	"log-exporter":  runLogExporter,
	"snmp-exporter": runSNMPExporter,
}

// loadWith is the configuration with what the command line says about the media plane.
func loadWith(file, plane string) (node.Config, error) {
	cfg, err := loadConfig(file)
	if err != nil || plane == "" {
		return cfg, err
	}
	cfg.Media.Plane = plane
	if err := cfg.Media.Validate(); err != nil {
		return cfg, fmt.Errorf("--media-plane: %w", err)
	}
	return cfg, nil
}

// loadConfig reads the file over the defaults, then the environment over both.
func loadConfig(file string) (node.Config, error) { return loadFrom(config.Source{File: file}) }

func loadFrom(source config.Source) (node.Config, error) {
	cfg := node.Defaults()
	source.Environ = os.Environ()
	if source.File == "" {
		if _, err := os.Stat(defaultConfigFile); err == nil {
			source.File = defaultConfigFile
		}
	}
	err := config.Load(&cfg, source)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w; mcp config defaults > %s writes one to begin with", err, source.File)
	}
	return cfg, err
}
