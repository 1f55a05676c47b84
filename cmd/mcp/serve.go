package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcp/control/config"
	"mcp/control/node"
	"mcp/control/node/monitoring"
	"mcp/control/node/uploading"
)

// defaultConfigFile is read when it exists and none is named.
const defaultConfigFile = "/etc/mcp/mcp.yaml"

func serveCommand() *cobra.Command {
	var file, plane, role string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer calls",
		Long: `Answer calls until interrupted. Without a configuration the platform listens on
port 5070 (TCP and UDP) and answers with a built-in application.`,
		Example: `  mcp serve
  mcp serve --config mcp.yaml
  mcp serve --media-plane socket
  mcp serve --role uploader
  MCP_LOG_LEVEL=debug mcp serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			if plane != "" {
				cfg.Media.Plane = plane
				if err := cfg.Media.Validate(); err != nil {
					return fmt.Errorf("--media-plane: %w", err)
				}
			}
			log, err := cfg.Log.Logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			run, known := roles[role]
			if !known {
				return fmt.Errorf("--role: %q is none of %s", role, strings.Join(slices.Sorted(maps.Keys(roles)), ", "))
			}
			log.Info("starting", "version", version, "role", role)
			return run(cmd.Context(), cfg, log)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration file (default "+defaultConfigFile+", if it exists)")
	cmd.Flags().StringVar(&plane, "media-plane", "", "auto, xdp, xdp-generic or socket; overrides media.plane")
	cmd.Flags().StringVar(&role, "role", "platform", "what this process is: platform (everything), uploader (sends recordings away), log-exporter (counts what a log file tells) or snmp-exporter (shows SNMP agents' answers as metrics)")
	return cmd
}

func runUploader(ctx context.Context, cfg node.Config, log *slog.Logger) error {
	return uploading.Run(ctx, cfg.Upload, log)
}

func runSNMPExporter(ctx context.Context, cfg node.Config, log *slog.Logger) error {
	return monitoring.RunExporter(ctx, cfg.Health.SNMP, log)
}

// roles are what one process can be of the platform.
var roles = map[string]func(context.Context, node.Config, *slog.Logger) error{
	"platform":      node.Run,
	"uploader":      runUploader,
	"log-exporter":  node.RunLogExporter,
	"snmp-exporter": runSNMPExporter,
}

// loadConfig reads the file over the defaults, then the environment over both.
func loadConfig(file string) (node.Config, error) {
	cfg := node.Defaults()
	if file == "" {
		if _, err := os.Stat(defaultConfigFile); errors.Is(err, os.ErrNotExist) {
			return cfg, config.Load(&cfg, config.Source{Environ: os.Environ()})
		}
		file = defaultConfigFile
	}
	return cfg, config.Load(&cfg, config.Source{File: file, Environ: os.Environ()})
}
