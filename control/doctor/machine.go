package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel wants a release of Linux, such as 6.1, for the media plane in the kernel.
func Kernel(major, minor int) Check {
	return func(context.Context) Finding {
		const name = "kernel"
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return fail(name, err.Error(), "")
		}
		release := unix.ByteSliceToString(u.Release[:])
		var haveMajor, haveMinor int
		if _, err := fmt.Sscanf(release, "%d.%d", &haveMajor, &haveMinor); err != nil {
			return warn(name, "release "+release+" cannot be read", "")
		}
		if haveMajor < major || haveMajor == major && haveMinor < minor {
			return warn(name, "Linux "+release, fmt.Sprintf("audio goes through sockets; upgrade to Linux %d.%d or later", major, minor))
		}
		return ok(name, "Linux "+release)
	}
}

// capability is one of Linux's that the media plane in the kernel takes.
type capability struct {
	name string
	bit  int
}

// Capabilities looks at what this process may do. Where the plane was loaded ahead,
// none but CAP_NET_RAW is needed.
func Capabilities() Check {
	wanted := []capability{
		{"CAP_BPF", unix.CAP_BPF}, {"CAP_NET_ADMIN", unix.CAP_NET_ADMIN},
		{"CAP_NET_RAW", unix.CAP_NET_RAW}, {"CAP_PERFMON", unix.CAP_PERFMON},
	}
	return func(context.Context) Finding {
		const name = "capabilities"
		have, err := effective()
		if err != nil {
			return fail(name, err.Error(), "")
		}
		var missing []string
		for _, c := range wanted {
			if have&(1<<c.bit) == 0 {
				missing = append(missing, c.name)
			}
		}
		if len(missing) > 0 {
			return warn(name, "without "+strings.Join(missing, ", "),
				"grant them, or have an init step with them run mcp plane load; otherwise audio goes through sockets")
		}
		return ok(name, "all that loading the media plane takes")
	}
}

func effective() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, found := strings.CutPrefix(line, "CapEff:"); found {
			return strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		}
	}
	return 0, errors.New("/proc/self/status has no CapEff")
}

// BPFFS wants a directory, or the first above it that exists, on a BPF file system.
func BPFFS(dir string) Check {
	return func(context.Context) Finding {
		const name = "bpf file system"
		at := dir
		var s unix.Statfs_t
		err := unix.Statfs(at, &s)
		for errors.Is(err, fs.ErrNotExist) && at != "/" {
			at = filepath.Dir(at)
			err = unix.Statfs(at, &s)
		}
		if err != nil {
			return warn(name, fmt.Sprintf("%s: %v", at, err), "")
		}
		if s.Type != unix.BPF_FS_MAGIC {
			return warn(name, at+" is on no BPF file system", "mount -t bpf bpf /sys/fs/bpf; mcp does so itself where it may")
		}
		return ok(name, dir)
	}
}

// Ports wants the kernel to give no socket a port of the RTP range by itself.
func Ports(first, last uint16) Check {
	return func(context.Context) Finding {
		const name = "RTP ports"
		span := fmt.Sprintf("%d-%d", first, last)
		ephemeral, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
		if err != nil {
			return warn(name, err.Error(), "")
		}
		var low, high uint16
		if _, err := fmt.Sscan(string(ephemeral), &low, &high); err != nil {
			return warn(name, fmt.Sprintf("the range of ephemeral ports cannot be read: %v", err), "")
		}
		reserved, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_reserved_ports")
		if err != nil {
			return warn(name, err.Error(), "")
		}
		if last < low || first > high || covers(string(reserved), max(first, low), min(last, high)) {
			return ok(name, span+" are kept from other sockets")
		}
		return warn(name, fmt.Sprintf("the kernel gives sockets ports from %d to %d", low, high),
			"sysctl -w net.ipv4.ip_local_reserved_ports="+span+": calls may otherwise take a port that a connection has")
	}
}

// covers tells whether a list such as 20000-45000,50000 has all ports of a range.
func covers(list string, first, last uint16) bool {
	type span struct{ from, to int }
	var spans []span
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA == nil && errB == nil {
			spans = append(spans, span{a, b})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	next := int(first)
	for _, s := range spans {
		if s.from <= next && next <= s.to {
			next = s.to + 1
		}
	}
	return next > int(last)
}

// OpenFiles wants room for a number of sockets and files.
func OpenFiles(least uint64, why string) Check {
	return func(context.Context) Finding {
		const name = "open files"
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return fail(name, err.Error(), "")
		}
		if limit.Max < least {
			return warn(name, fmt.Sprintf("at most %d", limit.Max), fmt.Sprintf("raise the limit to %d: %s", least, why))
		}
		return ok(name, fmt.Sprintf("at most %d", limit.Max))
	}
}

// Folder wants to write into a directory, and room there.
func Folder(name, dir string, leastFree uint64) Check {
	return func(context.Context) Finding {
		at := dir
		for {
			info, err := os.Stat(at)
			if err == nil && info.IsDir() {
				break
			}
			if err == nil {
				return fail(name, at+" is no directory", "set another one, or move away what is there")
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return fail(name, err.Error(), "let the user that mcp runs as enter it, or set another directory")
			}
			at = filepath.Dir(at)
		}
		if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
			return fail(name, fmt.Sprintf("%s: %v", at, err), "let the user that mcp runs as write there")
		}
		var s unix.Statfs_t
		if err := unix.Statfs(at, &s); err != nil {
			return fail(name, fmt.Sprintf("%s: %v", at, err), "set a directory on another file system")
		}
		free := s.Bavail * uint64(s.Bsize)
		detail := fmt.Sprintf("%s, %d MiB free", dir, free>>20)
		if free < leastFree {
			return warn(name, detail, fmt.Sprintf("make room: %d MiB are little", free>>20))
		}
		return ok(name, detail)
	}
}
