package rtpengine

import (
	"reflect"
	"testing"
)

func TestBencode(t *testing.T) {
	command := map[string]any{"command": "offer", "direction": []string{"in", "on"}, "sdp": "v=0\r\n"}
	const wire = "d7:command5:offer9:directionl2:in2:one3:sdp5:v=0\r\ne"
	if got := encode(command); got != wire {
		t.Errorf("%q", got)
	}
	v, rest, err := decode(wire + "more")
	want := map[string]any{"command": "offer", "direction": []any{"in", "on"}, "sdp": "v=0\r\n"}
	if err != nil || rest != "more" || !reflect.DeepEqual(v, want) {
		t.Errorf("%v %q %v", v, rest, err)
	}
	if v, _, err := decode("d4:listli-3ei0eee"); err != nil || !reflect.DeepEqual(v, map[string]any{"list": []any{int64(-3), int64(0)}}) {
		t.Errorf("%v %v", v, err)
	}
	for _, bad := range []string{"", "i1", "ixe", "5:abc", "-1:a", "l", "d1:ae", "di1ei2ee", "99999999999999999999:a"} {
		if v, _, err := decode(bad); err == nil {
			t.Errorf("%q is %v", bad, v)
		}
	}
}
