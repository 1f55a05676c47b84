package pagelog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	entry := Entry{At: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Call: "c1", Label: "sales", Text: "one\ntwo\x1b[31m"}
	const line = "2026-01-02T03:04:05.006Z c1 sales one two [31m\n"
	tests := []struct{ name, uri, file string }{
		{name: "an absolute path", uri: "file:/var/log/page.log", file: "var/log/page.log"},
		{name: "with an authority", uri: "file:///page.log", file: "page.log"},
		{name: "a relative one", uri: "file:page.log", file: "page.log"},
		{name: "whatever the case", uri: "FILE:/page.log", file: "page.log"},
		{name: "escapes", uri: "file:/a%20b.log", file: "a b.log"},
		{name: "a way out", uri: "file:/../../../page.log", file: "page.log"},
		{name: "an escaped way out", uri: "file:..%2f..%2fpage.log", file: "page.log"},
		{name: "no file", uri: "file:/"},
		{name: "a directory", uri: "file:/taken"},
		{name: "out by a link", uri: "file:/out/page.log"},
		{name: "a pipe", uri: "file:/pipe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outside, dir := t.TempDir(), t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, "taken"), 0o755))
			must(t, os.Symlink(outside, filepath.Join(dir, "out")))
			must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
			files, err := Open(dir)
			must(t, err)
			defer func() { must(t, files.Close()) }()
			err = errors.Join(files.Write(tt.uri, entry), files.Write(tt.uri, entry))
			if left, _ := os.ReadDir(outside); len(left) > 0 {
				t.Errorf("written outside: %v", left)
			}
			if tt.file == "" {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			must(t, err)
			if got, err := os.ReadFile(filepath.Join(dir, tt.file)); err != nil || string(got) != line+line {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNowhere(t *testing.T) {
	files, err := Open("")
	must(t, err)
	if err := files.Write("file:/page.log", Entry{}); !errors.Is(err, ErrNowhere) {
		t.Error(err)
	}
	must(t, files.Close())
}

// A file that is full stays as it is.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	files, err := Open(dir)
	must(t, err)
	defer func() { must(t, files.Close()) }()
	must(t, os.WriteFile(filepath.Join(dir, "page.log"), nil, 0o640))
	must(t, os.Truncate(filepath.Join(dir, "page.log"), most-10))
	if err := files.Write("file:/page.log", Entry{Text: strings.Repeat("x", 20)}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}
