package dialog

import (
	"sync"

	"mcp/control/media"
)

// maxTyped bounds the keys that wait for somebody to ask for them.
const maxTyped = 64

// Keys are what a connection's far end presses: handed to whoever collects them,
// and kept for the next one otherwise.
type Keys struct {
	quit    chan struct{}
	told    func(key byte) // of each key, beside those who listen
	pumping sync.WaitGroup

	mu    sync.Mutex // guards what follows
	typed []byte     // that nobody has taken
	ears  map[*ear]struct{}
}

// ear hears keys as they are pressed.
type ear struct {
	keys  *Keys
	ch    chan byte
	takes bool // what it hears is not kept for others
}

// NewKeys hears no leg yet. Told is told of each key, whoever takes it.
func NewKeys(told func(key byte)) *Keys {
	return &Keys{quit: make(chan struct{}), told: told, ears: map[*ear]struct{}{}}
}

// Pump takes keys from a leg until Close.
func (k *Keys) Pump(digits <-chan media.Digit) {
	k.pumping.Go(func() {
		for {
			select {
			case d := <-digits:
				k.press(d.Key)
			case <-k.quit:
				return
			}
		}
	})
}

// Close ends Pump.
func (k *Keys) Close() {
	close(k.quit)
	k.pumping.Wait()
}

// lend lets somebody else read the leg's keys until the function it returns is
// called.
func (k *Keys) lend(digits <-chan media.Digit) (back func()) {
	k.Close()
	return func() {
		k.quit = make(chan struct{})
		k.Pump(digits)
	}
}

func (k *Keys) press(key byte) {
	k.told(key)
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := false
	for e := range k.ears {
		select {
		case e.ch <- key:
			taken = taken || e.takes
		default:
		}
	}
	if !taken && len(k.typed) < maxTyped {
		k.typed = append(k.typed, key)
	}
}

// listen begins to hear keys, those that wait first. Clear forgets these.
func (k *Keys) listen(takes, clear bool) *ear {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := &ear{keys: k, ch: make(chan byte, 2*maxTyped), takes: takes}
	if clear {
		k.typed = nil
	}
	for _, key := range k.typed {
		e.ch <- key
	}
	if takes {
		k.typed = nil
	}
	k.ears[e] = struct{}{}
	return e
}

// stop ends hearing. What was heard and not read waits for the next, if it was
// taken.
func (e *ear) stop() {
	e.keys.mu.Lock()
	defer e.keys.mu.Unlock()
	delete(e.keys.ears, e)
	for e.takes {
		select {
		case key := <-e.ch:
			e.keys.typed = append(e.keys.typed, key)
		default:
			return
		}
	}
}
