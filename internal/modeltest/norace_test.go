//go:build !race

package modeltest

const defaultWorlds = 5000
