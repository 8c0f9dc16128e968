package whozex_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

func TestRawJSON_PageIsParsedOnce(t *testing.T) {
	client := over(t, func(req *http.Request) (*http.Response, error) {
		return reply(req, 200, ok(`{"users":`+usersFrom(0, 100)+`,"pagination":`+lastPage+`}`)), nil
	})
	page, err := client.ListUsers(t.Context(), whozex.ListUsersParams{})
	require.NoError(t, err)
	var readers sync.WaitGroup
	for i, user := range page.Items {
		readers.Go(func() { assert.Contains(t, string(user.RawJSON()), fmt.Sprintf(`"id":"u%d"`, i)) })
	}
	readers.Wait()
	assert.Equal(t, 1.0, testing.AllocsPerRun(100, func() { _ = page.Items[99].RawJSON() }), "the copy alone")

	copied := page.Items[0].RawJSON()
	clear(copied)
	assert.NotEqual(t, copied, page.Items[0].RawJSON(), "what a caller does to a copy is the caller's own")
}
