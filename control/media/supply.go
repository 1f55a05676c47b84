package media

import (
	"io"
	"time"
)

// Supply is linear audio at 8 kHz that comes piece by piece.
type Supply interface {
	// Next is what comes next, valid until the next call. It waits for it until Close.
	// The error is io.EOF at the end, or why there is no more.
	Next() ([]int16, error)
	io.Closer
}

// ahead is how much of a supply is taken before it is heard.
const ahead = 10 * time.Second

// PlaySupply plays to a leg's far end what a supply has, as it comes: while nothing does,
// nothing is heard. No more is kept than is about to be heard, however long it lasts. The
// supply is closed in the end; why it ended too early is the playback's error.
func (s *Session) PlaySupply(to *Leg, from Supply) (*Playback, error) {
	live := NewLive(to.spoken())
	b, err := s.PlayLive(to, live)
	if err != nil {
		from.Close()
		return nil, err
	}
	s.engine.pouring.Go(func() { live.End(pour(from, live, b)) })
	s.engine.pouring.Go(func() {
		<-b.Done()
		from.Close()
	})
	return b, nil
}

// pour writes a supply into a clip until it ends, or the playback has.
func pour(from Supply, into *Live, b *Playback) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		pcm, err := from.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		law, err := into.codec.Encode(pcm)
		if err != nil {
			return err
		}
		if _, err := into.Write(law); err != nil {
			return err
		}
		at := b.Position()
		into.forget(at)
		timer.Reset(into.Length() - at - ahead)
		select {
		case <-timer.C:
		case <-b.Done():
			return nil
		}
	}
}
