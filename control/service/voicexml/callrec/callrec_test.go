package callrec

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		order      bool
		mediaType  string
		ignored    []string
		fails      bool
	}{
		{name: "as seen in the field", text: "enable callrec recsrc=mixed type=audio/wav;codec=ulaw; directory /var/rec absolute;",
			order: true, mediaType: "audio/wav;codec=ulaw", ignored: []string{"directory", "/var/rec", "absolute"}},
		{name: "the order alone", text: "\n enable callrec;", order: true, mediaType: "audio/wav;codec=alaw"},
		{name: "MP3", text: "enable callrec type=audio/mpeg;bitrate=16", order: true, mediaType: "audio/mpeg"},
		{name: "an unknown type", text: "enable callrec type=video/ogg", order: true, fails: true},
		{name: "an unknown source", text: "enable callrec recsrc=moon", order: true, fails: true},
		{name: "other texts", text: "the caller may enable callrec"},
		{name: "nothing", text: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok, err := Parse(tt.text)
			if ok != tt.order || (err != nil) != tt.fails {
				t.Fatalf("order %v, error %v", ok, err)
			}
			if ok && !tt.fails && (got.Format.MediaType() != tt.mediaType || !slices.Equal(got.Ignored, tt.ignored)) {
				t.Errorf("%s, ignoring %q", got.Format.MediaType(), got.Ignored)
			}
		})
	}
}
