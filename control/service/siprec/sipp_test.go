package siprec

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A recording server that nobody here wrote finds everything where it looks for it.
func TestSIPpRecords(t *testing.T) {
	sipp, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("sipp is not installed")
	}
	t.Parallel()
	scenario, err := filepath.Abs(filepath.Join("../../../scripts/sipp", "uas_siprec.xml"))
	if err != nil {
		t.Fatal(err)
	}
	// SIPp cannot be told to take any port; one that was free a moment ago is.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srs := exec.CommandContext(ctx, sipp, "-sf", scenario, "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "t1", "-m", "1", "-nostdin", "-timeout", "15")
	srs.Dir = t.TempDir()
	done := make(chan error, 1)
	b := newBench(t, Config{Pause: 50 * time.Millisecond})
	b.client.config.Server = "sip:record@127.0.0.1:" + strconv.Itoa(port) + ";transport=tcp"
	go func() {
		out, err := srs.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		done <- err
	}()
	d, err := b.dial()
	if err != nil {
		t.Fatal(err)
	}
	b.eventually("the recording session", func() bool { return active(b) == 1 })
	if err := d.Bye(context.Background(), nil); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("sipp: %v", err)
	}
}
