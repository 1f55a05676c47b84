package reporting

import "time"

// Record is one call's detail record: what a bill, a dashboard and a complaint
// need to know of the call. Every call leaves exactly one, answered or not.
//
// As JSON it is one object. Names are in snake_case; wall-clock times are RFC
// 3339 in UTC; durations are whole milliseconds, measured on the monotonic
// clock, in fields that end in _ms, so that a step of the wall clock never
// makes a call longer or shorter; empty optional fields are left out.
type Record struct {
	Head                  // its id is the call's own: a UUID made when the INVITE arrived
	SIPCallID  string     `json:"sip_call_id"` // Call-ID of the caller's dialog
	Parties    Parties    `json:"parties"`
	Attached   *Attached  `json:"attached,omitempty"`
	StartedAt  time.Time  `json:"started_at"`            // INVITE
	AnsweredAt *time.Time `json:"answered_at,omitempty"` // ACK of the answer; absent when never answered
	EndedAt    time.Time  `json:"ended_at"`
	Durations  Durations  `json:"durations"`
	End        End        `json:"end"`
	Media      []Leg      `json:"media,omitempty"`
	Speech     *Speech    `json:"speech,omitempty"`
	Dialogue   *Dialogue  `json:"dialogue,omitempty"`
	Deeds
	Parent string `json:"-"` // trace context of whoever sent the call, if it is believed; not kept

	counted *count // as one that is up; nil: it is not
}

// Begin starts the record of a call whose INVITE arrived at a time that still
// carries its monotonic reading (time.Now, not changed since).
func Begin(id string, at time.Time) *Record {
	return &Record{Head: Head{Schema: Schema, Kind: KindCall, ID: id}, StartedAt: at}
}

// Answer notes that the call was answered.
func (r *Record) Answer(at time.Time) {
	r.AnsweredAt = &at
	r.Durations.Setup = at.Sub(r.StartedAt).Milliseconds()
}

// Finish notes the end of the call and works out its durations.
func (r *Record) Finish(at time.Time, end End) {
	r.EndedAt, r.End = at, end
	r.Durations.Total = at.Sub(r.StartedAt).Milliseconds()
	if r.AnsweredAt == nil {
		r.Durations.Setup = r.Durations.Total
		return
	}
	r.Durations.Talk = at.Sub(*r.AnsweredAt).Milliseconds()
}

// Parties are the addresses of the INVITE.
type Parties struct {
	Local   string `json:"local_uri"`
	Remote  string `json:"remote_uri"`
	Request string `json:"request_uri"`
	DNIS    string `json:"dnis,omitempty"` // number dialled: user part of the To URI
	ANI     string `json:"ani,omitempty"`  // number calling: user part of the From URI
}

// Attached is what the systems around sent along with the call.
type Attached struct {
	CallUUID    string            `json:"call_uuid,omitempty"`    // X-Genesys-CallUUID
	SessionData []string          `json:"session_data,omitempty"` // parts of X-Genesys-GVP-Session-Data
	DBID        string            `json:"dbid,omitempty"`         // X-Genesys-RM-Application-dbid, which profile need not be
	DN          string            `json:"dn,omitempty"`           // dn parameter of the Request-URI
	CofID       string            `json:"cof_id,omitempty"`       // X-ISCC-CofId: the call at the site that it comes from
	UserData    map[string]string `json:"user_data,omitempty"`    // X-Genesys-*, by what follows in lower case; passwords are left out
	UserToUser  []string          `json:"user_to_user,omitempty"` // User-to-User (RFC 7433), as text where it is; left out where the caller asks for privacy
	Overrides   map[string]string `json:"overrides,omitempty"`    // options set for this call: gvp.config.<section>.<option>
}

// Durations are whole milliseconds on the monotonic clock.
type Durations struct {
	Setup int64 `json:"setup_ms"` // INVITE to answer, or to the end when never answered
	Talk  int64 `json:"talk_ms"`  // answer to end; 0 when never answered
	Total int64 `json:"total_ms"` // INVITE to end
}

// End says how a call ended.
type End struct {
	Cause     Cause    `json:"cause"`
	By        Party    `json:"by"`
	SIPStatus int      `json:"sip_status,omitempty"` // final response to the INVITE: 200, or what refused it
	Error     string   `json:"error,omitempty"`      // what went wrong, in words
	Reasons   []Reason `json:"reasons,omitempty"`    // of the far end's BYE or CANCEL (RFC 3326), the first four
}

// Reason is why a far end ends a call: a status of SIP, a cause of Q.850, or whatever
// its protocol has.
type Reason struct {
	Protocol string `json:"protocol"`       // such as "SIP" or "Q.850"
	Cause    int    `json:"cause"`          // 16 of Q.850 is a normal clearing
	Text     string `json:"text,omitempty"` // for people
}

// maxReasons bounds how many reasons a record keeps.
const maxReasons = 4

// bounded is the end without what would make its record too large.
func (e End) bounded() End {
	kept := e.Reasons[:min(len(e.Reasons), maxReasons)]
	e.Reasons = nil
	for _, r := range kept {
		e.Reasons = append(e.Reasons, Reason{Protocol: shorten(r.Protocol, 256), Cause: r.Cause, Text: shorten(r.Text, 256)})
	}
	return e
}

// Cause is why a call ended.
type Cause string

// The causes. A call that was never answered ends in one of the first four.
const (
	Refused          Cause = "refused"           // answered with a final response above 299
	Cancelled        Cause = "cancelled"         // CANCEL before the answer
	NoAck            Cause = "no-ack"            // the answer was never acknowledged
	NoMedia          Cause = "no-media"          // no codec or port in common
	HangUp           Cause = "hang-up"           // a BYE from the caller
	Completed        Cause = "completed"         // the application came to its end
	Disconnected     Cause = "disconnected"      // the application hung up
	Transferred      Cause = "transferred"       // the application sent the caller to another party
	ApplicationError Cause = "application-error" // an event that the application did not catch, or a page that could not be had
	PlatformError    Cause = "platform-error"    // a failure of the platform itself
	DialogLost       Cause = "dialog-lost"       // the far end stopped answering, or cannot be reached
	MediaTimeout     Cause = "media-timeout"     // the far end's audio stayed away
	ShutDown         Cause = "shut-down"         // the platform was told to stop
	Interrupted      Cause = "interrupted"       // the process died; the record was closed after its restart
)

// Party is who brought the end about.
type Party string

// The parties. Fault stands for an end that nobody chose.
const (
	Caller      Party = "caller"
	Platform    Party = "platform"
	Application Party = "application"
	Fault       Party = "error"
)

// Leg is what one media leg carried. Counters are totals of the leg's life.
type Leg struct {
	Name     string   `json:"leg"` // "caller", "synthesizer", "recognizer", …
	Codec    string   `json:"codec,omitempty"`
	Remote   string   `json:"remote,omitempty"`    // where audio was sent, address:port
	SRTP     string   `json:"srtp,omitempty"`      // the profile, such as AEAD_AES_128_GCM; empty: in the clear
	SRTPKeys string   `json:"srtp_keys,omitempty"` // how they were agreed: "dtls" or "sdes"
	Received Received `json:"received"`
	Sent     Sent     `json:"sent"`
}

// Received counts what the platform received on a leg.
type Received struct {
	Packets uint64            `json:"packets"`
	Bytes   uint64            `json:"bytes"`
	Relayed uint64            `json:"relayed"` // of the packets, relayed without entering userspace
	User    uint64            `json:"user"`    // of the packets, handed to userspace
	Lost    int64             `json:"lost"`    // RFC 3550 appendix A.3; negative when packets came twice
	Jitter  float64           `json:"jitter_ms"`
	MOS     float64           `json:"mos,omitempty"`     // 1 to 4.5, estimated (ITU-T G.107)
	SSRC    uint32            `json:"ssrc,omitempty"`    // of the latest source
	Dropped map[string]uint64 `json:"dropped,omitempty"` // refused packets by reason
	RTCP    uint64            `json:"rtcp"`
}

// Sent counts what the platform sent on a leg.
type Sent struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	Relayed uint64 `json:"relayed"` // of the packets, relayed from another leg without entering userspace
	SSRC    uint32 `json:"ssrc,omitempty"`
	Heard   *Heard `json:"heard,omitempty"` // what the far end reported (RTCP); absent: nothing
}

// Heard is how well the packets sent reached the far end, by its reports.
type Heard struct {
	Loss      float64 `json:"loss"` // share of the packets
	Jitter    float64 `json:"jitter_ms"`
	RoundTrip float64 `json:"round_trip_ms,omitempty"` // absent: not known
	MOS       float64 `json:"mos"`                     // as of Received
}

// Speech is what a call used of speech engines.
type Speech struct {
	Recognitions int `json:"recognitions"` // begun
	Matches      int `json:"matches"`
	NoMatches    int `json:"no_matches"`
	NoInputs     int `json:"no_inputs"`
	Syntheses    int `json:"syntheses"`      // begun
	Failures     int `json:"failures"`       // requests that an engine refused, failed or never answered
	Bots         int `json:"bots,omitempty"` // conversations with a voicebot begun
}

// Dialogue is what the application did.
type Dialogue struct {
	Pages     int               `json:"pages"`                // documents entered
	LastEvent string            `json:"last_event,omitempty"` // last event thrown, such as connection.disconnect.hangup
	Exit      map[string]string `json:"exit,omitempty"`       // values that <exit> or <disconnect> returned
	Latency   *Latency          `json:"latency,omitempty"`    // absent: nothing was played
}

// Latency is how long the caller waited to hear something.
type Latency struct {
	FirstPrompt float64 `json:"first_prompt_ms"`       // answer to the first prompt
	Response    *Spread `json:"response_ms,omitempty"` // from the end of what the caller said or pressed to the next prompt
}

// maxExit bounds how many values of an exit a record keeps.
const maxExit = 64

// bounded is the dialogue without what would make its record too large.
func (d *Dialogue) bounded() *Dialogue {
	if d == nil || d.fits() {
		return d
	}
	c := *d
	c.Exit = map[string]string{}
	for _, name := range sortedKeys(d.Exit)[:min(maxExit, len(d.Exit))] {
		c.Exit[shorten(name, maxName)] = shorten(d.Exit[name], maxText)
	}
	return &c
}

func (d *Dialogue) fits() bool {
	for name, value := range d.Exit {
		if len(name) > maxName || len(value) > maxText {
			return false
		}
	}
	return len(d.Exit) <= maxExit
}

// Deeds are what was done in a call, the first hundred of each kind.
type Deeds struct {
	Transfers  []Transfer  `json:"transfers,omitempty"`
	Recordings []Recording `json:"recordings,omitempty"`
	Progress   []Progress  `json:"progress,omitempty"`
}

// Progress is what became of a call that the platform made, by what was heard of it
// (call progress analysis).
type Progress struct {
	Leg      string `json:"leg"`            // "caller" of a call that the platform made by itself, "party-1", …
	Outcome  string `json:"outcome"`        // "human", "machine", "fax", "silence", "busy", "fast_busy", "ringback" (as often as it may), "sit_nocircuit", "sit_operatorintercept", "sit_reorder", "sit_vacantcircuit" or "undetermined"
	Answered bool   `json:"answered"`       // heard after the answer
	Beep     bool   `json:"beep,omitempty"` // a machine's beep was heard; absent: it was not, or not waited for
	After    int64  `json:"after_ms"`       // from the answer, or from the call where there was none, until it was known
}

// Transfer is an attempt to connect the caller with somebody else.
type Transfer struct {
	Kind     string `json:"kind"` // "blind", "bridge" or "consultation"
	To       string `json:"to"`
	Result   string `json:"result"`      // as VoiceXML names it: of the form item, such as far_end_disconnect, or the event
	Duration int64  `json:"duration_ms"` // that the two were connected
}

// Recording is where something recorded in the call was left.
type Recording struct {
	ID       string `json:"id,omitempty"`  // Call-ID of the session, if a recording server was called
	URI      string `json:"uri,omitempty"` // of the file or the server; absent: the application has taken it
	Duration int64  `json:"duration_ms"`
}
