package monitoring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"mcp/control/listen"
	"mcp/control/snmp/exporter"
)

// Exporter is the section of the SNMP exporter.
type Exporter struct {
	Listen  string `yaml:"listen" names:"listener" doc:"address of /snmp?module=NAME&target=HOST:PORT, such as 127.0.0.1:9116; empty: none"`
	Modules string `yaml:"modules" names:"file" doc:"YAML file of modules, as Prometheus' SNMP exporter has them; empty: mcp, the platform's own"`
}

// open binds the exporter's address; nil when there is none.
func (e Exporter) open(log *slog.Logger) (*listen.Server, error) {
	if e.Listen == "" {
		return nil, nil
	}
	modules, err := exporter.Default()
	if e.Modules != "" {
		text, readErr := os.ReadFile(e.Modules)
		if readErr != nil {
			return nil, fmt.Errorf("health.snmp.exporter.modules: %w", readErr)
		}
		modules, err = exporter.Parse(text)
	}
	if err != nil {
		return nil, fmt.Errorf("health.snmp.exporter.modules: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /snmp", exporter.New(modules, log))
	server, err := listen.New(e.Listen, mux, log)
	if err != nil {
		return nil, fmt.Errorf("health.snmp.exporter.listen: %w", err)
	}
	return server, nil
}

// RunExporter is the role of the SNMP exporter: it answers scrapes until ctx ends.
func RunExporter(ctx context.Context, cfg Config, log *slog.Logger) error {
	server, err := cfg.Exporter.open(log)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if server == nil {
		return errors.New("health.snmp.exporter.listen: the SNMP exporter needs an address")
	}
	log.Info("SNMP exporter ready", "listen", server.Addr().String())
	return server.Serve(ctx)
}
