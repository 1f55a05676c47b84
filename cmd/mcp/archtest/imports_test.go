package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// The floors, top to bottom: a package imports only from floors below its own,
// or from its own family, the packages that share its path down to familyDepth.
//
//	cmd/*
//	control/node
//	control/service/*
//	control/call
//	control/*
//	bpf, vxml, speech
const (
	floorLibrary = iota // bpf, vxml, speech
	floorConcern        // control/*
	floorCall
	floorService
	floorNode
	floorCommand
)

// floorOf is the floor of a package and the family it belongs to.
func floorOf(path string) (floor int, family string) {
	parts := strings.Split(strings.TrimPrefix(path, module+"/"), "/")
	family = strings.Join(parts[:min(2, len(parts))], "/")
	switch {
	case parts[0] == "cmd":
		return floorCommand, family
	case parts[0] != "control":
		return floorLibrary, parts[0]
	case family == "control/node":
		return floorNode, family
	case family == "control/service":
		return floorService, strings.Join(parts[:min(3, len(parts))], "/")
	case family == "control/call":
		return floorCall, family
	}
	return floorConcern, family
}

// floors also lets tests import neighbours on their own floor, for the
// stand-ins that live there, and keeps the configuration reader out of all but
// the packages that compose a configuration.
func floors(t *tree) (out []violation) {
	for _, p := range t.packages {
		own, family := floorOf(p.ImportPath)
		p.eachImport(func(f *file, spec *ast.ImportSpec, path string) {
			if !strings.HasPrefix(path, module+"/") {
				return
			}
			floor, other := floorOf(path)
			down := floor < own || f.test && floor == own && floor != floorLibrary
			if other != family && !down {
				out = append(out, p.breach(spec, "", fmt.Sprintf("imports %s, which is not below it", path)))
			}
			if other == "control/config" && other != family && own < floorNode {
				out = append(out, p.breach(spec, "", "imports the configuration reader; configuration is handed to it"))
			}
		})
	}
	return out
}

// home is where a library may be imported.
type home struct {
	library  string
	packages []string // paths below the module, with all below them
	tests    bool     // tests may import it anywhere
}

var homes = []home{
	{library: "github.com/cilium/ebpf", packages: []string{"bpf"}},
	{library: "github.com/emiago/sipgo", packages: []string{"control/sip"}},
	{library: "github.com/icholy/digest", packages: []string{"control/sip"}},
	{library: "github.com/pion/sdp", packages: []string{"speech/mrcp"}},
	{library: "github.com/pion/dtls", packages: []string{"control/media/srtp"}},
	{library: "github.com/pion/transport", packages: []string{"control/media/srtp"}},
	{library: "github.com/pion/srtp", packages: []string{"control/media/srtp"}},
	{library: "github.com/dop251/goja", packages: []string{"vxml/script"}},
	{library: "github.com/dlclark/regexp2", packages: []string{"vxml/script"}},
	{library: "github.com/antchfx/xmlquery", packages: []string{"vxml"}},
	{library: "github.com/vishvananda/netlink", packages: []string{"bpf", "cmd/mcplab"}, tests: true},
	{library: "github.com/vishvananda/netns", packages: []string{"bpf", "cmd/mcplab"}, tests: true},
	{library: "cloud.google.com/go", packages: []string{"speech/google"}},
	{library: "google.golang.org/grpc", packages: []string{"speech/google"}, tests: true},
	{library: "github.com/coder/websocket", packages: []string{"speech/nexus"}, tests: true},
	{library: "github.com/goccy/go-yaml", packages: []string{"control/config", "control/logexport", "control/snmp/exporter"}},
	{library: "github.com/gosnmp/gosnmp", packages: []string{"control/snmp"}, tests: true},
	{library: "github.com/jackc/pgx", packages: []string{"control/certs"}},
	{library: "github.com/aws", packages: []string{"control/upload/s3"}},
	{library: "github.com/Azure/azure-sdk-for-go", packages: []string{"control/upload/azure"}},
	{library: "github.com/hashicorp/consul", packages: []string{"control/discovery"}},
	{library: "github.com/Azure/go-amqp", packages: []string{"control/reporting/delivery"}},
	{library: "github.com/go-stomp/stomp", packages: []string{"control/reporting/delivery"}},
	{library: "go.opentelemetry.io", packages: []string{"control/reporting/spans"}, tests: true},
	{library: "github.com/google/pprof", packages: []string{"vxml/bench"}},
	{library: "github.com/spf13/cobra", packages: []string{"cmd"}},
}

func libraryHomes(t *tree) (out []violation) {
	for _, p := range t.packages {
		p.eachImport(func(f *file, spec *ast.ImportSpec, path string) {
			for _, h := range homes {
				if !within(path, h.library) || h.tests && f.test {
					continue
				}
				at := strings.TrimPrefix(p.ImportPath, module+"/")
				if !slices.ContainsFunc(h.packages, func(allowed string) bool { return within(at, allowed) }) {
					out = append(out, p.breach(spec, "", fmt.Sprintf("imports %s, whose home is %s", path, strings.Join(h.packages, ", "))))
				}
			}
		})
	}
	return out
}

// within tells whether a path is another or below it.
func within(path, top string) bool { return path == top || strings.HasPrefix(path, top+"/") }

func (p *pkg) eachImport(visit func(f *file, spec *ast.ImportSpec, path string)) {
	for _, f := range p.files {
		for _, spec := range f.ast.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil {
				visit(f, spec, path)
			}
		}
	}
}
