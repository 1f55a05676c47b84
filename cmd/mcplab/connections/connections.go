// Package connections knows the platform's seventeen connections to other systems
// and the tests that prove each, and judges them by what `go test -json` reports.
package connections

// Connection is one of the platform's connections.
type Connection struct {
	Number  int
	FarEnd  string
	Wire    string
	Proofs  []Proof
	Against string // what stands at the other end in the tests
}

// Proof is tests of one package.
type Proof struct {
	Package string // without the module's name
	Tests   []string
	// Elsewhere marks tests that need what only some machines have; skipping them
	// takes nothing from the proof.
	Elsewhere bool
}

// All is every connection, by number.
func All() []Connection { return append(ofCalls(), ofOperators()...) }

const e2e = "cmd/mcp/e2e"

// ofCalls are the connections that a call needs.
func ofCalls() []Connection {
	return []Connection{
		{1, "SBC", "RTP", []Proof{
			{Package: e2e, Tests: []string{"TestSpokenAndKeyedDialogue", "TestSIPpServices"}},
			{Package: "control/media/xdp", Tests: []string{"TestConformance"}},
			{Package: "control/sip", Tests: []string{"TestBaresipCalls"}},
		}, "SIPp, baresip, the laboratory's caller"},
		{2, "Nexus", "WebSocket", []Proof{
			{Package: e2e, Tests: []string{"TestBotFillsFields", "TestAssistantHearsBothSides"}},
			{Package: "speech/nexus", Tests: []string{"TestTurnsOfAConversation", "TestAssistantsHearBothSides"}},
		}, "a stand-in that follows the public AudioHook and Audio Connector protocol"},
		{3, "ORS", "HTTP", []Proof{
			{Package: e2e, Tests: []string{"TestTreatmentsOfAnOrchestrationSession", "TestOrchestrationServersThatFail", "TestOrchestrationAcrossNamespaces"}},
			{Package: "control/ors", Tests: []string{"TestSession", "TestFailOver", "TestHostileServers"}},
		}, "a stand-in that follows the REST interface's URLs"},
		{4, "DAS", "HTTP", []Proof{
			{Package: e2e, Tests: []string{"TestFirstPageIsFetchedAsAsked", "TestSpokenAndKeyedDialogue"}},
		}, "a web server"},
		{5, "Google", "gRPC", []Proof{
			{Package: e2e, Tests: []string{"TestOneDialogueOnEveryEngine"}},
			{Package: "speech/google", Tests: []string{"TestPromptsAreMadeForTheLeg", "TestCallersAreUnderstood"}},
		}, "servers generated from the official interfaces"},
		{6, "RM", "SIP", []Proof{
			{Package: "control/sip", Tests: []string{"TestCallsThroughKamailio", "TestCallsToSIPp", "TestTortureOfRFC4475", "TestTortureOfRFC5118"}},
		}, "Kamailio, SIPp"},
		{7, "Nuance", "MRCPv2, MRCPv1", []Proof{
			{Package: e2e, Tests: []string{"TestSpokenAndKeyedDialogue", "TestDialogueOverMRCPv1"}},
			{Package: "speech/mrcp", Tests: []string{"TestSpeakAndRecognize"}},
			{Package: "control/node/speaking", Tests: []string{"TestForeignServers"}, Elsewhere: true},
		}, "the laboratory's server; UniMRCP where `MCP_INTEROP_MRCP` names one"},
		{8, "RS", "ActiveMQ", []Proof{
			{Package: "control/reporting/delivery", Tests: []string{"TestNothingIsLostWhateverTheBrokerDoes", "TestNothingIsLostWhateverDies", "TestAMQP"}},
		}, "ActiveMQ 5.17; RabbitMQ for AMQP 1.0"},
	}
}

// ofOperators are those by which the platform is run, and the web's.
func ofOperators() []Connection {
	return []Connection{
		{9, "CS", "certificates", []Proof{
			{Package: "control/certs", Tests: []string{"TestGateway", "TestDatabase", "TestWeb", "TestFiles"}},
		}, "PostgreSQL; a stand-in gateway"},
		{10, "SNMP master", "AgentX", []Proof{
			{Package: "control/snmp/agentx", Tests: []string{"TestSNMPDAsksAndTakesNotifications"}},
			{Package: "control/snmp/mib", Tests: []string{"TestOperatorReadsByName", "TestNotificationsReachAnOperator"}},
		}, "Net-SNMP's snmpd, snmpwalk and snmptrapd"},
		{11, "Prometheus", "SNMP metrics", []Proof{
			{Package: "control/snmp/exporter", Tests: []string{"TestSameAsPrometheusExporter"}},
		}, "prometheus-snmp-exporter, sample for sample"},
		{12, "Prometheus", "log metrics", []Proof{
			{Package: "control/logexport", Tests: []string{"TestFileIsFollowed", "TestRotationWhileNobodyFollows"}},
			{Package: "control/node", Tests: []string{"TestLogIsCounted"}},
		}, "files, rotated and truncated"},
		{13, "kubelet", "service handler", []Proof{
			{Package: "control/health", Tests: []string{"TestProbesReportTheirChecks"}},
			{Package: e2e, Tests: []string{"TestSelfTestCalls", "TestSelfTestWhenFullAndDraining"}},
			{Package: "control/service/selftest", Tests: []string{"TestStages"}},
		}, "an HTTP client"},
		{14, "kubelet", "uploader", []Proof{
			{Package: "control/node/uploading", Tests: []string{"TestUploaderRole"}},
		}, "an HTTP client"},
		{15, "Consul", "HTTP", []Proof{
			{Package: "control/discovery", Tests: []string{"TestServiceIsRegisteredAsConfigured", "TestServiceIsRegisteredAgainAfterTheAgentLostIt", "TestTLS"}},
			{Package: "control/discovery", Tests: []string{"TestRealAgent"}, Elsewhere: true},
		}, "a stand-in; Consul 1.14 where `consul` is on the path"},
		{16, "web server", "HTTP", []Proof{
			{Package: e2e, Tests: []string{"TestSpokenAndKeyedDialogue"}},
			{Package: "vxml/fetch", Tests: []string{"TestCache", "TestPostCookiesAndRedirects", "TestClientCertificate"}},
		}, "web servers"},
		{17, "customer", "HTTP, storage", []Proof{
			{Package: e2e, Tests: []string{"TestRecord"}},
			{Package: "control/upload/web", Tests: []string{"TestWebDAV", "TestPost"}},
			{Package: "control/upload/s3", Tests: []string{"TestWhole"}},
			{Package: "control/upload/azure", Tests: []string{"TestEmulator"}, Elsewhere: true},
		}, "a WebDAV server, an S3 server; Azurite where `MCP_TEST_AZURE` names one"},
	}
}
