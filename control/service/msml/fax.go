package msml

import (
	"context"
	"strings"
	"time"

	"mcp/control/media/detect"
	"mcp/control/service/msml/doc"
)

// faxLength is how long a fax machine's tone must last to be taken for one.
const faxLength = 160 * time.Millisecond

// faxdetect performs <faxdetect> (RFC 5707 section 9.11.1): it waits for the tone of a
// calling or a called fax machine.
func (d *dialog) faxdetect(ctx context.Context, n *doc.Node, r *running) error {
	heard, tones := make(chan detect.FaxTone, 1), detect.NewFaxTones(faxLength)
	judge := func(pcm []int16) {
		if tone, ok := tones.Frame(pcm); ok {
			select {
			case heard <- tone:
			default: // it is known already
			}
		}
	}
	err := d.overhear(judge, func() error {
		for {
			select {
			case tone := <-heard:
				d.set("faxdetect.tone", string(tone), "faxdetect.end", "faxdetect.complete")
				return nil
			case event := <-r.events:
				if strings.HasPrefix(event, "terminate") {
					d.set("faxdetect.tone", "", "faxdetect.end", "faxdetect.terminated")
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err != nil {
		return err
	}
	return d.finally(ctx, n, "faxdetectexit", r)
}
