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
func (w Watchers) Begun(r *Record) func(Event) {
	var all []func(Event)
	for _, one := range w {
		if happened := one.Begun(r); happened != nil {
			all = append(all, happened)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return func(e Event) {
		for _, happened := range all {
			happened(e)
		}
	}
}

// Ended implements Watcher.
func (w Watchers) Ended(r *Record) {
	for _, one := range w {
		one.Ended(r)
	}
}
