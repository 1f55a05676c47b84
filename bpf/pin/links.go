package pin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// linkPrefix is followed by the index of the interface.
const linkPrefix = "link_"

// Link is a pinned link of an XDP program to an interface.
type Link struct {
	link.Link
	Index   int  // of the interface when the link was pinned
	Gone    bool // the interface is no more
	Program ebpf.ProgramID
}

// LinkPath is where the link to an interface is pinned.
func LinkPath(dir string, index int) string {
	return filepath.Join(dir, linkPrefix+strconv.Itoa(index))
}

// Links opens the links pinned in dir, in no order; the caller closes them, also
// those that come with an error.
func Links(dir string) ([]Link, error) {
	paths, err := filepath.Glob(filepath.Join(dir, linkPrefix+"*"))
	if err != nil {
		return nil, err
	}
	links := make([]Link, 0, len(paths))
	for _, path := range paths {
		l, err := openLink(path)
		if l.Link != nil {
			links = append(links, l)
		}
		if err != nil {
			return links, fmt.Errorf("open %s: %w", path, err)
		}
	}
	return links, nil
}

func openLink(path string) (Link, error) {
	index, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), linkPrefix))
	if err != nil {
		return Link{}, err
	}
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return Link{}, err
	}
	opened := Link{Link: l, Index: index}
	info, err := l.Info()
	if err != nil {
		return opened, err
	}
	x := info.XDP()
	opened.Gone, opened.Program = x == nil || x.Ifindex == 0, info.Program
	return opened, nil
}

// CloseLinks closes descriptors; what is pinned stays attached.
func CloseLinks(links []Link) error {
	var err error
	for _, l := range links {
		err = errors.Join(err, l.Close())
	}
	return err
}

// Detach takes the programs off their interfaces at once; the kernel would do so
// some time after the pins are gone. A pin that is not a link is passed over: it
// holds nothing attached.
func Detach(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, linkPrefix+"*"))
	for _, path := range paths {
		l, e := link.LoadPinnedLink(path, nil)
		if errors.Is(e, os.ErrPermission) {
			err = errors.Join(err, fmt.Errorf("open %s: %w", path, e))
		}
		if e != nil {
			continue
		}
		if e := l.Detach(); e != nil && !errors.Is(e, unix.ENOLINK) {
			err = errors.Join(err, e)
		}
		err = errors.Join(err, l.Close())
	}
	return err
}
