package node

import (
	"time"

	"mcp/control/service/voicexml"
	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/v2"
)

// MRCP is one MRCPv2 server.
type MRCP struct {
	URI     string        `yaml:"uri" doc:"SIP URI, such as sip:mresources@10.0.0.7:5060;transport=tcp; empty: none"`
	Timeout time.Duration `yaml:"timeout" doc:"how long an answer to a request may take"`
}

// openMRCP makes the client of a server.
func (n *Node) openMRCP(name string, cfg MRCP) (voicexml.Engine, error) {
	config := mrcp.Config{Servers: []mrcp.Server{{URI: cfg.URI}}, ResponseTimeout: cfg.Timeout}
	if config.ResponseTimeout == 0 {
		config.ResponseTimeout = n.cfg.Speech.MRCP.Timeout
	}
	if err := config.Validate(); err != nil {
		return voicexml.Engine{}, err
	}
	client := mrcp.NewClient(config, v2.New(v2.Config{}, dialer{n.agent, n.log}, n.log), n.log)
	n.opened("speech engine "+name, client.Close)
	return voicexml.Engine{
		RTP: client, Local: localAddressFor(cfg.URI),
		Codecs: []speech.Codec{{PayloadType: 0, Name: "PCMU", ClockRate: 8000}, {PayloadType: 8, Name: "PCMA", ClockRate: 8000}},
	}, nil
}
