package speaking

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/call/voice"
	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/v1"
	"mcp/speech/mrcp/v2"
	"mcp/speech/mrcp/wire"
)

// MRCP is one speech server, or several equal ones. The scheme of its URI chooses
// the protocol: sip and sips MRCPv2 (RFC 6787), rtsp and rtsps MRCPv1 (RFC 4463).
// The options of the product that a key stands for are named in its text.
type MRCP struct {
	URI     string        `yaml:"uri" gvp:"vrm.client.resource.uri" doc:"SIP or RTSP URI, such as sip:mresources@10.0.0.7:5060;transport=tcp or rtsp://10.0.0.7:4900; the scheme chooses MRCPv2 or MRCPv1 (vrm.client.resource.uri, .transportprotocol); empty: none"`
	Servers []MRCPServer  `yaml:"servers" doc:"more servers that are equal to it: sessions are spread over all, and go to another when one fails"`
	Timeout time.Duration `yaml:"timeout" doc:"how long an answer to a request may take; 0: 5s"`
	Session MRCPSession   `yaml:"session" doc:"how sessions begin, live and end"`
	TLS     TLSClient     `yaml:"tls" doc:"TLS to the server: MRCPv2's control channel, MRCPv1's RTSP"`
	RTSP    MRCPRTSP      `yaml:"rtsp" doc:"what only MRCPv1 has"`
	Client  MRCPClient    `yaml:"client" doc:"how the server wants to be spoken to (vrm.client.*)"`
}

// MRCPServer is one more server.
type MRCPServer struct {
	URI    string `yaml:"uri" doc:"as that of the first"`
	Weight int    `yaml:"weight" doc:"how many of the sessions it gets, relative to the others; 0: 1, which is also the first's"`
}

// MRCPSession is how sessions are kept.
type MRCPSession struct {
	Resources       []string      `yaml:"resources" doc:"what a session begins with, of speechsynth, speechrecog and recorder; others are added when first needed; default: speechsynth and speechrecog. Two engines of one resource each give every call a dialog per resource"`
	ConnectPerSetup bool          `yaml:"connect-per-setup" gvp:"vrm.client.connectpersetup" doc:"give each session a connection of its own (vrm.client.connectpersetup); otherwise MRCPv2 sessions share one"`
	KeepAlive       time.Duration `yaml:"keep-alive" doc:"send something after so long without a message, because servers end sessions that are silent for longer (Nuance: 60s); 0: 30s"`
	Idle            time.Duration `yaml:"idle" doc:"give a resource back that was not used for so long, and end a session none of whose resources was; 0: keep them for the whole call"`
	Health          time.Duration `yaml:"health" doc:"how often each server is asked whether it is there; 0: never, then one that failed is left alone for 10s"`
	Open            time.Duration `yaml:"open" doc:"how long one server may take to open a session; 0: 10s"`
	Lost            time.Duration `yaml:"lost" doc:"a server's connection is lost when nothing was heard of its machine for so long, whether it is idle or not; 0: 25s"`
}

// TLSClient is TLS as its client.
type TLSClient struct {
	Enable      bool   `yaml:"enable" doc:"offer TLS: TCP/TLS/MRCPv2 instead of TCP/MRCPv2; rtsps URIs mean it anyway"`
	Authorities string `yaml:"authorities" names:"file" trust:"alone" doc:"file of certificates (PEM) of who may sign the server's; empty: the system's. An MRCPv2 server's certificate that matches the fingerprint in its answer is taken whoever signed it"`
	Certificate string `yaml:"certificate" names:"file" doc:"file of a certificate (PEM) to show to the server; empty: none"`
	Key         string `yaml:"key" names:"file" doc:"file of the certificate's key (PEM)"`
	Name        string `yaml:"name" doc:"name that the server's certificate must be for; empty: the host it is reached at"`
}

// MRCPRTSP is what only MRCPv1 has.
type MRCPRTSP struct {
	PortMin  uint16            `yaml:"port-min" doc:"first local TCP port of connections; 0: 14000"`
	PortMax  uint16            `yaml:"port-max" doc:"last local TCP port of connections; 0: 15999"`
	Describe bool              `yaml:"describe" doc:"send DESCRIBE before SETUP, and take a resource for missing when that is refused"`
	Paths    map[string]string `yaml:"paths" doc:"where resources are on the server; default: speechsynth: media/speechsynthesizer, speechrecog: media/speechrecognizer"`
}

// MRCPClient is what the product knows as vrm.client.*.
type MRCPClient struct {
	SendSessionXML   string            `yaml:"send-session-xml" names:"file" doc:"file that every INVITE carries beside the offer, a Nuance session.xml (vrm.client.sendsessionxml); empty: none"`
	SessionXMLType   string            `yaml:"session-xml-type" doc:"its media type; empty: application/xml"`
	DuplicateURIs    bool              `yaml:"duplicate-grammar-uris" gvp:"vrm.client.noduplicatedgramuri not" doc:"name a grammar's URI as often as the application does (vrm.client.noduplicatedgramuri false)"`
	UniqueGrammarIDs bool              `yaml:"unique-grammar-ids" gvp:"vrm.client.uniquegramid" doc:"name inline grammars by numbers, not by what the application calls them (vrm.client.uniquegramid)"`
	ConfidenceScale  int               `yaml:"confidence-scale" gvp:"vrm.client.confidencescale" doc:"1 or 100: what the server calls certain in Confidence-Threshold (vrm.client.confidencescale); 0: as the protocol has it"`
	SpeedVsAccuracy  string            `yaml:"speed-vs-accuracy" doc:"vendor parameter that takes the property speedvsaccuracy in place of the header, such as swirec_speedvsaccuracy; empty: the header"`
	LoggingTag       string            `yaml:"logging-tag" doc:"Logging-Tag of every session (vrm.client.sendloggingtag), in which {call} is the name of the call; empty: none"`
	NoSpeechLanguage bool              `yaml:"no-speech-language-header" gvp:"vrm.client.nospeechlanguageheader" doc:"leave Speech-Language out of SPEAK, the document says it (vrm.client.nospeechlanguageheader)"`
	DisableHotword   bool              `yaml:"disable-hotword" gvp:"vrm.client.disablehotword" doc:"listen normally where the page asks for a hot word (vrm.client.disablehotword)"`
	SSMLType         string            `yaml:"ssml-type" doc:"media type of what is spoken; empty: application/ssml+xml for MRCPv2, application/synthesis+ssml for MRCPv1"`
	Vendor           map[string]string `yaml:"vendor" doc:"Vendor-Specific-Parameters of every recognition"`
	VendorSpeech     map[string]string `yaml:"vendor-speech" doc:"Vendor-Specific-Parameters of all speech"`
}

// Validate checks that the servers speak one protocol, and what only it has.
func (m MRCP) Validate() error {
	if m.URI == "" {
		if len(m.Servers) > 0 {
			return errors.New("servers: the first server belongs into uri")
		}
		return nil
	}
	for _, s := range m.Servers {
		if isRTSP(s.URI) != isRTSP(m.URI) {
			return fmt.Errorf("servers: %s is of another protocol than %s", s.URI, m.URI)
		}
	}
	if m.RTSP.PortMax < m.RTSP.PortMin || m.RTSP.PortMin == 0 && m.RTSP.PortMax != 0 {
		return fmt.Errorf("rtsp: port-min %d and port-max %d are not a range", m.RTSP.PortMin, m.RTSP.PortMax)
	}
	if s := m.Client.ConfidenceScale; s != 0 && s != 1 && s != 100 {
		return fmt.Errorf("client: confidence-scale: %d is neither 1 nor 100", s)
	}
	if err := m.config().Validate(); err != nil {
		return err
	}
	if m.Session.Lost < 0 {
		return fmt.Errorf("session: lost: %v is negative", m.Session.Lost)
	}
	for resource := range m.RTSP.Paths {
		if resource != wire.Synthesizer && resource != wire.Recognizer && resource != wire.Recorder {
			return fmt.Errorf("rtsp: paths: %q is no resource", resource)
		}
	}
	return nil
}

func isRTSP(uri string) bool { return strings.HasPrefix(strings.ToLower(uri), "rtsp") }

// config is the client's configuration.
func (m MRCP) config() mrcp.Config {
	c := mrcp.Config{
		Servers: []mrcp.Server{{URI: m.URI}}, Resources: m.Session.Resources, ResponseTimeout: m.Timeout,
		OpenTimeout: m.Session.Open, KeepAlive: m.Session.KeepAlive, Idle: m.Session.Idle,
		HealthInterval: m.Session.Health, SSMLType: m.Client.SSMLType,
		Manners: mrcp.Manners{
			NoLanguage: m.Client.NoSpeechLanguage, NoHotword: m.Client.DisableHotword,
			Percent:      m.Client.ConfidenceScale == 100 && !isRTSP(m.URI), // MRCPv1 has it so
			RepeatedURIs: m.Client.DuplicateURIs, NumberedGrammars: m.Client.UniqueGrammarIDs,
			LoggingTag: m.Client.LoggingTag, SpeedVsAccuracy: m.Client.SpeedVsAccuracy,
			Vendor: m.Client.Vendor, VendorSpeech: m.Client.VendorSpeech,
		},
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = 30 * time.Second
	}
	for _, s := range m.Servers {
		c.Servers = append(c.Servers, mrcp.Server{URI: s.URI, Weight: s.Weight})
	}
	return c
}

// config makes TLS's configuration, or nil when there is nothing to configure.
func (t TLSClient) config() (*tls.Config, error) {
	if t == (TLSClient{}) {
		return nil, nil
	}
	c := &tls.Config{ServerName: t.Name}
	if t.Authorities != "" {
		pem, err := os.ReadFile(t.Authorities)
		if err != nil {
			return nil, fmt.Errorf("tls: authorities: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls: authorities: no certificate in %s", t.Authorities)
		}
	}
	if t.Certificate != "" {
		own, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// openMRCP makes the client of an engine.
func (e *Engines) openMRCP(name string, cfg MRCP) (voice.Engine, error) {
	carriage, err := e.openCarriage(cfg)
	if err != nil {
		return voice.Engine{}, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = e.config.MRCP.Timeout
	}
	client := mrcp.NewClient(cfg.config(), carriage, e.parts.Log.With("engine", name))
	e.opened(name, client.Close)
	e.parts.Metrics.MustRegister(mrcpCollector{client, prometheus.Labels{"engine": name}})
	return voice.Engine{
		RTP: client, Local: localAddressFor(cfg.URI),
		Codecs: []speech.Codec{{PayloadType: 0, Name: "PCMU", ClockRate: 8000}, {PayloadType: 8, Name: "PCMA", ClockRate: 8000}},
	}, nil
}

func (e *Engines) openCarriage(cfg MRCP) (mrcp.Carriage, error) {
	secure, err := cfg.TLS.config()
	if err != nil {
		return nil, err
	}
	if isRTSP(cfg.URI) {
		return v1.New(v1.Config{PortMin: cfg.RTSP.PortMin, PortMax: cfg.RTSP.PortMax, Paths: cfg.RTSP.Paths,
			Describe: cfg.RTSP.Describe, Lost: cfg.Session.Lost, TLS: secure}, e.parts.Log), nil
	}
	carried := v2.Config{OwnConnection: cfg.Session.ConnectPerSetup, Lost: cfg.Session.Lost}
	if cfg.TLS.Enable {
		carried.TLS = secure
	}
	if file := cfg.Client.SendSessionXML; file != "" {
		if carried.SessionXML, err = os.ReadFile(file); err == nil && len(carried.SessionXML) == 0 {
			err = errors.New("the file is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("client: send-session-xml: %w", err)
		}
	}
	kind := cfg.Client.SessionXMLType
	if kind == "" {
		kind = "application/xml"
	}
	return v2.New(carried, dialer{agent: e.parts.Agent, sessionType: kind, log: e.parts.Log}, e.parts.Log), nil
}

// mrcpCollector shows what a client counts.
type mrcpCollector struct {
	client *mrcp.Client
	labels prometheus.Labels
}

// counted are a client's numbers under their names.
func (c mrcpCollector) counted() map[string]float64 {
	s := c.client.Stats()
	return map[string]float64{
		"sessions": float64(s.Sessions), "connections": float64(s.Connections), "servers_down": float64(s.ServersDown),
		"sessions_opened_total": float64(s.Opened), "sessions_failed_total": float64(s.Failed), "sessions_lost_total": float64(s.Lost),
		"sessions_idle_total": float64(s.Idle), "requests_total": float64(s.Requests), "timeouts_total": float64(s.Timeouts),
		"late_events_total": float64(s.LateEvents), "speaks_total": float64(s.Speaks), "recognitions_total": float64(s.Recognitions),
	}
}

// mrcpHelp says what the numbers are.
var mrcpHelp = map[string]string{
	"sessions": "Sessions with speech servers that are open.", "connections": "Connections to speech servers that are open.",
	"servers_down":          "Speech servers that are down.",
	"sessions_opened_total": "Sessions with speech servers opened.", "sessions_failed_total": "Sessions that no speech server took.",
	"sessions_lost_total": "Sessions that ended without being closed.", "sessions_idle_total": "Sessions ended because nobody used them.",
	"requests_total": "Requests to speech servers.", "timeouts_total": "Requests that speech servers did not answer.",
	"late_events_total": "Events of requests that were over.", "speaks_total": "SPEAK requests.", "recognitions_total": "RECOGNIZE requests.",
}

// Describe implements prometheus.Collector.
func (c mrcpCollector) Describe(to chan<- *prometheus.Desc) {
	for name := range mrcpHelp {
		to <- c.desc(name)
	}
}

// Collect implements prometheus.Collector.
func (c mrcpCollector) Collect(to chan<- prometheus.Metric) {
	for name, value := range c.counted() {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(name, "_total") {
			kind = prometheus.CounterValue
		}
		to <- prometheus.MustNewConstMetric(c.desc(name), kind, value)
	}
}

func (c mrcpCollector) desc(name string) *prometheus.Desc {
	return prometheus.NewDesc("mcp_mrcp_"+name, mrcpHelp[name], nil, c.labels)
}
