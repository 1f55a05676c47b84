package demo

import (
	"fmt"
	"slices"
	"strings"

	"mcp/control/reporting"
)

// check is one thing that must be so.
type check struct {
	name   string
	ok     bool
	detail string // after the name, when there is more to say
}

// leastRelayed is how much of the speech must be relayed in the kernel, percent.
const leastRelayed = 99

// verdict judges one run.
type verdict struct {
	facts    *facts
	options  Options
	expected []string // sentences of the application
	heard    []utterance
}

func (v *verdict) checks() []check {
	return slices.Concat(v.speech(), v.stream(), v.relay(), v.end())
}

// speech compares what was said with what was heard, both ways.
func (v *verdict) speech() []check {
	f := v.facts
	var heard []string
	seconds, quiet := 0.0, 0
	for _, u := range v.heard {
		heard = append(heard, u.sentences...)
		seconds += u.Duration.Seconds()
		if u.Level < -40 {
			quiet++
		}
	}
	answer := strings.Fields(v.options.Answer)[0]
	return []check{
		{"the caller heard what the application said", len(heard) > 0 && slices.Equal(heard, v.expected), difference(v.expected, heard)},
		{"the speech that was heard lasts as long as that which was made", within(seconds, f.spokenMS/1000), fmt.Sprintf(": %.1f s of %.1f s", seconds, f.spokenMS/1000)},
		{"all of it is loud enough", quiet == 0, ""},
		{"the platform understood what the caller said", slices.Equal(f.understood, []string{v.options.Answer}), fmt.Sprintf(": %q", f.understood)},
		{"the platform took the keys that the caller pressed", f.digits == v.options.Digits, ": " + f.digits},
		{"the application read back the answer", v.readBack(answer), ""},
		{"the application read back the digits", v.readBack(sentencesOf(spaced(v.options.Digits))[0]), ""},
		{"more than one page was fetched", len(f.pages) > 1, fmt.Sprintf(": %d", len(f.pages))},
	}
}

// within allows for silence at the ends of speech and pauses inside it, which
// are made but not heard.
func within(heard, made float64) bool { return heard > 0.6*made && heard < 1.1*made }

func spaced(digits string) string { return strings.Join(strings.Split(digits, ""), " ") }

// readBack tells whether the caller heard a sentence that ends in the words.
func (v *verdict) readBack(words string) bool {
	return slices.ContainsFunc(v.heard, func(u utterance) bool {
		return slices.ContainsFunc(u.sentences, func(s string) bool { return strings.HasSuffix(s, " "+words) })
	})
}

func difference(want, got []string) string {
	if slices.Equal(want, got) {
		return fmt.Sprintf(": %d sentences", len(want))
	}
	return fmt.Sprintf(": said %q, heard %q", want, got)
}

// stream judges the RTP that the caller received.
func (v *verdict) stream() []check {
	r := v.facts.call.Received
	return []check{
		{"the caller received one SSRC", len(r.SSRCs) == 1, ""},
		{"a gapless sequence", r.Packets > 0 && r.Lost == 0 && r.Reordered == 0 && r.Duplicates == 0, fmt.Sprintf(": %d packets", r.Packets)},
		{"a monotonic timestamp", r.Packets > 0 && r.Backwards == 0, ""},
		{"and nothing else", r.Strays == 0 && r.OtherPayload == 0, ""},
	}
}

// relay judges the counters. With the socket plane, asked for by name, there is
// nothing in the kernel to judge.
func (v *verdict) relay() []check {
	f := v.facts
	checks := []check{v.nothingLost()}
	if f.plane == "socket" && v.options.Plane == "socket" {
		return checks
	}
	for _, d := range directions(f) {
		checks = append(checks, check{
			fmt.Sprintf("%s: at least %d %% relayed in the kernel", d.name, leastRelayed),
			d.all > 0 && d.percent() >= leastRelayed, fmt.Sprintf(": %.2f %%", d.percent()),
		})
	}
	return append(checks, check{"no leg is left in the kernel", f.legs == 0, fmt.Sprintf(": %d", f.legs)})
}

// nothingLost compares, for each stream, what was sent with what arrived at the
// other side.
func (v *verdict) nothingLost() check {
	f := v.facts
	var wrong []string
	equal := func(what string, sent, received uint64) {
		if sent != received {
			wrong = append(wrong, fmt.Sprintf("%s: %d sent, %d received", what, sent, received))
		}
	}
	var fromSpeech, toSpeech, speechSent, speechReceived uint64
	for _, l := range f.record.Media {
		if l.Received.Lost != 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d lost", l.Name, l.Received.Lost))
		}
		if l.Name != callerLeg {
			fromSpeech += l.Received.Packets
			toSpeech += l.Sent.Packets
		}
	}
	for _, s := range f.sessions {
		speechSent += s.sent
		speechReceived += s.received
	}
	equal("speech server to platform", speechSent, fromSpeech)
	equal("platform to speech server", toSpeech, speechReceived)
	if leg := legNamed(f.record, callerLeg); leg != nil {
		equal("platform to caller", leg.Sent.Packets, uint64(f.call.Received.Packets))
	}
	return check{"no packet was lost on any stream", len(wrong) == 0, strings.Join(append([]string{""}, wrong...), "; ")}
}

// end judges how it all came to an end.
func (v *verdict) end() []check {
	f, end := v.facts, v.facts.record.End
	return []check{
		{"the application ended the call", f.call.EndedBy == "platform" && end.By == reporting.Application && end.Error == "", fmt.Sprintf(": %s", end.Cause)},
		{"there is one record of it, of this call", f.records == 1 && f.record.SIPCallID == f.call.CallID, ""},
		{"no program had a complaint", len(f.problems) == 0, strings.Join(append([]string{""}, f.problems...), "; ")},
	}
}
