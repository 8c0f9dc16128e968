package whozex_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/internal/faulttest"
	"github.com/whozex/whozex-go/whozextest"
)

// faultTest is a sandbox that fails, and what Reconcile says of the calls.
type faultTest struct{ *faulttest.Sandbox }

func newFaultTest(t *testing.T, opts ...whozex.Option) *faultTest {
	t.Helper()
	return &faultTest{faulttest.New(t, opts...)}
}

// loseCall makes a call whose outcome is unknown, carried out or not.
func (s *faultTest) loseCall(op whozex.Operation, mark string, applied bool) *whozex.OutcomeUnknownError {
	s.T.Helper()
	fault := whozextest.DropBeforeCommit()
	if applied {
		fault = whozextest.CommitThenDrop()
	}
	s.Server.Inject(op, fault, 1)
	err := s.Operations()[op](mark)
	unknown, ok := errors.AsType[*whozex.OutcomeUnknownError](err)
	require.True(s.T, ok, "%v", err)
	return unknown
}

func (s *faultTest) verdict(unknown *whozex.OutcomeUnknownError) whozex.Outcome {
	s.T.Helper()
	outcome, err := s.Client.Reconcile(s.T.Context(), unknown)
	require.NoError(s.T, err)
	assert.NotEmpty(s.T, outcome.Reason)
	return outcome
}

var decidable = []whozex.Operation{whozex.OpCreateUser, whozex.OpAddBalance, whozex.OpDeductBalance, whozex.OpAddGB}

func TestReconcile(t *testing.T) {
	for _, op := range decidable {
		for _, applied := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%t", op, applied), func(t *testing.T) {
				s := newFaultTest(t, whozex.WithGrace(0))
				require.NoError(t, s.Operations()[whozex.OpAddBalance]("another"))
				want := whozex.OutcomeNotApplied
				if applied {
					want = whozex.OutcomeApplied
				}
				unknown := s.loseCall(op, "mark-1", applied)
				outcome := s.verdict(unknown)
				assert.Equal(t, want, outcome.Verdict, outcome.Reason)
				if op == whozex.OpCreateUser {
					assert.Equal(t, applied, outcome.User != nil)
				} else {
					assert.Equal(t, applied, len(outcome.Transactions) == 1)
				}

				stored, err := unknown.Reveal()
				require.NoError(t, err)
				var restored whozex.OutcomeUnknownError
				require.NoError(t, json.Unmarshal(stored, &restored))
				assert.Equal(t, want, s.verdict(&restored).Verdict, "after a restart")
			})
		}
	}
}

func TestReconcile_SimilarNames(t *testing.T) {
	renames := map[string]map[string]string{
		"note":             {"note": "memo"},
		"note left out":    {"note": ""},
		"amount":           {"amount": "sum"},
		"time":             {"created_at": "date"},
		"type":             {"type": "kind"},
		"email":            {"email": "mail"},
		"no pagination":    {"pagination": ""},
		"list":             {"transactions": "history", "users": "accounts"},
		"list, pagination": {"transactions": "history", "users": "accounts", "pagination": "paging"},
		"package count":    {"package_count": "packages"},
		"id":               {"id": "uuid"},
	}
	for name, names := range renames {
		t.Run(name, func(t *testing.T) {
			s := newFaultTest(t, whozex.WithGrace(0))
			s.Server.Rename(whozex.OpListTransactions, names)
			s.Server.Rename(whozex.OpListUsers, names)
			for _, op := range append(decidable, whozex.OpPurchasePackage) {
				for i, applied := range []bool{true, false} {
					mark := fmt.Sprintf("mark-%s-%d", op, i)
					if op == whozex.OpPurchasePackage {
						mark = s.NewUser(mark + "@example.com")
					}
					outcome := s.verdict(s.loseCall(op, mark, applied))
					wrong := whozex.OutcomeApplied
					if applied {
						wrong = whozex.OutcomeNotApplied
					}
					assert.NotEqual(t, wrong, outcome.Verdict, "%s, applied %t: %s", op, applied, outcome.Reason)
					if slices.Contains([]string{"amount", "time", "no pagination", "list, pagination"}, name) && op != whozex.OpCreateUser {
						assert.Equal(t, whozex.OutcomeUndecided, outcome.Verdict, "%s, applied %t: %s", op, applied, outcome.Reason)
					}
				}
			}
		})
	}
}

func TestReconcile_LateCommit(t *testing.T) {
	for _, op := range decidable {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			s := newFaultTest(t)
			var late *http.Request // carried out when the test wants it
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					s.Server.ServeHTTP(w, r)
					return
				}
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				late = r.Clone(context.Background())
				late.Body = io.NopCloser(bytes.NewReader(body))
				panic(http.ErrAbortHandler)
			}))
			defer front.Close()
			s.Client = s.Server.Client(whozex.WithBaseURL(front.URL+"/v1"), whozex.WithGrace(time.Hour))
			unknown, ok := errors.AsType[*whozex.OutcomeUnknownError](s.Operations()[op]("mark-1"))
			require.True(t, ok)
			early := s.verdict(unknown)
			assert.Equal(t, whozex.OutcomeUndecided, early.Verdict)
			assert.True(t, early.NotBefore.Equal(unknown.Until.Add(time.Hour)), "%s", early.NotBefore)
			s.Server.ServeHTTP(httptest.NewRecorder(), late)
			require.Equal(t, 1, s.Commits()["mark-1"])
			assert.Equal(t, whozex.OutcomeApplied, s.verdict(unknown).Verdict)
		})
	}
}

func TestReconcile_Undecided(t *testing.T) {
	tests := map[string]func(s *faultTest) *whozex.OutcomeUnknownError{
		"no note": func(s *faultTest) *whozex.OutcomeUnknownError { return s.loseCall(whozex.OpAddBalance, "", true) },
		"note used twice": func(s *faultTest) *whozex.OutcomeUnknownError {
			require.NoError(s.T, s.Operations()[whozex.OpAddBalance]("order 5"))
			return s.loseCall(whozex.OpAddBalance, "order 5", true)
		},
		"note used for another amount": func(s *faultTest) *whozex.OutcomeUnknownError {
			require.NoError(s.T, s.Operations()[whozex.OpDeductBalance]("order 5"))
			return s.loseCall(whozex.OpAddBalance, "order 5", false)
		},
		"note within another": func(s *faultTest) *whozex.OutcomeUnknownError {
			require.NoError(s.T, s.Operations()[whozex.OpAddBalance]("order 55"))
			return s.loseCall(whozex.OpAddBalance, "order 5", false)
		},
		"note that is trimmed": func(s *faultTest) *whozex.OutcomeUnknownError {
			return s.loseCall(whozex.OpAddBalance, " order 5", false)
		},
		"note with markup": func(s *faultTest) *whozex.OutcomeUnknownError {
			return s.loseCall(whozex.OpAddBalance, "a & b", false)
		},
		"note of another time": func(s *faultTest) *whozex.OutcomeUnknownError {
			unknown := s.loseCall(whozex.OpAddBalance, "order 5", true)
			unknown.SentAt = unknown.SentAt.Add(time.Minute)
			return unknown
		},
		"email with a tag": func(s *faultTest) *whozex.OutcomeUnknownError {
			return s.loseCall(whozex.OpCreateUser, "john+tag", false)
		},
		"email was there": func(s *faultTest) *whozex.OutcomeUnknownError {
			unknown := s.loseCall(whozex.OpCreateUser, "john", true)
			unknown.SentAt = unknown.SentAt.Add(time.Minute)
			return unknown
		},
		"purchase among others": func(s *faultTest) *whozex.OutcomeUnknownError {
			return s.loseCall(whozex.OpPurchasePackage, s.Users[0], false)
		},
		"webhook": func(s *faultTest) *whozex.OutcomeUnknownError {
			return s.loseCall(whozex.OpCreateWebhook, "hook", true)
		},
		"key": func(s *faultTest) *whozex.OutcomeUnknownError {
			return &whozex.OutcomeUnknownError{Operation: whozex.OpRegenerateKey, SentAt: time.Now()}
		},
		"unknown route": func(s *faultTest) *whozex.OutcomeUnknownError {
			return &whozex.OutcomeUnknownError{Operation: "DELETE /x", SentAt: time.Now()}
		},
		"request lost": func(s *faultTest) *whozex.OutcomeUnknownError {
			unknown := s.loseCall(whozex.OpCreateUser, "john", false)
			unknown.Request = nil
			return unknown
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			s := newFaultTest(t, whozex.WithGrace(0))
			outcome := s.verdict(prepare(s))
			assert.Equal(t, whozex.OutcomeUndecided, outcome.Verdict, outcome.Reason)
		})
	}
}

func TestReconcile_Purchase(t *testing.T) {
	newShop := func(t *testing.T) (s *faultTest, buyer string, buy func(applied bool) *whozex.OutcomeUnknownError) {
		s = &faultTest{&faulttest.Sandbox{T: t, Server: whozextest.NewServer(whozextest.WithBalance(dec("1000")))}}
		t.Cleanup(s.Server.Close)
		s.Client = s.Server.Client(whozex.WithGrace(0))
		t.Cleanup(s.Client.CloseIdleConnections)
		buyer = s.NewUser("buyer@example.com")
		_, err := s.Client.AddBalance(t.Context(), buyer, dec("5"), "first")
		require.NoError(t, err)
		return s, buyer, func(applied bool) *whozex.OutcomeUnknownError {
			return s.loseCall(whozex.OpPurchasePackage, buyer, applied)
		}
	}
	none, one := 0, 1
	t.Run("no purchase at all", func(t *testing.T) {
		s, _, buy := newShop(t)
		assert.Equal(t, whozex.OutcomeNotApplied, s.verdict(buy(false)).Verdict)
	})
	t.Run("only others bought", func(t *testing.T) {
		s, _, buy := newShop(t)
		_, err := s.Client.PurchasePackage(t.Context(), s.NewUser("b@example.com"), whozex.PurchasePackageParams{GB: 1})
		require.NoError(t, err)
		outcome := s.verdict(buy(false))
		assert.Equal(t, whozex.OutcomeUndecided, outcome.Verdict, "the purchase does not say whose it is")
		assert.Equal(t, "buyer@example.com", outcome.User.Email)
	})
	t.Run("one purchase, count not known", func(t *testing.T) {
		s, _, buy := newShop(t)
		outcome := s.verdict(buy(true))
		assert.Equal(t, whozex.OutcomeUndecided, outcome.Verdict)
		assert.Len(t, outcome.Transactions, 1)
		assert.Equal(t, 1, outcome.User.PackageCount)
	})
	t.Run("one purchase and one package more", func(t *testing.T) {
		s, _, buy := newShop(t)
		unknown := buy(true)
		unknown.PackagesBefore = &none
		assert.Equal(t, whozex.OutcomeApplied, s.verdict(unknown).Verdict)
		unknown.PackagesBefore = &one
		assert.Equal(t, whozex.OutcomeUndecided, s.verdict(unknown).Verdict)
	})
	t.Run("two purchases and one package more", func(t *testing.T) {
		s, _, buy := newShop(t)
		_, err := s.Client.PurchasePackage(t.Context(), s.NewUser("b@example.com"), whozex.PurchasePackageParams{GB: 1})
		require.NoError(t, err)
		unknown := buy(true)
		unknown.PackagesBefore = &none
		assert.Equal(t, whozex.OutcomeUndecided, s.verdict(unknown).Verdict)
	})
}

func TestReconcile_PartialResponse(t *testing.T) {
	for _, test := range []struct {
		status  int
		body    string
		verdict whozex.Verdict
	}{
		{200, `{"success":true,"data":{"id":"PKG-`, whozex.OutcomeApplied},
		{201, `{"meta":{"a":[1,{}]},"success":true`, whozex.OutcomeApplied},
		{200, `{"data":{"success":true},`, whozex.OutcomeUndecided},
		{200, `{"success":tr`, whozex.OutcomeUndecided},
		{200, `[{"success":true}]`, whozex.OutcomeUndecided},
		{502, `{"success":true}`, whozex.OutcomeUndecided},
		{200, ``, whozex.OutcomeUndecided},
	} {
		t.Run(test.body, func(t *testing.T) {
			client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("there was a request") })
			outcome, err := client.Reconcile(t.Context(), &whozex.OutcomeUnknownError{
				Operation: whozex.OpCreateWebhook, StatusCode: test.status, Body: []byte(test.body),
			})
			require.NoError(t, err)
			assert.Equal(t, test.verdict, outcome.Verdict)
		})
	}
}

func TestReconcile_NoCache(t *testing.T) {
	s := newFaultTest(t, whozex.WithGrace(0), whozex.WithCache(time.Hour))
	unknown := s.loseCall(whozex.OpAddBalance, "mark-1", false)
	assert.Equal(t, whozex.OutcomeNotApplied, s.verdict(unknown).Verdict)
	other := s.Server.Client()
	t.Cleanup(other.CloseIdleConnections)
	_, err := other.AddBalance(t.Context(), s.Users[0], dec("1.25"), "mark-1")
	require.NoError(t, err)
	assert.Equal(t, whozex.OutcomeApplied, s.verdict(unknown).Verdict)
	for i := range 250 {
		_, err := other.AddBalance(t.Context(), s.Users[0], dec("1"), fmt.Sprint("later ", i))
		require.NoError(t, err)
	}
	assert.Equal(t, whozex.OutcomeApplied, s.verdict(unknown).Verdict)
}

func TestReconcile_ServerClock(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			s := &faultTest{&faulttest.Sandbox{T: t, Server: whozextest.NewServer(whozextest.WithClock(func() time.Time { return time.Now().Add(ahead) }))}}
			t.Cleanup(s.Server.Close)
			s.Client = s.Server.Client(whozex.WithGrace(0))
			t.Cleanup(s.Client.CloseIdleConnections)
			s.Users = []string{s.NewUser("a@example.com")}
			assert.Equal(t, whozex.OutcomeApplied, s.verdict(s.loseCall(whozex.OpAddBalance, "mark-1", true)).Verdict)
			assert.Equal(t, whozex.OutcomeApplied, s.verdict(s.loseCall(whozex.OpCreateUser, "mark-2", true)).Verdict)
		})
	}
}

// TestReconcile_AnyOrder serves histories in other orders than the sandbox's.
func TestReconcile_AnyOrder(t *testing.T) {
	now := time.Now()
	item := func(i int, at time.Time) string {
		return fmt.Sprintf(`{"id":"%d","type":"deposit","amount":1,"note":"note-%d","created_at":"%s"}`, i, i, at.UTC().Format(time.RFC3339Nano))
	}
	ascending := func(i int) time.Time { return now.Add(time.Duration(i-150) * time.Minute) }
	tests := []struct {
		name    string
		at      func(i int) time.Time // of the i-th of 150 items
		total   int
		note    string
		verdict whozex.Verdict
	}{
		{name: "oldest first, on the second page", at: ascending, total: 150, note: "note-149", verdict: whozex.OutcomeApplied},
		{name: "oldest first, nowhere", at: ascending, total: 150, note: "absent", verdict: whozex.OutcomeNotApplied},
		{name: "all at the same time", at: func(int) time.Time { return now }, total: 150, note: "note-149", verdict: whozex.OutcomeApplied},
		{name: "all old, at the same time", at: func(int) time.Time { return now.Add(-time.Hour) }, total: 150, note: "absent", verdict: whozex.OutcomeUndecided},
		{name: "in no order", at: func(i int) time.Time { return now.Add(-time.Duration(i%149%50) * time.Minute) }, total: 150, note: "note-149", verdict: whozex.OutcomeApplied},
		{name: "fewer than the total", at: ascending, total: 151, note: "absent", verdict: whozex.OutcomeUndecided},
		{name: "fewer than the total, with the note", at: ascending, total: 151, note: "note-149", verdict: whozex.OutcomeUndecided},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				page, err := strconv.Atoi(r.FormValue("page"))
				assert.NoError(t, err)
				var items []string
				for i := 100 * (page - 1); i < min(100*page, 150); i++ {
					items = append(items, item(i, test.at(i)))
				}
				respond(w, 200, fmt.Sprintf(`{"success":true,"data":{"transactions":[%s],"pagination":{"total":%d,"page":%d,"limit":100,"pages":2,"has_next":%t}}}`,
					strings.Join(items, ","), test.total, page, page < 2))
			}, whozex.WithGrace(0))
			outcome, err := client.Reconcile(t.Context(), &whozex.OutcomeUnknownError{
				Operation: whozex.OpAddBalance, SentAt: now.Add(-2 * time.Minute),
				Request: []byte(`{"action":"add","amount":1.00,"note":"` + test.note + `"}`),
			})
			require.NoError(t, err)
			assert.Equal(t, test.verdict, outcome.Verdict, outcome.Reason)
		})
	}
}

// TestReconcile_MovingList serves lists whose items move or disappear between any two
// pages.
func TestReconcile_MovingList(t *testing.T) {
	tests := []struct {
		name    string
		pages   []string // the ids of each
		totals  []int
		verdict whozex.Verdict
		reason  string
	}{
		{
			name:  "two readings together show all, the second alone not",
			pages: []string{"FABCD", "D", "", "ABCDE", "E", ""}, totals: []int{6, 6, 6, 6, 6, 6},
			verdict: whozex.OutcomeUndecided, reason: "lost an item",
		},
		{
			name:  "the second page is of a server that lags behind",
			pages: []string{"ABCDE", "", "ABCDE", ""}, totals: []int{6, 5, 6, 5},
			verdict: whozex.OutcomeUndecided, reason: "became shorter",
		},
		{
			name:  "every other reading is of a server that lags behind",
			pages: []string{"ABCDE", "", "ABCDEF", ""}, totals: []int{5, 5, 6, 6},
			verdict: whozex.OutcomeApplied, reason: "has the note",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			read := 0
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				var items []string
				for _, id := range strings.Split(test.pages[read], "") {
					items = append(items, fmt.Sprintf(`{"id":"%s","type":"deposit","amount":1,"note":"note-%[1]s","created_at":"%s"}`, id, time.Now().UTC().Format(time.RFC3339)))
				}
				respond(w, 200, fmt.Sprintf(`{"success":true,"data":{"transactions":[%s],"pagination":{"total":%d}}}`, strings.Join(items, ","), test.totals[read]))
				read++
			}, whozex.WithGrace(0))
			outcome, err := client.Reconcile(t.Context(), &whozex.OutcomeUnknownError{
				Operation: whozex.OpAddBalance, SentAt: time.Now(), Request: []byte(`{"action":"add","amount":1.00,"note":"note-F"}`),
			})
			require.NoError(t, err)
			assert.Equal(t, test.verdict, outcome.Verdict, outcome.Reason)
			assert.Contains(t, outcome.Reason, test.reason)
		})
	}
}

func TestReconcile_AllUsers(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		respond(w, 200, ok(`{"users":[{"id":"1","email":"other@example.com"}],"pagination":{"total":2,"page":1,"limit":100,"pages":1,"has_next":false}}`))
	}, whozex.WithGrace(0))
	outcome, err := client.Reconcile(t.Context(), &whozex.OutcomeUnknownError{
		Operation: whozex.OpCreateUser, SentAt: time.Now(), Request: []byte(`{"email":"john@example.com"}`),
	})
	require.NoError(t, err)
	assert.Equal(t, whozex.OutcomeUndecided, outcome.Verdict, outcome.Reason)
}

func TestReconcile_FailingReads(t *testing.T) {
	s := newFaultTest(t, whozex.WithGrace(0), whozex.WithMaxRetries(0))
	unknown := s.loseCall(whozex.OpAddBalance, "mark-1", true)
	s.Server.Inject(whozex.OpListTransactions, whozextest.ServerErrorBeforeCommit(500), 1)
	outcome, err := s.Client.Reconcile(t.Context(), unknown)
	require.ErrorIs(t, err, whozex.ErrServer)
	assert.Equal(t, whozex.OutcomeUndecided, outcome.Verdict)
	_, err = s.Client.Reconcile(t.Context(), nil)
	require.ErrorIs(t, err, whozex.ErrMissingField)
	unknown.SentAt = time.Time{}
	_, err = s.Client.Reconcile(t.Context(), unknown)
	require.ErrorIs(t, err, whozex.ErrMissingField)
}

func TestBeforeSend_Record(t *testing.T) {
	for name, fault := range map[string]whozextest.Fault{
		"carried out":     whozextest.CommitThenDrop(),
		"not carried out": whozextest.DropBeforeCommit(),
	} {
		t.Run(name, func(t *testing.T) {
			s := newFaultTest(t, whozex.WithGrace(0))
			s.Server.Inject(whozex.OpAddBalance, fault, 1)
			var stored []byte
			_, err := s.Client.AddBalance(t.Context(), s.Users[0], dec("3"), "mark-1", whozex.BeforeSend(func(record *whozex.OutcomeUnknownError) error {
				assert.Zero(t, s.Server.Requests(whozex.OpAddBalance), "before it is sent")
				var err error
				stored, err = json.Marshal(record)
				return err
			}))
			require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)

			var record whozex.OutcomeUnknownError
			require.NoError(t, json.Unmarshal(stored, &record))
			want := whozex.OutcomeNotApplied
			if s.Server.Commits(whozex.OpAddBalance) == 1 {
				want = whozex.OutcomeApplied
			}
			assert.Equal(t, want, s.verdict(&record).Verdict)
		})
	}
}

func TestBeforeSend_EachRequest(t *testing.T) {
	t.Parallel()
	s := newFaultTest(t, whozex.WithTimeout(whozex.DefaultTimeout), whozex.WithGrace(whozex.DefaultGrace))
	before := s.Server.Requests(whozex.OpAddGB)
	s.Server.Inject(whozex.OpAddGB, whozextest.TooManyRequests("0"), 1)
	var attempts []int
	add := func(opt whozex.CallOption) error {
		_, err := s.Client.AddGB(t.Context(), s.Package, whozex.AddGBParams{GB: 1}, opt)
		return err
	}
	require.NoError(t, add(whozex.BeforeSend(func(record *whozex.OutcomeUnknownError) error {
		attempts = append(attempts, record.Attempts)
		assert.WithinDuration(t, time.Now(), record.SentAt, time.Minute)
		return nil
	})))
	assert.Equal(t, []int{1, 2}, attempts)
	assert.Equal(t, before+2, s.Server.Requests(whozex.OpAddGB))

	full := errors.New("the disk is full")
	refuse := whozex.BeforeSend(func(*whozex.OutcomeUnknownError) error { return full })
	err := add(refuse)
	require.ErrorIs(t, err, full)
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.Equal(t, before+2, s.Server.Requests(whozex.OpAddGB), "nothing was sent")

	s.Server.Inject(whozex.OpAddGB, whozextest.TooManyRequests("0"), 1)
	err = add(whozex.BeforeSend(func(record *whozex.OutcomeUnknownError) error {
		if record.Attempts == 2 {
			return full
		}
		return nil
	}))
	require.ErrorIs(t, err, full)
	require.ErrorIs(t, err, whozex.ErrRateLimited)
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.Equal(t, before+3, s.Server.Requests(whozex.OpAddGB), "nothing was sent again")

	_, err = s.Client.GetAccount(t.Context(), refuse)
	require.NoError(t, err, "a read is not announced")
}

func TestBeforeSend_Cancel(t *testing.T) {
	s := newFaultTest(t, whozex.WithTimeout(whozex.DefaultTimeout), whozex.WithGrace(whozex.DefaultGrace))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := s.Client.AddBalance(ctx, s.Users[0], dec("3"), "mark-1", whozex.BeforeSend(func(*whozex.OutcomeUnknownError) error {
		cancel()
		return nil
	}))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.Zero(t, s.Server.Requests(whozex.OpAddBalance))
}

func TestNew_GraceBelowTimeout(t *testing.T) {
	for _, test := range []struct {
		name           string
		grace, timeout time.Duration
		refused        bool
	}{
		{name: "shorter", grace: time.Minute, timeout: 2 * time.Minute, refused: true},
		{name: "as long", grace: time.Minute, timeout: time.Minute},
		{name: "none at all", timeout: time.Minute},
		{name: "negative", grace: -1, timeout: time.Minute, refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := whozex.New(testKey, whozex.WithTimeout(test.timeout), whozex.WithGrace(test.grace))
			assert.Equal(t, test.refused, errors.Is(err, whozex.ErrInvalidParams), "%v", err)
		})
	}
}
