package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp/control/config"
)

// Whatever an operator gets wrong, the key is named, where it stands, what it holds and
// what would do.
func TestFaultsAreTold(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"sipp: {}", "1:1: sipp: unknown key; the nearest known key is sip"},
		{"sip:\n  lisen: []", "2:3: sip.lisen: unknown key; the nearest known key is sip.listen"},
		{"sip:\n  listen: tcp:0.0.0.0:5070", "2:11: sip.listen: expected a list"},
		{"sip:\n  idle: 1m\n  listen: [sctp:0.0.0.0:5070]", `3: sip.listen: "sctp:0.0.0.0:5070" begins with none of udp:, tcp: and tls:`},
		{"sip:\n  listen: [tcp:0.0.0.0:99999]", `2: sip.listen: "tcp:0.0.0.0:99999" has no address and port, as tcp:0.0.0.0:5070 has`},
		{"sip:\n  listen: [tls:0.0.0.0:5071]", `2: sip.listen: "tls:0.0.0.0:5071" needs tls.certificate and tls.key`},
		{"sip:\n  routes: [rm]", `2: sip.routes: "rm" is not a SIP URI`},
		{"media:\n  plane: xdp\n  port-min: 45000\n  port-max: 20000", "4: media.port-max: 20000 is not above 45000"},
		{"media:\n  codecs: [G723]", `2: media.codecs: "G723" is none of PCMU, `},
		{"calls:\n  rate: 5\n  max: -1", "3: calls.max: -1 is below 0, the least"},
		{"calls:\n  drain: 60", `2:10: calls.drain: "60" is no duration, such as 1.5s or 2m`},
		{"calls:\n  refusal: 404", "2: calls.refusal: 404 is neither 503 nor 486"},
		{"calls:\n  cpu: 101", "2: calls.cpu: 101 is not from 0 to 100"},
		{"log:\n  format: text\n  level: verbose", `3: log.level: "verbose" is none of debug, info, warn, error`},
		{"health:\n  listen: 8300", `2: health.listen: "8300" is no address with a port, such as 127.0.0.1:8300`},
		{"health:\n  console:\n    listen: 0.0.0.0:8380", "3: health.console.listen: 0.0.0.0:8380 is no loopback address: a password-file is needed"},
		{"health:\n  snmp:\n    master: snmpd:1705", `3: health.snmp.master: "snmpd:1705" is neither tcp:HOST:PORT nor unix:PATH`},
		{"discovery:\n  consul: 127.0.0.1:8500", `2: discovery.consul: "127.0.0.1:8500" is not an http or https URL`},
		{"discovery:\n  consul: http://c\n  interval: 0s", "3: discovery.interval: 0s is not above 0s"},
		{"upload:\n  destination:\n    url: ftp://x/y", `3: upload.destination.url: the scheme of "ftp://x/y" is none of http, `},
		{"reporting:\n  when-full: wait", `2: reporting.when-full: "wait" is neither drop nor block`},
		{"transfers:\n  gateway: 10.0.0.9", `2: transfers.gateway: "10.0.0.9" is no SIP URI, such as sip:`},
		{"application:\n  default: htp://x", `2: application.default: "htp://x" is neither a page's URL, such as http://web.example/main.vxml, nor a service`},
		{"application:\n  numbers:\n    '1': http://x\n    '2': annc", `4: application.numbers.2: "annc": 400 Mandatory play parameter missing`},
		{"application:\n  numbers:\n    '1': ors", `3: application.numbers.1: "ors" needs application.ors.urls`},
		{"recording:\n  certificates:\n    files:\n    - /nowhere/c.pem", "4: recording.certificates.files[0]: open /nowhere/c.pem: no such file or directory: put it there, or mend the path"},
		{"upload:\n  destination: {url: https://w, password-file: /nowhere/rup}", "2: upload.destination.password-file: open /nowhere/rup: no such file"},
		{"speech:\n  google:\n    enabled: true\n    tenants:\n      '7001': /nowhere/sa.json", "5: speech.google.tenants.7001: open /nowhere/sa.json: no such file"},
		{"log:\n  export:\n    rules: /nowhere/r.yaml", "3: log.export.rules: open /nowhere/r.yaml: no such file"},
		{"gvp:\n  sip.callrate: 3", "2:3: gvp.sip.callrate: unknown option; the nearest known one is sip.call_rate"},
		{"gvp:\n  mpc.rtp.portrange: 45000-20000", "2: media.port-max: 20000 is not above 45000"},
	} {
		file := filepath.Join(t.TempDir(), "mcp.yaml")
		if err := os.WriteFile(file, []byte(tt.text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := Defaults()
		err := config.Load(&cfg, config.Source{File: file, Files: true})
		if err == nil || !strings.HasPrefix(err.Error(), "configuration: "+file+":"+tt.want) {
			t.Errorf("%q:\n%v\nwant\n%s", tt.text, err, tt.want)
		}
	}
}
