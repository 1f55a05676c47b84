// Package archtest holds the rules that keep the source tree readable, as a
// test: who may import whom, where each library lives, how large things may be,
// and that no state hides in packages. Its exceptions are listed with a reason.
package archtest
