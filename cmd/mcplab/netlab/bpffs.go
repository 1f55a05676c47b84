package netlab

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// BPF is where BPF objects are pinned.
const BPF = "/sys/fs/bpf"

// MountBPF mounts the BPF file system where nobody has. It stays: by the end
// others may use it.
func MountBPF() error {
	var at unix.Statfs_t
	if err := unix.Statfs(BPF, &at); err != nil {
		return fmt.Errorf("%s: %w", BPF, err)
	}
	if at.Type == unix.BPF_FS_MAGIC {
		return nil
	}
	if err := unix.Mount("bpf", BPF, "bpf", 0, "mode=0700"); err != nil {
		return fmt.Errorf("mount %s: %w", BPF, err)
	}
	return nil
}
