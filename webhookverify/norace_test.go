//go:build !race

package webhookverify_test

const raceEnabled = false
