package wire

// The four transaction machines of RFC 3261 section 17, with the Accepted
// state of RFC 6026, as one pure table:
//
//	INVITE server     Proceeding -2xx-> Accepted  -wait L-> Terminated
//	                  Proceeding -3xx-> Completed -ACK-> Confirmed -wait I-> Terminated
//	other server      Trying -1xx-> Proceeding -final-> Completed -wait J-> Terminated
//	INVITE client     Trying -1xx-> Proceeding -2xx-> Accepted  -wait M-> Terminated
//	                  Trying/Proceeding -3xx-> Completed -wait D-> Terminated
//	other client      Trying -1xx-> Proceeding -final-> Completed -wait K-> Terminated
//
// "3xx" stands for every final response that is not a success. Trying is also
// what the RFC calls Calling.

type kind uint8

const (
	inviteServer kind = iota
	otherServer
	inviteClient
	otherClient
)

func (k kind) server() bool { return k == inviteServer || k == otherServer }

type state uint8

const (
	trying state = iota
	proceeding
	completed
	confirmed
	accepted
	terminated
)

type input uint8

const (
	inRequest input = iota // the request came again
	inAck
	in1xx
	in2xx
	in3xx
	inRetry  // timers A, E and G
	inExpire // timers B, D, F, H, I, J, K, L and M: which one, the state says
	inError  // the transport failed
)

// effect is a set of things to do on the way into a state.
type effect uint16

const (
	fxSend   effect = 1 << iota // send what the user gave
	fxResend                    // send the last message once more
	fxRetry                     // arm the retransmission timer, doubled
	fxSlow                      // retransmit every T2 from now on
	fxGiveUp                    // expire after 64*T1
	fxLinger                    // expire after the state's wait
	fxQuiet                     // stop both timers
	fxPass                      // hand the message to the user
	fxAck                       // acknowledge a failure (client)
	fxFail                      // tell the user that no answer will come
)

type step struct {
	to state
	do effect
}

// table has the zero step where nothing happens.
type table [terminated + 1][inError + 1]step

// next says what an input does; false means that it does nothing in this state.
func next(k kind, s state, in input) (step, bool) {
	st := machines[k][s][in]
	return st, st != step{}
}

// machines is a lookup table, never written.
var machines = [...]table{
	inviteServer: {
		proceeding: {
			inRequest: {proceeding, fxQuiet | fxResend},
			in1xx:     {proceeding, fxQuiet | fxSend},
			in2xx:     {accepted, fxQuiet | fxSend | fxLinger},
			in3xx:     {completed, fxQuiet | fxSend | fxRetry | fxGiveUp},
			inRetry:   {proceeding, fxResend}, // 100 Trying is due
			inError:   {terminated, fxFail},
		},
		completed: {
			inRequest: {completed, fxResend},
			inAck:     {confirmed, fxQuiet | fxLinger},
			inRetry:   {completed, fxResend | fxRetry},
			inExpire:  {terminated, fxFail},
			inError:   {terminated, fxFail},
		},
		confirmed: {
			inExpire: {terminated, 0},
		},
		accepted: {
			// The request coming again is absorbed: the user's own
			// retransmission of the 2xx answers it (RFC 6026 section 7.1).
			in2xx:    {accepted, fxSend},
			inAck:    {accepted, fxPass},
			inExpire: {terminated, 0},
		},
	},
	otherServer: {
		trying: {
			in1xx:   {proceeding, fxSend},
			in2xx:   {completed, fxSend | fxLinger},
			in3xx:   {completed, fxSend | fxLinger},
			inError: {terminated, fxFail},
		},
		proceeding: {
			inRequest: {proceeding, fxResend},
			in1xx:     {proceeding, fxSend},
			in2xx:     {completed, fxSend | fxLinger},
			in3xx:     {completed, fxSend | fxLinger},
			inError:   {terminated, fxFail},
		},
		completed: {
			inRequest: {completed, fxResend},
			inExpire:  {terminated, 0},
			inError:   {terminated, fxFail},
		},
	},
	inviteClient: {
		trying: {
			inRetry:  {trying, fxResend | fxRetry},
			inExpire: {terminated, fxFail},
			in1xx:    {proceeding, fxQuiet | fxPass},
			in2xx:    {accepted, fxQuiet | fxPass | fxLinger},
			in3xx:    {completed, fxQuiet | fxAck | fxPass | fxLinger},
			inError:  {terminated, fxFail},
		},
		proceeding: {
			in1xx: {proceeding, fxPass},
			in2xx: {accepted, fxQuiet | fxPass | fxLinger},
			in3xx: {completed, fxQuiet | fxAck | fxPass | fxLinger},
			// Armed only once the request was cancelled (section 9.1).
			inExpire: {terminated, fxFail},
			inError:  {terminated, fxFail},
		},
		completed: {
			in3xx:    {completed, fxAck},
			inExpire: {terminated, 0},
			inError:  {terminated, 0},
		},
		accepted: {
			in2xx:    {accepted, fxPass},
			inExpire: {terminated, 0},
		},
	},
	otherClient: {
		trying: {
			inRetry:  {trying, fxResend | fxRetry},
			inExpire: {terminated, fxFail},
			in1xx:    {proceeding, fxSlow | fxPass},
			in2xx:    {completed, fxQuiet | fxPass | fxLinger},
			in3xx:    {completed, fxQuiet | fxPass | fxLinger},
			inError:  {terminated, fxFail},
		},
		proceeding: {
			inRetry:  {proceeding, fxResend | fxSlow},
			inExpire: {terminated, fxFail},
			in1xx:    {proceeding, fxPass},
			in2xx:    {completed, fxQuiet | fxPass | fxLinger},
			in3xx:    {completed, fxQuiet | fxPass | fxLinger},
			inError:  {terminated, fxFail},
		},
		completed: {
			inExpire: {terminated, 0},
			inError:  {terminated, 0},
		},
	},
}

// birth is the state a transaction of each kind begins in.
func birth(k kind) state {
	if k == inviteServer {
		return proceeding
	}
	return trying
}
