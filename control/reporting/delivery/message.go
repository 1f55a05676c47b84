package delivery

import (
	"encoding/json"
	"fmt"
	"time"

	"mcp/control/reporting"
)

// Message is a record on its way to a broker: a persistent text message whose
// text is the record's JSON.
type Message struct {
	Destination string // a queue's name, or a topic's after topic://
	Kind        reporting.Kind
	ID          string // of the record
	Call        string // whose it is; "": of none
	// Properties let consumers select without reading the text. Names are Java
	// identifiers; values are string, int32 and int64.
	Properties map[string]any
	Time       time.Time
	Text       string
}

// envelope is what is read of a record to address it.
type envelope struct {
	reporting.Head
	Call    string         `json:"call"`
	Name    string         `json:"name"`
	End     *reporting.End `json:"end"`
	Started time.Time      `json:"started_at"`
	Ended   time.Time      `json:"ended_at"`
	At      time.Time      `json:"at"`
	To      time.Time      `json:"to"`
	Parties struct {
		DNIS string `json:"dnis"`
		ANI  string `json:"ani"`
	} `json:"parties"`
}

// made is when the record was complete.
func (e *envelope) made() time.Time {
	for _, t := range []time.Time{e.Ended, e.At, e.To} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// messageOf addresses a record.
func (c *Config) messageOf(record []byte) (Message, error) {
	var e envelope
	if err := json.Unmarshal(record, &e); err != nil {
		return Message{}, fmt.Errorf("address record: %w", err)
	}
	if e.Kind == "" { // records had no kind once
		e.Kind = reporting.KindCall
	}
	if e.Kind == reporting.KindCall {
		e.Call = e.ID
	}
	m := Message{Destination: c.queueOf(e.Kind), Kind: e.Kind, ID: e.ID, Call: e.Call, Time: e.made(), Text: string(record)}
	m.Properties = e.properties()
	return m, nil
}

func (c *Config) queueOf(kind reporting.Kind) string {
	if q := c.Queues[string(kind)]; q != "" {
		return q
	}
	return c.Queue
}

// properties are those that say something of this record.
func (e *envelope) properties() map[string]any {
	p := map[string]any{"schema": int32(e.Schema), "kind": string(e.Kind), "recordId": e.ID}
	for name, value := range map[string]string{
		"callId": e.Call, "component": e.Component, "tenant": e.Tenant, "profile": e.Profile, "sessionId": e.Session,
		"application": e.Application, "label": e.Name, "dnis": e.Parties.DNIS, "ani": e.Parties.ANI,
	} {
		if value != "" {
			p[name] = value
		}
	}
	if e.End != nil {
		p["cause"], p["endedBy"] = string(e.End.Cause), string(e.End.By)
	}
	if !e.Started.IsZero() {
		p["startedAt"] = e.Started.UnixMilli()
	}
	if !e.Ended.IsZero() {
		p["endedAt"] = e.Ended.UnixMilli()
	}
	return p
}
