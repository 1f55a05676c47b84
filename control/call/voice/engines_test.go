package voice

import (
	"errors"
	"testing"

	"mcp/control/sip/header"
	"mcp/control/sip/header/headertest"
	"mcp/speech"
)

func TestApplicationsChooseTheirEngines(t *testing.T) {
	two := Engines{
		ByName:  map[string]Engine{"google": {}, "Nuance": {}},
		Aliases: map[string]string{"NuanceASRv2": "Nuance"}, ASR: "Nuance",
	}
	one := Engines{ByName: map[string]Engine{"mrcp": {}}}
	tests := []struct {
		name             string
		engines          Engines
		named, otherwise string
		want             string
	}{
		{"by its name", two, "google", two.ASR, "google"},
		{"whatever the letters' case", two, "GOOGLE", two.ASR, "google"},
		{"by an alias", two, "nuanceasrV2", two.ASR, "Nuance"},
		{"the default", two, "", two.ASR, "Nuance"},
		{"no default among two", two, "", two.TTS, ""},
		{"the only one", one, "", "", "mrcp"},
		{"one that is not there", one, "google", "", ""},
		{"none is there", Engines{}, "", "", ""},
	}
	for _, tt := range tests {
		name, _, err := tt.engines.Choose(tt.named, tt.otherwise)
		if name != tt.want || (err != nil) != (tt.want == "") || err != nil && !errors.Is(err, speech.ErrUnavailable) {
			t.Errorf("%s: %q, %v", tt.name, name, err)
		}
	}
}

func TestTenant(t *testing.T) {
	tests := []struct {
		headers header.Fields
		params  map[string]string
		want    string
	}{
		{nil, map[string]string{"gvp-tenant-id": "t1"}, "t1"},
		{headertest.Fields("gvp-tenant-id", "t2"), nil, "t2"},
		{headertest.Fields("x-genesys-gvp-session-id", "S1;gvp.rm.datanodes=1;gvp.rm.tenant-id=1.102_IVR"), nil, "1.102_IVR"},
		{nil, nil, ""},
	}
	for _, tt := range tests {
		if got := tenant(tt.headers, tt.params); got != tt.want {
			t.Errorf("%v %v: %q", tt.headers, tt.params, got)
		}
	}
}
