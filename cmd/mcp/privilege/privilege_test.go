package privilege

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRaise starts a file with a capability that is permitted, as the image has it, as a
// plain user: where the container grants the capability it is in effect, where it is
// denied the file starts without.
func TestRaise(t *testing.T) {
	if os.Getenv("MCP_TEST_RAISE") != "" {
		if err := Raise(); err != nil {
			t.Fatal(err)
		}
		status, err := os.ReadFile("/proc/thread-self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(status), "CapEff:")
		fmt.Println("effective", strings.Fields(line)[0])
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("setting a file's capabilities needs root")
	}
	file := capable(t, unix.CAP_NET_RAW)
	granted := fmt.Sprintf("effective %016x", 1<<unix.CAP_NET_RAW)
	for name, row := range map[string]struct{ bounding, want string }{
		"granted": {"-all,+net_raw", granted},
		"denied":  {"-all", "effective 0000000000000000"},
	} {
		cmd := exec.CommandContext(t.Context(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set="+row.bounding,
			file, "-test.run=^TestRaise$")
		cmd.Env = append(os.Environ(), "MCP_TEST_RAISE=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), row.want) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// capable is this program, built as the platform is, that a plain user may start, and whose file has a
// capability permitted, not effective (struct vfs_cap_data, revision 2).
func capable(t *testing.T, bit uint) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mcp")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=") // as the platform is built
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for at := filepath.Dir(path); at != filepath.Clean(os.TempDir()); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const revision2, words = 0x02000000, 5
	value := make([]byte, 4*words)
	binary.LittleEndian.PutUint32(value, revision2)
	binary.LittleEndian.PutUint32(value[4:], 1<<bit)
	if err := unix.Setxattr(path, "security.capability", value, 0); err != nil {
		t.Fatal(err)
	}
	return path
}
