// Package config reads configuration into structs: defaults, then a YAML file,
// then the environment. It is strict, and tells everything that is wrong at
// once. It knows none of the structs it fills; they describe themselves with
// the tags
//
//	yaml:"key"     the key in the file
//	doc:"meaning"  what the key means, for print-outs
//	gvp:"name ms"  the option of the Genesys Voice Platform that is the same,
//	               and how that writes its values
//	live:"true"    a change takes effect while the platform runs
//	secret:"true"  changes are not to be shown
//	names:"file"   what the value names outside: NamesFile and the like
//
// Values may be strings, booleans, numbers, time.Duration, Size, url.URL, any
// encoding.TextUnmarshaler such as netip.Addr, and slices, maps with string
// keys and structs of these. A struct may have a method Validate() error.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Source is where values come from.
type Source struct {
	// File is the path of a YAML file; empty: none.
	File string
	// Environ is an environment as os.Environ returns it. The variable of the
	// key media.port-min is MCP_MEDIA_PORT_MIN.
	Environ []string
	// Files has it checked that files which keys name can be read.
	Files bool
}

// Load sets what the source names in the struct that target points to, which
// holds the defaults. The error is a Faults, or that of reading the file. The
// target is not to be used after an error.
func Load(target any, s Source) error {
	root, err := rootOf(target)
	if err != nil {
		return err
	}
	l := &loader{root: root, lines: map[string]int{}, variables: map[string]string{}}
	if s.File != "" {
		text, err := os.ReadFile(s.File)
		if err != nil {
			return fmt.Errorf("read configuration: %w", err)
		}
		l.file = s.File
		l.readFile(text)
	}
	l.readEnviron(s.Environ)
	l.checkNames(s.Files)
	l.validate(root)
	if len(l.faults) > 0 {
		return l.faults
	}
	return nil
}

var errTarget = errors.New("configuration target is not a pointer to a struct")

// rootOf is the struct that a pointer points to, as the root of the tree of keys.
func rootOf(target any) (node, error) {
	v := reflect.ValueOf(target)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return node{}, errTarget
	}
	return node{value: v.Elem()}, nil
}

// loader collects the faults of one Load.
type loader struct {
	root  node
	file  string
	lines map[string]int // where keys stand in the file
	// variables are those of the environment that set keys.
	variables map[string]string
	options   ast.Node // the section of options by other names
	faults    Faults
}

func (l *loader) fault(where, key, problem string) {
	l.faults = append(l.faults, Fault{Where: where, Key: key, Problem: problem})
}

// validate asks structs whether they make sense, inner ones first. One that has
// a fault already is not asked: its values are not what the operator wrote.
func (l *loader) validate(n node) {
	for _, inner := range append(n.children(), n.elements()...) {
		l.validate(inner)
	}
	if !n.isSection() || l.faultsWithin(n.path) {
		return
	}
	checked, ok := n.value.Addr().Interface().(interface{ Validate() error })
	if !ok {
		return
	}
	for _, err := range split(checked.Validate()) {
		l.refuse(n, err.Error())
	}
}

// refuse reports what a section says of itself: where the key stands that the text
// begins with, as in "rate: -1 is below 0", and of the section where it begins with none.
func (l *loader) refuse(section node, text string) {
	word := text[:cmp.Or(max(0, strings.IndexAny(text, ": ")), len(text))]
	if path, known := section.find(word); known {
		l.fault(l.where(path), path, strings.TrimPrefix(text, word+": "))
		return
	}
	l.fault(l.where(section.path), section.path, text)
}

// where says what set a key, or else the nearest that it is part of.
func (l *loader) where(path string) string {
	for path != "" {
		if name, ok := l.variables[path]; ok {
			return "environment " + name
		}
		if line, ok := l.lines[path]; ok {
			return fmt.Sprintf("%s:%d", l.file, line)
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return ""
}

func (l *loader) faultsWithin(path string) bool {
	for _, f := range l.faults {
		rest, within := strings.CutPrefix(f.Key, path)
		if path == "" || within && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// split takes apart what errors.Join has joined.
func split(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
