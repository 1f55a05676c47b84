// Package web is a small web server for VoiceXML applications, with one
// application inside.
package web

import (
	"bytes"
	"embed"
	"encoding/xml"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"text/template"
)

//go:embed app/*.vxml
var embedded embed.FS

// App is the application that comes along: it asks for a department, to be
// spoken, and four digits, to be pressed, and reads both back. It begins at
// main.vxml.
func App() fs.FS {
	app, err := fs.Sub(embedded, "app")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return app
}

// mediaTypes are those that the system's tables do not have.
var mediaTypes = map[string]string{
	".vxml": "application/voicexml+xml", ".grxml": "application/srgs+xml", ".wav": "audio/x-wav",
}

// Handler serves the files of a folder. Pages ending in .vxml are templates:
// {{param "name"}} is a parameter of the request, from its query or its form.
func Handler(files fs.FS, log *slog.Logger) http.Handler {
	return &handler{files: files, plain: http.FileServerFS(files), log: log}
}

type handler struct {
	files fs.FS
	plain http.Handler
	log   *slog.Logger
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if kind := mediaTypes[path.Ext(r.URL.Path)]; kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	if path.Ext(r.URL.Path) != ".vxml" {
		h.log.Info("file asked for", "method", r.Method, "url", r.URL.String())
		h.plain.ServeHTTP(w, r)
		return
	}
	page, err := h.page(r)
	status := http.StatusOK
	switch {
	case errors.Is(err, fs.ErrNotExist):
		status = http.StatusNotFound
	case err != nil:
		status = http.StatusInternalServerError
	}
	h.log.Info("page asked for", "method", r.Method, "url", r.URL.String(), "form", r.PostForm.Encode(), "status", status)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	if _, err := w.Write(page); err != nil {
		h.log.Warn("page not delivered", "url", r.URL.String(), "error", err)
	}
}

// page renders a page for a request.
func (h *handler) page(r *http.Request) ([]byte, error) {
	source, err := fs.ReadFile(h.files, strings.TrimPrefix(path.Clean(r.URL.Path), "/"))
	if err != nil {
		return nil, err
	}
	page, err := template.New(r.URL.Path).Funcs(template.FuncMap{"param": func(name string) (string, error) {
		return escape(r.FormValue(name))
	}}).Parse(string(source))
	if err != nil {
		return nil, err
	}
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, nil)
	return out.Bytes(), err
}

// escape makes a parameter harmless inside a quoted script string inside an
// attribute: script characters first, then XML's.
func escape(value string) (string, error) {
	value = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(value)
	var out strings.Builder
	err := xml.EscapeText(&out, []byte(value))
	return out.String(), err
}
