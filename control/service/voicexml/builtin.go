package voicexml

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed builtin
var builtinFiles embed.FS

// BuiltinURL is the application that answers when none is configured.
const BuiltinURL = "builtin://app/main.vxml"

// SelfTestURL is the page that the platform's calls to itself run.
const SelfTestURL = "builtin://app/selftest/main.vxml"

// RegisterBuiltin lets a transport fetch builtin:// URLs, which name the files
// of the built-in application.
func RegisterBuiltin(t *http.Transport) error {
	files, err := fs.Sub(builtinFiles, "builtin")
	if err != nil {
		return err
	}
	t.RegisterProtocol("builtin", http.NewFileTransportFS(files))
	return nil
}
