package digits

import (
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, format, keys string
		want                  Verdict
	}{
		{"5", "", "5", Match},
		{"5", "", "6", No},
		{"xxxx#", "", "123", Partial},
		{"xxxx#", "", "1234#", Match},
		{"xxxx#", "", "123#", No},
		{"xxxx#", "", "", Partial},
		{"a", "", "A", Match},
		{"length=4", "", "123", Partial},
		{"length=4", "", "1234", Match},
		{"length=4;rtk=#", "", "1234", Enough},
		{"length=4;rtk=#", "", "1234#", Match},
		{"length=4;rtk=#", "", "12#", No},
		{"min=1;max=3;rtk=#", "", "1", Enough},
		{"min=1;max=3;rtk=#", "", "12#", Match},
		{"min=1;max=3;rtk=#", "", "#", No},
		{"min=1;max=3", "", "123", Match},
		{"min=1;max=3", "", "12", Enough},
		{"min=1;max=3", "", "1234", No},
		{"(0|00|[1-7]xxx|8xxxxxxx)", "mgcp", "0", Enough},
		{"(0|00|[1-7]xxx|8xxxxxxx)", "mgcp", "00", Match},
		{"(0|00|[1-7]xxx|8xxxxxxx)", "mgcp", "712", Partial},
		{"(0|00|[1-7]xxx|8xxxxxxx)", "mgcp", "7123", Match},
		{"(0|00|[1-7]xxx|8xxxxxxx)", "mgcp", "9", No},
		{"91x.#", "megaco", "91", Partial},
		{"91x.#", "megaco", "9155", Partial},
		{"91x.#", "megaco", "9155#", Match},
		{"x.", "megaco", "12", Enough},
	} {
		p, err := Compile(tt.pattern, tt.format)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if got := p.Judge(tt.keys); got != tt.want {
			t.Errorf("%s of %q is %d, want %d", tt.pattern, tt.keys, got, tt.want)
		}
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	for _, bad := range []string{"", "y", ".", "[1", "[]", "[z]", "length=x", "min=5;max=2", "length=999", "rtk=##;length=1", "size=3", "max=0;min=0"} {
		if p, err := Compile(bad, ""); err == nil {
			t.Errorf("%q is accepted: %+v", bad, p)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("xxxx#", "", "1234#")
	f.Add("(0|[1-7]x.)", "mgcp", "123")
	f.Add("min=1;max=9;rtk=#", "", "12#")
	f.Fuzz(func(t *testing.T, pattern, format, keys string) {
		p, err := Compile(pattern, format)
		if err != nil || len(keys) > 64 || len(pattern) > 128 {
			return
		}
		p.Judge(keys)
	})
}
