package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Recover puts metadata beside recordings that an earlier process, which was
// killed, left without any: they are whole up to there, and are uploaded like
// others. It is called before any recording begins.
func (s *Store) Recover() (int, error) {
	entries, err := os.ReadDir(s.config.Folder)
	if err != nil {
		return 0, fmt.Errorf("recover recordings: %w", err)
	}
	found := 0
	for _, e := range entries {
		path := filepath.Join(s.config.Folder, e.Name())
		if !e.Type().IsRegular() || !recorded(e.Name()) {
			continue
		}
		if _, err := os.Lstat(path + ".json"); err == nil {
			continue
		}
		id, _, _ := strings.Cut(e.Name(), ".")
		told := map[string]any{"id": id, "file": e.Name(), "end": "killed"}
		if err := tell(path+".json", told); err != nil {
			return found, fmt.Errorf("recover recording %s: %w", e.Name(), err)
		}
		s.log.Warn("recording of a process that was killed", "recording", id, "file", path)
		found++
	}
	return found, nil
}

// recorded tells whether a file's name is a recording's.
func recorded(name string) bool {
	name = strings.TrimSuffix(name, sealed)
	for _, suffix := range []string{".wav", ".mp3", ".opus", ".ul", ".al"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
