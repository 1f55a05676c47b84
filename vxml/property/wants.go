package property

import (
	"slices"
	"strings"
)

// kinds are the properties whose values not every text can be.
var kinds = map[string]kind{
	"timeout": duration, "interdigittimeout": duration, "termtimeout": duration, "completetimeout": duration,
	"incompletetimeout": duration, "maxspeechtimeout": duration, "fetchtimeout": duration, "fetchaudiodelay": duration,
	"fetchaudiominimum": duration,
	"confidencelevel":   share, "sensitivity": share, "speedvsaccuracy": share,
	"maxnbest": count,
	"bargein":  truth, "recordutterance": truth, "com.genesyslab.private": truth,
	"com.genesyslab.externalevents.enable": truth, "com.genesyslab.externalevents.queue": truth,
	"bargeintype": bargeInType, "inputmodes": inputModes, "termchar": key,
	"audiofetchhint": hint, "datafetchhint": hint, "documentfetchhint": hint, "grammarfetchhint": hint, "objectfetchhint": hint,
	"scriptfetchhint": hint,
}

// kind is what values a property has, and the words for it.
type kind struct {
	words string
	is    func(value string) bool
}

var (
	duration    = kind{"a time such as 5s or 200ms", readable(ParseDuration)}
	share       = kind{"a number from 0 to 1", readable(fraction)}
	count       = kind{"a number of at least 1", readable(positive)}
	truth       = kind{"true or false", oneOf("true", "false")}
	bargeInType = kind{"speech or hotword", oneOf("speech", "hotword")}
	hint        = kind{"prefetch or safe", oneOf("prefetch", "safe")}
	key         = kind{"one key, or nothing", func(value string) bool { return len(value) < 2 }}
	inputModes  = kind{"dtmf, voice or both", func(value string) bool {
		modes := strings.Fields(value)
		strange := func(mode string) bool { return mode != "dtmf" && mode != "voice" }
		return len(modes) > 0 && !slices.ContainsFunc(modes, strange)
	}}
)

func readable[T any](parse func(string) (T, error)) func(string) bool {
	return func(value string) bool {
		_, err := parse(value)
		return err == nil
	}
}

func oneOf(words ...string) func(string) bool {
	return func(value string) bool { return slices.Contains(words, value) }
}

// Wants says what a value of the property would be, and nothing where it is one.
func Wants(name, value string) string {
	if k, ok := kinds[name]; ok && !k.is(value) {
		return k.words
	}
	return ""
}
