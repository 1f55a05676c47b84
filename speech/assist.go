package speech

import "context"

// Assistant is an engine that listens to both sides of a conversation, to help who has
// it.
type Assistant interface {
	// Assist begins to listen. It fails with ErrUnavailable when the engine cannot be had.
	// The Hearings are closed at the end, or when it fails.
	Assist(ctx context.Context, o Overheard) (Assistance, error)
}

// Overheard is a conversation of a caller with an agent, as an Assistant hears it.
type Overheard struct {
	Party     Party
	Language  string            // BCP 47
	Variables map[string]string // for the assistant
	Caller    Hearing
	Agent     Hearing // what the caller hears
	Codec     Codec   // of both
}

// Assistance is an assistant at work.
type Assistance interface {
	// Done is closed when it has ended, by Stop or by itself.
	Done() <-chan struct{}
	// Stop ends it, and waits until it has.
	Stop()
}
