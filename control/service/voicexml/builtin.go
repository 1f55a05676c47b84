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
