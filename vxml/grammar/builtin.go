package grammar

import (
	_ "embed"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mcp/vxml/xmltree"
)

// BuiltinScheme begins the URIs of builtin grammars.
const BuiltinScheme = "builtin:"

// Builtin writes the SRGS grammar that a builtin: URI stands for (VoiceXML 2.0
// appendix P), such as builtin:dtmf/digits?minlength=1;maxlength=3. Voice grammars
// are in English.
func Builtin(uri string) ([]byte, Mode, error) {
	rest, ok := strings.CutPrefix(uri, BuiltinScheme)
	if !ok {
		return nil, 0, &Error{URI: uri, Text: "is not a builtin: URI"}
	}
	rest = strings.TrimLeft(rest, "/")
	path, query, _ := strings.Cut(rest, "?")
	kind, name, _ := strings.Cut(path, "/")
	mode := Voice
	switch kind {
	case "dtmf":
		mode = DTMF
	case "grammar", "voice", "speech":
	default:
		return nil, 0, &Error{URI: uri, Unsupported: true, Text: fmt.Sprintf("unknown kind of builtin grammar %q", kind)}
	}
	b := builtin{uri: uri, mode: mode, params: builtinParams(query)}
	if mode == Voice && slices.Contains([]string{"number", "currency", "phone", "date", "time"}, name) {
		body, err := english(name)
		return body, mode, err
	}
	body, err := b.rules(name)
	if err != nil {
		return nil, 0, err
	}
	head := fmt.Sprintf(`<grammar xmlns=%q version="1.0" mode=%q root="root" tag-format="semantics/1.0"`, Namespace, mode)
	if mode == Voice {
		head += ` xml:lang="en-US"`
	}
	return []byte(head + ">" + body + "</grammar>"), mode, nil
}

//go:embed english.gram
var englishGrammar []byte

// english is the grammar of which the named rule is the root, in XML form, which
// every recognizer reads.
func english(name string) ([]byte, error) {
	root, err := ParseABNF(englishGrammar, "builtin:grammar/"+name)
	if err != nil {
		return nil, err
	}
	setAttr(root, "root", name)
	return []byte(xmltree.Write(root)), nil
}

type builtin struct {
	uri    string
	mode   Mode
	params map[string]string
}

// builtinParams splits minlength=1;maxlength=3, with & accepted for ;.
func builtinParams(query string) map[string]string {
	params := make(map[string]string)
	for _, p := range strings.FieldsFunc(query, func(r rune) bool { return r == ';' || r == '&' }) {
		k, v, _ := strings.Cut(p, "=")
		if plain, err := url.QueryUnescape(v); err == nil {
			v = plain
		}
		params[k] = v
	}
	return params
}

func (b builtin) rules(name string) (string, error) {
	writers := map[string]func() (string, error){
		"boolean": b.boolean, "digits": b.digits,
	}
	if b.mode == DTMF {
		writers["number"] = b.number
		writers["currency"] = b.currency
		writers["phone"] = b.phone
		writers["date"] = b.date
		writers["time"] = b.time
	}
	write := writers[name]
	if write == nil {
		return "", &Error{URI: b.uri, Unsupported: true, Text: fmt.Sprintf("no builtin %s grammar %q", b.mode, name)}
	}
	return write()
}

func (b builtin) boolean() (string, error) {
	yes, no := or(b.params["y"], "1"), or(b.params["n"], "2")
	if b.mode == DTMF {
		if !isKey(yes) || !isKey(no) || yes == no {
			return "", b.bad("y and n are two different keys")
		}
		return ruleText("root", oneOf(item(yes, "out=true"), item(no, "out=false"))), nil
	}
	return ruleText("root", oneOf(
		item("yes", "out=true"), item("yeah", "out=true"), item("true", "out=true"),
		item("no", "out=false"), item("nope", "out=false"), item("false", "out=false"))), nil
}

// bad is parameters that cannot be met.
func (b builtin) bad(text string) error { return &Error{URI: b.uri, Text: text, BadParams: true} }

// length is a parameter of digits, or otherwise when there is none.
func (b builtin) length(name string, least, otherwise int) (int, error) {
	text, ok := b.params[name]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > mostDigits {
		return 0, b.bad(fmt.Sprintf("%s=%q is not a length", name, text))
	}
	return n, nil
}

// mostDigits is how many digits a page may ask for.
const mostDigits = 1000

func (b builtin) digits() (string, error) {
	low, err := b.length("minlength", 0, 1)
	if err != nil {
		return "", err
	}
	high, err := b.length("maxlength", 1, -1)
	if err != nil {
		return "", err
	}
	exactly, err := b.length("length", 1, -1)
	switch {
	case err != nil:
		return "", err
	case high >= 0 && high < low:
		return "", b.bad("maxlength is less than minlength")
	case exactly >= 0 && (exactly < low || high >= 0 && exactly > high):
		return "", b.bad("length is not between minlength and maxlength")
	case exactly >= 0:
		low, high = exactly, exactly
	}
	repeat := fmt.Sprintf("%d-", low)
	if high >= 0 {
		repeat = fmt.Sprintf("%d-%d", low, high)
	}
	return ruleText("root", `<tag>out=""</tag>`+some(repeat)) + b.digit(), nil
}

// digit is the rule of one digit, spoken or pressed.
func (b builtin) digit() string {
	words := strings.Fields("zero one two three four five six seven eight nine")
	var items []string
	for i, w := range words {
		if b.mode == DTMF {
			w = strconv.Itoa(i)
		}
		items = append(items, item(w, fmt.Sprintf(`out="%d"`, i)))
	}
	if b.mode == Voice {
		items = append(items, item("oh", `out="0"`))
	}
	return ruleText("digit", oneOf(items...))
}

// number is digits with * as the decimal point.
func (b builtin) number() (string, error) {
	const fraction = `* <tag>out+="."</tag>`
	return ruleText("root", `<tag>out=""</tag>`+oneOf(
		"<item>"+some("1-")+optional(fraction+some("1-"))+"</item>",
		`<item><tag>out="0"</tag>`+fraction+some("1-")+"</item>")) + b.digit(), nil
}

// currency is an amount with two decimals, as its meaning always has.
func (b builtin) currency() (string, error) {
	return ruleText("root", `<tag>out=""</tag>`+some("1-")+oneOf(
		`<item><tag>out+=".00"</tag></item>`,
		`<item>* <tag>out+="."</tag>`+some("2")+"</item>")) + b.digit(), nil
}

// phone is digits with * for an extension.
func (b builtin) phone() (string, error) {
	return ruleText("root", `<tag>out=""</tag>`+some("1-")+
		optional(`* <tag>out+="x"</tag>`+some("1-"))) + b.digit(), nil
}

// date is yyyymmdd.
func (b builtin) date() (string, error) {
	var months []string
	for month, days := range []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31} {
		months = append(months, "<item>"+either(month+1, month+1)+either(1, days)+"</item>")
	}
	return ruleText("root", `<tag>out=""</tag>`+some("4")+oneOf(months...)) + b.digit(), nil
}

// time is hhmm on the 24-hour clock.
func (b builtin) time() (string, error) {
	return ruleText("root", `<tag>out=""</tag>`+either(0, 23)+either(0, 59)+
		`<tag>out+="h"</tag>`) + b.digit(), nil
}

// either lists the two-digit numbers from low to high.
func either(low, high int) string {
	var items []string
	for n := low; n <= high; n++ {
		items = append(items, item(fmt.Sprintf("%02d", n), fmt.Sprintf(`out+="%02d"`, n)))
	}
	return oneOf(items...)
}

func some(repeat string) string {
	return `<item repeat="` + repeat + `"><ruleref uri="#digit"/><tag>out+=rules.digit</tag></item>`
}

func optional(content string) string { return `<item repeat="0-1">` + content + `</item>` }

func item(text, tag string) string { return "<item>" + text + "<tag>" + tag + "</tag></item>" }

func oneOf(items ...string) string { return "<one-of>" + strings.Join(items, "") + "</one-of>" }

func ruleText(id, content string) string {
	return `<rule id="` + id + `" scope="public">` + content + "</rule>"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func isKey(s string) bool { return len(s) == 1 && strings.Contains("0123456789*#", s) }
