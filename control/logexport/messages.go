package logexport

import (
	"log/slog"
	"sync"
)

// What is remembered is bounded: a program's log has some hundreds of short messages,
// while a file may hold any text.
const (
	maxMessages      = 1024
	maxMessageLength = 256
)

// messages remembers which rules concern a message, so that the expressions of all
// of them are tried once and not at each line.
type messages struct {
	mu        sync.RWMutex // guards what follows
	concerned map[message][]rule
}

type message struct {
	level slog.Level
	text  string
}

// look gives the rules that are known to concern a message, or else finds them.
func (m *messages) look(of message, find func(message) []rule) []rule {
	m.mu.RLock()
	known, ok := m.concerned[of]
	m.mu.RUnlock()
	if ok {
		return known
	}
	found := find(of)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.concerned) < maxMessages && len(of.text) <= maxMessageLength {
		m.concerned[of] = found
	}
	return found
}
