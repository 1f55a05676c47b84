package voicexml

import (
	"errors"
	"testing"

	"mcp/vxml"
)

// An utterance to be recorded in a format that nobody has is not listened to
// (recordutterancetype, VoiceXML 2.1 section 7).
func TestListenInAFormatNobodyHas(t *testing.T) {
	_, err := new(phone).Listen(t.Context(), vxml.ListenRequest{Record: true, RecordType: "audio/nobody"})
	var event *vxml.Event
	if !errors.As(err, &event) || event.Name != "error.unsupported.format" {
		t.Errorf("error %v", err)
	}
}
