// Package modeltest asks Client.Reconcile in thousands of random worlds: servers, clocks
// and lost calls of which the test knows what truly happened. It uses the public API alone.
//
//   - reconcile_world_test.go is the server, with all in which it may differ from others,
//   - reconcile_model_test.go draws worlds, as many as the flag -worlds says,
//   - reconcile_cases_test.go names single worlds.
package modeltest
