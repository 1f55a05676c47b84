package siprec

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// server is SIPp's scenario of a recording server. It fails on an INVITE that lacks
// what RFC 7866 asks for.
const server = `<?xml version="1.0" encoding="ISO-8859-1"?>
<scenario name="srs">
<recv request="INVITE"><action>
  <ereg regexp="siprec" search_in="hdr" header="Require:" check_it="true" assign_to="1"/>
  <ereg regexp="\+sip\.src" search_in="hdr" header="Contact:" check_it="true" assign_to="2"/>
  <ereg regexp="multipart/mixed" search_in="hdr" header="Content-Type:" check_it="true" assign_to="3"/>
  <ereg regexp="a=label:1" search_in="body" check_it="true" assign_to="4"/>
  <ereg regexp="a=label:2" search_in="body" check_it="true" assign_to="5"/>
  <ereg regexp="Content-Disposition: recording-session" search_in="body" check_it="true" assign_to="6"/>
  <ereg regexp="urn:ietf:params:xml:ns:recording:1" search_in="body" check_it="true" assign_to="7"/>
</action></recv>
<Reference variables="1,2,3,4,5,6,7"/>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:srs@[local_ip]:[local_port];transport=[transport]>;+sip.srs
Content-Type: application/sdp
Content-Length: [len]

v=0
o=srs 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=recvonly
a=label:1
m=audio [media_port+2] RTP/AVP 0
a=recvonly
a=label:2
]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0
]]></send>
</scenario>`

// A recording server that nobody here wrote finds everything where it looks for it.
func TestSIPpRecords(t *testing.T) {
	sipp, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("sipp is not installed")
	}
	t.Parallel()
	dir := t.TempDir()
	scenario := filepath.Join(dir, "srs.xml")
	if err := os.WriteFile(scenario, []byte(server), 0o600); err != nil {
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
	srs.Dir = dir
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
