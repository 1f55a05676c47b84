package fetch

import (
	"errors"
	"net/http"
	"time"
)

// Exchange is a request that was carried out, well or not.
type Exchange struct {
	Method, URL string
	Took        time.Duration // 0: it comes from the cache
	Status      int           // 0: there was no HTTP answer
	FromCache   bool          // nobody was asked
	Size        int           // of the answer's body
	Err         error
}

// tell tells the request's witness.
func (req *Request) tell(begun time.Time, r *Resource, err error) {
	if req.Witness == nil {
		return
	}
	e := Exchange{Method: req.Method, URL: req.URL, Err: err}
	if err == nil {
		e.Status, e.FromCache, e.Size = http.StatusOK, r.FromCache, len(r.Body)
	} else if failed, ok := errors.AsType[*Error](err); ok {
		e.Status = failed.Status
	}
	if !e.FromCache {
		e.Took = time.Since(begun)
	}
	req.Witness(e)
}
