package reporting

import "context"

// callKey is where a context keeps the id of the call it belongs to.
type callKey struct{}

// WithCall is a context of what is done for a call, so that those who carry it out can
// tell for which.
func WithCall(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, callKey{}, id)
}

// CallOf is the id of the call that a context belongs to; empty: of none.
func CallOf(ctx context.Context) string {
	id, _ := ctx.Value(callKey{}).(string)
	return id
}

// Watchers are several who are shown the same.
type Watchers []Watcher

// Begun implements Watcher.
func (w Watchers) Begun(r *Record) {
	for _, one := range w {
		one.Begun(r)
	}
}

// Happened implements Watcher.
func (w Watchers) Happened(e Event) {
	for _, one := range w {
		one.Happened(e)
	}
}

// Ended implements Watcher.
func (w Watchers) Ended(r *Record) {
	for _, one := range w {
		one.Ended(r)
	}
}
