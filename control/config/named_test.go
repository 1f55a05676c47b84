package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

type outside struct {
	Web  web            `yaml:"web"`
	Keys []string       `yaml:"keys" names:"file"`
	By   map[string]web `yaml:"by"`
}

type web struct {
	Listen string `yaml:"listen" names:"listener"`
	File   string `yaml:"file" names:"file"`
}

func TestWhatKeysNameIsFound(t *testing.T) {
	c := outside{Web: web{Listen: ":1", File: "a"}, Keys: []string{"b", "c"}, By: map[string]web{"x": {File: "d"}}}
	files, err := Names(&c, NamesFile)
	if want := []Named{{"web.file", "a"}, {"keys[0]", "b"}, {"keys[1]", "c"}, {"by.x.file", "d"}}; err != nil || !reflect.DeepEqual(files, want) {
		t.Errorf("files %v, %v", files, err)
	}
	listeners, err := Names(&c, NamesListener)
	if want := []Named{{"web.listen", ":1"}}; err != nil || !reflect.DeepEqual(listeners, want) {
		t.Errorf("listeners %v, %v", listeners, err)
	}
}

func TestWhatKeysNameIsChecked(t *testing.T) {
	dir := t.TempDir()
	there, file := filepath.Join(dir, "there"), filepath.Join(dir, "mcp.yaml")
	text := "keys:\n- " + there + "\n- " + dir + "\n- /nowhere\nweb:\n  listen: 8300\n  file: /nowhere/else\n"
	for path, content := range map[string]string{there: "", file: text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const advice = ": no such file or directory: put it there, or mend the path"
	listen := Fault{file + ":6", "web.listen", `"8300" is no address with a port, such as 127.0.0.1:8300`}
	if err := Load(&outside{}, Source{File: file}); !reflect.DeepEqual(err, Faults{listen}) {
		t.Errorf("without files: %v", err)
	}
	want := Faults{listen, {file + ":7", "web.file", "open /nowhere/else" + advice}, {file + ":4", "keys[2]", "open /nowhere" + advice}}
	if err := Load(&outside{}, Source{File: file, Files: true}); !reflect.DeepEqual(err, want) {
		t.Errorf("with files: %v", err)
	}
	for _, port := range []string{"x:http", "x:70000", "x", ":-1"} {
		if checkListener(port) == nil {
			t.Errorf("%s is an address", port)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{Least("max", 0, 0), ""},
		{Least("max", -1, 0), "max: -1 is below 0, the least"},
		{Above("time", time.Nanosecond, 0), ""},
		{Above("time", 0*time.Second, 0), "time: 0s is not above 0s"},
		{Within("cpu", 100, 0, 100), ""},
		{Within("cpu", 101, 0, 100), "cpu: 101 is not from 0 to 100"},
		{Within("cpu", -1, 0, 100), "cpu: -1 is not from 0 to 100"},
	} {
		got := ""
		if tt.err != nil {
			got = tt.err.Error()
		}
		if got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
