// Package daemon is the composition root: it knows all parts, starts them in order and stops them in
// reverse, and gives the offline verbs their way to the engine.
package daemon
