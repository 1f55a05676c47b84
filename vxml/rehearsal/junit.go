package rehearsal

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// testsuite and its parts are the form of JUnit's reports that build servers read.
type testsuite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Cases    []testcase `xml:"testcase"`
}

type testcase struct {
	Name    string   `xml:"name,attr"`
	Time    string   `xml:"time,attr"`
	Failure *failure `xml:"failure,omitempty"`
	Output  string   `xml:"system-out"`
}

type failure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes results as a JUnit report.
func JUnit(w io.Writer, results []Result) error {
	suite := testsuite{Name: "vxml", Tests: len(results)}
	for _, r := range results {
		c := testcase{Name: r.Name, Time: fmt.Sprintf("%.3f", r.Took.Seconds()), Output: r.Transcript}
		if len(r.Faults) > 0 {
			suite.Failures++
			c.Failure = &failure{Message: r.Faults[0].Error(), Text: errors.Join(r.Faults...).Error()}
		}
		suite.Cases = append(suite.Cases, c)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
