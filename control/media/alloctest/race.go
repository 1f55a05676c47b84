//go:build race

package alloctest

const forgetful = true
