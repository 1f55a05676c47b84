package reporting

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// usualRecord is room for the JSON of an ordinary call.
const usualRecord = 1536

// encoder writes what every call leaves behind as JSON: byte for byte what
// encoding/json makes of the same types, without the reflection, which took more
// than all else that is done for a record.
type encoder struct {
	b   []byte
	err error // the first
}

// Encode is the JSON of a call's record, as it is stored.
func Encode(rec *Record) ([]byte, error) {
	e := encoder{b: make([]byte, 0, usualRecord)}
	e.stored(rec)
	return e.result()
}

// stored is a call's record as it is stored.
func (e *encoder) stored(rec *Record) {
	c := forStorage(rec)
	e.record(&c)
}

func (e *encoder) event(v *Event) {
	e.begin()
	e.head(&v.Head)
	e.text("call", v.Call)
	e.time("at", v.At)
	e.integer("offset_ms", v.Offset)
	e.integer("sequence", int64(v.Sequence))
	e.text("name", v.Name)
	e.optional("text", v.Text)
	e.close()
}

func (e *encoder) result() ([]byte, error) {
	if e.err != nil {
		return nil, fmt.Errorf("encode: %w", e.err)
	}
	return e.b, nil
}

func (e *encoder) record(r *Record) {
	e.begin()
	e.head(&r.Head)
	e.text("sip_call_id", r.SIPCallID)
	e.parties(&r.Parties)
	if r.Attached != nil {
		e.attached(r.Attached)
	}
	e.time("started_at", r.StartedAt)
	if r.AnsweredAt != nil {
		e.time("answered_at", *r.AnsweredAt)
	}
	e.time("ended_at", r.EndedAt)
	e.object("durations")
	e.integer("setup_ms", r.Durations.Setup)
	e.integer("talk_ms", r.Durations.Talk)
	e.integer("total_ms", r.Durations.Total)
	e.close()
	e.end(&r.End)
	writeAll(e, "media", r.Media, (*encoder).leg)
	if r.Speech != nil {
		e.speech(r.Speech)
	}
	if r.Dialogue != nil {
		e.dialogue(r.Dialogue)
	}
	writeAll(e, "transfers", r.Transfers, (*encoder).transfer)
	writeAll(e, "recordings", r.Recordings, (*encoder).recording)
	writeAll(e, "progress", r.Progress, (*encoder).progress)
	e.close()
}

func (e *encoder) head(h *Head) {
	e.integer("schema", int64(h.Schema))
	e.text("kind", string(h.Kind))
	e.text("id", h.ID)
	e.optional("component", h.Component)
	e.optional("tenant", h.Tenant)
	e.optional("profile", h.Profile)
	e.optional("session", h.Session)
	e.optional("application", h.Application)
}

func (e *encoder) parties(p *Parties) {
	e.object("parties")
	e.text("local_uri", p.Local)
	e.text("remote_uri", p.Remote)
	e.text("request_uri", p.Request)
	e.optional("dnis", p.DNIS)
	e.optional("ani", p.ANI)
	e.close()
}

func (e *encoder) attached(a *Attached) {
	e.object("attached")
	e.optional("call_uuid", a.CallUUID)
	e.items("session_data", a.SessionData)
	e.optional("dbid", a.DBID)
	e.optional("dn", a.DN)
	e.optional("cof_id", a.CofID)
	e.texts("user_data", a.UserData)
	e.items("user_to_user", a.UserToUser)
	e.texts("overrides", a.Overrides)
	e.close()
}

func (e *encoder) end(v *End) {
	e.object("end")
	e.text("cause", string(v.Cause))
	e.text("by", string(v.By))
	if v.SIPStatus != 0 {
		e.integer("sip_status", int64(v.SIPStatus))
	}
	e.optional("error", v.Error)
	writeAll(e, "reasons", v.Reasons, (*encoder).reason)
	e.close()
}

func (e *encoder) reason(r *Reason) {
	e.open()
	e.text("protocol", r.Protocol)
	e.integer("cause", int64(r.Cause))
	e.optional("text", r.Text)
	e.close()
}

func (e *encoder) leg(l *Leg) {
	e.open()
	e.text("leg", l.Name)
	e.optional("codec", l.Codec)
	e.optional("remote", l.Remote)
	e.optional("srtp", l.SRTP)
	e.optional("srtp_keys", l.SRTPKeys)
	e.received(&l.Received)
	e.sent(&l.Sent)
	e.close()
}

func (e *encoder) received(r *Received) {
	e.object("received")
	e.count("packets", r.Packets)
	e.count("bytes", r.Bytes)
	e.count("relayed", r.Relayed)
	e.count("user", r.User)
	e.integer("lost", r.Lost)
	e.number("jitter_ms", r.Jitter)
	if r.MOS != 0 {
		e.number("mos", r.MOS)
	}
	if r.SSRC != 0 {
		e.count("ssrc", uint64(r.SSRC))
	}
	if len(r.Dropped) > 0 {
		e.object("dropped")
		for _, reason := range sortedKeys(r.Dropped) {
			e.name(reason)
			e.b = strconv.AppendUint(e.b, r.Dropped[reason], 10)
		}
		e.close()
	}
	e.count("rtcp", r.RTCP)
	e.close()
}

func (e *encoder) sent(s *Sent) {
	e.object("sent")
	e.count("packets", s.Packets)
	e.count("bytes", s.Bytes)
	e.count("relayed", s.Relayed)
	if s.SSRC != 0 {
		e.count("ssrc", uint64(s.SSRC))
	}
	if h := s.Heard; h != nil {
		e.object("heard")
		e.number("loss", h.Loss)
		e.number("jitter_ms", h.Jitter)
		if h.RoundTrip != 0 {
			e.number("round_trip_ms", h.RoundTrip)
		}
		e.number("mos", h.MOS)
		e.close()
	}
	e.close()
}

func (e *encoder) speech(s *Speech) {
	e.object("speech")
	e.integer("recognitions", int64(s.Recognitions))
	e.integer("matches", int64(s.Matches))
	e.integer("no_matches", int64(s.NoMatches))
	e.integer("no_inputs", int64(s.NoInputs))
	e.integer("syntheses", int64(s.Syntheses))
	e.integer("failures", int64(s.Failures))
	if s.Bots != 0 {
		e.integer("bots", int64(s.Bots))
	}
	e.close()
}

func (e *encoder) dialogue(d *Dialogue) {
	e.object("dialogue")
	e.integer("pages", int64(d.Pages))
	e.optional("last_event", d.LastEvent)
	e.texts("exit", d.Exit)
	if l := d.Latency; l != nil {
		e.object("latency")
		e.number("first_prompt_ms", l.FirstPrompt)
		if s := l.Response; s != nil {
			e.object("response_ms")
			e.number("p50", s.Median)
			e.number("p95", s.P95)
			e.number("p99", s.P99)
			e.number("max", s.Most)
			e.close()
		}
		e.close()
	}
	e.close()
}

func (e *encoder) transfer(t *Transfer) {
	e.open()
	e.text("kind", t.Kind)
	e.text("to", t.To)
	e.text("result", t.Result)
	e.integer("duration_ms", t.Duration)
	e.close()
}

func (e *encoder) recording(r *Recording) {
	e.open()
	e.optional("id", r.ID)
	e.optional("uri", r.URI)
	e.integer("duration_ms", r.Duration)
	e.close()
}

func (e *encoder) progress(p *Progress) {
	e.open()
	e.text("leg", p.Leg)
	e.text("outcome", p.Outcome)
	e.boolean("answered", p.Answered)
	if p.Beep {
		e.boolean("beep", true)
	}
	e.integer("after_ms", p.After)
	e.close()
}

// note is an entry of a roster.
func (e *encoder) note(n *note) {
	e.begin()
	e.time("at", n.At)
	e.integer("clock_ms", n.Clock)
	if n.Call != nil {
		e.key("call")
		e.record(n.Call)
	}
	if n.Started != 0 {
		e.integer("started_ms", n.Started)
	}
	if n.Answered != 0 {
		e.integer("answered_ms", n.Answered)
	}
	e.items("ended", n.Ended)
	if n.From != nil {
		e.object("from")
		e.count("Segment", n.From.Segment)
		e.integer("Offset", n.From.Offset)
		e.close()
	}
	e.optional("mark", n.Mark)
	e.close()
}

// next puts a comma where something stands before, in the same object or list.
func (e *encoder) next() {
	switch e.b[len(e.b)-1] {
	case '{', '[', ':':
	default:
		e.b = append(e.b, ',')
	}
}

// key begins a field whose name needs no escape, and name one of any.
func (e *encoder) key(name string) {
	e.next()
	e.b = append(e.b, '"')
	e.b = append(e.b, name...)
	e.b = append(e.b, '"', ':')
}

func (e *encoder) name(name string) {
	e.next()
	e.string(name)
	e.b = append(e.b, ':')
}

// begin begins an object, open one in a list and object one that has a name; close
// ends each.
func (e *encoder) begin() { e.b = append(e.b, '{') }

func (e *encoder) open() {
	e.next()
	e.begin()
}

func (e *encoder) object(name string) {
	e.key(name)
	e.begin()
}

func (e *encoder) close() { e.b = append(e.b, '}') }

// list begins one of so many items, and shut ends it; one of none is left out.
func (e *encoder) list(name string, items int) bool {
	if items > 0 {
		e.key(name)
		e.b = append(e.b, '[')
	}
	return items > 0
}

func (e *encoder) shut() { e.b = append(e.b, ']') }

// writeAll is a list of objects.
func writeAll[T any](e *encoder, name string, all []T, write func(*encoder, *T)) {
	if e.list(name, len(all)) {
		for i := range all {
			write(e, &all[i])
		}
		e.shut()
	}
}

func (e *encoder) items(name string, items []string) {
	if e.list(name, len(items)) {
		for _, item := range items {
			e.next()
			e.string(item)
		}
		e.shut()
	}
}

// texts are left out when there are none.
func (e *encoder) texts(name string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	e.object(name)
	for _, key := range sortedKeys(values) {
		e.name(key)
		e.string(values[key])
	}
	e.close()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (e *encoder) text(name, value string) {
	e.key(name)
	e.string(value)
}

// optional is a text that is left out when there is none.
func (e *encoder) optional(name, value string) {
	if value != "" {
		e.text(name, value)
	}
}

func (e *encoder) integer(name string, value int64) {
	e.key(name)
	e.b = strconv.AppendInt(e.b, value, 10)
}

func (e *encoder) count(name string, value uint64) {
	e.key(name)
	e.b = strconv.AppendUint(e.b, value, 10)
}

func (e *encoder) boolean(name string, value bool) {
	e.key(name)
	e.b = strconv.AppendBool(e.b, value)
}

// number writes the shortest digits that say the value. Exponents, and what no JSON
// can say, are left to encoding/json.
func (e *encoder) number(name string, value float64) {
	e.key(name)
	if size := math.Abs(value); size == 0 || size >= 1e-6 && size < 1e21 {
		e.b = strconv.AppendFloat(e.b, value, 'f', -1, 64)
		return
	}
	e.other(value)
}

func (e *encoder) time(name string, value time.Time) {
	e.key(name)
	e.b = append(e.b, '"')
	b, err := value.AppendText(e.b)
	e.fail(err)
	e.b = append(b, '"')
}

// special are the printable characters of ASCII that encoding/json escapes.
var special = [128]bool{'"': true, '\\': true, '<': true, '>': true, '&': true}

// string writes a text in quotes; one that has to be escaped is left to encoding/json.
func (e *encoder) string(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || special[c] {
			e.other(s)
			return
		}
	}
	e.b = append(e.b, '"')
	e.b = append(e.b, s...)
	e.b = append(e.b, '"')
}

// other writes what is seldom, as encoding/json does.
func (e *encoder) other(value any) {
	b, err := json.Marshal(value)
	e.fail(err)
	e.b = append(e.b, b...)
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}
