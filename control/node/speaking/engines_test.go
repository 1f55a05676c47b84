package speaking

import "testing"

func TestSection(t *testing.T) {
	mrcp := MRCP{URI: "sip:a@10.0.0.7"}
	tests := []struct {
		name   string
		config Config
		fine   bool
	}{
		{"nothing", Config{}, true},
		{"one", Config{MRCP: mrcp}, true},
		{"named and chosen", Config{ASR: "b", TTS: "mrcp", MRCP: mrcp, Engines: map[string]Engine{"b": {MRCP: mrcp}}}, true},
		{"chosen by an alias", Config{ASR: "NuanceASRv2", MRCP: mrcp, Aliases: map[string]string{"NuanceASRv2": "mrcp"}}, true},
		{"chosen and not there", Config{ASR: "google", MRCP: mrcp}, false},
		{"alias of nothing", Config{Aliases: map[string]string{"x": "mrcp"}}, false},
		{"of no kind", Config{Engines: map[string]Engine{"b": {}}}, false},
	}
	for _, tt := range tests {
		if err := tt.config.Validate(); (err == nil) != tt.fine {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
