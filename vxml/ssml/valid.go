package ssml

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mcp/vxml/property"
	"mcp/vxml/xmltree"
)

// needed are attributes of which an element must have one.
var needed = map[string][]string{
	"say-as": {"interpret-as", "type"}, "phoneme": {"ph"}, "sub": {"alias"},
	"voice":   {"xml:lang", "gender", "age", "variant", "name"},
	"prosody": {"pitch", "contour", "range", "rate", "duration", "volume"},
}

// words are the values of attributes that have a list of them. What engines measure
// in units of their own, pitch, rate and volume, is left to them.
var words = map[string]string{
	"voice gender": "male female neutral", "emphasis level": "strong moderate none reduced",
	"break strength": "none x-weak weak medium strong x-strong", "break size": "none small medium large",
}

// within are the elements that must not stand within another: structure goes from
// paragraphs to sentences, and what is replaced has text only.
var within = map[string]string{
	"p": "p paragraph", "paragraph": "p paragraph", "s": "p paragraph s sentence", "sentence": "p paragraph s sentence",
}

// textOnly are the elements that hold no others but <value>.
var textOnly = []string{"say-as", "phoneme", "sub"}

// invalid says what is wrong with an element (SSML 1.0 chapter 3 and appendix D);
// empty when nothing is.
func invalid(n *xmltree.Node) string {
	if all := needed[n.Name]; all != nil && !slices.ContainsFunc(all, func(name string) bool { _, ok := n.Lookup(name); return ok }) {
		return "needs " + strings.Join(all, " or ")
	}
	for _, a := range n.Attrs {
		if wrong := invalidValue(n.Name, a); wrong != "" {
			return wrong
		}
	}
	for _, c := range n.Elements() {
		if slices.Contains(strings.Fields(within[n.Name]), c.Name) || slices.Contains(textOnly, n.Name) && c.Name != "value" && c.Name != "foreach" {
			return fmt.Sprintf("must not hold <%s>", c.Name)
		}
	}
	return ""
}

func invalidValue(element string, a xmltree.Attr) string {
	if list := words[element+" "+a.Name]; list != "" {
		if !slices.Contains(strings.Fields(list), a.Value) {
			return fmt.Sprintf("%s=%q is none of %s", a.Name, a.Value, list)
		}
		return ""
	}
	var err error
	switch element + " " + a.Name {
	case "break time", "prosody duration":
		_, err = property.ParseDuration(a.Value)
	case "voice age", "voice variant":
		_, err = strconv.ParseUint(strings.TrimPrefix(a.Value, "+"), 10, 32)
	}
	if err != nil {
		return fmt.Sprintf("%s: %v", a.Name, err)
	}
	return ""
}

// attr is the value of an attribute, or empty.
func (e *Element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}
