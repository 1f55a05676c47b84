package fetch

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Exchange is a request that was carried out, well or not.
type Exchange struct {
	Method, URL string
	Begun       time.Time
	Took        time.Duration
	Status      int  // 0: there was no HTTP answer
	FromCache   bool // nobody was asked
	Size        int  // of the answer's body
	Err         error
}

// witnessKey is where a context keeps who hears of exchanges.
type witnessKey struct{}

// WithWitness has a function hear of every exchange under the context, on the
// goroutine of whoever asks; it must not block.
func WithWitness(ctx context.Context, hear func(Exchange)) context.Context {
	return context.WithValue(ctx, witnessKey{}, hear)
}

// tell tells the context's witness.
func tell(ctx context.Context, req Request, begun time.Time, r *Resource, err error) {
	hear, ok := ctx.Value(witnessKey{}).(func(Exchange))
	if !ok {
		return
	}
	e := Exchange{Method: req.Method, URL: req.URL, Begun: begun, Took: time.Since(begun), Err: err}
	var failed *Error
	switch {
	case err == nil:
		e.Status, e.FromCache, e.Size = http.StatusOK, r.FromCache, len(r.Body)
	case errors.As(err, &failed):
		e.Status = failed.Status
	}
	hear(e)
}
