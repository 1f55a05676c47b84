package genesys

import (
	"reflect"
	"testing"

	"mcp/control/sip/header/headertest"
)

// The headers are as the product's Resource Manager sends them.
func TestRead(t *testing.T) {
	got := Read(headertest.Fields(
		"x-genesys-gvp-session-id", "A1B2-C3;gvp.rm.datanodes=2|1;gvp.rm.tenant-id=1.102_IVRAppDefault;gvp.rm.cti-call=1",
		"x-genesys-gvp-session-data", "callsession=A1B2-C3;2;1;;;;Environment/ccid;IVRAppDefault",
		"x-genesys-calluuid", "00QP5G2JDS",
		"x-genesys-rm-application-dbid", "105",
		"x-genesys-customer", "gold",
		"x-iscc-cofid", "location=x;cofid=9",
		"x-genesys-", "nameless",
		"x-other", "y",
	))
	want := Call{
		Session: "A1B2-C3", Tenant: "1.102_IVRAppDefault", CallUUID: "00QP5G2JDS", Profile: "105", DBID: "105",
		Transfer:    "location=x;cofid=9",
		SessionData: []string{"callsession=A1B2-C3", "2", "1", "", "", "", "Environment/ccid", "IVRAppDefault"},
		UserData:    map[string]string{"customer": "gold"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	chosen := Read(headertest.Fields("x-genesys-rm-application-dbid", "105", "x-genesys-gsw-ivr-profile-id", "117"))
	if chosen.Profile != "117" || chosen.DBID != "105" || chosen.UserData["gsw-ivr-profile-id"] != "117" {
		t.Errorf("with a profile of SIP Server's: %+v", chosen)
	}
	if got := Read(nil); !reflect.DeepEqual(got, Call{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestOverrides(t *testing.T) {
	taken, refused := Overrides(map[string]string{
		"gvp.config.vrm.nsssessionxml": "x", "GVP.config.fm.http_proxy": "evil:80", "gvp.config.vxmli.max_loop": "5",
		"gvp.config.vxmli.": "", "voicexml": "http://x",
	}, []string{"vrm.nsssessionxml", "vxmli.*"})
	if !reflect.DeepEqual(taken, map[string]string{"vrm.nsssessionxml": "x", "vxmli.max_loop": "5"}) ||
		!reflect.DeepEqual(refused, []string{"fm.http_proxy", "vxmli."}) {
		t.Errorf("taken %v, refused %v", taken, refused)
	}
}

// BenchmarkRead reads the headers of a call that comes without any of the product's.
func BenchmarkRead(b *testing.B) {
	plain := headertest.Fields(
		"Via", "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK-1", "From", "sipp <sip:sipp@192.0.2.1:5070>;tag=1",
		"To", "ivr <sip:ivr@192.0.2.2:5060>", "Call-ID", "1-1@192.0.2.1", "CSeq", "1 INVITE",
		"Contact", "sip:sipp@192.0.2.1:5070", "Max-Forwards", "70", "Subject", "a call",
		"Content-Type", "application/sdp", "Content-Length", "129",
	)
	b.ReportAllocs()
	for b.Loop() {
		Read(plain)
	}
}
