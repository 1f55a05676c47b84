package hop

import (
	"fmt"
	"testing"
	"time"
)

func TestOrder(t *testing.T) {
	now := time.Unix(1000, 0)
	l := New([]string{"a", "b", "c"})
	expect := func(at time.Time, want string) {
		t.Helper()
		if got := fmt.Sprint(l.Order(at)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	expect(now, "[a b c]")
	if !l.Failed("a", now, 0) || l.Failed("a", now, 0) {
		t.Error("news of a failure comes once")
	}
	expect(now, "[b c a]")
	l.Failed("b", now, time.Second)
	expect(now, "[c b a]") // b comes back first
	expect(now.Add(2*time.Second), "[b c a]")
	expect(now.Add(DefaultPenalty), "[a b c]")
	l.Failed("c", now, 0)
	l.Worked("a")
	expect(now, "[a b c]")
	if got := New(nil).Order(now); len(got) != 0 {
		t.Error(got)
	}
}
