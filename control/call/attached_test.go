package call

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/genesys"
	"mcp/control/sip/header/headertest"
)

// What the Resource Manager sends along is in the log and the record, and nothing
// that a caller may not set is set.
func TestAttached(t *testing.T) {
	var text bytes.Buffer
	s := &Server{config: Config{Overrides: []string{"property.*", "vrm.nsssessionxml"}}}
	headers := headertest.Fields(
		"x-genesys-calluuid", "U1", "x-genesys-gvp-session-data", "callsession=9;2",
		"x-genesys-customer", "Ann", "x-genesys-cs-password", "s3cret", "user-to-user", "0430303131;encoding=hex", "user-to-user", "x",
		"x-genesys-rm-application-dbid", "105", "x-iscc-cofid", "location=x;cofid=9",
	)
	got := s.attached(slog.New(slog.NewTextHandler(&text, nil)), genesys.Read(headers), headers, sip.URI{Params: map[string]string{
		"gvp.config.property.timeout": "17s", "gvp.config.VRM.NSSsessionXML": "file:///x", "gvp.config.log.level": "debug", "voicexml": "http://web", "dn": "7001",
	}})
	want := &reporting.Attached{
		CallUUID: "U1", SessionData: []string{"callsession=9", "2"}, UserData: map[string]string{"customer": "Ann"},
		UserToUser: []string{"0011", "x"}, Overrides: map[string]string{"property.timeout": "17s", "vrm.nsssessionxml": "file:///x"},
		DBID: "105", DN: "7001", CofID: "location=x;cofid=9",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for _, there := range []string{"options=[log.level]", "customer:Ann", "callsession=9", "property.timeout:17s", "0011", "dbid=105 dn=7001", "cofid=9"} {
		if !strings.Contains(text.String(), there) {
			t.Errorf("the log lacks %q: %s", there, text.String())
		}
	}
	if strings.Contains(text.String(), "s3cret") {
		t.Error("the log has the password")
	}
	if nothing := s.attached(slog.New(slog.DiscardHandler), genesys.Read(nil), nil, sip.URI{}); nothing != nil {
		t.Errorf("of a call with nothing: %+v", nothing)
	}
}

// Whatever came along is a reason to keep it.
func TestAttachedHolds(t *testing.T) {
	kind := reflect.TypeFor[reporting.Attached]()
	for i := range kind.NumField() {
		var a reporting.Attached
		switch field := reflect.ValueOf(&a).Elem().Field(i); field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		default:
			field.Set(reflect.ValueOf(map[string]string{"x": ""}))
		}
		if !holds(a) {
			t.Errorf("%s alone is nothing", kind.Field(i).Name)
		}
	}
	if holds(reporting.Attached{}) {
		t.Error("nothing is something")
	}
}

// What users tell each other is kept where the caller has no objection.
func TestUserToUserIsPrivate(t *testing.T) {
	for privacy, want := range map[string][]string{
		"": {"x"}, "none": {"x"}, "id": {"x"}, "history": {"x"}, "header": nil, "id; User;critical": nil,
	} {
		if got := userToUser(headertest.Fields("user-to-user", "x", "privacy", privacy)); !reflect.DeepEqual(got, want) {
			t.Errorf("Privacy %q: %q", privacy, got)
		}
	}
}

// A call has them from its INVITE to its record.
func TestOverridesReachServiceAndRecord(t *testing.T) {
	seen := make(chan map[string]string, 1)
	b := newBench(t, Config{Overrides: []string{"property.timeout"}}, &scripted{run: func(_ context.Context, c *Call) Ending {
		seen <- c.Overrides()
		return Ending{Cause: reporting.Completed}
	}})
	b.target = strings.Replace(b.target, ";transport", ";gvp.config.property.timeout=17s;gvp.config.a.b=c;transport", 1)
	if _, err := b.dial(offer()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"property.timeout": "17s"}
	if got := <-seen; !reflect.DeepEqual(got, want) {
		t.Errorf("the service sees %v", got)
	}
	if r := b.record(); r.Attached == nil || !reflect.DeepEqual(r.Attached.Overrides, want) {
		t.Errorf("the record has %+v", r.Attached)
	}
}

// What names a call to the product's other servers is in its record and in each line
// of its log.
func TestNamesOfTheCall(t *testing.T) {
	var text bytes.Buffer
	known := genesys.Read(headertest.Fields(genesys.SessionHeader, "A1B2;gvp.rm.datanodes=2|1", genesys.CallUUIDHeader, "U1"))
	slog.New(slog.NewTextHandler(&text, nil).WithAttrs(identifiers("id", "sip", known))).Info("x")
	if !strings.HasSuffix(text.String(), "call=id sip_call_id=sip gvp_session=A1B2 call_uuid=U1\n") {
		t.Errorf("the log has %s", text.String())
	}
	for _, tt := range []struct {
		name                     string
		headers                  map[string]string
		param                    string // of the Request-URI
		session, tenant, profile string
	}{
		{"Resource Manager", map[string]string{
			"X-Genesys-GVP-Session-ID": "A1B2;gvp.rm.datanodes=2|1;gvp.rm.tenant-id=1.102_IVR", "X-Genesys-RM-Application-dbid": "105", "gvp-tenant-id": "no",
		}, "", "A1B2", "1.102_IVR", "105"},
		{"SIP Server", map[string]string{"X-Genesys-gsw-ivr-profile-id": "117", "gvp-tenant-id": "7", "X-Genesys-RM-Application-dbid": "105"}, "", "", "7", "117"},
		{"neither", nil, ";gvp-tenant-id=8", "", "8", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, Config{}, &scripted{run: func(context.Context, *Call) Ending { return Ending{Cause: reporting.Completed} }})
			to := strings.Replace(b.target, ";transport", tt.param+";transport", 1)
			if _, err := b.caller.Invite(t.Context(), sip.Outgoing{To: to, Offer: offer(), Headers: tt.headers}); err != nil {
				t.Fatal(err)
			}
			if r := b.record(); r.Session != tt.session || r.Tenant != tt.tenant || r.Profile != tt.profile {
				t.Errorf("the record has session %q, tenant %q, profile %q", r.Session, r.Tenant, r.Profile)
			}
		})
	}
}
