package sipbench

import (
	"fmt"
	"strings"
	"time"

	"mcp/cmd/mcplab/sipbench/keypad"
)

// The application that the product's sizing guide calls VoiceXML_App1: 52 keys over
// 18 pages, of low complexity. The guide does not say how long its prompts are, nor
// how fast its callers press: these are quick, which is the harder case, since more
// happens in a second of each call.
const (
	profileCount  = 18
	profileKeys   = 52
	promptTime    = 900 * time.Millisecond
	listenTime    = time.Second            // from a page's beginning to its first key
	keyTime       = 200 * time.Millisecond // from key to key
	packetTime    = 20 * time.Millisecond
	profileShorts = 3*profileCount - profileKeys // pages that ask for two keys, and not three

	profilePackets = profileCount * int(promptTime/packetTime) // of prompts in a call
)

// pageKeys are the keys that a page wants, counted from one.
func pageKeys(page int) string {
	n := 3
	if page <= profileShorts {
		n = 2
	}
	var keys strings.Builder
	for i := range n {
		fmt.Fprint(&keys, (7*page+3*i)%10)
	}
	return keys.String()
}

// profilePresses are the keys of a call.
func profilePresses() []keypad.Press {
	var all []keypad.Press
	at := time.Duration(0)
	for page := 1; page <= profileCount; page++ {
		at += listenTime
		for _, key := range pageKeys(page) {
			all = append(all, keypad.Press{Key: byte(key), At: at})
			at += keyTime
		}
	}
	return all
}

// profileLength is about how long a call takes.
func profileLength() time.Duration {
	presses := profilePresses()
	return presses[len(presses)-1].At + keyTime
}

// A page takes its keys and leads to the next one; any other key, and none, lead to
// where the caller waits in vain.
const profilePage = `<?xml version="1.0"?>
<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml">
<property name="inputmodes" value="dtmf"/>
<form><field name="keys">
<grammar mode="dtmf" version="1.0" root="keys" xmlns="http://www.w3.org/2001/06/grammar">
<rule id="keys"><item repeat="%d"><ruleref uri="#key"/></item></rule>
<rule id="key"><one-of><item>0</item><item>1</item><item>2</item><item>3</item><item>4</item><item>5</item><item>6</item><item>7</item><item>8</item><item>9</item></one-of></rule>
</grammar>
<prompt timeout="10s"><audio src="prompt.wav"/></prompt>
<filled><if cond="keys.replace(/ /g, '') == '%s'">%s<else/><goto next="wrong.vxml"/></if></filled>
<catch event="noinput nomatch"><goto next="wrong.vxml"/></catch>
</field></form></vxml>`

const wrongPage = `<?xml version="1.0"?>
<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml">
<form><field name="nothing"><grammar src="builtin:dtmf/digits"/><prompt timeout="120s"/></field></form></vxml>`

// ProfilePages are the application's pages and its prompt, by path; the first page is
// /page1.vxml.
func ProfilePages() map[string][]byte {
	pages := map[string][]byte{"/wrong.vxml": []byte(wrongPage), "/prompt.wav": prompt(promptTime)}
	for page := 1; page <= profileCount; page++ {
		onward := fmt.Sprintf(`<goto next="page%d.vxml"/>`, page+1)
		if page == profileCount {
			onward = "<exit/>"
		}
		keys := pageKeys(page)
		pages[fmt.Sprintf("/page%d.vxml", page)] = fmt.Appendf(nil, profilePage, len(keys), keys, onward)
	}
	return pages
}
