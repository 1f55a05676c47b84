package mrcptest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocumentedParameters holds the server to the table in the documentation: how it
// answers SET-PARAMS with each header field of RFC 6787, for each resource.
func TestDocumentedParameters(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Parameters")
	table, _, _ := strings.Cut(rest, "\n## ")
	c := newClient(t, newServer(t, NewCanned(), Config{}))
	fields := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 5 || cells[0] == "Field" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		fields++
		for i, resource := range []string{synth, recog} {
			id := c.send("SET-PARAMS "+resource, "", cells[0], cells[1])
			m := c.expect(fmt.Sprintf("%d %s COMPLETE", id, cells[2+i]))
			if refused := m.Header.Has(cells[0]); refused != (cells[2+i] == "403") {
				t.Errorf("%s with %s: sent back %t", cells[0], resource, refused)
			}
		}
	}
	if fields < 70 {
		t.Errorf("%d fields in the table", fields)
	}
}

// TestDocumentedMethods holds the documentation to have every method of RFC 6787 for
// the resources that there are, and says so of those that are refused.
func TestDocumentedMethods(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Methods")
	table, _, _ := strings.Cut(rest, "\n## ")
	for _, method := range strings.Fields(`SET-PARAMS GET-PARAMS SPEAK STOP PAUSE RESUME BARGE-IN-OCCURRED CONTROL DEFINE-LEXICON
		DEFINE-GRAMMAR RECOGNIZE INTERPRET GET-RESULT START-INPUT-TIMERS RECOGNITION-START-TIMERS START-PHRASE-ENROLLMENT
		ENROLLMENT-ROLLBACK END-PHRASE-ENROLLMENT MODIFY-PHRASE DELETE-PHRASE RECORD START-SESSION END-SESSION QUERY-VOICEPRINT
		DELETE-VOICEPRINT VERIFY VERIFY-FROM-BUFFER VERIFY-ROLLBACK CLEAR-BUFFER GET-INTERMEDIATE-RESULT`) {
		if !strings.Contains(table, method) {
			t.Errorf("%s is not documented", method)
		}
	}
}
