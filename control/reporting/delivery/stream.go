package delivery

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"mcp/control/reporting/journal"
)

// Journal is where records are taken from; *journal.Journal is one.
type Journal interface {
	Entries
	Progress
}

// Entries are those of a journal.
type Entries interface {
	Read(from journal.Position) iter.Seq2[journal.Entry, error]
	End() journal.Position
	Usage() journal.Usage
	Wait(ctx context.Context, from journal.Position) error
}

// Progress is how far they have been delivered, as the journal remembers.
type Progress interface {
	Delivered() (journal.Position, error)
	SetDelivered(journal.Position) error
}

// stream reads a journal in batches.
type stream struct {
	config  *Config
	journal Journal
	log     *slog.Logger
	broken  func() // counts what could not be read

	from journal.Position // all before it has been read
	next func() (journal.Entry, error, bool)
	stop func()
	end  journal.Position // what next reads to
}

// batch reads what there is, at most a batch; nothing when the end is reached.
func (s *stream) batch() (messages []Message) {
	size := 0
	for len(messages) < s.config.Batch && size < batchBytes {
		e, ok := s.entry()
		if !ok {
			return messages
		}
		m, err := s.config.messageOf(e.Data)
		if err != nil {
			s.log.Error("record cannot be delivered", "at", e.At.String(), "error", err)
			s.broken()
			continue
		}
		messages, size = append(messages, m), size+len(m.Text)
	}
	return messages
}

// entry is the next one; damaged places are told of and stepped over.
func (s *stream) entry() (journal.Entry, bool) {
	for {
		if s.next == nil {
			if s.end = s.journal.End(); s.from.Compare(s.end) >= 0 {
				return journal.Entry{}, false
			}
			s.next, s.stop = iter.Pull2(s.journal.Read(s.from))
		}
		e, err, ok := s.next()
		if !ok {
			s.close()
			s.from = s.end
			return journal.Entry{}, false
		}
		s.from = e.Next
		if err == nil {
			return e, true
		}
		s.broken()
		s.log.Error("journal cannot be read here", "error", err)
		var damage *journal.DamageError
		if !errors.As(err, &damage) {
			// The disk failed: the same place is tried again later.
			s.close()
			s.from = e.At
			return journal.Entry{}, false
		}
	}
}

// wait returns once there may be more to read, or false when ctx ended.
func (s *stream) wait(ctx context.Context, pause time.Duration) bool {
	if s.from.Compare(s.journal.End()) < 0 { // reading failed
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		return ctx.Err() == nil
	}
	return s.journal.Wait(ctx, s.from) == nil
}

func (s *stream) close() {
	if s.stop != nil {
		s.stop()
	}
	s.next, s.stop = nil, nil
}
