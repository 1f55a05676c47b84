package e2e

import (
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mcp/control/node"
	"mcp/control/node/speaking"
	"mcp/speech/google/googletest"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/nexus/nexustest"
	"mcp/speech/speechtest"
)

// apart tells this test's binary, in the environment, that it has a network namespace
// of its own, whose packets it may drop.
const apart = "MCP_E2E_APART"

// TestFarEndsVanish proves that a speech server, service or bot whose machine is gone
// in mid-call, from one packet to the next and without a word, costs the page one event
// and the log one line, and that nothing of it stays behind.
func TestFarEndsVanish(t *testing.T) {
	if os.Getenv(apart) != "" {
		t.Skip("this is such a run")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft, to drop packets: ", err)
	}
	t.Parallel()
	passApart(t, apart+"=yes", "^TestVanishing$", "TestVanishing")
}

// vanishing is a far end that can be made to vanish, by its own address.
type vanishing struct {
	serve func(t *testing.T, host string) func(*node.Config)
	body  string
	count string // a gauge of what is open towards it
}

// TestVanishing is what TestFarEndsVanish has run.
func TestVanishing(t *testing.T) {
	if os.Getenv(apart) == "" {
		t.Skip("it is run by TestFarEndsVanish")
	}
	nft(t, "add table ip vanished")
	nft(t, "add chain ip vanished in { type filter hook input priority 0 ; }")
	host := netip.MustParseAddr("127.0.1.1")
	for name, far := range vanishings() {
		host = host.Next()
		own := host.String()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far.vanish(t, own)
		})
	}
}

func (far vanishing) vanish(t *testing.T, host string) {
	change := far.serve(t, host)
	r := newRig(t, change)
	catching(r.pages, patientProperties+far.body)
	asked := make(chan error, 1)
	go func() {
		_, err := r.call(t.Context(), "await")
		asked <- err
	}()
	// A second of it has gone well by then.
	await(t, "a conversation", func() bool { return r.metric(far.count) == "1" })
	time.Sleep(time.Second)
	if lines := r.log.lines("speech failed"); len(lines) > 0 {
		t.Fatalf("it has failed before: %v", lines)
	}
	nft(t, "add rule ip vanished in ip saddr "+host+" drop")
	nft(t, "add rule ip vanished in ip daddr "+host+" drop")
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	pages := r.pages.requests()
	if pages[len(pages)-1] != "/caught.vxml?event=error.noresource" {
		t.Errorf("pages asked for: %v", pages)
	}
	if lines := r.log.lines("speech failed"); len(lines) != 1 {
		t.Errorf("%d log lines: %v", len(lines), lines)
	}
	for _, gauge := range []string{"mcp_calls_active", "mcp_media_legs", "mcp_media_ports_used", far.count} {
		await(t, gauge+" to be 0", func() bool { return r.metric(gauge) == "0" })
	}
}

func nft(t *testing.T, rule string) {
	t.Helper()
	if out, err := exec.Command("nft", strings.Fields(rule)...).CombinedOutput(); err != nil {
		t.Fatalf("nft %s: %v: %s", rule, err, out)
	}
}

// patientProperties keep the page's own times, and those that follow from them, out of it.
const patientProperties = `<property name="timeout" value="60s"/><property name="maxspeechtimeout" value="60s"/>`

func vanishings() map[string]vanishing {
	listens := `<form><field name="f">` + voiceGrammar + `</field></form>`
	speaks := `<form><field name="f"><prompt>` + strings.Repeat("one two three four five six seven eight ", 20) + `</prompt>` + dtmfGrammar + `</field></form>`
	return map[string]vanishing{
		"MRCPv2, idle":              {withMRCPv2(time.Minute), listens, `mcp_mrcp_connections{engine="mrcp"}`},
		"MRCPv2, speaking":          {withMRCPv2(time.Minute), speaks, `mcp_mrcp_connections{engine="mrcp"}`},
		"MRCPv2, octets on the way": {withMRCPv2(100 * time.Millisecond), listens, `mcp_mrcp_connections{engine="mrcp"}`},
		"MRCPv1, idle":              {withMRCPv1(time.Minute), listens, `mcp_mrcp_connections{engine="mrcp"}`},
		"MRCPv1, octets on the way": {withMRCPv1(100 * time.Millisecond), listens, `mcp_mrcp_connections{engine="mrcp"}`},
		"Google":                    {googleAt, viaGoogle + listens, "mcp_calls_active"},
		"bot":                       {botAt, `<property name="com.genesyslab.asrengine" value="nexus"/>` + listens, "mcp_calls_active"},
	}
}

// unhurried is a configuration in which only TCP notices that a server has gone: nothing
// else is waited for as shortly.
func unhurried(c *node.Config, keepAlive time.Duration) {
	c.Speech.MRCP.Timeout = time.Minute
	c.Speech.MRCP.Session.KeepAlive, c.Speech.MRCP.Session.Lost = keepAlive, 2*time.Second
}

func withMRCPv2(keepAlive time.Duration) func(*testing.T, string) func(*node.Config) {
	return func(t *testing.T, host string) func(*node.Config) {
		far := newSpeechEndAt(t, host)
		return func(c *node.Config) {
			unhurried(c, keepAlive)
			c.Speech.MRCP.URI = far.uri()
		}
	}
}

func withMRCPv1(keepAlive time.Duration) func(*testing.T, string) func(*node.Config) {
	return func(t *testing.T, host string) func(*node.Config) {
		far, err := mrcptest.NewServer(mrcptest.Config{RTSP: true, Addr: netip.MustParseAddr(host)}, mrcptest.NewCanned(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := far.Close(); err != nil {
				t.Error(err)
			}
		})
		return func(c *node.Config) {
			unhurried(c, keepAlive)
			c.Speech.MRCP.URI = far.URI()
		}
	}
}

func googleAt(t *testing.T, host string) func(*node.Config) {
	far, err := googletest.NewServer(googletest.Config{Listen: host + ":0"}, speechtest.NewCanned(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := far.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(c *node.Config) {
		c.Speech.MRCP.URI = ""
		c.Speech.Google = speaking.Google{Enabled: true, Insecure: true, TTSEndpoint: far.Addr(), ASREndpoint: far.Addr(), Budget: 2 * time.Second}
	}
}

func botAt(t *testing.T, host string) func(*node.Config) {
	far, err := nexustest.NewServer(nexustest.Config{Listen: host + ":0"}, speechtest.NewCanned(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := far.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(c *node.Config) {
		c.Speech.MRCP.URI = ""
		c.Speech.Nexus = speaking.Nexus{URL: far.URL(), Ping: 500 * time.Millisecond, Timeout: time.Second}
	}
}
