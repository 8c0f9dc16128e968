// Package modeltest calls Client.Reconcile in thousands of random worlds: servers, clocks
// and lost calls whose true outcome the test knows. It uses the public API only.
//
//   - reconcile_world_test.go is the server, with all the ways in which servers may differ,
//   - reconcile_model_test.go draws worlds, as many as the flag -worlds says,
//   - reconcile_cases_test.go has named worlds.
package modeltest
