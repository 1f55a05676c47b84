package node

import (
	"strings"
	"testing"
	"time"
)

func TestOutboundSection(t *testing.T) {
	for _, tt := range []struct {
		listen, token string
		fine          bool
	}{
		{"", "", true}, {"127.0.0.1:8310", "", true}, {"[::1]:8310", "", true}, {"localhost:8310", "", true},
		{"0.0.0.0:8310", "", false}, {":8310", "", false}, {"10.0.0.1:8310", "", false}, {"0.0.0.0:8310", "secret", true},
	} {
		o := Outbound{Listen: tt.listen, Token: tt.token, Timeout: time.Second}
		if err := o.Validate(); (err == nil) != tt.fine {
			t.Errorf("%s with token %q: %v", tt.listen, tt.token, err)
		}
	}
	if err := (Outbound{Timeout: time.Second, Allow: []string{"*.example.com", "10.0.0.*"}}).Validate(); err == nil || !strings.Contains(err.Error(), `allow: "10.0.0.*" is no destination`) {
		t.Errorf("allow: %v", err)
	}
}
