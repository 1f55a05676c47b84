package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/web"
)

func webCommand() *cobra.Command {
	var listen, dir string
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Run a web server with a voice application",
		Long: `Serve VoiceXML pages, grammars and audio until interrupted: the application that
comes along, or a folder's. Pages ending in .vxml are templates in which
{{param "name"}} stands for a parameter of the request.`,
		Example: `  mcplab web
  mcplab web --listen 10.0.1.1:8000 --dir ./my-application`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := logs.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			files := web.App()
			if dir != "" {
				files = os.DirFS(dir)
			}
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			log.Info("ready", "url", "http://"+listener.Addr().String()+"/main.vxml")
			return serveHTTP(cmd.Context(), listener, web.Handler(files, log))
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8000", "address and port")
	cmd.Flags().StringVar(&dir, "dir", "", "folder to serve instead of the application that comes along")
	logs.register(cmd)
	return cmd
}

// serveHTTP serves until the context ends and lets running requests finish.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	})
	err := server.Serve(listener)
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
