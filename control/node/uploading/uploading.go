// Package uploading puts the recording uploader together: its stores from the
// configuration, its probes and metrics, as a part of the platform or as a process
// of its own.
package uploading

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mcp/control/config"
	"mcp/control/health"
	"mcp/control/listen"
	"mcp/control/upload"
	"mcp/control/upload/azure"
	"mcp/control/upload/s3"
	"mcp/control/upload/web"
)

// Config is the section of the recording uploader.
type Config struct {
	Folder        string        `yaml:"folder" doc:"where finished recordings are"`
	Listen        string        `yaml:"listen" names:"listener" doc:"address of /health/live, /health/ready and /metrics; empty: none"`
	Destination   Place         `yaml:"destination" doc:"where recordings are kept; without a URL nothing is uploaded"`
	Decommission  Place         `yaml:"decommission" doc:"where what is left goes when the uploader is stopped; empty: it stays"`
	DiskFull      Place         `yaml:"disk-full" doc:"where recordings go while there is little room"`
	Unrecoverable Place         `yaml:"unrecoverable" doc:"where recordings go that the destination refuses; empty: into the folder refused"`
	Notice        Place         `yaml:"notice" doc:"who gets each recording's metadata by POST"`
	MinFree       int           `yaml:"min-free" doc:"percentage of the file system below which there is little room"`
	Workers       int           `yaml:"workers" doc:"recordings sent at once"`
	Timeout       time.Duration `yaml:"timeout" doc:"for one try to send a recording"`
	Leave         time.Duration `yaml:"decommission-time" doc:"how long what is left may take when the uploader is stopped"`
}

// Place is somewhere that recordings are sent to.
type Place struct {
	URL          string `yaml:"url" doc:"https://host/folder (WebDAV), post+https://host/path, s3://bucket/prefix or azure://container/prefix"`
	User         string `yaml:"user" doc:"user, or the identifier of an access key"`
	PasswordFile string `yaml:"password-file" names:"file" doc:"file with the password, the access key's secret, or the storage account's connection string"`
	TokenFile    string `yaml:"token-file" names:"file" doc:"file with a bearer token, read anew each time"`
	Region       string `yaml:"region" doc:"of an S3 bucket"`
	Endpoint     string `yaml:"endpoint" doc:"URL of an S3 service that is not Amazon's"`
	CAFile       string `yaml:"ca-file" names:"file" trust:"alone" doc:"PEM file of the authorities that vouch for the server; empty: the system's"`
	CertFile     string `yaml:"cert-file" names:"file" doc:"PEM file of our certificate, for a server that asks for one"`
	KeyFile      string `yaml:"key-file" names:"file" doc:"PEM file of its private key"`
}

// Defaults uploads nothing; state is where the platform keeps what must last.
func Defaults(state string) Config {
	return Config{
		Folder: filepath.Join(state, "recordings"), Listen: "0.0.0.0:8080",
		MinFree: 10, Workers: 2, Timeout: 5 * time.Minute, Leave: 5 * time.Minute,
	}
}

// Validate implements the configuration reader's check of the section.
func (u Config) Validate() error {
	return errors.Join(
		config.Within("min-free", u.MinFree, 0, 100), config.Least("workers", u.Workers, 1),
		config.Above("timeout", u.Timeout, 0), config.Above("decommission-time", u.Leave, 0),
	)
}

// Validate checks a place's URL.
func (p Place) Validate() error {
	u, err := url.Parse(p.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	switch u.Scheme {
	case "http", "https", "post+http", "post+https", "s3", "azure":
		if u.Host == "" {
			return fmt.Errorf("url: %q names no host, bucket or container", p.URL)
		}
	default:
		if p.URL != "" {
			return fmt.Errorf("url: the scheme of %q is none of http, https, post+http, post+https, s3, azure", p.URL)
		}
	}
	return nil
}

// store opens a place; nil: there is none.
func (p Place) store(ctx context.Context) (upload.Store, error) {
	if p.URL == "" {
		return nil, nil
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, err
	}
	secret := ""
	if p.PasswordFile != "" {
		text, err := os.ReadFile(p.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		secret = strings.TrimSpace(string(text))
	}
	prefix := strings.TrimPrefix(u.Path, "/")
	switch u.Scheme {
	case "s3":
		return s3.New(ctx, s3.Config{
			Bucket: u.Host, Prefix: prefix, Region: p.Region, Endpoint: p.Endpoint, KeyID: p.User, Secret: secret,
		})
	case "azure":
		return azure.New(azure.Config{Connection: secret, Container: u.Host, Prefix: prefix})
	}
	return p.web(secret)
}

func (p Place) web(password string) (*web.Store, error) {
	address, post := strings.CutPrefix(p.URL, "post+")
	return web.New(web.Config{
		URL: address, Post: post, User: p.User, Password: password, TokenFile: p.TokenFile,
		CAFile: p.CAFile, CertFile: p.CertFile, KeyFile: p.KeyFile,
	})
}

// Uploading is the recording uploader with its probes.
type Uploading struct {
	cfg      Config
	log      *slog.Logger
	uploader *upload.Uploader
	web      *listen.Server // nil: none
}

// Run is the role of the recording uploader: it sends recordings until ctx ends, and
// then what is left to where it is kept when the platform is taken down.
func Run(ctx context.Context, cfg Config, log *slog.Logger) error {
	if cfg.Destination.URL == "" {
		return errors.New("upload.destination.url: the uploader needs somewhere to send recordings")
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	u, err := New(ctx, cfg, registry, log)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return u.Run(ctx)
}

// New opens the stores and binds the address of the probes. Run must follow.
func New(ctx context.Context, cfg Config, registry *prometheus.Registry, log *slog.Logger) (*Uploading, error) {
	wanted := upload.Config{
		Folder: cfg.Folder, MinFree: float64(cfg.MinFree) / 100, Workers: cfg.Workers, Timeout: cfg.Timeout,
	}
	for _, p := range []struct {
		name  string
		place Place
		store *upload.Store
	}{
		{"destination", cfg.Destination, &wanted.Destination}, {"decommission", cfg.Decommission, &wanted.Decommission},
		{"disk-full", cfg.DiskFull, &wanted.DiskFull}, {"unrecoverable", cfg.Unrecoverable, &wanted.Unrecoverable},
	} {
		store, err := p.place.store(ctx)
		if err != nil {
			return nil, fmt.Errorf("upload.%s: %w", p.name, err)
		}
		*p.store = store
	}
	if cfg.Notice.URL != "" {
		notice, err := cfg.Notice.store(ctx)
		if err != nil {
			return nil, fmt.Errorf("upload.notice: %w", err)
		}
		var takes bool
		if wanted.Notice, takes = notice.(upload.Notice); !takes {
			return nil, fmt.Errorf("upload.notice: %s takes no POST", cfg.Notice.URL)
		}
	}
	uploader, err := upload.New(wanted, log)
	if err != nil {
		return nil, err
	}
	registry.MustRegister(uploader)
	u := &Uploading{cfg: cfg, log: log, uploader: uploader}
	u.web, err = u.open(registry)
	return u, err
}

func (u *Uploading) open(registry *prometheus.Registry) (*listen.Server, error) {
	if u.cfg.Listen == "" {
		return nil, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/health/", health.Handler(health.Uploader(), health.Checks{
		Readiness: []health.Check{{Name: "recordings' folder", Probe: u.folder}},
	}, u.log))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server, err := listen.New(u.cfg.Listen, mux, u.log)
	if err != nil {
		return nil, fmt.Errorf("upload.listen: %w", err)
	}
	return server, nil
}

// folder fails while recordings cannot be read and removed.
func (u *Uploading) folder(context.Context) error {
	f, err := os.CreateTemp(u.cfg.Folder, ".probe-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Run uploads until ctx ends; probes are answered until what is left is sent, too.
func (u *Uploading) Run(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var tasks sync.WaitGroup
	var webErr error
	uploadCtx, fail := context.WithCancel(ctx)
	defer fail()
	if u.web != nil {
		tasks.Go(func() {
			webErr = u.web.Serve(running)
			fail()
		})
		u.log.Info("recording uploader ready", "folder", u.cfg.Folder, "probes", u.web.Addr().String())
	}
	u.uploader.Run(uploadCtx)
	err := u.leave()
	stop()
	tasks.Wait()
	return errors.Join(webErr, err)
}

// leave sends what is left where the platform's end sends it, if anywhere.
func (u *Uploading) leave() error {
	if u.cfg.Decommission.URL == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), u.cfg.Leave)
	defer cancel()
	if err := u.uploader.Decommission(ctx); err != nil {
		return fmt.Errorf("recordings stay behind: %w", err)
	}
	return nil
}
