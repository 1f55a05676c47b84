package tour

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"mcp/cmd/mcplab/caller"
)

// visit is a call to one of the applications.
type visit struct {
	number, what, script string
}

// visits go to every engine: each application uses another; the last one is led by ORS.
var visits = []visit{
	{"1001", "a page with MRCPv2 speech, a sound, a customer's data", "listen; say support; await"},
	{"1002", "the same question over MRCPv1", "listen; say sales; await"},
	{"1003", "the same question to Google", "listen; say billing; await"},
	{"1004", "a bot", "listen; say support; await"},
	{"1005", "treatments of an orchestration session", "listen; dtmf 4; await"},
}

// calls places the calls, one after the other, through the Resource Manager.
func (t *tour) calls(ctx context.Context) error {
	for i, v := range visits {
		t.tell("caller", "calls %s: %s", v.number, v.what)
		if err := t.call(ctx, i, v); err != nil {
			return fmt.Errorf("call to %s (%s): %w", v.number, v.what, err)
		}
	}
	return nil
}

func (t *tour) call(ctx context.Context, i int, v visit) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	p, err := t.start(program{name: fmt.Sprintf("caller-%d", i+1), namespace: t.lab.SBC, path: t.options.Lab, args: []string{
		"call", "--to", fmt.Sprintf("sip:%s@%s:5060", v.number, t.sites.SBC), "--local", t.sites.SBC.String(),
		"--from", "sip:caller@" + t.sites.SBC.String(), "--timeout", callTime.String(), "--log-format", "json",
		"--quiet", "1200ms", "--script", v.script,
	}})
	if err != nil {
		return err
	}
	if err := p.Wait(ctx); err != nil {
		_ = p.Abandon() // what is wrong is told already
		return fmt.Errorf("%w\n%s%s", err, p.Tail(), p.Printed())
	}
	var summary caller.Summary
	if err := json.Unmarshal([]byte(p.Printed()), &summary); err != nil {
		return fmt.Errorf("the caller's summary: %w", err)
	}
	if faults := summary.Received.Faults(); len(faults) > 0 {
		return fmt.Errorf("the caller heard no whole stream: %s", strings.Join(faults, "; "))
	}
	t.tell("caller", "heard %d packets of one whole stream", summary.Received.Packets)
	return nil
}
