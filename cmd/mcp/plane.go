package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mcp/bpf"
)

func planeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plane",
		Short: "Load, upgrade, inspect and unload the kernel media plane",
		Long: `The kernel media plane is a set of pinned XDP programs and maps. mcp serve loads
it by itself when it has the privilege; load does it ahead, as an init step with
CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and mcp serve then needs CAP_NET_RAW only.`,
		Example: `  mcp plane load --interface eth0 --owner 500:500
  mcp plane status --watch
  mcp plane upgrade
  mcp plane unload`,
	}
	var dir string
	cmd.PersistentFlags().StringVar(&dir, "pins", bpf.DefaultDir, "directory of the pins, on a bpf file system")
	cmd.AddCommand(planeLoad(&dir), planeUpgrade(&dir), planeStatus(&dir), planeUnload(&dir))
	return cmd
}

func planeLoad(dir *string) *cobra.Command {
	var interfaces []string
	var mode, owner string
	var takeOver bool
	cmd := &cobra.Command{
		Use: "load", Short: "Load, attach and pin the plane", Args: cobra.NoArgs,
		Example: `  mcp plane load
  mcp plane load --interface eth0 --mode native
  mcp plane load --owner 500:500 --take-over    # an init step of a pod`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c := bpf.Config{Dir: *dir, Interfaces: bpf.WithLoopback(interfaces), Mode: bpf.Mode(mode)}
			if c.UID, c.GID, err = parseOwner(owner); err != nil {
				return err
			}
			chosen, reason, err := bpf.Install(c)
			if errors.Is(err, bpf.ErrLoaded) && takeOver {
				return takePlaneOver(cmd.OutOrStdout(), c)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "loaded in %s mode: %s\n", chosen, reason)
			return err
		},
	}
	cmd.Flags().StringSliceVarP(&interfaces, "interface", "i", nil, "interface to attach to (default: all that are up)")
	cmd.Flags().StringVar(&mode, "mode", string(bpf.ModeAuto), "auto, native or generic")
	cmd.Flags().StringVar(&owner, "owner", "", "UID or UID:GID that mcp serve runs as, who is to own the pins (default: this user)")
	cmd.Flags().BoolVar(&takeOver, "take-over", false, "upgrade a plane that is loaded already; one whose maps are laid out otherwise is unloaded, and its calls lose their audio")
	return cmd
}

// takePlaneOver makes what an earlier process left pinned the plane of this binary.
func takePlaneOver(w io.Writer, c bpf.Config) error {
	_, err := bpf.Upgrade(c.Dir)
	if err == nil {
		_, err = fmt.Fprintln(w, "took over the plane that is loaded; its legs go on")
		return err
	}
	if !errors.Is(err, bpf.ErrIncompatible) {
		return err
	}
	if _, err := fmt.Fprintf(w, "unloading a plane of another kind: %v\n", err); err != nil {
		return err
	}
	if err := bpf.Unload(c.Dir); err != nil {
		return err
	}
	chosen, reason, err := bpf.Install(c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "loaded in %s mode: %s\n", chosen, reason)
	return err
}

// parseOwner reads UID or UID:GID; a group that is not named has the user's number.
func parseOwner(text string) (uid, gid int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	user, group, found := strings.Cut(text, ":")
	if !found {
		group = user
	}
	uid, errUser := strconv.Atoi(user)
	gid, errGroup := strconv.Atoi(group)
	if errors.Join(errUser, errGroup) != nil || uid < 0 || gid < 0 {
		return 0, 0, fmt.Errorf("--owner: %q is not UID or UID:GID", text)
	}
	return uid, gid, nil
}

func planeUpgrade(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "upgrade", Short: "Replace the programs by those of this binary, while packets flow", Args: cobra.NoArgs,
		Long: `Replace the programs of a loaded plane by those of this binary, while packets flow
and mcp serve runs. Calls, counters and interfaces stay. A plane whose maps are laid
out otherwise is left as it is: its calls must end, and it be unloaded, first.`,
		Example: "  mcp plane upgrade",
		RunE: func(cmd *cobra.Command, _ []string) error {
			swaps, err := bpf.Upgrade(*dir)
			if err != nil {
				return explain(err)
			}
			for _, s := range swaps {
				note := "replaces " + s.Old
				if s.Old == s.New {
					note = "as before"
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-10s %s %s\n", s.Program, s.New, note); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func planeUnload(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "unload", Short: "Detach and remove the plane, whatever its state", Args: cobra.NoArgs,
		Example: "  mcp plane unload",
		RunE:    func(*cobra.Command, []string) error { return explain(bpf.Unload(*dir)) },
	}
}
