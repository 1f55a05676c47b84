package speechserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"mcp/speech/mrcp/mrcptest"
)

// faults is what the server is told to do wrong, from the beginning or over HTTP.
type faults struct {
	mrcp *mrcptest.Server
	log  *slog.Logger
	web  *http.Server
	at   net.Listener // nil: none
	wg   sync.WaitGroup
}

func newFaults(c Config, server *mrcptest.Server, log *slog.Logger) (*faults, error) {
	f := &faults{mrcp: server, log: log}
	if err := f.set(c.Faults); err != nil {
		return nil, err
	}
	if c.Control == "" {
		return f, nil
	}
	var err error
	if f.at, err = net.Listen("tcp", c.Control); err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", f.help)
	mux.HandleFunc("PUT /faults", f.put)
	mux.HandleFunc("DELETE /faults", f.clear)
	mux.HandleFunc("POST /drop", f.drop)
	f.web = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	f.wg.Go(func() { _ = f.web.Serve(f.at) })
	return f, nil
}

// set replaces all faults by these.
func (f *faults) set(texts []string) error {
	all := mrcptest.Faults{Methods: make(map[string]mrcptest.Fault)}
	for _, text := range texts {
		if strings.EqualFold(text, "refuse") {
			all.Refuse = true
			continue
		}
		method, fault, err := mrcptest.ParseFault(text)
		if err != nil {
			return err
		}
		all.Methods[method] = fault
	}
	f.mrcp.Fail(all)
	if len(texts) > 0 {
		f.log.Info("doing wrong from now on", "faults", strings.Join(texts, " "))
	}
	return nil
}

const faultsHelp = `PUT /faults?fault=SPEAK=silent&fault=RECOGNIZE=cause:6   do wrong from now on, and nothing else
DELETE /faults                                         do all right again
POST /drop                                             drop all connections now

A fault is "refuse" (no more sessions), or METHOD= and one of
  silent      never answer
  drop        close the connection
  hang        accept, and do nothing any more within that session
  slow:3s     wait first
  status:407  answer with this status
  cause:6     complete at once with this Completion-Cause
`

func (f *faults) help(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, faultsHelp) }

func (f *faults) put(w http.ResponseWriter, r *http.Request) {
	if err := f.set(r.URL.Query()["fault"]); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *faults) clear(w http.ResponseWriter, _ *http.Request) {
	f.mrcp.Fail(mrcptest.Faults{})
	f.log.Info("doing all right again")
	w.WriteHeader(http.StatusNoContent)
}

func (f *faults) drop(w http.ResponseWriter, _ *http.Request) {
	f.mrcp.DropConnections()
	w.WriteHeader(http.StatusNoContent)
}

func (f *faults) addr() string {
	if f.at == nil {
		return ""
	}
	return f.at.Addr().String()
}

func (f *faults) close() error {
	if f.web == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := f.web.Shutdown(ctx)
	f.wg.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		return f.web.Close()
	}
	return err
}
