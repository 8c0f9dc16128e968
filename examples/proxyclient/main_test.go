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

// startAccount starts a fake server with a sub-user who can pay, and makes the program
// use it as the live API. The proxies of its packages are at address.
func startAccount(t *testing.T, address string, l login) (server *whozextest.Server, userID string) {
	t.Helper()
	server = whozextest.NewServer(whozextest.WithAPIKey("wx_live_example"))
	t.Cleanup(server.Close)
	userID, err := server.AddUser("john@example.com", "")
	require.NoError(t, err)
	require.NoError(t, server.SetUserBalance(userID, decimal.NewFromInt(10)))
	body := credentialsBody(t, address, l)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/credentials") {
			_, _ = w.Write(body)
			return
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	setEnv(t, server.APIKey, front.URL+"/v1")
	return server, userID
}

func TestProxyClient_Buy(t *testing.T) {
	l := login{"wx3f8a2c01", "wxp1a2b3c4_country-TR"}
	address, _ := startProxy(t, "http", l, http.StatusOK)
	server, userID := startAccount(t, address, l)
	page, _ := startSite(t, "https", http.StatusOK)
	code, stdout, stderr := runProgram(t, l, "-buy", "-user", userID, "-gb", "2", "-url", page)
	require.Equal(t, 0, code, stderr)
	assert.Regexp(t, `^bought    PKG-[0-9A-F]{6}, 2 GB for \$1.80\n`, stdout)
	assert.Contains(t, stdout, "the page")
	assert.Equal(t, 1, server.Requests(whozex.OpPurchasePackage))
}

func TestProxyClient_UnknownOutcomeIsNotRepeated(t *testing.T) {
	for _, fault := range []whozextest.Fault{
		whozextest.CommitThenDrop(), whozextest.DropBeforeCommit(), whozextest.TruncateBody(), whozextest.Garbage(),
		whozextest.ServerErrorAfterCommit(502), whozextest.ServerErrorBeforeCommit(500), whozextest.HTMLErrorAfterCommit(503),
	} {
		t.Run(fault.String(), func(t *testing.T) {
			server, userID := startAccount(t, "127.0.0.1:1", login{"u", "p"})
			server.Inject(whozex.OpPurchasePackage, fault, 1)
			code, stdout, stderr := runProgram(t, login{}, "-buy", "-user", userID)
			assert.Equal(t, 3, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, "MAY HAVE BEEN BOUGHT, do not buy again")
			assert.NotContains(t, stderr, "wxp")
			assert.Len(t, server.RequestLog(), 1)
		})
	}
}

func TestProxyClient_PurchaseRefused(t *testing.T) {
	server, userID := startAccount(t, "127.0.0.1:1", login{"u", "p"})
	code, _, stderr := runProgram(t, login{}, "-buy", "-user", userID, "-gb", "1000")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "nothing was bought")
	assert.Zero(t, server.Commits(whozex.OpPurchasePackage))
}

func TestProxyClient_PrintsPurchaseBeforeFetching(t *testing.T) {
	_, userID := startAccount(t, "no connection string", login{"u", "p"})
	code, stdout, stderr := runProgram(t, login{}, "-buy", "-user", userID)
	assert.Equal(t, 1, code)
	assert.Contains(t, stdout, "bought    PKG-")
	assert.Contains(t, stderr, "connection string")
}

func TestProxyClient_InvalidFlags(t *testing.T) {
	server, userID := startAccount(t, "127.0.0.1:1", login{"u", "p"})
	for _, tt := range []struct {
		args    string
		wantErr string
	}{
		{args: "", wantErr: "-package ID"},
		{args: "-user " + userID + " -gb 5", wantErr: "-buy to spend money"},
		{args: "-buy", wantErr: "-user ID"},
		{args: "-buy -package PKG-3F8A2C -user " + userID, wantErr: "-package ID"},
		{args: "-buy -gb 0 -user " + userID, wantErr: "-gb"},
		{args: "-buy -url ftp://example.com -user " + userID, wantErr: "-url"},
		{args: "-buy -url example.com -user " + userID, wantErr: "-url"},
		{args: "-buy -url http:// -user " + userID, wantErr: "-url"},
		{args: "-buy -user " + userID + " extra", wantErr: `"extra"`},
		{args: "-unknown", wantErr: "-unknown"},
	} {
		code, stdout, stderr := runProgram(t, login{}, strings.Fields(tt.args)...)
		assert.Equal(t, 2, code, tt.args)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, tt.wantErr)
	}
	code, _, _ := runProgram(t, login{}, "-help")
	assert.Equal(t, 0, code)
	assert.Empty(t, server.RequestLog())
}

func TestProxyClient_Demo(t *testing.T) {
	setEnv(t, "", "")
	for _, args := range [][]string{nil, {"-socks5"}, {"-country", "us", "-city", "New York"}, {"-country", "any"}} {
		code, stdout, stderr := runProgram(t, login{}, args...)
		require.Equal(t, 0, code, stderr)
		assert.Contains(t, stdout, "using a proxy on 127.0.0.1")
		assert.Contains(t, stdout, "200 OK\n{\"ip\":\"127.0.0.1\"}\n")
		assert.NotContains(t, stdout, "wxp")
	}
	page, visits := startSite(t, "https", http.StatusOK)
	code, _, stderr := runProgram(t, login{}, "-url", page)
	assert.Equal(t, 0, code, stderr)
	assert.EqualValues(t, 1, visits.Load())
	for _, args := range [][]string{{"-package", pkg}, {"-buy"}, {"-user", "u"}} {
		var stderr bytes.Buffer
		assert.Equal(t, 2, run(t.Context(), args, &bytes.Buffer{}, &stderr))
		assert.Contains(t, stderr.String(), "WHOZEX_API_KEY")
	}
}
