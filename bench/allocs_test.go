//go:build !race

// The race detector empties pools at random, so allocations are counted without it.

package bench

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The test limits the allocations of a call. Only the benchmarks measure times.
func TestCall_Allocates(t *testing.T) {
	found := sites(t, "http://127.0.0.1", api)
	base, ours := found[0], found[1]
	require.Equal(t, "whozex", ours.name)
	account := func(s site) func() {
		return func() {
			_, err := s.account(t.Context())
			require.NoError(t, err)
		}
	}
	users := func(s site) func() {
		return func() {
			_, err := s.users(t.Context(), 1)
			require.NoError(t, err)
		}
	}
	bytes, allocs := allocated(account(ours))
	baseBytes, _ := allocated(account(base))
	t.Logf("account: %.0f allocations, %.3f of the bytes of net/http by hand", allocs, bytes/baseBytes)
	assert.LessOrEqual(t, allocs, 34.0)
	assert.LessOrEqual(t, bytes/baseBytes, 1.09)
	bytes, allocs = allocated(users(ours))
	baseBytes, baseAllocs := allocated(users(base))
	t.Logf("users: %.3f of the allocations and %.3f of the bytes of net/http by hand", allocs/baseAllocs, bytes/baseBytes)
	assert.LessOrEqual(t, allocs/baseAllocs, 1.0)
	assert.LessOrEqual(t, bytes/baseBytes, 0.61)
}
