//go:build !race

package vxmltest

const (
	slower = 1
	larger = 1
)
