package tour

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"mcp/control/reporting"
)

// patience is how long what a connection carries may take to arrive after the calls.
const patience = 30 * time.Second

// errNothing says that a far end saw nothing.
var errNothing = errors.New("nothing")

// evidence is what one connection carried, by number in the documentation's table.
type evidence struct {
	number int
	farEnd string
	look   func(context.Context) (string, error)
}

func (t *tour) evidence() []evidence {
	node := "http://" + t.sites.MCP.String()
	return []evidence{
		{1, "SBC, RTP", t.carried},
		{2, "Nexus", t.counts(tally{"bot answer", "turns of the bot"})},
		{3, "ORS", t.orchestrated},
		{4, "DAS", t.counts(tally{"GET /menu.vxml", "menu.vxml"}, tally{"GET /older.vxml", "older.vxml"}, tally{"GET /cloud.vxml", "cloud.vxml"}, tally{"GET /bot.vxml", "bot.vxml"})},
		{5, "Google", t.counts(tally{"google synthesized", "prompts made"}, tally{"google recognized", "answers heard"})},
		{6, "RM, SIP", t.throughRM},
		{7, "Nuance, MRCP", t.counts(tally{"speech synthesized", "prompts made"}, tally{"speech recognized", "answers heard, over MRCPv2 and MRCPv1"})},
		{8, "RS, ActiveMQ", t.delivered},
		{9, "CS, certificates", t.sealed},
		{10, "SNMP master", t.walked},
		{11, "Prometheus, SNMP", t.scraped(`mcpSipTotalEndedSessions{job="snmp"}`)},
		{12, "Prometheus, log", t.scraped(`sum(mcp_log_lines_total{job="log"})`)},
		{13, "kubelet, platform", t.probed(node+":8300/mcp/liveness", node+":8300/mcp/readiness")},
		{14, "kubelet, uploader", t.probed(node+":8080/health/live", node+":8080/health/ready")},
		{15, "Consul", t.registered},
		{16, "web server", t.counts(tally{"GET /answer.grxml", "grammars"}, tally{"GET /welcome.wav", "sounds"})},
		{17, "customer", t.counts(tally{"GET /account.xml", "documents by <data>"}, tally{"POST /answer", "answers by <submit>"})},
	}
}

// judge prints what each connection carried. The error names those that carried
// nothing.
func (t *tour) judge(ctx context.Context) error {
	var err error
	if t.records, err = t.consume(ctx); err != nil {
		return err
	}
	var failed []string
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\n#\tFAR END\t\tWHAT IT CARRIED")
	for _, e := range t.evidence() {
		what, err := t.await(ctx, e.look)
		mark := "ok"
		if err != nil {
			mark, what = "FAIL", err.Error()
			failed = append(failed, e.farEnd)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", e.number, e.farEnd, mark, what)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("no proof of %s", strings.Join(failed, "; "))
	}
	fmt.Fprintf(t.out, "\nEvery connection carried traffic, in %.0f seconds.\n", time.Since(t.began).Seconds())
	return nil
}

// await looks until there is something to be seen, or patience ends.
func (t *tour) await(ctx context.Context, look func(context.Context) (string, error)) (what string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = t.until(ctx, func() (err error) {
		what, err = look(ctx)
		return err
	})
	return what, err
}

// tally is something that a far end saw, by the name it was counted under.
type tally struct{ counted, what string }

// counts is how often each of several things was seen, none of which may be missing.
func (t *tour) counts(things ...tally) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		var counts []string
		for _, thing := range things {
			n := t.seen.times(thing.counted)
			if n == 0 {
				return "", fmt.Errorf("%w of %q", errNothing, thing.counted)
			}
			counts = append(counts, fmt.Sprintf("%d %s", n, thing.what))
		}
		return strings.Join(counts, ", "), nil
	}
}

// consume has the broker's own consumer take the records of all calls.
func (t *tour) consume(ctx context.Context) (calls []reporting.Record, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = t.broker.Consume(ctx, "queue://mcp.records", func(text string) bool {
		var r reporting.Record
		if json.Unmarshal([]byte(text), &r) == nil && r.Kind == reporting.KindCall {
			calls = append(calls, r)
		}
		return len(calls) < len(visits)
	})
	if err != nil {
		return nil, fmt.Errorf("%d of %d records reach a consumer: %w", len(calls), len(visits), err)
	}
	return calls, nil
}

// delivered is what the consumer got.
func (t *tour) delivered(context.Context) (string, error) {
	for _, r := range t.records {
		if r.End.Cause == "" || r.AnsweredAt == nil {
			return "", fmt.Errorf("the record of call %s is not whole", r.ID)
		}
	}
	return fmt.Sprintf("%d records of calls, to the broker's own consumer", len(t.records)), nil
}

// carried is the callers' audio, as the records have it.
func (t *tour) carried(context.Context) (string, error) {
	var received, relayed, sent, played uint64
	for _, r := range t.records {
		for _, leg := range r.Media {
			if leg.Name == callerLeg {
				received, relayed = received+leg.Received.Packets, relayed+leg.Received.Relayed
				sent, played = sent+leg.Sent.Packets, played+leg.Sent.Relayed
			}
		}
	}
	if received == 0 || sent == 0 {
		return "", errNothing
	}
	return fmt.Sprintf("%d packets received (%d relayed in the kernel), %d sent (%d relayed)", received, relayed, sent, played), nil
}

// callerLeg is the name of the caller's leg in records.
const callerLeg = "caller"

// orchestrated is what the orchestration session was told of its treatment and of the
// end of its call.
func (t *tour) orchestrated(context.Context) (string, error) {
	told := map[string]url.Values{}
	for _, e := range t.ors.Events() {
		told[e.Name] = e.With
	}
	if told["treatment.done"].Get("result") != `{"score":"4"}` || told["call.ended"].Get("call") == "" {
		return "", fmt.Errorf("the session was told of %v", told)
	}
	return "1 session, told of its treatment's result and of the call's end", nil
}

// throughRM is the calls that passed through Kamailio, by its own log.
func (t *tour) throughRM(context.Context) (string, error) {
	log, err := os.ReadFile(t.path("kamailio.log"))
	if err != nil {
		return "", err
	}
	calls := strings.Count(string(log), "through the RM: INVITE")
	if calls < len(visits) {
		return "", fmt.Errorf("%d of %d calls came through Kamailio", calls, len(visits))
	}
	return fmt.Sprintf("%d calls through Kamailio, by TCP, with Record-Route", calls), nil
}

// sealed is recordings that arrived, each a CMS envelope that the certificate's key
// opens, and a WAV file inside.
func (t *tour) sealed(ctx context.Context) (string, error) {
	files, err := filepath.Glob(t.path("kept/*.p7m"))
	if err != nil {
		return "", err
	}
	if len(files) < len(visits) {
		return "", fmt.Errorf("%d of %d recordings arrived", len(files), len(visits))
	}
	key, err := t.write("recording.pem", t.seen.key)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		audio, err := exec.CommandContext(ctx, "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", file, "-inkey", key, "-recip", key).Output()
		if err != nil || !strings.HasPrefix(string(audio), "RIFF") {
			return "", fmt.Errorf("%s is no WAV file when opened: %w", filepath.Base(file), err)
		}
	}
	return fmt.Sprintf("%d questions for certificates; %d recordings sealed, uploaded by WebDAV, opened", t.seen.times("certificates"), len(files)), nil
}

// walked is what an operator's snmpwalk shows of the platform's objects.
func (t *tour) walked(ctx context.Context) (string, error) {
	out, err := t.lab.Command(ctx, t.lab.MCP, "snmpwalk", "-v2c", "-c", "public", "-On", "-Oq", "127.0.0.1:161", "1.3.6.1.4.1.1729.5070").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("snmpwalk: %w: %s", err, out)
	}
	const ended = ".1.3.6.1.4.1.1729.5070.1.1.2.0 "
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if calls, found := strings.CutPrefix(line, ended); found && calls != "0" {
			return fmt.Sprintf("%d objects by snmpwalk, mcpSipTotalEndedSessions %s", len(lines), calls), nil
		}
	}
	return "", fmt.Errorf("snmpwalk shows no ended session in %d objects", len(lines))
}

// scraped is a metric above zero in Prometheus.
func (t *tour) scraped(query string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		body, err := t.get(ctx, t.lab.SBC, fmt.Sprintf("http://%s:9090/api/v1/query?query=%s", t.sites.SBC, url.QueryEscape(query)))
		if err != nil {
			return "", err
		}
		var answer struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return "", err
		}
		if len(answer.Data.Result) == 0 || answer.Data.Result[0].Value[1] == "0" {
			return "", fmt.Errorf("%s: %w", query, errNothing)
		}
		return fmt.Sprintf("%s is %v in Prometheus", query, answer.Data.Result[0].Value[1]), nil
	}
}

// probed is probes that are answered with 200.
func (t *tour) probed(urls ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		var paths []string
		for _, u := range urls {
			if _, err := t.get(ctx, t.lab.SBC, u); err != nil {
				return "", err
			}
			at, err := url.Parse(u)
			if err != nil {
				return "", err
			}
			paths = append(paths, at.Path)
		}
		return strings.Join(paths, ", ") + ": 200", nil
	}
}

// registered is the service that the Consul agent knows.
func (t *tour) registered(ctx context.Context) (string, error) {
	body, err := t.get(ctx, t.lab.MCP, "http://127.0.0.1:8500/v1/agent/service/"+t.sites.Service)
	if err != nil {
		return "", err
	}
	var service struct {
		Service, Address string
		Port             int
	}
	if err := json.Unmarshal(body, &service); err != nil {
		return "", err
	}
	if service.Service != "gvp-mcp" {
		return "", fmt.Errorf("the agent knows %q", service.Service)
	}
	return fmt.Sprintf("%s registered at %s:%d", service.Service, service.Address, service.Port), nil
}
