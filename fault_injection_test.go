package whozex_test

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

const (
	faultTimeout = 300 * time.Millisecond
	lateCommit   = 2 * faultTimeout
)

// injectedFaults are all faults of the sandbox.
var injectedFaults = []whozextest.Fault{
	whozextest.CommitThenDrop(), whozextest.DropBeforeCommit(), whozextest.TruncateBody(), whozextest.Garbage(),
	whozextest.StallBeforeCommit(), whozextest.StallAfterCommit(), whozextest.LateCommit(lateCommit),
	whozextest.ServerErrorBeforeCommit(500), whozextest.ServerErrorAfterCommit(503),
	whozextest.HTMLErrorBeforeCommit(502), whozextest.HTMLErrorAfterCommit(504),
}

// faultCalls is the number of calls of TestFaultInjection. The time for Reconcile grows
// with its square.
var faultCalls = flag.Int("calls", 400, "number of calls with random faults")

// markedCall is one call: a mark that is unique to its request, and its error.
type markedCall struct {
	mark string
	err  error
}

// faultTest makes concurrent mutating calls to a server that fails at random.
type faultTest struct {
	t      *testing.T
	server *whozextest.Server
	client *whozex.Client
	users  []string
	pkg    string // the package of AddGB

	mu    sync.Mutex
	calls []markedCall
}

func newFaultTest(t *testing.T, opts ...whozex.Option) *faultTest {
	t.Helper()
	server := whozextest.NewServer(whozextest.WithBalance(dec("10000000")))
	t.Cleanup(server.Close)
	client := server.Client(append([]whozex.Option{
		whozex.WithTimeout(faultTimeout), whozex.WithBackoff(time.Millisecond, 5*time.Millisecond), whozex.WithGrace(2 * lateCommit),
	}, opts...)...)
	t.Cleanup(client.CloseIdleConnections)
	s := &faultTest{t: t, server: server, client: client}
	for i := range 4 {
		s.users = append(s.users, s.user(fmt.Sprintf("shared%d@example.com", i)))
	}
	// No fault here: a slow machine must not exceed the short timeout.
	pkg, err := client.PurchasePackage(t.Context(), s.users[0], whozex.PurchasePackageParams{GB: 1}, whozex.AttemptTimeout(2*lateCommit))
	require.NoError(t, err)
	s.pkg = pkg.ID
	return s
}

func (s *faultTest) user(email string) string {
	id, err := s.server.AddUser(email, "")
	require.NoError(s.t, err)
	require.NoError(s.t, s.server.SetUserBalance(id, dec("100000")))
	return id
}

// operations returns the mutating calls. Each puts mark into its request.
func (s *faultTest) operations() map[whozex.Operation]func(mark string) error {
	ctx := s.t.Context()
	any := func() string { return s.users[rand.IntN(len(s.users))] }
	return map[whozex.Operation]func(string) error{
		whozex.OpCreateUser: func(mark string) error {
			_, err := s.client.CreateUser(ctx, whozex.CreateUserParams{Email: mark + "@example.com"})
			return err
		},
		whozex.OpAddBalance: func(mark string) error {
			_, err := s.client.AddBalance(ctx, any(), dec("1.25"), mark)
			return err
		},
		whozex.OpDeductBalance: func(mark string) error {
			_, err := s.client.DeductBalance(ctx, any(), dec("0.75"), mark)
			return err
		},
		whozex.OpAddGB: func(mark string) error {
			_, err := s.client.AddGB(ctx, s.pkg, whozex.AddGBParams{GB: 1, Note: mark})
			return err
		},
		whozex.OpPurchasePackage: func(mark string) error {
			// Purchases have no note: the buyer is the mark.
			_, err := s.client.PurchasePackage(ctx, mark, whozex.PurchasePackageParams{GB: 1})
			return err
		},
		whozex.OpCreateWebhook: func(mark string) error {
			_, err := s.client.CreateWebhook(ctx, whozex.CreateWebhookParams{URL: "https://" + mark + ".example.com", Events: []string{"none"}})
			return err
		},
	}
}

// run makes calls from many goroutines, a third of them with a fault.
func (s *faultTest) run(calls int) {
	s.t.Helper()
	operations := s.operations()
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
					mark = s.user(mark + "@buyers.example.com")
				}
				switch {
				case i%100 == 50:
					// Rare, because each pauses all calls.
					s.server.Inject(op, whozextest.TooManyRequests([]string{"", "0"}[rand.IntN(2)]), 1)
				case rand.IntN(3) == 0:
					s.server.Inject(op, injectedFaults[rand.IntN(len(injectedFaults))], 1)
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
	s.server.ClearFaults()
}

// commits counts how often the request with each mark was carried out.
func (s *faultTest) commits() map[string]int {
	committed := map[string]int{}
	for _, r := range s.server.RequestLog() {
		if !r.Committed {
			continue
		}
		for _, text := range []string{r.Body, r.Path} {
			for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(`"/@.:,{}`, r) }) {
				committed[word]++
			}
		}
	}
	return committed
}

func TestFaultInjection(t *testing.T) {
	t.Parallel()
	s := newFaultTest(t)
	for _, user := range s.users {
		// Reconcile needs a history with an entry that is older than the call.
		_, err := s.client.AddBalance(t.Context(), user, dec("1"), "before the faults")
		require.NoError(t, err)
		_, err = s.client.DeductBalance(t.Context(), user, dec("1"), "before the faults")
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
	committed := s.commits()
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
	totals := s.server.Totals()
	assert.True(t, totals.Outside.Equal(totals.Reseller.Add(totals.Users).Add(totals.Spent)))
}

// reconcile waits until Reconcile can decide and returns the outcomes.
func (s *faultTest) reconcile(unknown []markedCall) []whozex.Outcome {
	// With its own client: the other's timeout is too short for a long history on a
	// busy machine, and it calls as slowly as the injected 429s have made it.
	client := s.server.Client(whozex.WithTimeout(2*lateCommit), whozex.WithMaxRetries(10), whozex.WithGrace(2*lateCommit))
	defer client.CloseIdleConnections()
	outcomes := make([]whozex.Outcome, len(unknown))
	work := make(chan int)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range work {
				cause, _ := errors.AsType[*whozex.OutcomeUnknownError](unknown[i].err)
				for {
					outcome, err := client.Reconcile(s.t.Context(), cause)
					if !assert.NoError(s.t, err) || outcome.NotBefore.IsZero() {
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
	s := newFaultTest(t)
	plain := retryablehttp.NewClient()
	plain.Logger = nil
	plain.RetryWaitMin, plain.RetryWaitMax = time.Millisecond, 5*time.Millisecond
	plain.HTTPClient.Timeout = faultTimeout
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := range 10 {
				if rand.IntN(3) == 0 {
					s.server.Inject(whozex.OpAddBalance, injectedFaults[rand.IntN(len(injectedFaults))], 1)
				}
				body := fmt.Sprintf(`{"action":"add","amount":1,"note":"mark-%d-%d"}`, worker, i)
				req, err := retryablehttp.NewRequest("POST", s.server.URL+"/users/"+s.users[0]+"/balance", []byte(body))
				if !assert.NoError(t, err) {
					return
				}
				req.Header.Set("Authorization", "Bearer "+s.server.APIKey)
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
	for mark, n := range s.commits() {
		if strings.HasPrefix(mark, "mark-") && n > 1 {
			twice++
		}
	}
	t.Logf("%d of 160 were carried out twice or more", twice)
	assert.Positive(t, twice)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
