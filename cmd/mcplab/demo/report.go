package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp/cmd/mcplab/engine"
	"mcp/control/reporting"
)

// report prints what all sides told and judges it.
func (d *demo) report(ctx context.Context) error {
	e, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	// What Close would leave is a folder in the system's temporary one.
	defer e.Close()
	var expected []string
	for _, text := range d.facts.said {
		expected = append(expected, sentencesOf(text)...)
	}
	heard, err := transcribe(ctx, e, d.facts.heard, expected)
	if err != nil {
		return fmt.Errorf("recognize what the caller heard: %w", err)
	}
	d.printSpeech(heard)
	d.printKernel()
	d.printRecord()
	d.printFiles()
	v := &verdict{facts: d.facts, options: d.options, expected: expected, heard: heard}
	return d.judge(v.checks())
}

func (d *demo) printSpeech(heard []utterance) {
	f, t := d.facts, d.timeline
	t.title("SAID BY THE APPLICATION")
	for _, text := range f.said {
		t.print("  %s\n", text)
	}
	t.title("HEARD BY THE CALLER (recognized from the recording)")
	for _, u := range heard {
		t.print("  %6.2fs %5.2fs %6.1f dB  %s\n", u.Start.Seconds(), u.Duration.Seconds(), u.Level, strings.Join(u.sentences, " / "))
	}
	t.title("SAID BY THE CALLER")
	for _, s := range f.call.Said {
		t.print("  %6.2fs  %s\n", s.Start.Seconds(), s.Text)
	}
	t.title("UNDERSTOOD BY THE PLATFORM")
	t.print("  speech: %s\n  digits: %s\n", strings.Join(f.understood, " / "), f.digits)
}

// printKernel prints each leg's counters: those of the kernel, as the call's
// record has them.
func (d *demo) printKernel() {
	t := d.timeline
	t.title("RTP BY DIRECTION (" + d.facts.plane + ")")
	t.print("  %-10s %9s %16s %14s %6s | %6s %16s\n", "leg", "received", "relayed (kernel)", "to userspace", "lost", "sent", "relayed (kernel)")
	for _, l := range d.facts.record.Media {
		t.print("  %-10s %9d %16d %14d %6d | %6d %16d\n", l.Name, l.Received.Packets, l.Received.Relayed, l.Received.User, l.Received.Lost, l.Sent.Packets, l.Sent.Relayed)
	}
	r := d.facts.call.Received
	t.print("  caller heard %d packets, %d SSRC, %d lost, %d reordered, jitter %.2f ms, longest gap %.0f ms\n",
		r.Packets, len(r.SSRCs), r.Lost, r.Reordered, r.JitterMS, r.LongestGapMS)
	for _, direction := range directions(d.facts) {
		t.print("  %s: %d of %d packets relayed in the kernel (%.2f %%)\n", direction.name, direction.relayed, direction.all, direction.percent())
	}
}

func (d *demo) printRecord() {
	var pretty bytes.Buffer
	d.timeline.title("THE CALL'S RECORD")
	if err := json.Indent(&pretty, d.facts.json, "  ", "  "); err != nil {
		pretty.Reset()
		pretty.Write(d.facts.json)
	}
	d.timeline.print("  %s\n", pretty.String())
}

func (d *demo) printFiles() {
	d.timeline.title("FILES")
	d.timeline.print("  %s  both sides of the call: left what the caller said, right what it heard\n", d.path(recording))
	if d.facts.dumped {
		d.timeline.print("  %s  the kernel's legs in mid-call, by mcp legs\n", d.path(legsDump))
	}
	d.timeline.print("  %s  logs of all programs\n", d.path("*.log"))
}

// judge prints the checks and fails when one did.
func (d *demo) judge(checks []check) error {
	d.timeline.title("CHECKS")
	var failed []string
	for _, c := range checks {
		mark := "ok  "
		if !c.ok {
			mark = "FAIL"
			failed = append(failed, c.name)
		}
		d.timeline.print("  %s  %s%s\n", mark, c.name, c.detail)
	}
	if len(failed) > 0 {
		return fmt.Errorf("the demonstration failed: %s", strings.Join(failed, "; "))
	}
	d.timeline.print("\nAll is well, in %.0f seconds.\n", time.Since(d.timeline.began).Seconds())
	return nil
}

// direction is audio relayed one way, in the phases where it was to be relayed.
type direction struct {
	name         string
	relayed, all uint64
}

func (d direction) percent() float64 {
	if d.all == 0 {
		return 0
	}
	return 100 * float64(d.relayed) / float64(d.all)
}

// directions adds up both ways between the caller and the speech server. Of the
// packets that reached userspace the caller's key presses are no speech.
func directions(f *facts) []direction {
	toRecognizer := direction{name: "caller to recognizer"}
	toCaller := direction{name: "synthesizer to caller"}
	for _, l := range f.record.Media {
		if l.Name == callerLeg {
			user := l.Received.User - min(l.Received.User, uint64(f.call.SentEvents))
			toRecognizer.relayed += l.Received.Relayed
			toRecognizer.all += l.Received.Relayed + user
			continue
		}
		toCaller.relayed += l.Received.Relayed
		toCaller.all += l.Received.Relayed + l.Received.User
	}
	return []direction{toCaller, toRecognizer}
}

// callerLeg is the name of the caller's leg in the record.
const callerLeg = "caller"

func legNamed(r *reporting.Record, name string) *reporting.Leg {
	i := slices.IndexFunc(r.Media, func(l reporting.Leg) bool { return l.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Media[i]
}
