//go:build race

package modeltest

// A world is asked in one goroutine, where the race detector finds nothing and takes
// eight times as long.
const defaultWorlds = 1000
