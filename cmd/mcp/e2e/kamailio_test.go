package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/sip/kamailiotest"
)

// TestBehindKamailio has callers come through a proxy, and the platform call through it:
// two in a conference, and one who is bridged to another, hear each other.
func TestBehindKamailio(t *testing.T) {
	front := freePort(t)
	r := newRig(t, func(c *node.Config) {
		c.SIP.Routes = []string{fmt.Sprintf("sip:127.0.0.1:%d;transport=tcp", front)}
	})
	kamailiotest.Start(t, front, strings.TrimPrefix(r.sip, "tcp:"))
	through := func(user string) string { return fmt.Sprintf("sip:%s@127.0.0.1:%d;transport=tcp", user, front) }

	b := newBob(t, "say hum 700 400ms; wait 300ms")
	r.transferring(`<transfer name="t" type="bridge" dest="` + b.uri() + `" connecttimeout="5s">`)
	summary, err := r.dial(t.Context(), through("ivr"), "hear; say hum 400 400ms; await")
	if err != nil {
		t.Fatal(err)
	}
	heardBob := b.last()
	if got := heard(summary); !slices.Equal(got, []float64{700}) {
		t.Errorf("the caller heard %v", tones(summary))
	}
	if got := heard(heardBob); !slices.Equal(got, []float64{400}) {
		t.Errorf("bob heard %v", tones(heardBob))
	}
	if told, _ := r.told(); told != "far_end_disconnect" {
		t.Errorf("the page told %q", told)
	}

	scripts := []string{"wait 600ms; say hum 400 400ms; wait 1500ms", "wait 1200ms; say hum 700 400ms; wait 900ms"}
	summaries := make([]*caller.Summary, len(scripts))
	var calls sync.WaitGroup
	for i, script := range scripts {
		calls.Go(func() {
			var err error
			if summaries[i], err = r.dial(t.Context(), through("conf=Sales"), script); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if t.Failed() {
		return
	}
	for i, want := range []float64{700, 400} {
		if got := heard(summaries[i]); !slices.Equal(got, []float64{want}) {
			t.Errorf("caller %d heard %v", i, tones(summaries[i]))
		}
	}
	r.nothingLeft()
}

// TestKernelBehindKamailio runs it again on the XDP plane, where what the two of the
// bridge say must not enter userspace.
func TestKernelBehindKamailio(t *testing.T) {
	passOnKernel(t, "^TestBehindKamailio$", "TestBehindKamailio")
}
