package sipbench

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// keys are what became of the keys of all calls together: where those are that calls
// went wrong for.
type keys struct {
	pressed int // by callers
	unsent  int // packets of them that the callers' machine refused
	found   int // by the platform
	unread  int // by the application, of those
	overrun int // packets that the platform was too slow to take
}

func (k keys) String() string {
	return fmt.Sprintf("%d keys pressed, %d heard; packets not sent %d, not taken %d; keys not read %d",
		k.pressed, k.found, k.unsent, k.overrun, k.unread)
}

// keys asks the platform what it has heard.
func (s *server) keys() (k keys, err error) {
	resp, err := s.get("/metrics")
	if err != nil {
		return k, fmt.Errorf("count keys: %w", err)
	}
	defer resp.Body.Close()
	return countKeys(resp.Body)
}

// countKeys reads metrics as Prometheus does.
func countKeys(metrics io.Reader) (k keys, err error) {
	counts := map[string]*int{
		"mcp_media_digits_total": &k.found, "mcp_media_digits_lost_total": &k.unread,
		`mcp_media_dropped_packets_total{reason="overrun"}`: &k.overrun,
	}
	lines := bufio.NewScanner(metrics)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		count, wanted := counts[name]
		if !wanted {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return k, fmt.Errorf("count keys: %s: %w", name, err)
		}
		*count = int(number)
	}
	return k, lines.Err()
}
