package siprec

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// known are facts with somebody who has left.
func known() *facts {
	begun := time.Date(2016, 5, 1, 12, 0, 0, 5e6, time.UTC)
	return &facts{
		name: callName{"0190", `a"<b>@c`}, session: newID(), streams: [2]string{newID(), newID()},
		sip: []string{"ab30317f1a784dc48ff824d0d3715d86"}, begun: begun,
		people: []*person{
			{id: newID(), aor: "sip:alice@example.com", caller: true, since: begun},
			{id: newID(), aor: "sip:ivr@example.com", since: begun},
			{id: newID(), aor: "sip:bob@example.com;transport=tcp", since: begun.Add(time.Second), until: begun.Add(time.Minute)},
		},
	}
}

func TestSnapshot(t *testing.T) {
	f := known()
	text, err := f.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := xml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Mode != "complete" || d.Session.ID != f.session || d.Session.Begun != "2016-05-01T12:00:00.005Z" || d.Session.Call != f.name {
		t.Errorf("%+v", d)
	}
	if len(d.Participants) != 3 || len(d.Streams) != 2 || d.Streams[0].Label != "1" || d.Recorded.Participant != "" {
		t.Errorf("%+v", d)
	}
	caller, bob := d.Voices[0], d.Voices[2]
	if caller.Send[0] != f.streams[0] || caller.Receive[0] != f.streams[1] || bob.Send[0] != f.streams[1] || bob.Until != "2016-05-01T12:01:00.005Z" || caller.Until != "" {
		t.Errorf("voices %+v", d.Voices)
	}
}

// The metadata is what RFC 7865's schema says, which is in testdata as section 9 has
// it, but for where the attribute xml:lang comes from.
func TestMetadataIsValid(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	schema, err := os.ReadFile("testdata/recording.xsd")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	xsd, document := filepath.Join(dir, "recording.xsd"), filepath.Join(dir, "metadata.xml")
	valid, err := known().snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		xsd: string(schema), filepath.Join(dir, "xml.xsd"): `<xs:schema targetNamespace="http://www.w3.org/XML/1998/namespace"
			xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:attribute name="lang" type="xs:language"/></xs:schema>`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		what string
		text string
		fine bool
	}{
		{"as it is", string(valid), true},
		{"without a session's identifier", strings.Replace(string(valid), "session_id=", "session=", 1), false},
		{"with participants before the session", strings.Replace(string(valid), "<participant ", "<session session_id=\"aaaa\"/><participant ", 1), true},
		{"with an unknown element", strings.Replace(string(valid), "<label>", "<labels/><label>", 1), false},
	} {
		if err := os.WriteFile(document, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(xmllint, "--nonet", "--noout", "--schema", xsd, document).CombinedOutput()
		if (err == nil) != tt.fine {
			t.Errorf("%s: %v\n%s", tt.what, err, out)
		}
	}
}
