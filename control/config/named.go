package config

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"strconv"
)

// What a key can name, the tag names of its field.
const (
	NamesFile     = "file"     // a file, or a directory of them, that is read
	NamesListener = "listener" // HOST:PORT that is listened on
)

// Named is something outside that a key names.
type Named struct {
	Key   string // with the place in a list, as in files[0]
	Value string
}

// Names finds what the keys of the struct that v points to name, of one kind. Keys
// that are empty name nothing.
func Names(v any, kind string) ([]Named, error) {
	root, err := rootOf(v)
	if err != nil {
		return nil, err
	}
	return root.named(kind), nil
}

func (n node) named(kind string) (out []Named) {
	for _, c := range append(n.children(), n.elements()...) {
		if c.names != kind {
			out = append(out, c.named(kind)...)
			continue
		}
		for _, leaf := range append([]node{c}, c.elements()...) {
			if leaf.value.Kind() == reflect.String && leaf.value.String() != "" {
				out = append(out, Named{Key: leaf.path, Value: leaf.value.String()})
			}
		}
	}
	return out
}

// checkNames wants listeners to be addresses and, where that is asked for, files to
// be there.
func (l *loader) checkNames(files bool) {
	for _, at := range l.root.named(NamesListener) {
		if err := checkListener(at.Value); err != nil {
			l.fault(l.where(at.Key), at.Key, err.Error())
		}
	}
	if !files {
		return
	}
	for _, file := range l.root.named(NamesFile) {
		if err := Readable(file.Value); err != nil {
			l.fault(l.where(file.Key), file.Key, err.Error())
		}
	}
}

func checkListener(text string) error {
	if _, port, err := net.SplitHostPort(text); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%q is no address with a port, such as 127.0.0.1:8300", text)
}

// Readable tells why a file, or a directory, cannot be read; nil: it can.
func Readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: put it there, or mend the path", err)
	}
	return f.Close()
}
