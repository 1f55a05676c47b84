package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcp/bpf"
)

func planeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plane",
		Short: "Load, inspect and unload the kernel media plane",
		Long: `The kernel media plane is a set of pinned XDP programs and maps. mcp serve loads
it by itself when it has the privilege; load does it ahead, as an init step with
CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW.`,
		Example: `  mcp plane load --interface eth0
  mcp plane status
  mcp plane unload`,
	}
	var dir string
	cmd.PersistentFlags().StringVar(&dir, "pins", bpf.DefaultDir, "directory of the pins, on a bpf file system")
	cmd.AddCommand(planeLoad(&dir), planeStatus(&dir), planeUnload(&dir))
	return cmd
}

func planeLoad(dir *string) *cobra.Command {
	var interfaces []string
	var mode string
	cmd := &cobra.Command{
		Use: "load", Short: "Load, attach and pin the plane", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plane, err := bpf.Load(bpf.Config{Dir: *dir, Interfaces: interfaces, Mode: bpf.Mode(mode)})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "loaded in %s mode: %s\n", plane.Mode(), plane.Reason())
			return plane.Close()
		},
	}
	cmd.Flags().StringSliceVarP(&interfaces, "interface", "i", nil, "interface to attach to (default: all that are up)")
	cmd.Flags().StringVar(&mode, "mode", string(bpf.ModeAuto), "auto, native or generic")
	return cmd
}

func planeUnload(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "unload", Short: "Detach and remove the plane, whatever its state", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return bpf.Unload(*dir) },
	}
}

func planeStatus(dir *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show the plane's mode, interfaces, legs and verdicts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := bpf.Inspect(*dir)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(status)
			}
			return printStatus(cmd.OutOrStdout(), status)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func printStatus(out io.Writer, s bpf.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "pins\t%s\nmode\t%s\nreason\t%s\nlegs\t%d of %d\n\n", s.Dir, s.Mode, s.Reason, s.Legs, s.MaxLegs)
	fmt.Fprintln(w, "INTERFACE\tMODE\tREASON")
	for _, i := range s.Interfaces {
		fmt.Fprintf(w, "%s\t%s\t%s\n", i.Name, i.Mode, i.Reason)
	}
	fmt.Fprintln(w, "\nVERDICT\tPACKETS\tBYTES")
	for _, v := range s.Verdicts {
		fmt.Fprintf(w, "%s\t%d\t%d\n", v.Name, v.Packets, v.Bytes)
	}
	return w.Flush()
}
