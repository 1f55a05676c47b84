// Package audiohook speaks version 2 of the public protocol of Genesys AudioHook, by
// which a far end listens, and Audio Connector, by which a bot talks: JSON messages
// and audio on one WebSocket, the client opening and closing each session.
package audiohook

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Version is the protocol's.
const Version = "2"

// MaxMessage bounds the JSON messages that are read, in octets; larger ones are
// answered with error 413.
const MaxMessage = 65535

// Message is the envelope of all messages. The client's carry ServerSeq and Position,
// the server's ClientSeq.
type Message struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"` // the session's UUID
	Type       string          `json:"type"`
	Seq        uint64          `json:"seq"`
	ServerSeq  *uint64         `json:"serverseq,omitempty"`
	ClientSeq  *uint64         `json:"clientseq,omitempty"`
	Position   Duration        `json:"position,omitempty"`
	Parameters json.RawMessage `json:"parameters"`
}

// Duration is a time as the protocol writes it: PT1.5S.
type Duration string

// FormatDuration writes a time.
func FormatDuration(d time.Duration) Duration {
	return Duration("PT" + strconv.FormatFloat(max(d, 0).Seconds(), 'f', -1, 64) + "S")
}

var durationText = regexp.MustCompile(`^PT(\d+\.?\d*|\.\d+)S$`)

// Time reads a time.
func (d Duration) Time() (time.Duration, error) {
	part := durationText.FindStringSubmatch(string(d))
	if part == nil {
		return 0, fmt.Errorf("%q is no duration", string(d))
	}
	seconds, err := strconv.ParseFloat(part[1], 64)
	if err != nil || seconds > 1e9 {
		return 0, fmt.Errorf("%q is no duration", string(d))
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// Media is a format of the audio. An offer lists several; who accepts answers with one.
type Media struct {
	Type     string   `json:"type"`   // audio
	Format   string   `json:"format"` // PCMU, or L16, which is little endian
	Channels []string `json:"channels"`
	Rate     int      `json:"rate"` // 8000
}

// Channels are whose audio it is.
const (
	External = "external" // the caller
	Internal = "internal" // the agent
)

// Open begins a session.
type Open struct {
	OrganizationID string            `json:"organizationId"`
	ConversationID string            `json:"conversationId"`
	Participant    Participant       `json:"participant"`
	Media          []Media           `json:"media"`
	Language       string            `json:"language,omitempty"`
	Continued      []Continued       `json:"continuedSessions,omitempty"`
	CustomConfig   map[string]string `json:"customConfig,omitempty"`
	InputVariables map[string]string `json:"inputVariables,omitempty"`
}

// Participant is the caller.
type Participant struct {
	ID      string `json:"id"`
	ANI     string `json:"ani"`
	ANIName string `json:"aniName"`
	DNIS    string `json:"dnis"`
}

// Continued is a session that goes on in a new one, and how far it came.
type Continued struct {
	ID        string `json:"id"`
	ServerSeq uint64 `json:"serverseq"`
	ClientSeq uint64 `json:"clientseq"`
}

// Opened accepts a session.
type Opened struct {
	Media       []Media  `json:"media"`
	DiscardTo   Duration `json:"discardTo,omitempty"`
	StartPaused bool     `json:"startPaused,omitempty"`
}

// Stretch is a part of the audio: of discarded and resumed.
type Stretch struct {
	Start     Duration `json:"start"`
	Discarded Duration `json:"discarded"`
}

// Failure is the client's or the server's error.
type Failure struct {
	Code       int      `json:"code"`
	Message    string   `json:"message"`
	RetryAfter Duration `json:"retryAfter,omitempty"`
}

// Disconnect asks the client to close.
type Disconnect struct {
	Reason          string            `json:"reason"` // completed, unauthorized or error
	Info            string            `json:"info,omitempty"`
	OutputVariables map[string]string `json:"outputVariables,omitempty"`
}

// Entities are what an event message carries.
type Entities struct {
	Entities []Entity `json:"entities"`
}

// Entity is one of them.
type Entity struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// TurnResponse is the data of a bot_turn_response.
type TurnResponse struct {
	Disposition string  `json:"disposition"` // no_input, no_match or match
	Text        string  `json:"text,omitempty"`
	Confidence  float64 `json:"confidence,omitempty"`
}

// Reason is a closing client's.
type Reason struct {
	Reason string `json:"reason"` // end, error, disconnect or reconnect
}

// ProtocolError is something in a message that the protocol forbids, with the code
// that it is answered with.
type ProtocolError struct {
	Code int
	Text string
}

func (e *ProtocolError) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Text) }

// Read reads a message and checks its envelope.
func Read(text []byte) (*Message, error) {
	if len(text) > MaxMessage {
		return nil, &ProtocolError{413, "message too large"}
	}
	m := &Message{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, &ProtocolError{400, "message is no JSON of a message: " + err.Error()}
	}
	switch {
	case m.Version != Version:
		return nil, &ProtocolError{400, fmt.Sprintf("version %q is not spoken", m.Version)}
	case m.Type == "" || m.ID == "" || m.Seq == 0:
		return nil, &ProtocolError{400, "message without type, id or seq"}
	}
	return m, nil
}

// parameters reads a message's parameters.
func (m *Message) parameters(into any) error {
	if len(m.Parameters) == 0 {
		return nil
	}
	if err := json.Unmarshal(m.Parameters, into); err != nil {
		return &ProtocolError{400, fmt.Sprintf("parameters of %s: %v", m.Type, err)}
	}
	return nil
}

// Entities reads what an event message carries.
func (m *Message) Entities() ([]Entity, error) {
	var all Entities
	err := m.parameters(&all)
	return all.Entities, err
}

// errClosed says that the session is over.
var errClosed = errors.New("session is closed")
