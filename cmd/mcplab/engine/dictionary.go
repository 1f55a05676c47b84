package engine

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"mcp/cmd/mcplab/engine/srgs"
)

// phones are the sounds of the model, each also a word of the filler that
// speech outside a grammar is recognized as.
const phones = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"

// fillerPrefix marks the filler's words; no English word begins so.
const fillerPrefix = "xx"

func fillerWords() []string {
	var words []string
	for _, phone := range strings.Fields(phones) {
		words = append(words, fillerPrefix+strings.ToLower(phone))
	}
	return words
}

// writeDictionary writes to path the pronunciations of the words and of the
// filler: the decoder starts ten times faster than with the whole dictionary.
// A word without pronunciation is an error, since it could never be heard.
func writeDictionary(model, path string, words []string) error {
	missing := map[string]bool{}
	for _, w := range words {
		missing[w] = true
	}
	all, err := os.Open(filepath.Join(model, "cmudict-en-us.dict"))
	if err != nil {
		return err
	}
	defer all.Close()
	var out strings.Builder
	wanted := maps.Clone(missing)
	lines := bufio.NewScanner(all)
	for lines.Scan() {
		spelling, _, _ := strings.Cut(lines.Text(), " ")
		word, _, _ := strings.Cut(spelling, "(") // word(2) is another pronunciation
		if wanted[word] {
			delete(missing, word)
			fmt.Fprintln(&out, lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for _, w := range words {
		if missing[w] {
			return fmt.Errorf("%w: no pronunciation of %q", srgs.ErrUnsupported, w)
		}
	}
	for _, phone := range strings.Fields(phones) {
		fmt.Fprintln(&out, fillerPrefix+strings.ToLower(phone), phone)
	}
	return os.WriteFile(path, []byte(out.String()), 0o644)
}
