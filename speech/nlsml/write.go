package nlsml

import (
	"bytes"
	"encoding/xml"
	"math"
	"strconv"
	"strings"
)

// Namespace is that of RFC 6787 section 6.3.1.
const Namespace = "urn:ietf:params:xml:ns:mrcpv2"

// Append writes the result as a document with confidences from 0.0 to 1.0. An
// Instance that holds well-formed markup is written as it is, any other as text.
func (r Result) Append(dst []byte) []byte { return r.AppendScaled(dst, Fraction) }

// AppendScaled is Append with confidences in a scale.
func (r Result) AppendScaled(dst []byte, scale Scale) []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<result xmlns=\"" + Namespace + "\">\n")
	for _, in := range r.Interpretations {
		in.write(&b, scale)
	}
	if r.NoMatch {
		b.WriteString("  <interpretation>\n    <instance/>\n    <input><nomatch/></input>\n  </interpretation>\n")
	}
	if r.NoInput {
		b.WriteString("  <interpretation>\n    <instance/>\n    <input><noinput/></input>\n  </interpretation>\n")
	}
	b.WriteString("</result>\n")
	return append(dst, b.Bytes()...)
}

func (in Interpretation) write(b *bytes.Buffer, scale Scale) {
	b.WriteString("  <interpretation")
	if in.Grammar != "" {
		writeAttribute(b, "grammar", in.Grammar)
	}
	writeAttribute(b, "confidence", formatConfidence(in.Confidence, scale))
	b.WriteString(">\n    <instance>")
	if isMarkup(in.Instance) {
		b.WriteString(in.Instance)
	} else {
		writeText(b, in.Instance)
	}
	b.WriteString("</instance>\n    <input")
	if mode := in.Mode; mode != "" {
		if mode == "voice" {
			mode = "speech"
		}
		writeAttribute(b, "mode", mode)
	}
	b.WriteString(">")
	writeText(b, in.Input)
	b.WriteString("</input>\n  </interpretation>\n")
}

func formatConfidence(c float64, scale Scale) string {
	if scale == Percent {
		return strconv.Itoa(int(math.Round(min(max(c, 0), 1) * 100)))
	}
	s := strconv.FormatFloat(min(max(c, 0), 1), 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// isMarkup tells whether s can stand inside an element: it has elements of its
// own and all of them are closed.
func isMarkup(s string) bool {
	if !strings.Contains(s, "<") {
		return false
	}
	return xml.Unmarshal([]byte("<instance>"+s+"</instance>"), new(struct{})) == nil
}

func writeAttribute(b *bytes.Buffer, name, value string) {
	b.WriteString(" " + name + "=\"")
	writeText(b, value)
	b.WriteString("\"")
}

// writeText escapes; a bytes.Buffer never fails to be written to.
func writeText(b *bytes.Buffer, s string) { _ = xml.EscapeText(b, []byte(s)) }
