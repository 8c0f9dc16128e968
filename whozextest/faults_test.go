package whozextest

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

const eventually, tick = 5 * time.Second, 2 * time.Millisecond

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault     Fault
		status    int // 0 for no whole response
		committed bool
	}{
		{fault: DropBeforeCommit()},
		{fault: CommitThenDrop(), committed: true},
		{fault: TruncateBody(), committed: true},
		{fault: ServerErrorBeforeCommit(503), status: 503},
		{fault: ServerErrorAfterCommit(500), status: 500, committed: true},
		{fault: HTMLErrorBeforeCommit(502), status: 502},
		{fault: HTMLErrorAfterCommit(502), status: 502, committed: true},
		{fault: TooManyRequests("7"), status: 429},
		{fault: TooManyRequests(""), status: 429},
		{fault: Garbage(), status: 200, committed: true},
		{fault: LateCommit(20 * time.Millisecond), status: 200, committed: true},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			s := start(t)
			s.Inject(whozex.OpCreateUser, c.fault, 1)
			r, err := send(request(t, s, "POST", "/users", `{"email":"a@example.com"}`))
			if c.status == 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				assert.Equal(t, c.status, r.status)
			}
			want := 0
			if c.committed {
				want = 1
			}
			assert.Equal(t, want, s.Commits(whozex.OpCreateUser))
			entry := s.RequestLog()[0]
			assert.Equal(t, c.committed, entry.Committed)
			assert.Equal(t, c.fault.String(), entry.Fault)
			assert.Equal(t, `{"email":"a@example.com"}`, entry.Body)
			assert.Equal(t, "/v1/users", entry.Path)
			ok(t, s, "POST", "/users", `{"email":"b@example.com"}`)
			assert.Equal(t, want+1, s.Commits(whozex.OpCreateUser))
			assert.Equal(t, 2, s.Requests(whozex.OpCreateUser))
		})
	}
}

func TestTooManyRequestsHeader(t *testing.T) {
	s := start(t)
	s.Inject(whozex.OpGetAccount, TooManyRequests("7"), 1)
	assert.Equal(t, "7", do(t, s, "GET", "/account", "").header.Get("Retry-After"))
}

func leaveAfter(t *testing.T, s *Server, wait time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	_, err := send(request(t, s, "POST", "/users", `{"email":"a@example.com"}`).WithContext(ctx))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestStall(t *testing.T) {
	for committed, fault := range map[int]Fault{0: StallBeforeCommit(), 1: StallAfterCommit()} {
		s := start(t)
		s.Inject(whozex.OpCreateUser, fault, 1)
		leaveAfter(t, s, 100*time.Millisecond)
		assert.Equal(t, committed, s.Commits(whozex.OpCreateUser))
		assert.Zero(t, s.RequestLog()[0].Status)
	}
}

func TestLateCommitAfterClientLeft(t *testing.T) {
	s := start(t)
	s.Inject(whozex.OpCreateUser, LateCommit(300*time.Millisecond), 1)
	leaveAfter(t, s, 50*time.Millisecond)
	assert.Zero(t, s.Commits(whozex.OpCreateUser))
	assert.Eventually(t, func() bool { return s.Commits(whozex.OpCreateUser) == 1 }, eventually, tick)
}

func TestInjectEvery(t *testing.T) {
	s := start(t)
	s.InjectEvery(whozex.OpGetAccount, 3, ServerErrorBeforeCommit(500))
	var got []int
	for range 6 {
		got = append(got, do(t, s, "GET", "/account", "").status)
	}
	assert.Equal(t, []int{200, 200, 500, 200, 200, 500}, got)
	s.ClearFaults()
	for range 3 {
		assert.Equal(t, 200, do(t, s, "GET", "/account", "").status)
	}
	assert.Zero(t, s.Commits(whozex.OpGetAccount))
}

func TestInject_AddAndDeduct(t *testing.T) {
	s := start(t)
	user := addUser(t, s, "a@example.com", "50")
	s.Inject(whozex.OpDeductBalance, ServerErrorBeforeCommit(500), 1)
	assert.Equal(t, 200, do(t, s, "POST", "/users/"+user+"/balance", `{"action":"add","amount":1}`).status)
	assert.Equal(t, 500, do(t, s, "POST", "/users/"+user+"/balance", `{"action":"deduct","amount":1}`).status)
	assert.Equal(t, 1, s.Commits(whozex.OpAddBalance))
	assert.Equal(t, 0, s.Commits(whozex.OpDeductBalance))
}

func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	s := NewServer(WithUsers(1))
	s.Inject(whozex.OpCreateUser, StallAfterCommit(), 1)
	s.Inject(whozex.OpGetAccount, LateCommit(time.Hour), 1)
	left := make(chan error, 2)
	for _, r := range []*http.Request{
		request(t, s, "POST", "/users", `{"email":"a@example.com"}`), request(t, s, "GET", "/account", ""),
	} {
		go func() { _, err := send(r); left <- err }()
	}
	assert.Eventually(t, func() bool { return len(s.RequestLog()) == 2 }, eventually, tick)
	s.Close()
	s.Close()
	require.Error(t, <-left)
	require.Error(t, <-left)
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, eventually, tick)
	assert.Len(t, s.RequestLog(), 2)
}
