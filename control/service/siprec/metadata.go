package siprec

import (
	"encoding/base64"
	"encoding/xml"
	"time"

	"github.com/google/uuid"
)

// document is a recording's metadata (RFC 7865 section 9), always all of it.
type document struct {
	XMLName      xml.Name           `xml:"urn:ietf:params:xml:ns:recording:1 recording"`
	Mode         string             `xml:"datamode"`
	Group        group              `xml:"group"`
	Session      communication      `xml:"session"`
	Participants []participant      `xml:"participant"`
	Streams      []stream           `xml:"stream"`
	Recorded     period             `xml:"sessionrecordingassoc"`
	Presence     []period           `xml:"participantsessionassoc"`
	Voices       []participantVoice `xml:"participantstreamassoc"`
}

type group struct {
	ID    string `xml:"group_id,attr"`
	Since string `xml:"associate-time"`
}

// communication is the call that is recorded.
type communication struct {
	ID    string   `xml:"session_id,attr"`
	SIP   []string `xml:"sipSessionID"` // RFC 7989
	Group string   `xml:"group-ref"`
	Begun string   `xml:"start-time"`
	Call  callName `xml:"urn:mcp:recording call"`
}

// callName is how the call's record and log name it.
type callName struct {
	ID        string `xml:"id,attr"`
	SIPCallID string `xml:"sip-call-id,attr"`
}

type participant struct {
	ID   string `xml:"participant_id,attr"`
	Name nameID `xml:"nameID"`
}

type nameID struct {
	AOR string `xml:"aor,attr"`
}

type stream struct {
	ID      string `xml:"stream_id,attr"`
	Session string `xml:"session_id,attr"`
	Label   string `xml:"label"`
}

// period is for how long a session or a participant belongs to what is recorded.
type period struct {
	Participant string `xml:"participant_id,attr,omitempty"`
	Session     string `xml:"session_id,attr"`
	Since       string `xml:"associate-time"`
	Until       string `xml:"disassociate-time,omitempty"`
}

// participantVoice tells which streams a participant is in, and which it hears.
type participantVoice struct {
	Participant string   `xml:"participant_id,attr"`
	Send        []string `xml:"send"`
	Receive     []string `xml:"recv"`
	Since       string   `xml:"associate-time"`
	Until       string   `xml:"disassociate-time,omitempty"`
}

// person is somebody who takes part in a call.
type person struct {
	id           string
	aor          string
	caller       bool
	since, until time.Time // until is zero while it does
}

// The labels of the streams: what the caller says, and what it hears.
const (
	labelSaid  = "1"
	labelHeard = "2"
)

// facts are what the metadata is written of.
type facts struct {
	name    callName
	session string // its identifier, and those of the streams
	streams [2]string
	sip     []string
	begun   time.Time
	people  []*person
}

// newID makes an identifier (RFC 7865 section 6.10).
func newID() string { return encodeID(uuid.New()) }

func encodeID(id uuid.UUID) string { return base64.StdEncoding.EncodeToString(id[:]) }

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// snapshot writes everything that is known.
func (f *facts) snapshot() ([]byte, error) {
	begun := moment(f.begun)
	d := document{
		Mode: "complete", Group: group{f.session, begun},
		Session:  communication{ID: f.session, SIP: f.sip, Group: f.session, Begun: begun, Call: f.name},
		Streams:  []stream{{f.streams[0], f.session, labelSaid}, {f.streams[1], f.session, labelHeard}},
		Recorded: period{Session: f.session, Since: begun},
	}
	for _, p := range f.people {
		send, receive := f.streams[1], f.streams[0]
		if p.caller {
			send, receive = receive, send
		}
		since, until := moment(p.since), moment(p.until)
		d.Participants = append(d.Participants, participant{p.id, nameID{p.aor}})
		d.Presence = append(d.Presence, period{p.id, f.session, since, until})
		d.Voices = append(d.Voices, participantVoice{p.id, []string{send}, []string{receive}, since, until})
	}
	text, err := xml.MarshalIndent(d, "", " ")
	return append([]byte(xml.Header), text...), err
}
