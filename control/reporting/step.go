package reporting

// Step names a step of a call as the product's own call logs do. Of most only the
// names are public, so what a step's text says is this platform's own choice;
// addresses in it are without their query.
type Step string

// The steps. The last seven are this platform's own: they tell what went over the
// network, and what was heard there.
const (
	StepCall           Step = "CMCall"              // a call is taken up: its id
	StepLeg            Step = "CMCallLeg"           // a leg of it: caller or party-N, and the URI of who is there
	StepInitiated      Step = "incall_initiated"    // INVITE: From URI
	StepReference      Step = "call_reference"      // Call-ID, session, tenant and IVR profile, with bars between them
	StepRoute          Step = "route_result"        // name of the service, or refused
	StepBegun          Step = "incall_begin"        // ACK: To URI
	StepEnded          Step = "incall_end"          // cause
	StepAppBegun       Step = "appl_begin"          // address of the first page
	StepAppEnded       Step = "appl_end"            // exit, disconnect, hangup or error
	StepRoot           Step = "root_appl"           // address of the application root
	StepLookup         Step = "wf_lookup"           // address of what is looked for, in the cache and then at its server
	StepFetchEnd       Step = "fetch_end"           // address, and the event if it could not be had
	StepCompiled       Step = "compile_done"        // address of the page
	StepGoto           Step = "goto"                // address, or #dialog, that the page leaves for
	StepSubdialog      Step = "subdialog_start"     // name of the form item
	StepReturn         Step = "subdialog_return"    // name of the form item
	StepFormEntered    Step = "form_enter"          // name of the form or menu
	StepFormLeft       Step = "form_exit"           // name of the form or menu
	StepSelected       Step = "form_select"         // name of the form item that is visited
	StepFilling        Step = "filling"             // name = value
	StepFilledEntered  Step = "filled_enter"        // names of the form items
	StepFilledLeft     Step = "filled_exit"         // names of the form items
	StepEvent          Step = "event"               // name: message
	StepHandlerEntered Step = "event_handler_enter" // name of the event
	StepHandlerLeft    Step = "event_handler_exit"  // name of the event
	StepLog            Step = "log"                 // label and text
	StepPrompt         Step = "prompt"              // what is queued
	StepPromptStart    Step = "prompt_start"        // language
	StepPromptType     Step = "prompt_type"         // tts or audio, of a part
	StepPromptPlay     Step = "prompt_play"         // text, or address, of the part
	StepPromptStop     Step = "prompt_stop"         // interrupted, the event, or what nobody hears any more
	StepPromptEnd      Step = "prompt_end"          // played to its end
	StepInputStart     Step = "input_start"         // modes that are listened for: dtmf, voice
	StepInputEnd       Step = "input_end"           // mode of what was understood, or the event
	StepKeys           Step = "dtmf"                // keys that were understood
	StepKey            Step = "dtmf_input"          // keys so far
	StepASROpen        Step = "asr_open"            // name of the engine whose session begins to listen
	StepASRStart       Step = "asr_start"           // language of a recognition that begins
	StepASREnd         Step = "asr_end"             // match, nomatch, noinput, maxspeech, stopped or failed
	StepASRClose       Step = "asr_close"           // name of the engine whose session has ended
	StepASRTrace       Step = "asr_trace"           // outcome, confidence and utterance, with bars between them
	StepReceived       Step = "sip_received"        // first line of a message, more or less
	StepSent           Step = "sip_sent"            // first line of a message, more or less
	StepSpeechReceived Step = "mrcp_received"       // first line of a message from a speech server
	StepSpeechSent     Step = "mrcp_sent"           // first line of a message to a speech server
	StepFetched        Step = "fetched"             // method and address; status, time and size
	StepVariable       Step = "variable"            // scope and name of a variable that has changed, and its value
	StepProgress       Step = "call_progress"       // leg, and what became of the call to it
)
