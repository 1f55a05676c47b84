package config

import (
	"slices"
	"testing"
	"time"
)

// changing is a configuration of which some may change.
type changing struct {
	Calls struct {
		Rate  int           `yaml:"rate" live:"true"`
		Drain time.Duration `yaml:"drain"`
	} `yaml:"calls"`
	Token   string            `yaml:"token" secret:"true"`
	Numbers map[string]string `yaml:"numbers" live:"true"`
	Engines map[string]struct {
		Secret string `yaml:"secret"`
	} `yaml:"engines"`
}

func TestChanges(t *testing.T) {
	from, to := &changing{}, &changing{}
	if got, err := Changes(from, to); err != nil || len(got) > 0 {
		t.Errorf("nothing changed: %v, %v", got, err)
	}
	to.Calls.Rate, to.Calls.Drain, to.Token = 5, time.Hour, "hush"
	to.Numbers = map[string]string{"1": "http://a/"}
	to.Engines = map[string]struct {
		Secret string `yaml:"secret"`
	}{"bot": {"hush"}}
	want := []Change{
		{"calls.rate", "0", "5", true}, {"calls.drain", "0s", "1h", false}, {"token", hidden, hidden, false},
		{"numbers", "map[]", "map[1:http://a/]", true}, {"engines", "0 of them", "1 of them", false},
	}
	if got, err := Changes(from, to); err != nil || !slices.Equal(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := Changes(from, &foreign{}); err == nil {
		t.Error("two kinds of configuration are compared")
	}
}
