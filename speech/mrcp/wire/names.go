package wire

// Resources that a control channel can be opened for.
const (
	Synthesizer = "speechsynth"
	Recognizer  = "speechrecog"
	Recorder    = "recorder"
)

// Methods.
const (
	MethodSetParams        = "SET-PARAMS"
	MethodGetParams        = "GET-PARAMS"
	MethodSpeak            = "SPEAK"
	MethodStop             = "STOP"
	MethodPause            = "PAUSE"
	MethodResume           = "RESUME"
	MethodBargeIn          = "BARGE-IN-OCCURRED"
	MethodControl          = "CONTROL"
	MethodDefineLexicon    = "DEFINE-LEXICON"
	MethodDefineGrammar    = "DEFINE-GRAMMAR"
	MethodRecognize        = "RECOGNIZE"
	MethodInterpret        = "INTERPRET"
	MethodGetResult        = "GET-RESULT"
	MethodStartInputTimers = "START-INPUT-TIMERS"
	MethodRecord           = "RECORD"
)

// Events. START-OF-SPEECH is the name that drafts of RFC 6787 and MRCPv1 used
// and that servers still send.
const (
	EventSpeakComplete       = "SPEAK-COMPLETE"
	EventSpeechMarker        = "SPEECH-MARKER"
	EventStartOfInput        = "START-OF-INPUT"
	EventStartOfSpeech       = "START-OF-SPEECH"
	EventRecognitionComplete = "RECOGNITION-COMPLETE"
	EventInterpretComplete   = "INTERPRETATION-COMPLETE"
	EventRecordComplete      = "RECORD-COMPLETE"
)

// Header fields.
const (
	HeaderChannelIdentifier   = "Channel-Identifier"
	HeaderActiveRequestIDList = "Active-Request-Id-List"
	HeaderProxySyncID         = "Proxy-Sync-Id"
	HeaderContentType         = "Content-Type"
	HeaderContentLength       = "Content-Length"
	HeaderContentID           = "Content-Id"
	HeaderVendorSpecific      = "Vendor-Specific-Parameters"
	HeaderCompletionCause     = "Completion-Cause"
	HeaderCompletionReason    = "Completion-Reason"
	HeaderSpeechLanguage      = "Speech-Language"
	HeaderVoiceName           = "Voice-Name"
	HeaderKillOnBargeIn       = "Kill-On-Barge-In"
	HeaderCancelIfQueue       = "Cancel-If-Queue"
	HeaderStartInputTimers    = "Start-Input-Timers"
	HeaderNoInputTimeout      = "No-Input-Timeout"
	HeaderRecognitionTimeout  = "Recognition-Timeout"
	HeaderCompleteTimeout     = "Speech-Complete-Timeout"
	HeaderIncompleteTimeout   = "Speech-Incomplete-Timeout"
	HeaderConfidenceThreshold = "Confidence-Threshold"
	HeaderSensitivityLevel    = "Sensitivity-Level"
	HeaderSpeedVsAccuracy     = "Speed-Vs-Accuracy"
	HeaderNBestListLength     = "N-Best-List-Length"
	HeaderRecognitionMode     = "Recognition-Mode"
	HeaderInputType           = "Input-Type"
	HeaderSpeechMarker        = "Speech-Marker"
	HeaderLoggingTag          = "Logging-Tag"
	HeaderJumpSize            = "Jump-Size"
	HeaderSpeakRestart        = "Speak-Restart"
	HeaderLoadLexicon         = "Load-Lexicon"
	HeaderInterpretText       = "Interpret-Text"
	HeaderRecordURI           = "Record-URI"
	HeaderMediaType           = "Media-Type"
	HeaderMaxTime             = "Max-Time"
	HeaderFinalSilence        = "Final-Silence"
	HeaderCaptureOnSpeech     = "Capture-On-Speech"
	HeaderHotwordMin          = "Hotword-Min-Duration"
	HeaderHotwordMax          = "Hotword-Max-Duration"
	HeaderWaveformURI         = "Waveform-URI"
	HeaderContentBase         = "Content-Base"
)

// Media types of bodies.
const (
	TypeSSML           = "application/ssml+xml"
	TypeSSMLDraft      = "application/synthesis+ssml"
	TypeSRGS           = "application/srgs+xml"
	TypeURIList        = "text/uri-list"
	TypeGrammarRefList = "text/grammar-ref-list"
	TypePlainText      = "text/plain"
	TypeLexicon        = "application/pls+xml"
	TypeNLSML          = "application/nlsml+xml"
	TypeNLSMLDraft     = "application/x-nlsml"
)

// Status codes (RFC 6787 section 5.4).
const (
	StatusSuccess           = 200
	StatusSuccessIgnored    = 201
	StatusMethodNotAllowed  = 401
	StatusNotValidInState   = 402
	StatusUnsupportedHeader = 403
	StatusIllegalValue      = 404
	StatusNotAllocated      = 405
	StatusMissingHeader     = 406
	StatusFailed            = 407
	StatusUnrecognized      = 408
	StatusUnsupportedValue  = 409
	StatusOutOfOrder        = 410
	StatusServerError       = 501
	StatusVersion           = 502
	StatusTooLarge          = 504
)

// StatusText names a status code as RFC 6787 does.
func StatusText(code int) string {
	if text, known := statusTexts[code]; known {
		return text
	}
	return "unknown status"
}

var statusTexts = map[int]string{
	StatusSuccess:           "success",
	StatusSuccessIgnored:    "success, some optional headers ignored",
	StatusMethodNotAllowed:  "method not allowed",
	StatusNotValidInState:   "method not valid in this state",
	StatusUnsupportedHeader: "unsupported header",
	StatusIllegalValue:      "illegal value for header",
	StatusNotAllocated:      "resource not allocated",
	StatusMissingHeader:     "mandatory header missing",
	StatusFailed:            "method or operation failed",
	StatusUnrecognized:      "unrecognized or unsupported message entity",
	StatusUnsupportedValue:  "unsupported header value",
	StatusOutOfOrder:        "non-monotonic or out-of-order sequence number",
	StatusServerError:       "server internal error",
	StatusVersion:           "protocol version not supported",
	StatusTooLarge:          "message too large",
}
