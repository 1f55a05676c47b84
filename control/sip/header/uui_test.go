package header

import (
	"reflect"
	"strings"
	"testing"
)

func TestUserToUser(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   []UUI
		text   []string
	}{
		{"of RFC 7433 section 4.1", []string{"56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar"},
			[]UUI{{"56a390f3d2b7310023a2", "foo", "hex"}}, []string{"56a390f3d2b7310023a2"}},
		{"text over the network", []string{"04416e6e;encoding=hex"}, []UUI{{"04416e6e", "", "hex"}}, []string{"Ann"}},
		{"of the users' own kind", []string{"00416E6E;Purpose=ISDN-UUI;Encoding=HEX"}, []UUI{{"00416E6E", "isdn-uui", "hex"}}, []string{"Ann"}},
		{"of another package", []string{"416e6e;encoding=hex;purpose=x"}, []UUI{{"416e6e", "x", "hex"}}, []string{"Ann"}},
		{"quoted", []string{`"a, b;c"`}, []UUI{{"a, b;c", "", ""}}, []string{"a, b;c"}},
		{"quoted digits", []string{`"04416e6e";encoding=hex`}, []UUI{{"04416e6e", "", "hex"}}, []string{"Ann"}},
		{"several", []string{"a,b;purpose=x", "c"}, []UUI{{"a", "", ""}, {"b", "x", ""}, {"c", "", ""}}, []string{"a", "b", "c"}},
		{"no digits", []string{"04xy;encoding=hex"}, []UUI{{"04xy", "", "hex"}}, []string{"04xy"}},
		{"nothing", []string{"", ";encoding=hex", `""`}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseUUI(tt.values)
			var text []string
			for _, u := range got {
				text = append(text, u.Text())
			}
			if !reflect.DeepEqual(got, tt.want) || !reflect.DeepEqual(text, tt.text) {
				t.Errorf("%+v %q", got, text)
			}
		})
	}
}

func TestTextUUI(t *testing.T) {
	if got := TextUUI("Ann"); got != "04416e6e;encoding=hex" {
		t.Error(got)
	}
	for _, text := range []string{"a b;c", `{"x":1}`, "Grüße"} {
		if got := ParseUUI([]string{TextUUI(text)}); len(got) != 1 || got[0].Text() != text {
			t.Errorf("%q comes back as %+v", text, got)
		}
	}
	if TextUUI("") != "" || TextUUI(strings.Repeat("x", 129)) != "" {
		t.Error("what cannot be carried is")
	}
}

func FuzzUUI(f *testing.F) {
	f.Add(`56a3;encoding=hex;purpose=foo, "x;y"`)
	f.Fuzz(func(t *testing.T, value string) {
		for _, u := range ParseUUI([]string{value}) {
			if u.Data == "" || len(u.Text()) > len(u.Data) {
				t.Errorf("%+v", u)
			}
		}
	})
}
