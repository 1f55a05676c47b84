// Package rtpengine drives rtpengine, the media relay of Sipwise, by its control
// protocol (ng), for comparison and for interworking.
package rtpengine

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Program is its name on a machine that has it.
const Program = "rtpengine"

const answerLimit = 2 * time.Second

// Control is a connection to a running rtpengine. One goroutine at a time uses it.
type Control struct {
	conn    net.Conn
	cookies int
}

// Dial makes one to a UDP address. Nothing is sent yet.
func Dial(address string) (*Control, error) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return nil, fmt.Errorf("control %s: %w", Program, err)
	}
	return &Control{conn: conn}, nil
}

// Close closes it.
func (c *Control) Close() error { return c.conn.Close() }

// Ready waits until rtpengine answers, as it does soon after its start.
func (c *Control) Ready(limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; {
		_, err := c.Ask(map[string]any{"command": "ping"})
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %w", Program, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Ask sends one command, of strings, lists of strings and maps of these, and returns
// the answer to it.
func (c *Control) Ask(command map[string]any) (map[string]any, error) {
	c.cookies++
	cookie := strconv.Itoa(c.cookies)
	if _, err := c.conn.Write([]byte(cookie + " " + encode(command))); err != nil {
		return nil, err
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(answerLimit)); err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			return nil, err
		}
		head, body, _ := strings.Cut(string(buf[:n]), " ")
		if head != cookie {
			continue // late, to an earlier one
		}
		v, _, err := decode(body)
		answer, ok := v.(map[string]any)
		if err != nil || !ok {
			return nil, fmt.Errorf("%s: %w", Program, errBencode)
		}
		if result := answer["result"]; result == "ok" || result == "pong" {
			return answer, nil
		}
		return nil, fmt.Errorf("%s refuses %s: %v", Program, command["command"], answer["error-reason"])
	}
}
