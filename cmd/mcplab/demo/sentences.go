package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/cmd/mcplab/engine"
	"mcp/cmd/mcplab/engine/srgs"
)

// digitWords are how digits are spoken.
var digitWords = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}

// sentencesOf cuts a text into sentences of plain lower-case words, as they are
// spoken.
func sentencesOf(text string) []string {
	var sentences []string
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".?!", r) }) {
		var words []string
		for _, word := range strings.Fields(strings.ToLower(s)) {
			word = strings.Trim(word, `,;:"`)
			if _, err := strconv.Atoi(word); err == nil {
				for _, digit := range word {
					words = append(words, digitWords[digit-'0'])
				}
				continue
			}
			if word != "" {
				words = append(words, word)
			}
		}
		if len(words) > 0 {
			sentences = append(sentences, strings.Join(words, " "))
		}
	}
	return sentences
}

// decoysOf are sentences that are not expected: some that the application could
// say, and the expected ones with another department, other digits or other
// words at either end. A recognizer that can only hear what is expected proves
// nothing.
func decoysOf(expected []string) []string {
	decoys := []string{
		"i did not hear anything", "i did not understand", "please hold the line",
		"all our agents are busy", "please enter your account number",
	}
	departments := []string{"sales", "support", "billing"}
	for _, sentence := range expected {
		words := strings.Fields(sentence)
		for i, word := range words {
			for _, class := range [][]string{departments, digitWords} {
				at := slices.Index(class, word)
				if at < 0 {
					continue
				}
				for other := 1; other < len(class); other += 2 {
					changed := slices.Clone(words)
					changed[i] = class[(at+other)%len(class)]
					decoys = append(decoys, strings.Join(changed, " "))
				}
			}
		}
		if len(words) > 2 {
			decoys = append(decoys, strings.Join(words[:len(words)-1], " "), strings.Join(words[1:], " "))
		}
	}
	return slices.DeleteFunc(decoys, func(d string) bool { return slices.Contains(expected, d) })
}

// grammarOf accepts any sequence of the sentences; what it means are their
// numbers.
func grammarOf(sentences []string) (*srgs.Grammar, error) {
	var b strings.Builder
	b.WriteString(`<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" root="heard" tag-format="semantics/1.0">
<rule id="heard"><item repeat="1-"><ruleref uri="#sentence"/><tag>out += rules.sentence</tag></item></rule>
<rule id="sentence"><one-of>`)
	for i, sentence := range sentences {
		fmt.Fprintf(&b, "<item>%s <tag>out = '%d '</tag></item>\n", sentence, i)
	}
	b.WriteString("</one-of></rule></grammar>")
	return srgs.Parse([]byte(b.String()))
}

// utterance is a stretch of what the caller heard, and what was in it.
type utterance struct {
	caller.Segment
	sentences []string
}

// pauseBetween is the silence at which what was heard is cut for the
// recognizer; within sentences voices pause for less.
const pauseBetween = 450 * time.Millisecond

// transcribe finds out what the caller heard.
func transcribe(ctx context.Context, e *engine.Engine, heard []int16, expected []string) ([]utterance, error) {
	sentences := slices.Concat(expected, decoysOf(expected))
	grammar, err := grammarOf(sentences)
	if err != nil {
		return nil, fmt.Errorf("grammar of what was said: %w", err)
	}
	var utterances []utterance
	for _, segment := range caller.Segments(heard, pauseBetween, 100*time.Millisecond) {
		numbers, err := agree(ctx, e, grammar, heard, segment)
		if err != nil {
			return nil, err
		}
		u := utterance{Segment: segment}
		for _, number := range strings.Fields(numbers) {
			i, err := strconv.Atoi(number)
			if err != nil {
				return nil, fmt.Errorf("number of a sentence: %w", err)
			}
			u.sentences = append(u.sentences, sentences[i])
		}
		utterances = append(utterances, u)
	}
	return utterances, nil
}

// margins are how much of what is around a segment the decoder gets. How its
// frames fall on the audio can change what it hears, so it listens until two
// hearings agree.
var margins = []time.Duration{100 * time.Millisecond, 105 * time.Millisecond, 113 * time.Millisecond, 91 * time.Millisecond, 97 * time.Millisecond}

// agree returns the sentences that two hearings of a segment agree on, as the
// grammar numbers them; nothing when none do.
func agree(ctx context.Context, e *engine.Engine, g *srgs.Grammar, heard []int16, s caller.Segment) (string, error) {
	votes := map[string]int{}
	for _, margin := range margins {
		result, err := e.Nearest(ctx, []*srgs.Grammar{g}, cut(heard, s, margin))
		if errors.Is(err, engine.ErrNoMatch) {
			continue
		}
		if err != nil {
			return "", err
		}
		numbers := fmt.Sprint(result.Meaning)
		if votes[numbers]++; votes[numbers] == 2 {
			return numbers, nil
		}
	}
	return "", nil
}

// cut takes a segment with a little of what is around it.
func cut(audio []int16, s caller.Segment, margin time.Duration) []int16 {
	sample := func(at time.Duration) int {
		return min(max(int(at*engine.Rate/time.Second), 0), len(audio))
	}
	return audio[sample(s.Start-margin):sample(s.End()+margin)]
}
