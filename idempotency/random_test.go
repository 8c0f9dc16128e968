package idempotency_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

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

// Random keys are called again and again, by processes that die at random steps,
// over a network that loses what it likes. Whatever the row says at last is what
// the server's ledger says.
func TestRandomRuns(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	chance := rand.New(rand.NewPCG(*seed, 23))
	t.Logf("-seed %d", *seed)
	steps := []idempotency.Step{idempotency.StepClaim, idempotency.StepClaimed, idempotency.StepEnded, idempotency.StepStored}
	lossy := slices.DeleteFunc(slices.Clone(faults), func(f whozextest.Fault) bool {
		return f.String() == whozextest.StallAfterCommit().String() || f.String() == whozextest.StallBeforeCommit().String()
	})
	states := map[idempotency.State]int{}
	var w *world
	for i := range *runs {
		if i%perWorld == 0 {
			w = newWorld(t)
		}
		ops := slices.Sorted(maps.Keys(w.calls()))
		op := ops[chance.IntN(len(ops))]
		key := fmt.Sprintf("order-%d", i)
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
		_, last := w.calls()[op](once, key)
		r, err := once.Get(t.Context(), key)
		if errors.Is(err, idempotency.ErrUnknownKey) {
			assert.Equal(t, commits, w.commits(op))
			continue
		}
		states[r.State]++
		assert.LessOrEqual(t, w.commits(op), commits+1)
		switch r.State {
		case idempotency.Succeeded:
			assert.Equal(t, commits+1, w.commits(op), r)
		case idempotency.Failed:
			assert.Equal(t, commits, w.commits(op), r)
		case idempotency.Indeterminate:
			assert.ErrorIs(t, last, idempotency.ErrIndeterminate)
			// A person looks, and the next purchase of the user may go on.
			_, err := once.Resolve(t.Context(), key, idempotency.Resolution{Applied: w.commits(op) > commits, ResultID: "PKG-1"})
			assert.NoError(t, err)
		default:
			assert.Fail(t, "not settled", r.String())
		}
		if t.Failed() {
			t.Fatalf("run %d: %s: %v", i, r, last)
		}
		if r.State == idempotency.Succeeded && r.ResultID == "" {
			_, err := once.Resolve(t.Context(), key, idempotency.Resolution{Applied: true, ResultID: fmt.Sprintf("PKG-%d", i)})
			assert.NoError(t, err)
		}
	}
	t.Logf("%d runs: %v", *runs, states)
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
