package xmltree

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// attacks finds the folder of attack suites, which stays where it is: beside the
// module or where SUITES_SEC says.
func attacks(t *testing.T, name string) string {
	t.Helper()
	for _, top := range []string{os.Getenv("SUITES_SEC"), "../../../shared/suites-sec"} {
		found := filepath.Join(top, name)
		if _, err := os.Stat(found); top != "" && err == nil {
			return found
		}
	}
	t.Skip("the suite " + name + " is not there")
	return ""
}

// archive reads the W3C's XML conformance suite.
func archive(t *testing.T) map[string][]byte {
	t.Helper()
	f, err := os.Open(attacks(t, "xmlconf.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	testPattern = regexp.MustCompile(`(?s)<TEST\s+([^>]*?)>`)
	attrPattern = regexp.MustCompile(`(\w+)\s*=\s*["']([^"']*)["']`)
)

// documents are the test documents of the catalogues by kind, for XML 1.0.
func documents(files map[string][]byte) map[string][]string {
	out := make(map[string][]string)
	for name, text := range files {
		if path.Ext(name) != ".xml" || !strings.Contains(string(text), "<TEST ") && !strings.Contains(string(text), "<TEST\n") {
			continue
		}
		for _, m := range testPattern.FindAllStringSubmatch(string(text), -1) {
			attrs := make(map[string]string)
			for _, a := range attrPattern.FindAllStringSubmatch(m[1], -1) {
				attrs[a[1]] = a[2]
			}
			if strings.Contains(attrs["RECOMMENDATION"], "1.1") || attrs["VERSION"] == "1.1" {
				continue
			}
			file := path.Join(path.Dir(name), attrs["URI"])
			if _, ok := files[file]; ok {
				out[attrs["TYPE"]] = append(out[attrs["TYPE"]], file)
			}
		}
	}
	return out
}

// Every document that is not well-formed is refused, but for those that only an
// external subset makes so: it is never read. Every valid one is accepted that
// needs no document type.
func TestXMLConf(t *testing.T) {
	files := archive(t)
	docs := documents(files)
	if len(docs["not-wf"]) < 1000 || len(docs["valid"]) < 500 {
		t.Fatalf("the catalogues list %d and %d documents", len(docs["not-wf"]), len(docs["valid"]))
	}
	external := 0
	for _, name := range docs["not-wf"] {
		if _, err := Parse(files[name]); err != nil {
			continue
		}
		if !outside.Match(files[name]) {
			t.Errorf("%s is accepted: %.200q", name, files[name])
		}
		external++
	}
	t.Logf("%d documents, of which %d name an external subset that is wrong and not read", len(docs["not-wf"]), external)
	for _, name := range docs["valid"] {
		_, err := Parse(files[name])
		if err != nil && !strings.Contains(string(files[name]), "<!DOCTYPE") && !strings.Contains(string(files[name]), "<\x00!\x00D") {
			t.Errorf("%s is refused: %v", name, err)
		}
	}
}

var outside = regexp.MustCompile(`<!DOCTYPE\s+\w+\s+(?:SYSTEM|PUBLIC)\s`)

// allocated is what parsing takes from the heap, in bytes.
func allocated(data []byte) (uint64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Parse(data)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

// Documents made to exhaust are refused before they do.
func TestBombs(t *testing.T) {
	for name, wrong := range map[string]bool{
		"cyclic.xml": true, "quadratic.xml": true, "xmlbomb.xml": true, "xmlbomb2.xml": true, "dtd.xml": false,
		"dtd_element.xml": true, "external.xml": true, "external_file.xml": true, "simple.xml": false, "simple-ns.xml": false,
	} {
		text, err := os.ReadFile(filepath.Join(attacks(t, "defusedxml"), name))
		if err != nil {
			t.Fatal(err)
		}
		used, err := allocated(text)
		if (err != nil) != wrong {
			t.Errorf("%s: %v", name, err)
		}
		if used > 16<<20 {
			t.Errorf("%s takes %d bytes", name, used)
		}
	}
}

// What is deep, long or endless is refused at a bound, and what is within it costs
// in proportion (FACTS: depth 100,000, ten million attributes, a gigabyte of text).
func TestShapes(t *testing.T) {
	many := func(text string, n int) string { return strings.Repeat(text, n) }
	for name, tt := range map[string]struct {
		text string
		ok   bool
	}{
		"deep":                 {many("<a>", 100000), false},
		"as deep as may be":    {many("<a>", MaxDepth) + many("</a>", MaxDepth), true},
		"attributes":           {"<a " + many(`b="" `, 100000) + "/>", false},
		"different attributes": {"<a " + strings.Join(strings.Split(many("x", 300), ""), `y="" `) + `="" />`, false},
		"large":                {"<a>" + many("x", MaxSize) + "</a>", false},
		"text in pieces":       {"<a>" + many("x<!---->", 100000) + "</a>", true},
		"sections":             {"<a>" + many("<![CDATA[x]]>", 70000) + "</a>", true},
		"siblings":             {"<a>" + many("<b/>", MaxElements-1) + "</a>", true},
		"too many siblings":    {"<a>" + many("<b/>", 200000) + "</a>", false},
		"namespaces":           {"<a " + many(`xmlns:b="u" `, 50000) + "/>", false},
		"comment":              {"<!--" + many("x", MaxSize/2) + "--><a/>", true},
		"never closed":         {"<a b='" + many("x", MaxSize/2), false},
	} {
		used, err := allocated([]byte(tt.text))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		if used > 64<<20 {
			t.Errorf("%s takes %d bytes", name, used)
		}
	}
}

// Documents come in many encodings, and say which.
func TestEncodings(t *testing.T) {
	wide := func(text string, big bool) []byte {
		out := []byte{0xff, 0xfe}
		if big {
			out = []byte{0xfe, 0xff}
		}
		for _, r := range text {
			low, high := byte(r), byte(r>>8)
			if big {
				low, high = high, low
			}
			out = append(out, low, high)
		}
		return out
	}
	for name, text := range map[string][]byte{
		"UTF-8": []byte("<a>\u00e9</a>"), "UTF-8 with a mark": []byte("\ufeff<?xml version='1.0' encoding='UTF-8'?><a>\u00e9</a>"),
		"Latin 1": []byte("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>"), "Windows": []byte("<?xml version='1.0' encoding='windows-1252'?><a>\xe9</a>"),
		"UTF-16": wide("<?xml version='1.0' encoding='UTF-16'?><a>\u00e9</a>", true), "UTF-16, small end first": wide("<a>\u00e9</a>", false),
	} {
		n, err := Parse(text)
		if err != nil || n.Content() != "\u00e9" {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
	for name, text := range map[string][]byte{
		"unknown": []byte("<?xml version='1.0' encoding='klingon'?><a/>"), "not what it says": []byte("\ufeff<?xml version='1.0' encoding='ISO-8859-1'?><a/>"),
		"not UTF-8": []byte("<a>\xe9</a>"),
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
