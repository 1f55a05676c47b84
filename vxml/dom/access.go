package dom

import (
	"fmt"
	"strings"

	"mcp/vxml/xmltree"
)

// access is an <?access-control?> instruction before the root element: which
// hosts' pages may read the document (W3C Note "Authorizing Read Access to XML
// Content Using the <?access-control?> Processing Instruction 1.0").
type access struct{ allow, deny []string }

func parseAccess(inst string) (access, error) {
	var out access
	root, err := xmltree.Parse([]byte("<access-control " + inst + "/>"))
	if err != nil {
		return out, fmt.Errorf("<?access-control?>: %w", err)
	}
	for _, a := range root.Attrs {
		switch a.Name {
		case "allow":
			out.allow = strings.Fields(a.Value)
		case "deny":
			out.deny = strings.Fields(a.Value)
		default:
			return out, fmt.Errorf("<?access-control?>: there is no attribute %q", a.Name)
		}
	}
	return out, nil
}

// Readable tells whether pages of a host may read the document, which came from
// another: they may when it does not say who may. What is denied is denied
// whatever else is allowed.
func (d *Document) Readable(host, from string) bool {
	if strings.EqualFold(host, from) || len(d.access) == 0 {
		return true
	}
	allowed := false
	for _, a := range d.access {
		if listed(a.deny, host) {
			return false
		}
		allowed = allowed || listed(a.allow, host)
	}
	return allowed
}

// listed tells whether a host is among the patterns: itself, * or *.domain.
func listed(patterns []string, host string) bool {
	host = strings.ToLower(host)
	for _, p := range patterns {
		p = strings.ToLower(p)
		domain, wild := strings.CutPrefix(p, "*.")
		if p == "*" || p == host || wild && strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}
