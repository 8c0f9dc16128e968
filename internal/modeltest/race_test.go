//go:build race

package modeltest

// Each world uses one goroutine, where the race detector finds nothing and takes eight
// times as long.
const defaultWorlds = 1000
