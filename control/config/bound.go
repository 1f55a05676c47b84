package config

import (
	"cmp"
	"fmt"
)

// Least refuses a key's value that is below the least one. Sections' Validate methods
// join what it and its like say, so that a fault is told of the key that has it.
func Least[T cmp.Ordered](key string, value, least T) error {
	if value >= least {
		return nil
	}
	return fmt.Errorf("%s: %v is below %v, the least", key, value, least)
}

// Above refuses a key's value that is not above a bound.
func Above[T cmp.Ordered](key string, value, bound T) error {
	if value > bound {
		return nil
	}
	return fmt.Errorf("%s: %v is not above %v", key, value, bound)
}

// Within refuses a key's value that is below the least one or above the most.
func Within[T cmp.Ordered](key string, value, least, most T) error {
	if value >= least && value <= most {
		return nil
	}
	return fmt.Errorf("%s: %v is not from %v to %v", key, value, least, most)
}
