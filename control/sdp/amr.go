package sdp

import (
	"slices"
	"strconv"
	"strings"
)

// amrFormat is what the fmtp of AMR says that bears on its payloads (RFC 4867 section
// 8.1).
type amrFormat struct {
	aligned  bool
	modes    string // that may be spoken in, rising; empty: any
	slowly   bool   // the mode may change with every other frame
	stepwise bool   // to a neighbour
}

func (c Codec) isAMR() bool { return c.same(narrow("AMR", 0)) }

// formatted notes a codec's fmtp; false: its payloads are none that we know.
func (c *Codec) formatted(stream section) bool {
	if !c.isAMR() {
		return true
	}
	var fmtp string
	for name, value := range stream.attributes {
		format, parameters, _ := strings.Cut(strings.TrimSpace(value), " ")
		if name == "fmtp" && format == strconv.Itoa(int(c.PayloadType)) {
			fmtp = parameters
			break
		}
	}
	f, ok := parseAMR(fmtp)
	c.Format = f.String()
	return ok
}

// parseAMR reads an fmtp; false: its packings are none of ours (interleaved, with
// CRCs, sorted for robustness), or it is malformed.
func parseAMR(fmtp string) (f amrFormat, ok bool) {
	ok = true
	for parameter := range strings.SplitSeq(fmtp, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		value = strings.TrimSpace(value)
		good := true
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "octet-align":
			f.aligned, good = value == "1", value == "0" || value == "1"
		case "mode-set":
			f.modes, good = modeSet(value)
		case "mode-change-period":
			f.slowly, good = value == "2", value == "1" || value == "2"
		case "mode-change-neighbor":
			f.stepwise, good = value == "1", value == "0" || value == "1"
		case "crc", "robust-sorting":
			good = value == "0"
		case "interleaving":
			good = false
		case "channels":
			good = value == "1"
		}
		ok = ok && good
	}
	return f, ok
}

// modeSet puts a mode-set in order.
func modeSet(list string) (string, bool) {
	modes := strings.Split(list, ",")
	for i := range modes {
		modes[i] = strings.TrimSpace(modes[i])
		if len(modes[i]) != 1 || modes[i] < "0" || modes[i] > "7" {
			return "", false
		}
	}
	slices.Sort(modes)
	return strings.Join(slices.Compact(modes), ","), true
}

// amrOf reads what String has written.
func amrOf(format string) amrFormat {
	f, _ := parseAMR(format)
	return f
}

// String is the same for formats that are the same.
func (f amrFormat) String() string {
	all := f.common()
	if f.slowly {
		all = append(all, "mode-change-period=2")
	}
	if f.stepwise {
		all = append(all, "mode-change-neighbor=1")
	}
	return strings.Join(all, "; ")
}

// ours is the fmtp that we write, of what holds both ways. How the mode changes each
// side says of what it hears itself; we do not mind, and change it as anybody may
// want it (RFC 4867 section 8.3.1).
func (f amrFormat) ours() string {
	return strings.Join(append(f.common(), "mode-change-capability=2"), "; ")
}

func (f amrFormat) common() (all []string) {
	if f.aligned {
		all = append(all, "octet-align=1")
	}
	if f.modes != "" {
		all = append(all, "mode-set="+f.modes)
	}
	return all
}

// answers tells what is spoken when a format is the answer to an offer: both have the
// same packing, and the same modes if the offer had any. An answer that does not
// repeat those is taken to mean them.
func (f amrFormat) answers(offer amrFormat) (string, bool) {
	if f.modes == "" {
		f.modes = offer.modes
	}
	return f.String(), f.aligned == offer.aligned && (offer.modes == "" || f.modes == offer.modes)
}
