package route

import (
	"errors"
	"maps"
	"testing"
)

func TestSelect(t *testing.T) {
	table := Table{Numbers: map[string]string{
		"8001": "http://web/a.vxml",
		"8002": "annc;play=http://web/busy.wav;repeat=3",
		"8003": "conf=Room",
		"8014": "ors;src=http://web/app.scxml",
		"8015": "ORS",
		"8004": "msml",
	}}
	for _, tt := range []struct {
		name   string
		uri    URI
		want   Request
		status int
		reason string
	}{
		{name: "dialog", uri: URI{User: "dialog", Params: map[string]string{"voicexml": "http://web/b.vxml", "maxage": "3600"}},
			want: Request{Service: Dialog, Params: map[string]string{"voicexml": "http://web/b.vxml", "maxage": "3600"}}},
		{name: "dialog without a page", uri: URI{User: "dialog"}, want: Request{Service: Dialog}},
		{name: "case of the indicator", uri: URI{User: "DiaLog"}, want: Request{Service: Dialog}},
		{name: "keyword without a value", uri: URI{User: "dialog", Params: map[string]string{"voicexml": ""}},
			status: 400, reason: "Missing VXML Value"},
		{name: "other parameter without a value", uri: URI{User: "dialog", Params: map[string]string{"lr": ""}},
			want: Request{Service: Dialog, Params: map[string]string{"lr": ""}}},
		{name: "announcement", uri: URI{User: "annc", Params: map[string]string{"play": "http://web/a.wav"}},
			want: Request{Service: Announcement, Params: map[string]string{"play": "http://web/a.wav"}}},
		{name: "announcement of nothing", uri: URI{User: "annc"}, status: 400, reason: "Mandatory play parameter missing"},
		{name: "orchestration of the table", uri: URI{User: "8014", Params: map[string]string{"src": "http://evil/x.scxml", "a": "b"}}, want: Request{Service: ORS, Params: map[string]string{"src": "http://web/app.scxml", "a": "b"}}},
		{name: "a session that there is", uri: URI{User: "8015", Params: map[string]string{"src": "http://evil/x.scxml", "orssessionid": "s"}}, want: Request{Service: ORS, Params: map[string]string{"orssessionid": "s"}}},
		{name: "orchestration is nobody's to ask for", uri: URI{User: "ors", Params: map[string]string{"src": "http://evil/x.scxml"}}, want: Request{Service: Dialog, Params: map[string]string{"src": "http://evil/x.scxml"}}},
		{name: "conference", uri: URI{User: "conf=Sales"}, want: Request{Service: Conference, ID: "sales"}},
		{name: "conference without identifier", uri: URI{User: "conf"}, status: 404, reason: "Not Found"},
		{name: "msml as the Resource Manager asks", uri: URI{User: "msml=0a1b", Params: map[string]string{"dn": "7000", "record": "", "media-service": "record"}},
			want: Request{Service: MSML, ID: "0a1b", Params: map[string]string{"dn": "7000", "record": "", "media-service": "record"}}},
		{name: "msml", uri: URI{User: "msml"}, want: Request{Service: MSML}},
		{name: "recording", uri: URI{User: "record=77"}, want: Request{Service: Record, ID: "77"}},
		{name: "unknown service", uri: URI{User: "fax=1"}, status: 488, reason: "Not Acceptable Here"},
		{name: "number of an application", uri: URI{User: "8001", Params: map[string]string{"voicexml": "http://elsewhere/"}},
			want: Request{Service: Dialog, Params: map[string]string{"voicexml": "http://web/a.vxml"}}},
		{name: "number of an announcement", uri: URI{User: "8002", Params: map[string]string{"user": "phone"}},
			want: Request{Service: Announcement, Params: map[string]string{"user": "phone", "play": "http://web/busy.wav", "repeat": "3"}}},
		{name: "number of a conference", uri: URI{User: "8003"}, want: Request{Service: Conference, ID: "room", Params: map[string]string{}}},
		{name: "number of msml", uri: URI{User: "8004"}, want: Request{Service: MSML, Params: map[string]string{}}},
		{name: "number that nobody knows", uri: URI{User: "9999"}, want: Request{Service: Dialog}},
		{name: "no user", uri: URI{}, want: Request{Service: Dialog}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := table.Select(tt.uri)
			if tt.status != 0 {
				var refused *Error
				if !errors.As(err, &refused) || refused.Status != tt.status || refused.Reason != tt.reason {
					t.Fatalf("got %+v, %v; want %d %s", got, err, tt.status, tt.reason)
				}
				return
			}
			if err != nil || got.Service != tt.want.Service || got.ID != tt.want.ID || !maps.Equal(got.Params, tt.want.Params) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func FuzzSelect(f *testing.F) {
	f.Add("conf=a", "annc;play=http://web/a.wav")
	f.Add("x", "http://web/a.vxml;b=c")
	f.Fuzz(func(t *testing.T, user, target string) {
		table := Table{Numbers: map[string]string{user: target}}
		r, err := table.Select(URI{User: user, Params: map[string]string{"lr": ""}})
		if (err == nil) != (r.Service != "") {
			t.Errorf("%q: %+v, %v", user, r, err)
		}
	})
}
