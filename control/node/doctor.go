package node

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"mcp/bpf"
	"mcp/control/config"
	"mcp/control/doctor"
	"mcp/control/node/carrying"
)

// What the platform wants of a machine.
const (
	leastKernelMajor, leastKernelMinor = 6, 1
	leastOpenFiles                     = 16384
	leastFree                          = 1 << 30 // octets
)

// Doctor examines whether this machine can run what is configured.
func Doctor(ctx context.Context, cfg Config) []doctor.Finding {
	checks := []doctor.Check{
		doctor.Kernel(leastKernelMajor, leastKernelMinor), doctor.Capabilities(), doctor.BPFFS(cfg.Media.Pins),
		plane(cfg.Media), codecs, doctor.Ports(cfg.Media.PortMin, cfg.Media.PortMax),
		doctor.OpenFiles(leastOpenFiles, "connections to SIP peers, speech servers and web servers take one each"),
		doctor.Folder("call records", cfg.Reporting.Journal, leastFree),
	}
	if cfg.Upload.Destination.URL != "" {
		checks = append(checks, doctor.Folder("recordings", cfg.Upload.Folder, leastFree))
	}
	checks = append(checks, named(cfg)...)
	by := trusted{
		own: doctor.Trust{File: cfg.Fetch.TLS.Authorities, Beside: true}, // pages, wherever they are named
		sip: doctor.Trust{File: cfg.SIP.TLS.Authorities},
	}
	for _, end := range farEnds(reflect.ValueOf(cfg), "", by) {
		checks = append(checks, doctor.Reach(end.key, end.address, end.secure, end.trust))
	}
	return doctor.Examine(ctx, checks)
}

// named are the checks of what keys name on this machine: files, and addresses to
// listen on.
func named(cfg Config) (checks []doctor.Check) {
	look := func(kind string, check func(n config.Named, all []config.Named) doctor.Check) {
		all, err := config.Names(&cfg, kind)
		if err != nil {
			checks = append(checks, func(context.Context) doctor.Finding {
				return doctor.Finding{Check: kind, State: doctor.Failure, Detail: err.Error()}
			})
		}
		for _, n := range all {
			checks = append(checks, check(n, all))
		}
	}
	look(config.NamesFile, file)
	look(config.NamesListener, func(n config.Named, _ []config.Named) doctor.Check { return doctor.Listener(n.Key, "tcp", n.Value) })
	for _, listen := range cfg.SIP.Listen {
		transport, address, _ := strings.Cut(listen, ":")
		checks = append(checks, doctor.Listener("sip.listen", map[bool]string{true: "udp", false: "tcp"}[transport == "udp"], address))
	}
	return checks
}

// file is the check of a file that a key names. A certificate is looked at with its
// private key, which a key beside it names: cert-file and key-file, and the like.
func file(n config.Named, all []config.Named) doctor.Check {
	dot := strings.LastIndexByte(n.Key, '.') + 1
	section, word := n.Key[:dot], n.Key[dot:]
	private := section + strings.NewReplacer("certificate", "key", "cert", "key").Replace(word)
	for _, other := range all {
		if other.Key == private && private != n.Key {
			return doctor.Certificate(n.Key, n.Value, other.Value)
		}
	}
	return doctor.File(n.Key, n.Value)
}

// codecs tells which the program has been built with.
func codecs(context.Context) doctor.Finding {
	return doctor.Finding{Check: "codecs", State: doctor.OK, Detail: carrying.Names()}
}

// plane looks at the media plane that is loaded.
func plane(cfg carrying.Config) doctor.Check {
	return func(context.Context) doctor.Finding {
		f := doctor.Finding{Check: "media plane", State: doctor.OK}
		if cfg.Plane == "socket" {
			f.Detail = "sockets, as configured"
			return f
		}
		status, err := bpf.Inspect(cfg.Pins)
		switch {
		case errors.Is(err, bpf.ErrNotLoaded):
			f.State, f.Detail = doctor.Warning, "not loaded"
			f.Advice = "mcp plane load tries each interface and says which mode suits it; mcp serve does the same"
		case err != nil:
			f.State, f.Detail, f.Advice = doctor.Failure, err.Error(), "mcp plane unload clears what is pinned"
		default:
			f.Detail = fmt.Sprintf("%s: %s", status.Mode, status.Reason)
			if status.Mode == bpf.ModeGeneric && cfg.Plane != "xdp-generic" {
				f.State, f.Advice = doctor.Warning, "a packet costs twice as much as in native mode; mcp plane status says what each interface lacks"
			}
		}
		return f
	}
}

// farEnd is something that a key of the configuration names.
type farEnd struct {
	key, address string
	secure       bool
	trust        doctor.Trust
}

// trusted are those who vouch for the far ends of a section: one of SIP is reached by
// the platform's own signalling, wherever it is named.
type trusted struct{ own, sip doctor.Trust }

// farEnds finds every URL in a configuration that leads somewhere.
func farEnds(v reflect.Value, key string, by trusted) (all []farEnd) {
	switch v.Kind() {
	case reflect.String:
		if address, secure, found := doctor.FarEnd(v.String()); found {
			end := farEnd{key, address, secure, by.own}
			if strings.HasPrefix(strings.ToLower(v.String()), "sip") {
				end.trust = by.sip
			}
			all = append(all, end)
		}
	case reflect.Struct:
		if own, is := trustIn(v); is {
			by.own = own
		}
		for i := range v.NumField() {
			if name := yamlName(v.Type().Field(i)); name != "" {
				all = append(all, farEnds(v.Field(i), strings.TrimPrefix(key+"."+name, "."), by)...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, farEnds(v.Index(i), key, by)...)
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			all = append(all, farEnds(v.MapIndex(k), key+"."+k.String(), by)...)
		}
	}
	return all
}

// trustIn is by whom the far ends of a section are vouched for: its field with the tag
// trust, or that of its part about TLS, names the file. False: as those around it.
func trustIn(v reflect.Value) (doctor.Trust, bool) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if tag := field.Tag.Get("trust"); tag != "" {
			return doctor.Trust{File: v.Field(i).String(), Beside: tag == "beside"}, true
		}
		if field.Type.Kind() == reflect.Struct && yamlName(field) == "tls" {
			return trustIn(v.Field(i))
		}
	}
	return doctor.Trust{}, false
}

// yamlName is the key of a field, or empty.
func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}
