package whozex_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

func TestTheLogHoldsWhatIsAllowedAndNothingElse(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var seen atomic.Int32
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if seen.Add(1) == 1 {
			answer(w, 503, "secret-of-the-answer "+testKey)
			return
		}
		answer(w, 200, ok(`{"id":"u2","balance":1,"users":[{"id":"u1","email":"secret-of-the-answer","balance":1}]}`))
	}, whozex.WithLogger(logger))
	_, err := client.ListUsers(t.Context(), whozex.ListUsersParams{Search: "secret-of-the-query"})
	require.NoError(t, err)
	_, err = client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "secret-of@the.body"})
	require.NoError(t, err)

	assert.NotContains(t, log.String(), "secret")
	assert.NotContains(t, log.String(), testKey)
	var statuses []float64
	for line := range bytes.Lines(log.Bytes()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal(line, &fields))
		statuses = append(statuses, fields["status"].(float64))
		for name := range fields {
			assert.True(t, slices.Contains([]string{"time", "level", "msg", "operation", "attempt", "status", "duration", "wait"}, name), name)
		}
	}
	assert.Equal(t, []float64{503, 200, 200}, statuses)
}
