package node

import (
	"fmt"
	"os"

	"mcp/control/call"
	"mcp/control/call/progress"
	"mcp/control/call/voice"
	"mcp/control/media"
	"mcp/control/media/conference"
	"mcp/control/media/record/store"
	"mcp/control/node/speaking"
	"mcp/control/route"
	"mcp/control/service/announcement"
	meeting "mcp/control/service/conference"
	"mcp/control/service/msml"
	"mcp/control/service/orchestration"
	"mcp/control/service/recording"
	"mcp/control/service/voicexml"
	"mcp/control/service/voicexml/pagelog"
	"mcp/vxml"
	"mcp/vxml/fetch"
)

// openServices makes everything that a call can be asked to do, and the table by
// which a call chooses.
func (n *Node) openServices(engine *media.Engine, kept *store.Store, lab *progress.Lab) (call.Selector, error) {
	fetcher, err := n.openFetcher()
	if err != nil {
		return nil, err
	}
	engines, err := n.openSpeech()
	if err != nil {
		return nil, err
	}
	dialogs, err := n.openVoiceXML(fetcher, kept, engines, lab)
	if err != nil {
		return nil, err
	}
	bridge := conference.NewBridge(engine.Clock(), n.log)
	n.opened("conferences", bridge.Close)
	n.metrics.MustRegister(bridge)
	parts := msml.Parts{Fetcher: fetcher, Conferences: bridge, Pages: dialogs, Speech: engines, Progress: lab, Log: n.log}
	services := map[string]call.Service{
		route.Dialog:       dialogs,
		route.Announcement: announcement.New(announcement.Config{Directory: n.cfg.Announcements.Directory, Longest: n.cfg.Announcements.Longest}, fetcher),
		route.Conference:   meeting.New(bridge, conference.Options{Loudest: n.cfg.Conferences.Loudest, Max: n.cfg.Conferences.Max}),
	}
	if n.treatments != nil {
		services[route.ORS] = orchestration.New(n.treatments, dialogs)
	}
	if kept != nil {
		parts.Recordings = kept
		services[route.Record] = recording.New(kept)
	}
	if err := n.openDialling(&parts); err != nil {
		return nil, err
	}
	steered := msml.New(parts)
	n.opened("msml", steered.Close)
	services[route.MSML] = steered
	table := &routing{services: services}
	table.route(n.cfg)
	n.followers = append(n.followers, table.route, func(c Config) { dialogs.SetDefault(c.Application.Default) })
	return table, nil
}

// openSpeech makes the clients of speech engines, which services share.
func (n *Node) openSpeech() (voice.Engines, error) {
	engines, err := speaking.Open(n.cfg.Speech, speaking.Parts{Agent: n.agent, Metrics: n.metrics, Log: n.log})
	if err != nil {
		return voice.Engines{}, err
	}
	n.opened("speech engines", engines.Close)
	return engines.Voices(), nil
}

func (n *Node) openVoiceXML(fetcher *fetch.Fetcher, kept *store.Store, engines voice.Engines, lab *progress.Lab) (*voicexml.Service, error) {
	defaults, err := n.defaultsPage()
	if err != nil {
		return nil, err
	}
	interpreter := vxml.New(vxml.Options{Fetcher: fetcher, Logger: n.log, Defaults: defaults, Script: n.cfg.Application.Scripts.Limits()})
	files, err := pagelog.Open(n.cfg.Application.Logs)
	if err != nil {
		return nil, fmt.Errorf("application.logs: %w", err)
	}
	n.opened("logs of pages", files.Close)
	n.testPage = voicexml.New(voicexml.Config{Default: voicexml.SelfTestURL}, interpreter)
	config := voicexml.Config{
		Default: n.cfg.Application.Default, Tell: n.cfg.Application.Tell, Speech: engines, Assist: n.cfg.Speech.Assist, Inspected: n.recent.Inspected,
		Files: files, Variables: n.cfg.Reporting.Variables,
		Transfers: voicexml.Transfers{Gateway: n.cfg.Transfers.Gateway, Redirect: n.cfg.Transfers.Redirect, Progress: lab},
	}
	if kept != nil {
		config.Recordings = kept
	}
	return voicexml.New(config, interpreter), nil
}

// defaultsPage reads the platform's defaults page, if one is configured.
func (n *Node) defaultsPage() (*vxml.Defaults, error) {
	path := n.cfg.Application.Page
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("application.defaults: %w", err)
	}
	url, _, err := fetch.Resolve("", path)
	if err != nil {
		return nil, fmt.Errorf("application.defaults: %w", err)
	}
	page, err := vxml.ReadDefaults(text, url)
	if err != nil {
		return nil, fmt.Errorf("application.defaults: %w", err)
	}
	return page, nil
}
