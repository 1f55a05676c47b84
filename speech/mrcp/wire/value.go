package wire

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Float writes a number as RFC 6787's FLOAT, which must have a decimal point:
// servers refuse "1".
func Float(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// Millis writes a duration in whole milliseconds.
func Millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// RequestIDs reads an Active-Request-Id-List. Entries that are no request-id
// are left out.
func RequestIDs(list string) []uint32 {
	var ids []uint32
	for entry := range strings.SplitSeq(list, ",") {
		if id, err := strconv.ParseUint(strings.TrimSpace(entry), 10, 32); err == nil {
			ids = append(ids, uint32(id))
		}
	}
	return ids
}

// FormatRequestIDs writes an Active-Request-Id-List.
func FormatRequestIDs(ids []uint32) string {
	entries := make([]string, len(ids))
	for i, id := range ids {
		entries[i] = strconv.FormatUint(uint64(id), 10)
	}
	return strings.Join(entries, ",")
}

// Resource is the part of a channel identifier after the @.
func Resource(channel string) string {
	at := strings.LastIndexByte(channel, '@')
	return strings.ToLower(channel[at+1:])
}

// VendorParameters writes a Vendor-Specific-Parameters value, sorted by name so
// that the same parameters always make the same message.
func VendorParameters(params map[string]string) string {
	pairs := make([]string, 0, len(params))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, name+"="+quoteParameter(params[name]))
	}
	return strings.Join(pairs, ";")
}

func quoteParameter(v string) string {
	if v != "" && !strings.ContainsAny(v, "; \t\"\r\n\\") {
		return v
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
}

// Mark is the name in a Speech-Marker, or "" when there is none: MRCPv2 puts a
// timestamp before it (RFC 6787 section 8.4.9), MRCPv1 has the name alone.
func Mark(value string) string {
	for value != "" {
		var part string
		part, value, _ = strings.Cut(value, ";")
		if part = strings.TrimSpace(part); part == "" || strings.HasPrefix(strings.ToLower(part), "timestamp=") {
			continue
		}
		return strings.Trim(part, `"`)
	}
	return ""
}

// ResourceURI is what a Waveform-URI or Record-URI says: the URI, in angle
// brackets or bare, and then its size in octets and its duration (RFC 6787
// section 9.4.8).
func ResourceURI(value string) (uri string, size int64, duration time.Duration) {
	value = strings.TrimSpace(value)
	params := ""
	if inner, bracketed := strings.CutPrefix(value, "<"); bracketed {
		uri, params, _ = strings.Cut(inner, ">")
	} else {
		uri, params, _ = strings.Cut(value, ";")
	}
	for param := range strings.SplitSeq(params, ";") {
		name, text, _ := strings.Cut(strings.TrimSpace(param), "=")
		n, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
		if err != nil || n < 0 {
			continue
		}
		switch strings.ToLower(name) {
		case "size":
			size = n
		case "duration":
			duration = time.Duration(min(n, int64(time.Hour/time.Millisecond)*24*365)) * time.Millisecond
		}
	}
	return uri, size, duration
}
