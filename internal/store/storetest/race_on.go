//go:build race

package storetest

// raceEnabled says that the race detector watches, which makes the building of
// a million deliveries too slow.
const raceEnabled = true
