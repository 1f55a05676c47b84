package reporting

import "context"

// within is a context that belongs to a call, of which it is asked by callKey.
type within struct {
	context.Context
	call string
}

type callKey struct{}

// Value implements context.Context.
func (w *within) Value(key any) any {
	if key == (callKey{}) {
		return w
	}
	return w.Context.Value(key)
}

// WithCall is a context of what is done for a call, so that those who carry it out can
// tell for which.
func WithCall(ctx context.Context, id string) context.Context { return &within{ctx, id} }

// CallOf is the id of the call that a context belongs to; empty: of none.
func CallOf(ctx context.Context) string {
	if w, ok := ctx.Value(callKey{}).(*within); ok {
		return w.call
	}
	return ""
}

// Watchers are several who are shown the same.
type Watchers []Watcher

// Begun implements Watcher.
func (w Watchers) Begun(r *Record) func(*Event) {
	var all []func(*Event)
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
	return func(e *Event) {
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
