package agentx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"mcp/control/snmp/snmptest"
)

// fixed is a MIB that never changes.
type fixed []Variable

func (f fixed) Variables() []Variable { return f }

func (f fixed) Known(name OID) bool { return name.Below(tree.Append(1)) }

// example has a scalar of each type and a table of 60 rows with two columns.
func example() fixed {
	f := fixed{
		{tree.Append(1, 1, 0), Int(math.MinInt32)},
		{tree.Append(1, 2, 0), Count(1 << 60)},
		{tree.Append(1, 3, 0), Gauge(1 << 60)},
		{tree.Append(1, 4, 0), Text("")},
		{tree.Append(1, 5, 0), Text("hello")},
		{tree.Append(1, 6, 0), Identifier(OID{1, 3, 6, 1, 2})},
	}
	for column := range uint32(2) {
		for row := range uint32(60) {
			f = append(f, Variable{tree.Append(2, 1, column+1, row+1), Gauge(uint64(column*100 + row))})
		}
	}
	return f
}

// start runs a subagent until the test ends.
func start(t *testing.T, master string, mib MIB) *Subagent {
	t.Helper()
	s, err := New(Config{Master: master, Subtree: tree, Description: "test", Timeout: 10 * time.Second, Ping: 10 * time.Second, Retry: 100 * time.Millisecond},
		mib, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

func connected(t *testing.T, s *Subagent) {
	t.Helper()
	snmptest.Eventually(t, "a session", func() error {
		if !s.Connected() {
			return errors.New("there is none")
		}
		return nil
	})
}

func TestSNMPDAsksAndTakesNotifications(t *testing.T) {
	for name, address := range map[string]func(*snmptest.Master) string{
		"unix": func(m *snmptest.Master) string { return m.AgentX },
		"tcp":  func(m *snmptest.Master) string { return m.TCP },
	} {
		t.Run(name, func(t *testing.T) {
			master := snmptest.Start(t)
			mib := example()
			s := start(t, address(master), mib)
			connected(t, s)
			several(t, master)
			for _, tool := range []string{"snmpwalk", "snmpbulkwalk"} {
				said, err := master.Tool("", tool, "-v2c", "-c", snmptest.Community, "-On", "-OQ", master.Addr, tree.String())
				if err != nil {
					t.Fatalf("%s: %v: %s", tool, err, said)
				}
				if got := strings.Count(said, tree.String()); got != len(mib) {
					t.Errorf("%s finds %d variables, want %d", tool, got, len(mib))
				}
			}
			said, err := master.Tool("", "snmpset", "-v2c", "-c", snmptest.Private, master.Addr, tree.Append(1, 1, 0).String(), "i", "5")
			if err == nil || !strings.Contains(said, "notWritable") {
				t.Errorf("snmpset: %v: %s", err, said)
			}
			several(t, master) // what was refused has spoilt nothing
			s.Notify(tree.Append(0, 1), Variable{tree.Append(1, 5, 0), Text("alarm")})
			received(t, master, "."+tree.Append(0, 1).String(), `"alarm"`)
		})
	}
}

// several gets more than one variable at once, and two that are missing.
func several(t *testing.T, m *snmptest.Master) {
	t.Helper()
	got, err := m.Get(tree.Append(1, 1, 0).String(), tree.Append(1, 2, 0).String(), tree.Append(1, 3, 0).String(),
		tree.Append(1, 5, 0).String(), tree.Append(1, 1, 7).String(), tree.Append(9, 1).String())
	if err != nil {
		t.Fatal(err)
	}
	want := []any{math.MinInt32, uint64(1 << 60), uint(math.MaxUint32), []byte("hello"), gosnmp.NoSuchInstance, gosnmp.NoSuchObject}
	for i, v := range got {
		if w, kind := want[i].(gosnmp.Asn1BER); kind && v.Type != w || !kind && !reflect.DeepEqual(v.Value, want[i]) {
			t.Errorf("%s is %v %#v, want %#v", v.Name, v.Type, v.Value, want[i])
		}
	}
}

// received waits for a notification with all that is wanted.
func received(t *testing.T, m *snmptest.Master, want ...string) {
	t.Helper()
	snmptest.Eventually(t, "a notification", func() error {
		for _, line := range m.Traps() {
			missing := false
			for _, w := range want {
				missing = missing || !strings.Contains(line, w)
			}
			if !missing {
				return nil
			}
		}
		return fmt.Errorf("none with %q in %q", want, m.Traps())
	})
}

func TestMasterComesBack(t *testing.T) {
	master := snmptest.Start(t)
	s := start(t, master.AgentX, example())
	connected(t, s)
	master.Stop()
	snmptest.Eventually(t, "the loss", func() error {
		if s.Connected() {
			return errors.New("not noticed")
		}
		return nil
	})
	s.Notify(tree.Append(0, 2), Variable{tree.Append(1, 5, 0), Text("while nobody listened")})
	master.Restart()
	connected(t, s)
	several(t, master)
	received(t, master, "while nobody listened")
}

// TestUnconfirmedNotificationIsSentAgain has a master go away before it confirms.
func TestUnconfirmedNotificationIsSentAgain(t *testing.T) {
	master := newFake(t)
	s := start(t, "tcp:"+master.addr(), example())
	first := master.accept()
	s.Notify(tree.Append(0, 3))
	sent := first.expect(kindNotify)
	first.Close()
	second := master.accept()
	again := second.expect(kindNotify)
	if !reflect.DeepEqual(sent.variables, again.variables) {
		t.Errorf("%v, want %v", again.variables, sent.variables)
	}
	second.reply(again)
	snmptest.Eventually(t, "the confirmation", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.outbox) != 0 {
			return fmt.Errorf("%v wait", s.outbox)
		}
		return nil
	})
	second.Close()
}

// TestRequestsOfAMaster holds answers against RFC 2741 section 7.2.3.
func TestRequestsOfAMaster(t *testing.T) {
	column := func(n, row uint32) OID { return tree.Append(2, 1, n, row) }
	red := "red"
	for name, tt := range map[string]struct {
		request pdu
		want    []Kind
		last    OID
		code    uint16
	}{
		"get next of all":            {pdu{kind: kindGetNext, ranges: []searchRange{{start: tree}}}, []Kind{Integer}, tree.Append(1, 1, 0), 0},
		"get next, not included":     {pdu{kind: kindGetNext, ranges: []searchRange{{start: column(1, 1)}}}, []Kind{Gauge32}, column(1, 2), 0},
		"get next, included":         {pdu{kind: kindGetNext, ranges: []searchRange{{start: column(1, 1), include: true}}}, []Kind{Gauge32}, column(1, 1), 0},
		"get next, nothing in range": {pdu{kind: kindGetNext, ranges: []searchRange{{start: column(1, 60), end: column(2, 0)}}}, []Kind{EndOfMIBView}, column(1, 60), 0},
		"get next at the end":        {pdu{kind: kindGetNext, ranges: []searchRange{{start: column(2, 60)}}}, []Kind{EndOfMIBView}, column(2, 60), 0},
		"bulk": {
			pdu{kind: kindGetBulk, bulk: bulk{1, 2}, ranges: []searchRange{{start: tree}, {start: column(1, 1)}, {start: column(2, 59)}}},
			[]Kind{Integer, Gauge32, Gauge32, Gauge32, EndOfMIBView}, column(2, 60), 0,
		},
		"another context": {pdu{kind: kindGet, context: &red, ranges: []searchRange{{start: tree}}}, nil, nil, errorGeneral},
		"test set":        {pdu{kind: kindTestSet, variables: []Variable{{tree, Int(1)}}}, nil, nil, errorNotWritable},
		"commit set":      {pdu{kind: kindCommitSet}, nil, nil, errorCommitFailed},
		"undo set":        {pdu{kind: kindUndoSet}, nil, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := answer(&tt.request, example())
			var kinds []Kind
			var last OID
			for _, v := range got.variables {
				kinds, last = append(kinds, v.Value.Kind), v.Name
			}
			if !reflect.DeepEqual(kinds, tt.want) || !reflect.DeepEqual(last, tt.last) || got.result.code != tt.code {
				t.Errorf("%v, the last %v, error %d; want %v, %v, %d", kinds, last, got.result.code, tt.want, tt.last, tt.code)
			}
		})
	}
	if got := answer(&pdu{kind: kindCleanupSet}, example()); got != nil {
		t.Errorf("CleanupSet is answered with %+v", got)
	}
	all := answer(&pdu{kind: kindGetBulk, bulk: bulk{0, math.MaxUint16}, ranges: []searchRange{{start: tree}, {start: tree}}}, example())
	if n := len(all.variables); n > maxAnswer {
		t.Errorf("an answer of %d variables", n)
	}
}

// fake is a master that does what a test says.
type fake struct {
	t *testing.T
	net.Listener
}

func newFake(t *testing.T) *fake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &fake{t, l}
}

func (f *fake) addr() string { return f.Addr().String() }

// fakeSession is a subagent's connection.
type fakeSession struct {
	t *testing.T
	net.Conn
}

// accept takes a connection, and the subtree of the subagent that made it.
func (f *fake) accept() fakeSession {
	f.t.Helper()
	conn, err := f.Accept()
	if err != nil {
		f.t.Fatal(err)
	}
	s := fakeSession{f.t, conn}
	s.reply(s.expect(kindOpen))
	s.reply(s.expect(kindRegister))
	return s
}

func (s fakeSession) expect(want kind) *pdu {
	s.t.Helper()
	p, err := read(s)
	if err != nil {
		s.t.Fatal(err)
	}
	if p.kind != want {
		s.t.Fatalf("a PDU of type %d, want %d", p.kind, want)
	}
	return p
}

func (s fakeSession) reply(p *pdu) {
	s.t.Helper()
	if _, err := s.Write((&pdu{kind: kindResponse, session: 9, packet: p.packet}).encode()); err != nil {
		s.t.Fatal(err)
	}
}

// TestClosesWhatItOpened reads the Close of a subagent that stops.
func TestClosesWhatItOpened(t *testing.T) {
	master := newFake(t)
	s, err := New(Config{Master: "tcp:" + master.addr(), Subtree: tree, Timeout: time.Minute, Ping: time.Minute, Retry: time.Second}, example(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	defer running.Wait()
	conn := master.accept()
	defer conn.Close()
	cancel()
	if p := conn.expect(kindClose); p.reason != reasonShutdown {
		t.Errorf("reason %d, want %d", p.reason, reasonShutdown)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%v after the close, want the end", err)
	}
}

// TestSilentMasterIsLeft has a master answer no ping.
func TestSilentMasterIsLeft(t *testing.T) {
	master := newFake(t)
	s, err := New(Config{Master: "tcp:" + master.addr(), Subtree: tree, Timeout: time.Second, Ping: 10 * time.Millisecond, Retry: 10 * time.Millisecond}, example(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	defer running.Wait()
	defer cancel()
	silent := master.accept()
	defer silent.Close()
	silent.expect(kindPing)
	master.accept().Close()
}

func TestBadMastersAreNamed(t *testing.T) {
	for _, address := range []string{"", "1705", "udp:127.0.0.1:1705", "unix:"} {
		if _, err := New(Config{Master: address}, example(), slog.Default()); err == nil || !strings.Contains(err.Error(), "unix:PATH") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
