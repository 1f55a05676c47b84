package srgs

import (
	"fmt"
	"strings"
)

const booleanGrammar = `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en" root="boolean" tag-format="semantics/1.0-literals">
<rule id="boolean"><one-of>
 <item>yes <tag>true</tag></item><item>yes please <tag>true</tag></item><item>correct <tag>true</tag></item>
 <item>no <tag>false</tag></item><item>no thanks <tag>false</tag></item><item>wrong <tag>false</tag></item>
</one-of></rule></grammar>`

const digitsGrammar = `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en" root="digits" tag-format="semantics/1.0">
<rule id="digits"><tag>out = ""</tag><item repeat="1-16"><ruleref uri="#digit"/><tag>out += rules.digit</tag></item></rule>
<rule id="digit"><one-of>
 <item>zero <tag>out = "0"</tag></item><item>oh <tag>out = "0"</tag></item><item>one <tag>out = "1"</tag></item>
 <item>two <tag>out = "2"</tag></item><item>three <tag>out = "3"</tag></item><item>four <tag>out = "4"</tag></item>
 <item>five <tag>out = "5"</tag></item><item>six <tag>out = "6"</tag></item><item>seven <tag>out = "7"</tag></item>
 <item>eight <tag>out = "8"</tag></item><item>nine <tag>out = "9"</tag></item>
</one-of></rule></grammar>`

// Builtin returns the grammar of a builtin URI of VoiceXML 2.0 appendix P, such
// as builtin:grammar/boolean. Only boolean and digits are there, in English.
func Builtin(uri string) (*Grammar, error) {
	name := strings.TrimPrefix(uri, "builtin:")
	name = strings.TrimPrefix(name, "grammar/")
	name, _, parameters := strings.Cut(name, "?")
	switch {
	case name == "boolean" && !parameters:
		return Parse([]byte(booleanGrammar))
	case name == "digits" && !parameters:
		return Parse([]byte(digitsGrammar))
	}
	return nil, fmt.Errorf("%w: %s", ErrUnsupported, uri)
}
