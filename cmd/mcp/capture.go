package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp/bpf"
	"mcp/bpf/tap"
)

func captureCommand() *cobra.Command {
	var c capture
	cmd := &cobra.Command{
		Use: "capture", Short: "Write a leg's packets to a file for Wireshark", Args: cobra.NoArgs,
		Long: `Write the packets of one leg, or of a call's legs, to a pcapng file until
interrupted: RTP and RTCP as they arrived and as they left, refused packets included.
tcpdump cannot see them, because XDP takes them before it would and sends them after.

Each leg is an interface of the file, and the comment of each packet says what
became of it. There is one capture at a time; it costs some 100 ns a copied packet,
and legs that are not captured nothing.
Legs of a call that open later are captured within a second.`,
		Example: `  mcp capture --leg 10.0.2.1:20000
  mcp capture --leg :20000 --seconds 30 --out call.pcapng
  mcp capture --call 6f1c --out - | tshark -r - -d udp.port==20000-45000,rtp
  mcp capture --call 6f1c --out - | tcpdump -n -T rtp -r -`,
		RunE: c.run,
	}
	f := cmd.Flags()
	f.StringVar(&c.dir, "pins", bpf.DefaultDir, "directory of the pins, on a bpf file system")
	f.StringVar(&c.leg, "leg", "", "the leg at this local ADDRESS:PORT; :PORT will do where it is the only one there")
	f.StringVar(&c.id, "leg-id", "", "the leg with this identifier, as mcp legs --wide or bpftool shows it")
	f.StringVar(&c.call, "call", "", "the legs of the one call whose identifier contains this")
	f.StringVarP(&c.file, "out", "o", "", "file to write; -: standard output (default: a new file, named on standard error)")
	f.UintVar(&c.seconds, "seconds", 0, "stop after so long; 0: when interrupted")
	f.Uint64Var(&c.packets, "packets", 0, "stop after so many; 0: when interrupted")
	cmd.MarkFlagsMutuallyExclusive("leg", "leg-id", "call")
	cmd.MarkFlagsOneRequired("leg", "leg-id", "call")
	return cmd
}

// capture writes legs' packets to a file.
type capture struct {
	dir           string
	leg, id, call string // which legs; one of them is set
	file          string
	seconds       uint
	packets       uint64
	messages      io.Writer
	joined        time.Time // when the call's legs were looked for last
}

// joinInterval is how often a call's legs are looked for.
const joinInterval = time.Second

// errEnough ends a capture that has as many packets as were asked for.
var errEnough = errors.New("enough packets")

func (c *capture) run(cmd *cobra.Command, _ []string) (err error) {
	c.messages = cmd.ErrOrStderr()
	all, legs, err := c.choose()
	if err != nil {
		return err
	}
	t, err := bpf.OpenTap(c.dir, legs)
	if err != nil {
		return explain(err)
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	out, err := c.create(cmd.OutOrStdout(), legs[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w, err := tap.NewWriter(out, "mcp "+version, describeLegs(legs))
	if err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	for _, l := range all {
		w.Name(l.ID, nameOf(l))
	}
	return c.record(cmd.Context(), t, w)
}

func (c *capture) record(ctx context.Context, t *bpf.Tap, w *tap.Writer) error {
	if c.seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.seconds)*time.Second)
		defer cancel()
	}
	err := t.Run(ctx, func(p tap.Packet) error {
		if err := w.Write(p); err != nil {
			return fmt.Errorf("write capture: %w", err)
		}
		if w.Packets() == c.packets {
			return errEnough
		}
		return nil
	}, func() error {
		return errors.Join(w.Flush(), c.join(t, w))
	})
	switch {
	case errors.Is(err, bpf.ErrClosed):
		fmt.Fprintln(c.messages, "all captured legs have ended")
		err = nil
	case errors.Is(err, errEnough):
		err = nil
	}
	dropped, e := t.Dropped()
	err = errors.Join(err, e, w.Finish(dropped))
	fmt.Fprintf(c.messages, "%d packets, %d dropped\n", w.Packets(), dropped)
	return err
}

// join captures legs of the call that have opened since.
func (c *capture) join(t *bpf.Tap, w *tap.Writer) error {
	if c.call == "" || time.Since(c.joined) < joinInterval {
		return nil
	}
	c.joined = time.Now()
	all, err := bpf.InspectLegs(c.dir)
	for _, l := range all {
		w.Name(l.ID, nameOf(l))
		if !c.means(l) {
			continue
		}
		if e := t.Add(l); errors.Is(e, bpf.ErrClosed) {
			continue
		} else if err = errors.Join(err, e); e == nil {
			err = errors.Join(err, w.Add(describe(l)))
		}
	}
	return err
}

// choose finds the legs that are meant among all there are.
func (c *capture) choose() (all, chosen []bpf.LegInfo, err error) {
	all, err = bpf.InspectLegs(c.dir)
	if errors.Is(err, bpf.ErrNotLoaded) {
		return nil, nil, fmt.Errorf("%w. If mcp serve carries audio on sockets, use\n  tcpdump -i any -w call.pcap '%s'", err, c.filter())
	}
	if err != nil {
		return nil, nil, explain(err)
	}
	for _, l := range all {
		if c.means(l) {
			chosen = append(chosen, l)
		}
	}
	if err := c.checkChoice(chosen, len(all)); err != nil {
		return nil, nil, err
	}
	if c.call != "" {
		// From here on it is this call, and no later one whose identifier is alike.
		c.call = chosen[0].Owner.Call
	}
	return all, chosen, nil
}

// checkChoice makes sure that one leg is meant, or one call.
func (c *capture) checkChoice(chosen []bpf.LegInfo, open int) error {
	if len(chosen) == 0 {
		return fmt.Errorf("no leg is open %s; mcp legs shows the %d there are", c.wish(), open)
	}
	if len(chosen) > 1 && c.call == "" {
		return fmt.Errorf("%d legs are open %s; name the address, too, as mcp legs shows it", len(chosen), c.wish())
	}
	for _, l := range chosen {
		if l.Owner.Call != chosen[0].Owner.Call {
			return fmt.Errorf("legs of several calls are open %s: %s, %s", c.wish(), chosen[0].Owner.Call, l.Owner.Call)
		}
	}
	return nil
}

func (c *capture) means(l bpf.LegInfo) bool {
	switch {
	case c.call != "":
		return strings.Contains(l.Owner.Call, c.call)
	case c.id != "":
		return c.id == legID(l.ID) || c.id == strconv.FormatUint(l.ID, 10)
	}
	return c.leg == l.Local.String() || c.leg == fmt.Sprintf(":%d", l.Local.Port())
}

func (c *capture) wish() string {
	switch {
	case c.call != "":
		return "whose call contains " + strconv.Quote(c.call)
	case c.id != "":
		return "with the identifier " + strconv.Quote(c.id)
	}
	return "at " + strconv.Quote(c.leg)
}

// filter is what tcpdump takes for the same legs; RTCP has the port above.
func (c *capture) filter() string {
	i := strings.LastIndexByte(c.leg, ':')
	port, err := strconv.ParseUint(c.leg[i+1:], 10, 16)
	if i < 0 || err != nil {
		return "udp portrange 20000-45000"
	}
	filter := fmt.Sprintf("udp portrange %d-%d", port, port+1)
	if host := strings.Trim(c.leg[:i], "[]"); host != "" {
		filter += " and host " + host
	}
	return filter
}

// nopCloser is standard output, which is not ours to close.
type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func (c *capture) create(stdout io.Writer, first bpf.LegInfo) (io.WriteCloser, error) {
	if c.file == "-" {
		return nopCloser{stdout}, nil
	}
	if c.file == "" {
		c.file = fmt.Sprintf("leg-%d-%s.pcapng", first.Local.Port(), time.Now().Format("20060102-150405"))
	}
	// It is somebody's voice.
	f, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.messages, "writing to %s until interrupted\n", c.file)
	return f, nil
}

func nameOf(l bpf.LegInfo) string { return "leg " + l.Local.String() }

func describe(l bpf.LegInfo) tap.Leg {
	d := tap.Leg{ID: l.ID, Name: nameOf(l)}
	if l.Owner.Call != "" {
		d.Description = fmt.Sprintf("%s of call %s", l.Owner.Role, l.Owner.Call)
	}
	return d
}

func describeLegs(legs []bpf.LegInfo) (out []tap.Leg) {
	for _, l := range legs {
		out = append(out, describe(l))
	}
	return out
}
