package mib

import "mcp/control/snmp/agentx"

// The branches below the subtree.
const (
	branchNotifications = 0
	branchObjects       = 1
	branchConformance   = 2

	firstTable = 51 // tables of a group are numbered from here, its scalars from 1
	alarmGroup = 8
)

// object is a scalar, or a column of a table.
type object struct {
	name  string
	kind  agentx.Kind
	from  measure
	about string
}

// measure is where a value comes from: a metric whose samples are added up.
type measure struct {
	metric string
	text   string  // the label whose value it is; empty: the sum
	part   part    // of a histogram
	scale  float64 // 0: 1
}

// part is what of a histogram is meant.
type part int

const (
	partSum part = iota
	partCount
)

// table has a row for each value of a label.
type table struct {
	name    string // its rows are NAMEEntry, its index is NAMEName
	label   string
	about   string
	columns []object
}

// group is a part of the MIB.
type group struct {
	name    string
	scalars []object
	tables  []table
}

func gauge(name, metric, about string) object {
	return object{name, agentx.Gauge32, measure{metric: metric}, about}
}

func counter(name, metric, about string) object {
	return object{name, agentx.Counter64, measure{metric: metric}, about}
}

func label(name, metric, key, about string) object {
	return object{name, agentx.OctetString, measure{metric: metric, text: key}, about}
}

// groups are the groups of the MIB, numbered from 1. What is there keeps its place:
// new objects come last in their lists.
func groups() []group {
	return []group{sip(), mediaGroup(), plane(), conferences(), speech(), recordings(), records()}
}

func sip() group {
	return group{"mcpSip", []object{
		gauge("mcpSipCurrentInboundSessions", "mcp_calls_active", "Calls being served, with those that were placed on request."),
		counter("mcpSipTotalEndedSessions", "mcp_calls_ended_total", "Calls that ended."),
		counter("mcpSipTotalRefusedSessions", "mcp_calls_over_limit_total", "Calls refused for want of capacity."),
		counter("mcpSipTotalUnrecordableSessions", "mcp_calls_unrecordable_total", "Calls refused because their records could not be kept."),
		{"mcpSipTotalAnsweredSessions", agentx.Counter64, measure{metric: "mcp_call_setup_seconds", part: partCount}, "Calls that were answered and have ended."},
		{"mcpSipTotalSetupTime", agentx.Counter64, measure{metric: "mcp_call_setup_seconds", scale: 1000}, "Milliseconds that those calls took from INVITE to answer, together."},
		{"mcpSipTotalTalkTime", agentx.Counter64, measure{metric: "mcp_call_duration_seconds"}, "Seconds that those calls took from answer to end, together."},
	}, []table{
		{"mcpSipEnd", "cause", "Calls that ended, by cause.", []object{counter("mcpSipEndTotal", "mcp_calls_ended_total", "Calls that ended for this cause.")}},
		{"mcpSipRefusal", "cause", "Calls refused for want of capacity, by cause.", []object{counter("mcpSipRefusalTotal", "mcp_calls_over_limit_total", "Calls refused for this cause.")}},
	}}
}

func mediaGroup() group {
	return group{"mcpMedia", []object{
		label("mcpMediaPlane", "mcp_media_plane_info", "mode", "The media plane in use."),
		label("mcpMediaPlaneReason", "mcp_media_plane_info", "reason", "Why it is this one."),
		gauge("mcpMediaCurrentLegs", "mcp_media_legs", "Media legs that are open."),
		gauge("mcpMediaCurrentPorts", "mcp_media_ports_used", "RTP port pairs that are taken."),
		gauge("mcpMediaCurrentPlaybacks", "mcp_media_playbacks", "Clips and key presses that are being played."),
		counter("mcpMediaTotalReceivedPackets", "mcp_media_rx_packets_total", "RTP packets accepted from far ends."),
		counter("mcpMediaTotalRelayedPackets", "mcp_media_rx_relayed_packets_total", "Of the packets accepted, those relayed without entering userspace."),
		counter("mcpMediaTotalUserPackets", "mcp_media_rx_user_packets_total", "Of the packets accepted, those handed to userspace."),
		counter("mcpMediaTotalSentPackets", "mcp_media_tx_packets_total", "RTP packets sent to far ends."),
		counter("mcpMediaTotalDroppedPackets", "mcp_media_dropped_packets_total", "Packets of legs that were refused."),
		counter("mcpMediaTotalDigits", "mcp_media_digits_total", "DTMF digits received as telephone-event."),
	}, []table{
		{"mcpMediaDrop", "reason", "Packets of legs that were refused, by reason.", []object{counter("mcpMediaDropTotal", "mcp_media_dropped_packets_total", "Packets refused for this reason.")}},
		{"mcpMediaCodec", "codec", "Media legs that are open, by the codec agreed.", []object{gauge("mcpMediaCodecCurrentLegs", "mcp_media_codec_legs", "Legs that speak this codec.")}},
	}}
}

func plane() group {
	return group{"mcpPlane", []object{
		gauge("mcpPlaneCurrentLegs", "mcp_plane_legs", "Legs open in the kernel."),
		counter("mcpPlaneTotalFull", "mcp_plane_full_total", "Legs refused because the kernel's maps had no room."),
	}, []table{
		{"mcpPlaneVerdict", "verdict", "Packets seen by the XDP programs, by what became of them.", []object{
			counter("mcpPlaneVerdictPackets", "mcp_plane_packets_total", "Packets with this verdict."),
			counter("mcpPlaneVerdictOctets", "mcp_plane_bytes_total", "Their octets."),
		}},
	}}
}

func conferences() group {
	return group{"mcpConference", []object{
		gauge("mcpConferenceCurrentConferences", "mcp_conferences", "Conferences that are open."),
		gauge("mcpConferenceCurrentMembers", "mcp_conference_members", "Their members."),
		counter("mcpConferenceTotalLateFrames", "mcp_conference_late_frames_total", "Frames left out because mixing was late."),
	}, nil}
}

func speech() group {
	return group{"mcpSpeech", nil, []table{
		{"mcpSpeechResource", "engine", "Speech engines over MRCP, by the name they are configured under.", []object{
			gauge("mcpSpeechResourceCurrentSessions", "mcp_mrcp_sessions", "Sessions with speech servers that are open."),
			gauge("mcpSpeechResourceCurrentConnections", "mcp_mrcp_connections", "Connections to speech servers that are open."),
			gauge("mcpSpeechResourceServersDown", "mcp_mrcp_servers_down", "Speech servers that are down."),
			counter("mcpSpeechResourceTotalSessions", "mcp_mrcp_sessions_opened_total", "Sessions opened."),
			counter("mcpSpeechResourceTotalFailures", "mcp_mrcp_sessions_failed_total", "Sessions that no speech server took."),
			counter("mcpSpeechResourceTotalRequests", "mcp_mrcp_requests_total", "Requests to speech servers."),
			counter("mcpSpeechResourceTotalTimeouts", "mcp_mrcp_timeouts_total", "Requests that speech servers did not answer."),
		}},
	}}
}

func recordings() group {
	return group{"mcpRecording", []object{
		gauge("mcpRecordingCurrentRecordings", "mcp_recordings_active", "Recordings being made."),
		counter("mcpRecordingTotalEnded", "mcp_recordings_total", "Recordings that ended."),
		counter("mcpRecordingTotalRefused", "mcp_recordings_refused_total", "Recordings that could not begin."),
		gauge("mcpRecordingWaiting", "mcp_upload_pending_recordings", "Finished recordings that wait to be uploaded."),
		gauge("mcpRecordingOldestWaiting", "mcp_upload_oldest_seconds", "Seconds that the oldest of them has waited."),
		counter("mcpRecordingTotalUploaded", "mcp_upload_recordings_total", "Recordings that their destination has."),
	}, []table{
		{"mcpRecordingRefusal", "reason", "Recordings that could not begin, by reason.", []object{counter("mcpRecordingRefusalTotal", "mcp_recordings_refused_total", "Recordings refused for this reason.")}},
	}}
}

func records() group {
	return group{"mcpReporting", []object{
		gauge("mcpReportingQueueSize", "mcp_reporting_queue_records", "Records that no broker has confirmed."),
		gauge("mcpReportingOldestWaiting", "mcp_reporting_oldest_unsent_seconds", "Seconds that the oldest record of each journal has waited, together."),
		counter("mcpReportingTotalDelivered", "mcp_reporting_delivered_total", "Records that a broker has confirmed."),
		counter("mcpReportingTotalLost", "mcp_records_lost_total", "Records that no journal took."),
	}, []table{
		{"mcpError", "class", "Lines of the platform's log that belong to a class of trouble.", []object{counter("mcpErrorTotal", "mcp_log_events_total", "Lines of this class.")}},
		{"mcpLog", "level", "Lines of the platform's log, by level.", []object{counter("mcpLogLines", "mcp_log_lines_total", "Lines of this level.")}},
	}}
}
