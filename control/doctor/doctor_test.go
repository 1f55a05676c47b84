package doctor

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/certs/certstest"
)

func TestFarEnds(t *testing.T) {
	for text, want := range map[string]struct {
		address       string
		secure, found bool
	}{
		"https://web.example/main.vxml":              {"web.example:443", true, true},
		"http://[2001:db8::1]:8080/x?y=z":            {"[2001:db8::1]:8080", false, true},
		"sip:mresources@10.0.0.7:5060;transport=tcp": {"10.0.0.7:5060", false, true},
		"sip:rm.example;lr;transport=TCP":            {"rm.example:5060", false, true},
		"sip:rm.example;transport=tls":               {"rm.example:5060", true, true},
		"sips:rm.example":                            {"rm.example:5061", true, true},
		"sip:10.0.0.7":                               {}, // UDP answers nobody who says nothing
		"rtsp://10.0.0.7/media/recognizer":           {"10.0.0.7:554", false, true},
		"rtsps://10.0.0.7/media/recognizer":          {"10.0.0.7:554", true, true},
		"post+https://rp/api":                        {"rp:443", true, true},
		"tcp://broker":                               {"broker:61616", false, true},
		"ssl://broker:7000":                          {"broker:7000", true, true},
		"tcp:0.0.0.0:5070":                           {}, // where we listen
		"builtin:///main.vxml":                       {},
		"s3://bucket/prefix":                         {},
		"":                                           {},
		"annc;play=http://web.example/hello.wav":     {},
		"wss://nexus.example/audiohook?x=1":          {"nexus.example:443", true, true},
		"file:///usr/share/x":                        {},
		"10.0.0.7:443":                               {},
	} {
		address, secure, found := FarEnd(text)
		if address != want.address || found && secure != want.secure || found != want.found {
			t.Errorf("%q leads to %q, %v, %v", text, address, secure, found)
		}
	}
}

func TestReach(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	address := server.Listener.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if f := Reach("web", address, false, Trust{})(ctx); f.State != OK || !strings.Contains(f.Detail, address) {
		t.Errorf("%+v", f)
	}
	if f := Reach("web", address, true, Trust{})(ctx); f.State != Warning || !strings.Contains(f.Advice, "ca-file") {
		t.Errorf("an authority that is not known: %+v", f)
	}
	plain := listener(t)
	go func() {
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("no TLS here, sorry\r\n"))
			conn.Close()
		}
	}()
	if f := Reach("web", plain.Addr().String(), true, Trust{})(ctx); f.State != Failure || !strings.Contains(f.Detail, "no TLS") {
		t.Errorf("%+v", f)
	}
	gone := listener(t)
	gone.Close()
	if f := Reach("web", gone.Addr().String(), false, Trust{})(ctx); f.State != Failure || !strings.Contains(f.Detail, "refused") || f.Advice == "" {
		t.Errorf("%+v", f)
	}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestPortsThatAreReserved(t *testing.T) {
	for _, tt := range []struct {
		list        string
		first, last uint16
		want        bool
	}{
		{"20000-45000", 20000, 45000, true},
		{"20000-45000\n", 32768, 45000, true},
		{"30000-45000,20000-29999", 20000, 45000, true},
		{"20000-29999,30001-45000", 20000, 45000, false},
		{"20000-29999,30000,30001-45000", 20000, 45000, true},
		{"", 20000, 45000, false},
		{"nonsense", 20000, 20000, false},
	} {
		if got := covers(tt.list, tt.first, tt.last); got != tt.want {
			t.Errorf("%q covers %d to %d: %v", tt.list, tt.first, tt.last, got)
		}
	}
}

func TestMachine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	findings := Examine(t.Context(), []Check{
		Kernel(1, 0), Kernel(999, 0), BPFFS(filepath.Join(dir, "mcp")), OpenFiles(1, ""), OpenFiles(1<<62, "many calls"),
		Folder("records", filepath.Join(dir, "a", "b"), 0), Folder("records", dir, 1<<62), Folder("records", filepath.Join(file, "x"), 0),
	})
	want := []State{OK, Warning, Warning, OK, Warning, OK, Warning, Failure}
	for i, f := range findings {
		if f.State != want[i] || f.Detail == "" || f.State != OK && f.Advice == "" {
			t.Errorf("%d: %+v, want %s", i, f, want[i])
		}
	}
	if Healthy(findings) || !Healthy(findings[:7]) {
		t.Error("a failure is not told from warnings")
	}
}

func TestWhatIsListenedOnAndRead(t *testing.T) {
	taken := listener(t)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	for _, tt := range []struct {
		check        Check
		want         State
		says, advice string
	}{
		{Listener("a", "tcp", "127.0.0.1:0"), OK, "tcp 127.0.0.1:0 is free", ""},
		{Listener("a", "tcp", taken.Addr().String()), Warning, "is taken", "ss -lnp --tcp"},
		{Listener("a", "udp", packets.LocalAddr().String()), Warning, "is taken", "ss -lnp --udp"},
		{Listener("a", "tcp", "192.0.2.1:5070"), Failure, "cannot assign", "ip address"},
		{File("a", t.TempDir()), OK, "can be read", ""},
		{File("a", "/nowhere/x"), Failure, "/nowhere/x: no such file", "put it there"},
	} {
		f := tt.check(t.Context())
		if f.Check != "a" || f.State != tt.want || !strings.Contains(f.Detail, tt.says) || !strings.Contains(f.Advice, tt.advice) {
			t.Errorf("%+v, want %s, %q, %q", f, tt.want, tt.says, tt.advice)
		}
	}
}

// TestCertificates looks at pairs that far ends take, and that they or TLS refuse.
func TestCertificates(t *testing.T) {
	a, dir, now := certstest.New(t, "authority"), t.TempDir(), time.Now()
	pair := func(name string, from, until time.Duration) (string, string) {
		certificate, key := filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
		a.IssueFor(certificate, key, now.Add(from), now.Add(until))
		return certificate, key
	}
	const day = 24 * time.Hour
	good, key := pair("good", -day, 90*day)
	soon, soonKey := pair("soon", -day, 3*day)
	over, overKey := pair("over", -2*day, -day)
	early, earlyKey := pair("early", day, 2*day)
	for _, tt := range []struct {
		certificate, key string
		want             State
		says, advice     string
	}{
		{good, key, OK, "in force until ", ""},
		{soon, soonKey, Warning, "expires on ", "renewed"},
		{over, overKey, Failure, "expired on ", "renewed"},
		{early, earlyKey, Failure, "not in force until ", "clock"},
		{good, soonKey, Failure, "private key does not match", "that it was made for"},
		{key, key, Failure, "PEM", "in PEM form"},
		{filepath.Join(dir, "none"), key, Failure, "no such file", "put it there"},
		{good, filepath.Join(dir, "none"), OK, "can be read", ""}, // a fault of the key's
	} {
		f := Certificate("a", tt.certificate, tt.key)(t.Context())
		if f.Check != "a" || f.State != tt.want || !strings.Contains(f.Detail, tt.says) || !strings.Contains(f.Advice, tt.advice) {
			t.Errorf("%+v, want %s, %q, %q", f, tt.want, tt.says, tt.advice)
		}
	}
}
