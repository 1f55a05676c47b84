package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// narrowband is what cepstral mean normalisation starts from: means of telephone
// speech. The model comes with wideband ones, from which the first words of a
// fresh decoder are not understood. Options in feat.params win over the command
// line, so the model itself must say it.
const narrowband = "-cmninit 40.18,22.67,-29.18,45.75,-15.42,-1.92,15.05,-20.51,14.04,-12.25,0.46,8.31,-15.95"

// adaptModel makes a model folder at to that shares from's files and has its own
// feature parameters.
func adaptModel(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == "feat.params" {
			continue
		}
		if err := os.Symlink(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return adaptParameters(filepath.Join(from, "feat.params"), filepath.Join(to, "feat.params"))
}

func adaptParameters(from, to string) error {
	params, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var adapted strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(string(params)), "\n") {
		if !strings.HasPrefix(line, "-cmninit") {
			fmt.Fprintln(&adapted, line)
		}
	}
	fmt.Fprintln(&adapted, narrowband)
	return os.WriteFile(to, []byte(adapted.String()), 0o644)
}
