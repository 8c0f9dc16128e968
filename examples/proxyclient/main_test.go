package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// sandbox is a real account as far as the program knows, with a sub-user who can
// pay. Its packages' proxies are at address.
func sandbox(t *testing.T, address string, l login) (server *whozextest.Server, userID string) {
	t.Helper()
	server = whozextest.NewServer(whozextest.WithAPIKey("wx_live_example"))
	t.Cleanup(server.Close)
	userID, err := server.AddUser("john@example.com", "")
	require.NoError(t, err)
	require.NoError(t, server.SetUserBalance(userID, decimal.NewFromInt(10)))
	body := credentials(t, address, l)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/credentials") {
			_, _ = w.Write(body)
			return
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	environment(t, server.APIKey, front.URL+"/v1")
	return server, userID
}

func TestWithBuyItBuysOnceAndFetches(t *testing.T) {
	l := login{"wx3f8a2c01", "wxp1a2b3c4_country-TR"}
	address, _ := proxyOf(t, "http", l, http.StatusOK)
	server, userID := sandbox(t, address, l)
	page, _ := pageOf(t, "https", http.StatusOK)
	code, stdout, stderr := program(t, l, "-buy", "-user", userID, "-gb", "2", "-url", page)
	require.Equal(t, 0, code, stderr)
	assert.Regexp(t, `^bought    PKG-[0-9A-F]{6}, 2 GB for \$1.80\n`, stdout)
	assert.Contains(t, stdout, "the page")
	assert.Equal(t, 1, server.Requests(whozex.OpPurchasePackage))
}

func TestAPurchaseInDoubtIsToldAndNotRepeated(t *testing.T) {
	for _, fault := range []whozextest.Fault{
		whozextest.CommitThenDrop(), whozextest.DropBeforeCommit(), whozextest.TruncateBody(), whozextest.Garbage(),
		whozextest.ServerErrorAfterCommit(502), whozextest.ServerErrorBeforeCommit(500), whozextest.HTMLErrorAfterCommit(503),
	} {
		t.Run(fault.String(), func(t *testing.T) {
			server, userID := sandbox(t, "127.0.0.1:1", login{"u", "p"})
			server.Inject(whozex.OpPurchasePackage, fault, 1)
			code, stdout, stderr := program(t, login{}, "-buy", "-user", userID)
			assert.Equal(t, 3, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, "MAY HAVE BEEN BOUGHT, do not buy again")
			assert.NotContains(t, stderr, "wxp")
			assert.Len(t, server.RequestLog(), 1)
		})
	}
}

func TestARefusedPurchaseIsToldAsThat(t *testing.T) {
	server, userID := sandbox(t, "127.0.0.1:1", login{"u", "p"})
	code, _, stderr := program(t, login{}, "-buy", "-user", userID, "-gb", "1000")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "nothing was bought")
	assert.Zero(t, server.Commits(whozex.OpPurchasePackage))
}

func TestWhatIsBoughtIsToldBeforeAnythingCanFail(t *testing.T) {
	_, userID := sandbox(t, "no connection string", login{"u", "p"})
	code, stdout, stderr := program(t, login{}, "-buy", "-user", userID)
	assert.Equal(t, 1, code)
	assert.Contains(t, stdout, "bought    PKG-")
	assert.Contains(t, stderr, "connection string")
}

func TestAWrongCommandLineCostsNothing(t *testing.T) {
	server, userID := sandbox(t, "127.0.0.1:1", login{"u", "p"})
	for _, tt := range []struct {
		args string
		told string
	}{
		{"", "-package ID"},
		{"-user " + userID + " -gb 5", "-buy to spend money"},
		{"-buy", "-user ID"},
		{"-buy -package PKG-3F8A2C -user " + userID, "-package ID"},
		{"-buy -gb 0 -user " + userID, "-gb"},
		{"-buy -url ftp://example.com -user " + userID, "-url"},
		{"-buy -url example.com -user " + userID, "-url"},
		{"-buy -url http:// -user " + userID, "-url"},
		{"-buy -user " + userID + " left", `"left"`},
		{"-nothing", "-nothing"},
	} {
		code, stdout, stderr := program(t, login{}, strings.Fields(tt.args)...)
		assert.Equal(t, 2, code, tt.args)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, tt.told)
	}
	code, _, _ := program(t, login{}, "-help")
	assert.Equal(t, 0, code)
	assert.Empty(t, server.RequestLog())
}

func TestWithoutAKeyItNeedsNoNetwork(t *testing.T) {
	environment(t, "", "")
	for _, args := range [][]string{nil, {"-socks5"}, {"-country", "us", "-city", "New York"}, {"-country", "any"}} {
		code, stdout, stderr := program(t, login{}, args...)
		require.Equal(t, 0, code, stderr)
		assert.Contains(t, stdout, "takes its place")
		assert.Contains(t, stdout, "200 OK\n{\"ip\":\"127.0.0.1\"}\n")
		assert.NotContains(t, stdout, "wxp")
	}
	page, visits := pageOf(t, "https", http.StatusOK)
	code, _, stderr := program(t, login{}, "-url", page)
	assert.Equal(t, 0, code, stderr)
	assert.EqualValues(t, 1, visits.Load())
	for _, args := range [][]string{{"-package", pkg}, {"-buy"}, {"-user", "u"}} {
		var stderr bytes.Buffer
		assert.Equal(t, 2, run(t.Context(), args, &bytes.Buffer{}, &stderr))
		assert.Contains(t, stderr.String(), "WHOZEX_API_KEY")
	}
}
