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
	seed = flag.Uint64("seed", 0, "seed of the random runs; 0 draws one")
)

// perWorld bounds the transactions that every look for a lost call has to read.
const perWorld = 50

// lossy are the faults that take no time.
var lossy = slices.DeleteFunc(slices.Clone(faults), func(f whozextest.Fault) bool { return strings.HasPrefix(f.String(), "stall") })

// Random keys are called again and again, by processes that die at random steps,
// over a network that loses what it likes. Whatever the row says at last is what
// the server's ledger says.
func TestRandomRuns(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	chance := rand.New(rand.NewPCG(*seed, 23))
	t.Logf("-seed %d", *seed)
	states := map[idempotency.State]int{}
	for first := 0; first < *runs; first += perWorld {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			w := newWorld(t)
			for i := first; i < min(first+perWorld, *runs); i++ {
				states[w.randomRun(chance, fmt.Sprintf("order-%d", i))]++
			}
		})
	}
	t.Logf("%d runs: %v", *runs, states)
}

// randomRun calls a key some times, and returns the state that it came to.
func (w *world) randomRun(chance *rand.Rand, key string) idempotency.State {
	t := w.t
	ops := slices.Sorted(maps.Keys(w.calls()))
	op := ops[chance.IntN(len(ops))]
	commits := w.commits(op)
	for range 2 + chance.IntN(4) {
		w.server.ClearFaults()
		if chance.IntN(2) == 0 {
			w.server.Inject(op, lossy[chance.IntN(len(lossy))], 1+chance.IntN(2))
		}
		var dies idempotency.Step
		if chance.IntN(3) == 0 {
			dies = steps[chance.IntN(len(steps))]
		}
		w.dare(op, key, dies)
	}
	w.server.ClearFaults()
	once := w.open()
	leasesRunOut(t, once)
	var last error
	if chance.IntN(2) == 0 {
		_, last = w.calls()[op](once, key)
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
		require.Equal(t, commits+1, w.commits(op), "%s: %v", r, last)
	case idempotency.Failed:
		require.Equal(t, commits, w.commits(op), "%s: %v", r, last)
	default:
		require.Equal(t, idempotency.Indeterminate, r.State)
	}
	if r.State == idempotency.Indeterminate || r.ResultID == "" && r.State == idempotency.Succeeded {
		// A person looks, and the next purchase of the user may go on.
		_, err := once.Resolve(t.Context(), key, idempotency.Resolution{Applied: w.commits(op) > commits, ResultID: "PKG-" + key})
		require.NoError(t, err)
	}
	return r.State
}

// dare makes a call by a process that may die at a step, after the lease of the
// process before has run out.
func (w *world) dare(op whozex.Operation, key string, dies idempotency.Step) {
	once := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == dies {
			panic(dies)
		}
	}))
	leasesRunOut(w.t, once)
	defer func() { _ = recover() }()
	_, _ = w.calls()[op](once, key)
}
