package whozextest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reply is a response as it came over the wire.
type reply struct {
	status  int
	header  http.Header
	raw     string
	Success bool
	Data    map[string]json.RawMessage
	Error   struct{ Code, Message string }
	Meta    struct{ Timestamp, Version string }
}

func (r reply) data(name string) string { return string(r.Data[name]) }

func (r reply) text(t *testing.T, name string) string {
	t.Helper()
	var text string
	require.NoError(t, json.Unmarshal(r.Data[name], &text), r.raw)
	return text
}

func start(t *testing.T, opts ...Option) *Server {
	t.Helper()
	s := NewServer(opts...)
	t.Cleanup(s.Close)
	return s
}

func request(t *testing.T, s *Server, method, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.CurrentKey())
	return req
}

// send makes one request on a connection of its own, so that nothing is resent.
func send(req *http.Request) (reply, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	r := reply{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &r)
	return r, err
}

func do(t *testing.T, s *Server, method, path, body string) reply {
	t.Helper()
	r, err := send(request(t, s, method, path, body))
	require.NoError(t, err)
	return r
}

func ok(t *testing.T, s *Server, method, path, body string) reply {
	t.Helper()
	r := do(t, s, method, path, body)
	require.Equal(t, http.StatusOK, r.status, r.raw)
	require.True(t, r.Success)
	require.Equal(t, "1.0.0", r.Meta.Version)
	_, err := time.Parse(time.RFC3339, r.Meta.Timestamp)
	require.NoError(t, err)
	return r
}

func usd(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func addUser(t *testing.T, s *Server, email, balance string) string {
	t.Helper()
	id, err := s.AddUser(email, "")
	require.NoError(t, err)
	require.NoError(t, s.SetUserBalance(id, usd(balance)))
	return id
}

func buy(t *testing.T, s *Server, userID, body string) string {
	t.Helper()
	return ok(t, s, "POST", "/users/"+userID+"/packages", body).text(t, "id")
}

func assertConserved(t assert.TestingT, s *Server) {
	sums := s.Totals()
	assert.True(t, sums.Outside.Equal(sums.Reseller.Add(sums.Users).Add(sums.Spent)), "%+v", sums)
	balances := map[string]decimal.Decimal{}
	for _, e := range s.Ledger() {
		assert.True(t, e.Amount.IsPositive())
		balances[e.From] = balances[e.From].Sub(e.Amount)
		balances[e.To] = balances[e.To].Add(e.Amount)
	}
	assert.True(t, balances[LedgerReseller].Equal(s.Balance()))
	assert.True(t, balances[LedgerSpent].Equal(sums.Spent))
	assert.True(t, balances[LedgerOutside].Neg().Equal(sums.Outside))
	for id, balance := range balances {
		if now, found := s.UserBalance(id); found {
			assert.True(t, balance.Equal(now))
			assert.False(t, now.IsNegative())
		}
	}
	assert.False(t, s.Balance().IsNegative())
}
