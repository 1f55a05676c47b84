package ors

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// Treatment is what a caller is to be treated with next, as a session answers. It is
// an element of XML or an object of JSON with these attributes:
//
//	<treatment name="greeting" src="http://das/greeting.vxml"/>
//	{"treatment": "greeting", "src": "http://das/greeting.vxml"}
//	<treatment end="true"/>
//
// An empty answer says that there is none yet: the session is asked again.
type Treatment struct {
	// Name is told with the result.
	Name string
	// Src is the URL of the page, which is run as a subdialog: what it returns is the
	// result. Its parameters are in the URL.
	Src string
	// End ends the call.
	End bool
}

// ErrTreatment says that an answer is none.
var ErrTreatment = errors.New("the answer is no treatment")

// ParseTreatment reads an answer. None is false when there is a treatment.
func ParseTreatment(body []byte) (t Treatment, none bool, err error) {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return Treatment{}, true, nil
	case body[0] == '{':
		t, err = fromJSON(body)
	default:
		t, err = fromXML(body)
	}
	if err != nil {
		return Treatment{}, false, fmt.Errorf("%w: %w", ErrTreatment, err)
	}
	t.Src = strings.TrimSpace(t.Src)
	if !t.End && t.Src == "" {
		return Treatment{}, false, fmt.Errorf("%w: it has neither src nor end", ErrTreatment)
	}
	return t, false, nil
}

func fromJSON(body []byte) (Treatment, error) {
	var v struct {
		Name string `json:"treatment"`
		Src  string `json:"src"`
		End  bool   `json:"end"`
	}
	err := json.Unmarshal(body, &v)
	return Treatment{v.Name, v.Src, v.End}, err
}

func fromXML(body []byte) (Treatment, error) {
	var v struct {
		XMLName xml.Name `xml:"treatment"`
		Name    string   `xml:"name,attr"`
		Src     string   `xml:"src,attr"`
		End     bool     `xml:"end,attr"`
	}
	err := xml.Unmarshal(body, &v)
	return Treatment{v.Name, v.Src, v.End}, err
}

// document is the treatment for the page that runs treatments.
func (t Treatment) document(none bool) []byte {
	kind := "page"
	switch {
	case none:
		kind = "none"
	case t.End:
		kind = "end"
	}
	var b bytes.Buffer
	b.WriteString(`<treatment kind="` + kind + `" name="`)
	_ = xml.EscapeText(&b, []byte(t.Name)) // a buffer takes everything
	b.WriteString(`" src="`)
	_ = xml.EscapeText(&b, []byte(t.Src))
	b.WriteString(`"/>`)
	return b.Bytes()
}
