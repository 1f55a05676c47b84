package xmltree

import "testing"

// The charset of a document's media type counts more than its declaration.
func TestLabelled(t *testing.T) {
	const declared = `<?xml version='1.0' encoding='UTF-8'?>`
	tests := []struct{ name, mediaType, text, want string }{
		{"nothing said", "application/voicexml+xml", "<a>\xc3\xa9</a>", "é"},
		{"Latin-1 by its label", "text/xml; charset=ISO-8859-1", "<a>\xe9</a>", "é"},
		{"whatever the document declares", `text/xml;charset="iso-8859-1"`, declared + "<a>\xe9</a>", "é"},
		{"UTF-8 by its label, whatever it declares", "text/xml; charset=utf-8", "<?xml version='1.0' encoding='ISO-8859-1' standalone='yes'?><a>\xc3\xa9</a>", "é"},
		{"a label that cannot be", "text/xml; charset=utf-8", "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", "é"},
		{"a byte order mark counts more", "text/xml; charset=iso-8859-1", "\xef\xbb\xbf<a>\xc3\xa9</a>", "é"},
		{"an encoding nobody knows", "text/xml; charset=rot13", "<a>\xc3\xa9</a>", "é"},
		{"Shift JIS", "text/xml; charset=Shift_JIS", "<a>\x82\xa0</a>", "あ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, err := Parse(Labelled([]byte(tt.text), tt.mediaType))
			if err != nil || root.Content() != tt.want {
				t.Errorf("%v, %v, want %q", root, err, tt.want)
			}
		})
	}
}
