package faulttest

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// faultCalls is the number of calls of TestFaultInjection. The time for Reconcile grows
// with its square.
var faultCalls = flag.Int("calls", 400, "number of calls with random faults")

// markedCall is one call: a mark that is unique to its request, and its error.
type markedCall struct {
	mark string
	err  error
}

// model makes concurrent mutating calls to a server that fails at random.
type model struct {
	*Sandbox
	mu    sync.Mutex
	calls []markedCall
}

// run makes calls from many goroutines, a third of them with a fault.
func (s *model) run(calls int) {
	s.T.Helper()
	operations := s.Operations()
	var names []whozex.Operation
	for op := range operations {
		names = append(names, op)
	}
	work := make(chan int)
	var group sync.WaitGroup
	for range 24 {
		group.Go(func() {
			for i := range work {
				op := names[i%len(names)]
				mark := fmt.Sprintf("mark-%06d", i)
				if op == whozex.OpPurchasePackage {
					mark = s.NewUser(mark + "@buyers.example.com")
				}
				switch {
				case i%100 == 50:
					// Rare, because each pauses all calls.
					s.Server.Inject(op, whozextest.TooManyRequests([]string{"", "0"}[rand.IntN(2)]), 1)
				case rand.IntN(3) == 0:
					s.Server.Inject(op, Faults[rand.IntN(len(Faults))], 1)
				}
				err := operations[op](mark)
				s.mu.Lock()
				s.calls = append(s.calls, markedCall{mark, err})
				s.mu.Unlock()
			}
		})
	}
	for i := range calls {
		work <- i
	}
	close(work)
	group.Wait()
	s.Server.ClearFaults()
}

func TestFaultInjection(t *testing.T) {
	t.Parallel()
	s := &model{Sandbox: New(t)}
	for _, user := range s.Users {
		// Reconcile needs a history with an entry that is older than the call.
		_, err := s.Client.AddBalance(t.Context(), user, usd("1"), "before the faults")
		require.NoError(t, err)
		_, err = s.Client.DeductBalance(t.Context(), user, usd("1"), "before the faults")
		require.NoError(t, err)
	}
	began := time.Now()
	s.run(*faultCalls)
	var unknown []markedCall
	for _, call := range s.calls {
		if errors.Is(call.err, whozex.ErrOutcomeUnknown) {
			unknown = append(unknown, call)
		}
	}
	t.Logf("%d calls, %d unknown, %s", len(s.calls), len(unknown), time.Since(began))
	began = time.Now()
	verdicts := s.reconcile(unknown)
	t.Logf("reconciled, %s", time.Since(began))
	committed := s.Commits()
	var succeeded, failed int
	for _, call := range s.calls {
		n := committed[call.mark]
		switch {
		case call.err == nil:
			succeeded++
			assert.Equal(t, 1, n, "%s succeeded", call.mark)
		case errors.Is(call.err, whozex.ErrOutcomeUnknown):
			assert.LessOrEqual(t, n, 1, call.mark)
		default:
			failed++
			assert.Zero(t, n, "%s failed: %v", call.mark, call.err)
		}
	}
	assert.Greater(t, succeeded, *faultCalls/2)
	assert.Greater(t, len(unknown), *faultCalls/7)
	assert.Greater(t, failed, *faultCalls/20)

	tally := map[whozex.Operation]map[whozex.Verdict]int{}
	var decidable, decided int
	for i, call := range unknown {
		cause, _ := errors.AsType[*whozex.OutcomeUnknownError](call.err)
		verdict := verdicts[i].Verdict
		if tally[cause.Operation] == nil {
			tally[cause.Operation] = map[whozex.Verdict]int{}
		}
		tally[cause.Operation][verdict]++
		switch cause.Operation {
		case whozex.OpCreateUser, whozex.OpAddBalance, whozex.OpDeductBalance, whozex.OpAddGB:
			decidable++
			if verdict != whozex.OutcomeUndecided {
				decided++
			} else {
				t.Log(call.mark, verdicts[i].Reason)
			}
		}
		switch verdict {
		case whozex.OutcomeApplied:
			assert.Equal(t, 1, committed[call.mark], "%s: %s", call.mark, verdicts[i].Reason)
		case whozex.OutcomeNotApplied:
			assert.Zero(t, committed[call.mark], "%s: %s", call.mark, verdicts[i].Reason)
		}
	}
	t.Log(tally)
	assert.GreaterOrEqual(t, float64(decided), 0.9*float64(decidable))
	totals := s.Server.Totals()
	assert.True(t, totals.Outside.Equal(totals.Reseller.Add(totals.Users).Add(totals.Spent)))
}

// reconcile waits until Reconcile can decide and returns the outcomes.
func (s *model) reconcile(unknown []markedCall) []whozex.Outcome {
	// With its own client: the other's timeout is too short for a long history on a
	// busy machine, and it calls as slowly as the injected 429s have made it.
	client := s.Server.Client(whozex.WithTimeout(2*LateCommit), whozex.WithMaxRetries(10), whozex.WithGrace(2*LateCommit))
	defer client.CloseIdleConnections()
	outcomes := make([]whozex.Outcome, len(unknown))
	work := make(chan int)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range work {
				cause, _ := errors.AsType[*whozex.OutcomeUnknownError](unknown[i].err)
				for {
					outcome, err := client.Reconcile(s.T.Context(), cause)
					if !assert.NoError(s.T, err) || outcome.NotBefore.IsZero() {
						outcomes[i] = outcome
						break
					}
					time.Sleep(time.Until(outcome.NotBefore)) // Reconcile says when to ask again
				}
			}
		})
	}
	for i := range unknown {
		work <- i
	}
	close(work)
	group.Wait()
	return outcomes
}

// TestFaultInjection_RetryablehttpPolicy uses the policy of retryablehttp, to show that
// the test above can fail.
func TestFaultInjection_RetryablehttpPolicy(t *testing.T) {
	t.Parallel()
	s := &model{Sandbox: New(t)}
	plain := retryablehttp.NewClient()
	plain.Logger = nil
	plain.RetryWaitMin, plain.RetryWaitMax = time.Millisecond, 5*time.Millisecond
	plain.HTTPClient.Timeout = Timeout
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := range 10 {
				if rand.IntN(3) == 0 {
					s.Server.Inject(whozex.OpAddBalance, Faults[rand.IntN(len(Faults))], 1)
				}
				body := fmt.Sprintf(`{"action":"add","amount":1,"note":"mark-%d-%d"}`, worker, i)
				req, err := retryablehttp.NewRequest("POST", s.Server.URL+"/users/"+s.Users[0]+"/balance", []byte(body))
				if !assert.NoError(t, err) {
					return
				}
				req.Header.Set("Authorization", "Bearer "+s.Server.APIKey)
				if resp, err := plain.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}
		})
	}
	group.Wait()
	plain.HTTPClient.CloseIdleConnections()
	twice := 0
	for mark, n := range s.Commits() {
		if strings.HasPrefix(mark, "mark-") && n > 1 {
			twice++
		}
	}
	t.Logf("%d of 160 were carried out twice or more", twice)
	assert.Positive(t, twice)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
