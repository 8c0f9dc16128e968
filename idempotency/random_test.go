package idempotency_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/whozextest"
)

var (
	runs = flag.Int("runs", 200, "`number` of random runs")
	seed = flag.Uint64("seed", 0, "seed of the random runs; 0 means a random one")
)

// runsPerWorld limits the number of transactions that Reconcile has to read.
const runsPerWorld = 50

// fastFaults are the faults that need no timeout.
var fastFaults = slices.DeleteFunc(slices.Clone(faults), func(f whozextest.Fault) bool { return strings.HasPrefix(f.String(), "stall") })

// Random calls are repeated by processes that die at random steps, with random
// faults. In the end each row must agree with the server.
func TestOnce_RandomRuns(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	rng := rand.New(rand.NewPCG(*seed, 23))
	t.Logf("-seed %d", *seed)
	states := map[idempotency.State]int{}
	for first := 0; first < *runs; first += runsPerWorld {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			w := newWorld(t)
			for i := first; i < min(first+runsPerWorld, *runs); i++ {
				states[w.randomRun(rng, fmt.Sprintf("order-%d", i))]++
			}
		})
	}
	t.Logf("%d runs: %v", *runs, states)
}

// randomRun makes calls with a key and returns its final state.
func (w *world) randomRun(rng *rand.Rand, key string) idempotency.State {
	t := w.t
	ops := slices.Sorted(maps.Keys(w.calls()))
	op := ops[rng.IntN(len(ops))]
	commits := w.commits(op)
	for range 2 + rng.IntN(4) {
		w.server.ClearFaults()
		if rng.IntN(2) == 0 {
			w.server.Inject(op, fastFaults[rng.IntN(len(fastFaults))], 1+rng.IntN(2))
		}
		var crashAt idempotency.Step
		if rng.IntN(3) == 0 {
			crashAt = steps[rng.IntN(len(steps))]
		}
		w.callAndPanic(op, key, crashAt)
	}
	w.server.ClearFaults()
	once := w.open()
	expireLeases(t, once)
	var lastErr error
	if rng.IntN(2) == 0 {
		_, lastErr = w.calls()[op](once, key)
	} else {
		_, err := once.Settle(t.Context())
		require.NoError(t, err)
	}
	r, err := once.Get(t.Context(), key)
	if errors.Is(err, idempotency.ErrUnknownKey) {
		require.Equal(t, commits, w.commits(op))
		return "no row"
	}
	require.LessOrEqual(t, w.commits(op), commits+1)
	switch r.State {
	case idempotency.Succeeded:
		require.Equal(t, commits+1, w.commits(op), "%s: %v", r, lastErr)
	case idempotency.Failed:
		require.Equal(t, commits, w.commits(op), "%s: %v", r, lastErr)
	default:
		require.Equal(t, idempotency.Indeterminate, r.State)
	}
	if r.State == idempotency.Indeterminate || r.ResultID == "" && r.State == idempotency.Succeeded {
		// A person decides, so that the user's next purchase is possible.
		_, err := once.Resolve(t.Context(), key, idempotency.Resolution{Applied: w.commits(op) > commits, ResultID: "PKG-" + key})
		require.NoError(t, err)
	}
	return r.State
}

// callAndPanic ends all leases and makes a call in a new process, which panics at a
// step.
func (w *world) callAndPanic(op whozex.Operation, key string, panicAt idempotency.Step) {
	once := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == panicAt {
			panic(panicAt)
		}
	}))
	expireLeases(w.t, once)
	defer func() { _ = recover() }()
	_, _ = w.calls()[op](once, key)
}
