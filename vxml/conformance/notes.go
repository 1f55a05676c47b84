package conformance

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed notes.json
var notesText []byte

// notes is what is known of the tests of suites.
type notes map[string]map[string]note

// note is what is known of a test.
type note struct {
	Section  string // of the specification that the test names
	Excluded string // why it is not run, with the section that decides it; empty when it is
	Fails    string // why it is known to fail; empty when it passes
}

func readNotes() (notes, error) {
	var n notes
	if err := json.Unmarshal(notesText, &n); err != nil {
		return nil, fmt.Errorf("read the notes on tests: %w", err)
	}
	return n, nil
}

func (n notes) about(suite, id string) note { return n[suite][id] }

// section is the section of a test: what its note says or, for a suite whose
// tests are named for what they examine, what the note on its kind says.
func (n notes) section(suite, id string) string {
	if own := n.about(suite, id).Section; own != "" {
		return own
	}
	kind, _, _ := strings.Cut(strings.Split(id, ".")[0], "-")
	return n.about(suite, kind+"-*").Section
}
