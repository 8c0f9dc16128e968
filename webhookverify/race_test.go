//go:build race

package webhookverify_test

const raceEnabled = true
