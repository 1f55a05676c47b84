package dom

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// access is an <?access-control?> instruction before the root element: which
// hosts' pages may read the document (W3C Note "Authorizing Read Access to XML
// Content Using the <?access-control?> Processing Instruction 1.0").
type access struct{ allow, deny []string }

func parseAccess(inst string) (access, error) {
	var out access
	var attrs struct {
		Allow string     `xml:"allow,attr"`
		Deny  string     `xml:"deny,attr"`
		Other []xml.Attr `xml:",any,attr"`
	}
	if err := xml.Unmarshal([]byte("<access-control "+inst+"/>"), &attrs); err != nil {
		return out, fmt.Errorf("<?access-control?>: %w", err)
	}
	for _, a := range attrs.Other {
		return out, fmt.Errorf("<?access-control?>: there is no attribute %q", a.Name.Local)
	}
	return access{strings.Fields(attrs.Allow), strings.Fields(attrs.Deny)}, nil
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
