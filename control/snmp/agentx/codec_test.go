package agentx

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// octets reads hexadecimal octets with blanks between them.
func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	sysDescr = OID{1, 3, 6, 1, 2, 1, 1, 1, 0}
	tree     = OID{1, 3, 6, 1, 4, 1, 1729}
)

// TestObjectIdentifiers holds the examples of RFC 2741 section 5.1.
func TestObjectIdentifiers(t *testing.T) {
	for name, tt := range map[string]struct {
		oid  OID
		wire string
	}{
		"sysDescr.0":      {sysDescr, "04 02 00 00  00000001 00000001 00000001 00000000"},
		"1.2.3.4":         {OID{1, 2, 3, 4}, "04 00 00 00  00000001 00000002 00000003 00000004"},
		"null":            {nil, "00 00 00 00"},
		"1.3.6.1 alone":   {internet, "04 00 00 00  00000001 00000003 00000006 00000001"},
		"1.3.6.1.300.1":   {OID{1, 3, 6, 1, 300, 1}, "06 00 00 00  00000001 00000003 00000006 00000001 0000012c 00000001"},
		"enterprise 1729": {tree, "02 04 00 00  00000001 000006c1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &encoder{}
			e.oid(tt.oid, false)
			if want := octets(t, tt.wire); !bytes.Equal(e.b, want) {
				t.Errorf("% x, want % x", e.b, want)
			}
		})
	}
}

// TestPDUs writes and reads each type of PDU as RFC 2741 section 6.2 lays it out.
func TestPDUs(t *testing.T) {
	context := "blue"
	for name, tt := range map[string]struct {
		pdu  pdu
		wire string
	}{
		"open": {
			pdu{kind: kindOpen, packet: 1, timeout: 5, id: tree, text: "mcp"},
			"01 01 10 00 00000000 00000000 00000001 00000018  05 000000  02 04 00 00 00000001 000006c1  00000003 6d637000",
		},
		"close":    {pdu{kind: kindClose, session: 7, packet: 2, reason: reasonShutdown}, "01 02 10 00 00000007 00000000 00000002 00000004  05 000000"},
		"register": {pdu{kind: kindRegister, session: 7, packet: 3, priority: 127, id: tree}, "01 03 10 00 00000007 00000000 00000003 00000010  00 7f 00 00  02 04 00 00 00000001 000006c1"},
		"unregister": {
			pdu{kind: kindUnregister, session: 7, packet: 3, priority: 127, id: tree},
			"01 04 10 00 00000007 00000000 00000003 00000010  00 7f 00 00  02 04 00 00 00000001 000006c1",
		},
		"get in a context": {
			pdu{kind: kindGet, session: 7, transaction: 8, packet: 9, context: &context, ranges: []searchRange{{start: sysDescr}}},
			"01 05 18 00 00000007 00000008 00000009 00000020  00000004 626c7565  04 02 00 00 00000001 00000001 00000001 00000000  00 00 00 00",
		},
		"get next": {
			pdu{kind: kindGetNext, session: 7, transaction: 8, packet: 9, ranges: []searchRange{{start: tree, include: true, end: OID{1, 3, 6, 1, 4, 1, 1730}}}},
			"01 06 10 00 00000007 00000008 00000009 00000018  02 04 01 00 00000001 000006c1  02 04 00 00 00000001 000006c2",
		},
		"get bulk": {
			pdu{kind: kindGetBulk, session: 7, transaction: 8, packet: 9, bulk: bulk{1, 10}, ranges: []searchRange{{start: tree}}},
			"01 07 10 00 00000007 00000008 00000009 00000014  0001 000a  02 04 00 00 00000001 000006c1  00 00 00 00",
		},
		"test set": {
			pdu{kind: kindTestSet, session: 7, transaction: 8, packet: 9, variables: []Variable{{tree, Int(-1)}}},
			"01 08 10 00 00000007 00000008 00000009 00000014  0002 0000  02 04 00 00 00000001 000006c1  ffffffff",
		},
		"commit set":  {pdu{kind: kindCommitSet, session: 7, transaction: 8, packet: 9}, "01 09 10 00 00000007 00000008 00000009 00000000"},
		"undo set":    {pdu{kind: kindUndoSet, session: 7, transaction: 8, packet: 9}, "01 0a 10 00 00000007 00000008 00000009 00000000"},
		"cleanup set": {pdu{kind: kindCleanupSet, session: 7, transaction: 8, packet: 9}, "01 0b 10 00 00000007 00000008 00000009 00000000"},
		"notify": {
			pdu{kind: kindNotify, session: 7, packet: 9, variables: []Variable{{tree, Identifier(OID{1, 2})}}},
			"01 0c 10 00 00000007 00000000 00000009 0000001c  0006 0000  02 04 00 00 00000001 000006c1  02 00 00 00 00000001 00000002",
		},
		"ping": {pdu{kind: kindPing, session: 7, packet: 9}, "01 0d 10 00 00000007 00000000 00000009 00000000"},
		"response": {
			pdu{kind: kindResponse, session: 7, packet: 9, result: result{upTime: 100, code: 17, index: 1}, variables: []Variable{
				{OID{1, 2}, Text("hello")}, {OID{1, 2}, Count(1 << 40)}, {OID{1, 2}, Value{Kind: EndOfMIBView}},
			}},
			"01 12 10 00 00000007 00000000 00000009 0000004c 00000064 0011 0001" +
				"0004 0000  02 00 00 00 00000001 00000002  00000005 68656c6c 6f000000" +
				"0046 0000  02 00 00 00 00000001 00000002  00000100 00000000" +
				"0082 0000  02 00 00 00 00000001 00000002",
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := octets(t, tt.wire)
			if got := tt.pdu.encode(); !bytes.Equal(got, want) {
				t.Errorf("writes\n% x, want\n% x", got, want)
			}
			got, err := read(bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.pdu) {
				t.Errorf("reads %+v, want %+v", *got, tt.pdu)
			}
		})
	}
}

// TestLittleEndian reads what a master on a little-endian machine sends.
func TestLittleEndian(t *testing.T) {
	wire := octets(t, "01 05 00 00 07000000 08000000 09000000 10000000  02 04 00 00 01000000 c1060000  00 00 00 00")
	got, err := read(bytes.NewReader(wire))
	want := &pdu{kind: kindGet, session: 7, transaction: 8, packet: 9, ranges: []searchRange{{start: tree}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v, want %+v", got, err, want)
	}
}

func TestBadPDUsAreRefused(t *testing.T) {
	for name, tt := range map[string]struct{ wire, want string }{
		"version":          {"02 0d 10 00 00000007 00000000 00000009 00000000", "version 2"},
		"odd length":       {"01 0d 10 00 00000007 00000000 00000009 00000003", "3 octets"},
		"great length":     {"01 0d 10 00 00000007 00000000 00000009 7fffff00", "octets"},
		"unknown type":     {"01 63 10 00 00000007 00000000 00000009 00000000", "unknown"},
		"rest":             {"01 0d 10 00 00000007 00000000 00000009 00000004 00000000", "too many"},
		"short identifier": {"01 05 10 00 00000007 00000000 00000009 00000008 05 02 00 00 00000001", "too early"},
		"long identifier":  {"01 05 10 00 00000007 00000000 00000009 00000004 81 00 00 00", "129 numbers"},
		"short string":     {"01 01 10 00 00000007 00000000 00000009 0000000c 05 00 00 00 00 00 00 00 ffffffff", "too early"},
		"unknown value":    {"01 0c 10 00 00000007 00000000 00000009 00000008 0063 0000 00 00 00 00", "unknown type 99"},
		"range":            {"01 03 10 00 00000007 00000000 00000009 00000008 00 7f 02 00 00 00 00 00", "range of subtrees"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(bytes.NewReader(octets(t, tt.wire))); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzRead reads anything; what can be read is written so that it reads the same.
func FuzzRead(f *testing.F) {
	f.Add(octets(f, "01 01 10 00 00000000 00000000 00000001 00000018  05 000000  02 04 00 00 00000001 000006c1  00000003 6d637000"))
	f.Add(octets(f, "01 05 18 00 00000007 00000008 00000009 00000020  00000004 626c7565  04 02 00 00 00000001 00000001 00000001 00000000  00 00 00 00"))
	f.Add(octets(f, "01 07 00 00 07000000 08000000 09000000 14000000  0100 0a00  02 04 00 00 01000000 c1060000  00 00 00 00"))
	f.Add(octets(f, "01 0c 10 00 00000007 00000000 00000009 0000001c  0006 0000  02 04 00 00 00000001 000006c1  02 00 00 00 00000001 00000002"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		first, err := read(bytes.NewReader(wire))
		if err != nil {
			return
		}
		again, err := read(bytes.NewReader(first.encode()))
		if err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
		if !reflect.DeepEqual(first, again) {
			t.Errorf("%+v, then %+v", first, again)
		}
	})
}
