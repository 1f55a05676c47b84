package reporting

import (
	"encoding/json"
	"fmt"
	"iter"
	"path/filepath"

	"mcp/control/reporting/journal"
)

// Stored is a record in a journal.
type Stored struct {
	Head
	Record     *Record          // of KindCall
	Event      *Event           // of KindCustom and KindTrace
	Operations *Operations      // of KindOperations
	JSON       []byte           // as it was written, with fields of later schemas
	Next       journal.Position // where reading goes on after it
}

// Read iterates over calls and custom events in a directory of journals from a
// position on, while the platform may be writing it. Damage (a
// *journal.DamageError) and a record that cannot be decoded are yielded as
// errors, and the iteration goes on behind them.
func Read(dir string, from journal.Position) iter.Seq2[Stored, error] {
	return stored(journal.Read(dir, from))
}

// ReadReports iterates over operational reports and traces as Read does over
// calls.
func ReadReports(dir string, from journal.Position) iter.Seq2[Stored, error] {
	return stored(journal.Read(filepath.Join(dir, reportsDir), from))
}

func stored(entries iter.Seq2[journal.Entry, error]) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for e, err := range entries {
			s := Stored{JSON: e.Data, Next: e.Next}
			if err == nil {
				if err = s.decode(); err != nil {
					err = fmt.Errorf("record at %s: %w", e.At, err)
				}
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// decode fills in what the JSON says. A kind that a later version has is no
// error: its head can be read.
func (s *Stored) decode() error {
	if err := json.Unmarshal(s.JSON, &s.Head); err != nil {
		return err
	}
	switch s.Kind {
	case KindCall, "": // records had no kind once
		s.Kind, s.Record = KindCall, &Record{}
		return json.Unmarshal(s.JSON, s.Record)
	case KindCustom, KindTrace:
		s.Event = &Event{}
		return json.Unmarshal(s.JSON, s.Event)
	case KindOperations:
		s.Operations = &Operations{}
		return json.Unmarshal(s.JSON, s.Operations)
	}
	return nil
}
