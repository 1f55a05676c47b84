package doc

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp/control/media/record"
)

// Forever is what an iteration without end counts.
const Forever = math.MaxInt32

// words are the forms that are one of a few words.
var words = map[string][]string{
	"bool": {"true", "false", "1", "0"}, "when": {"nomedia", "nocontrol", "never"},
	"media": {"audio"}, "direction": {"to-id1", "from-id1"},
	"state": {"generate", "suspend", "create"}, "topology": {"parallel", "serial", "fullduplex"},
	"recording": {"start", "stop", "pause", "resume"}, "pattern": {"moml+digits", "mgcp", "megaco"},
	"variable": {"silence"},
	"until":    {"answer", "greeting", "beep"}, "profile": {"normal", "voice", "machine"},
	"gain": {"mute", "unmute"},
}

// beyond tells whether a value is one that RFC 5707 has and that is not supported. The form
// "no" is that of attributes which are not, and "off" that of features which are not.
func beyond(form, value string) bool {
	switch form {
	case "no":
		return true
	case "off":
		return value == "true" || value == "1"
	case "narrow":
		return value != "8000" && value != "8"
	case "mixrate":
		n, err := strconv.Atoi(value)
		return err == nil && n > 0 && n != 8000 && n != 16000
	case "media":
		return value == "video"
	case "variable":
		return slices.Contains([]string{"date", "digits", "duration", "month", "money", "number", "time", "weekday"}, value)
	}
	return false
}

// conforms tells whether a value has a form.
func conforms(form, value string) bool {
	switch form {
	case "", "narrow":
		return true
	case "off":
		return slices.Contains(words["bool"], value)
	case "threshold":
		n, err := strconv.Atoi(value)
		return err == nil && n >= -96 && n <= 0
	case "mixrate":
		return value == "8000" || value == "16000"
	case "time":
		_, ok := Time(value)
		return ok
	case "ms":
		_, err := strconv.ParseUint(strings.TrimSuffix(value, "ms"), 10, 20)
		return err == nil
	case "times":
		_, ok := Times(value)
		return ok
	case "number":
		_, err := strconv.ParseUint(value, 10, 31)
		return err == nil
	case "percent":
		n, err := strconv.ParseUint(value, 10, 8)
		return err == nil && n >= 1 && n <= 100
	case "keys":
		return value != "" && strings.Trim(strings.ToUpper(value), "0123456789*#ABCD") == ""
	case "address":
		return (strings.HasPrefix(value, "sip:") || strings.HasPrefix(value, "sips:")) && !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' })
	case "hertz":
		n, err := strconv.Atoi(strings.TrimSuffix(value, "Hz"))
		return err == nil && n >= 0 && n < 4000
	case "decibel":
		n, err := strconv.Atoi(value)
		return err == nil && n >= -96 && n <= 96
	case "format":
		_, err := RecordFormat(value)
		return err == nil
	}
	if form == "gain" {
		if n, err := strconv.Atoi(value); err == nil && n >= -96 && n <= 96 {
			return true
		}
	}
	return slices.Contains(words[form], value)
}

// Child is an element's first child of a name, nil if it has none.
func Child(n *Node, name string) *Node {
	for _, c := range n.Elements() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Time reads a duration such as 10s or 100ms; without a unit it is seconds.
func Time(value string) (time.Duration, bool) {
	unit := time.Second
	text, isMS := strings.CutSuffix(value, "ms")
	if isMS {
		unit = time.Millisecond
	} else {
		text = strings.TrimSuffix(value, "s")
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= 1e6) {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

// Times reads an iteration: a number, or forever.
func Times(value string) (int, bool) {
	if value == "forever" || value == "-1" {
		return Forever, true
	}
	n, err := strconv.ParseUint(value, 10, 31)
	return int(n), err == nil && n > 0
}

// TimeOf, TimesOf and BoolOf read an attribute that Parse has checked, or the
// default where it is not given.
func TimeOf(n *Node, name string, otherwise time.Duration) time.Duration {
	if d, ok := Time(n.Attr(name)); ok {
		return d
	}
	return otherwise
}

// TimesOf reads an iteration.
func TimesOf(n *Node, name string, otherwise int) int {
	if times, ok := Times(n.Attr(name)); ok {
		return times
	}
	return otherwise
}

// BoolOf reads a truth.
func BoolOf(n *Node, name string, otherwise bool) bool {
	switch n.Attr(name) {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	return otherwise
}

// RecordFormat reads the format of a recording: audio/wav;codecs=mulaw.
func RecordFormat(value string) (record.Format, error) {
	value = strings.Replace(strings.TrimSuffix(value, ";"), "codecs=", "codec=", 1)
	return record.ParseType(value)
}
