package nexus

import (
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// escape is text as the content of an NLSML instance.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder never fails
	return b.String()
}

// instance is the content of an NLSML instance that holds what a bot gives back: text,
// confidence, and its output variables.
func instance(text string, confidence float64, variables map[string]string) string {
	var b strings.Builder
	b.WriteString("<text>" + escape(text) + "</text><confidence>" + strconv.FormatFloat(confidence, 'g', -1, 64) + "</confidence><outputVariables>")
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		tag := element(name)
		b.WriteString("<" + tag + ">" + escape(variables[name]) + "</" + tag + ">")
	}
	b.WriteString("</outputVariables>")
	return b.String()
}

// element is a variable's name as that of an element.
func element(name string) string {
	tag := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, name)
	if tag == "" || tag[0] >= '0' && tag[0] <= '9' {
		tag = "_" + tag
	}
	return tag
}
