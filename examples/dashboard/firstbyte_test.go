package main

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

var largeUsers = flag.Int("users", 300, "users of the account whose pages are timed; each has three packages")

// TestPages_FirstByteOfLargeAccount logs the time to first byte of cached pages. It has
// no limit, since that would depend on the machine; but a page that made a call for each
// package or user would take minutes.
func TestPages_FirstByteOfLargeAccount(t *testing.T) {
	d, home, api := launchOn(t, config{}, whozextest.WithUsers(*largeUsers), whozextest.WithBalance(decimal.NewFromInt(1_000_000)))
	require.Eventually(t, d.usersRead.Load, time.Minute, time.Millisecond)
	stock(t, d, api)
	last := d.catalog.list(nil)[0]
	v := newVisitor(t, home)
	for _, path := range []string{
		"/", "/?page=2", "/?q=user1", "/?sort=balance", "/?sort=packages-few&rows=100&page=2", "/packages", "/packages?state=attention&page=3",
		"/packages?q=user7", "/packages?q=" + last.ID, "/packages?rows=48&sort=newest", "/users/" + last.UserID, "/operations",
	} {
		var times []time.Duration
		for i := range 21 {
			took, status := v.firstByte(path)
			assert.Equal(t, http.StatusOK, status, path)
			if i > 0 { // the first one fills the cache
				times = append(times, took)
			}
		}
		slices.Sort(times)
		t.Logf("%-42s median %5.1f ms, slowest of %d %5.1f ms", path, ms(times[len(times)/2]), len(times), ms(times[len(times)-1]))
	}
	t.Logf("%d users, %d packages: %+v", *largeUsers, 3**largeUsers, d.catalog.levels())
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// firstByte returns the time to the first byte. It reads the whole response.
func (v visitor) firstByte(path string) (took time.Duration, status int) {
	v.t.Helper()
	began := time.Now()
	ctx := httptrace.WithClientTrace(v.t.Context(), &httptrace.ClientTrace{GotFirstResponseByte: func() { took = time.Since(began) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.home+path, nil)
	require.NoError(v.t, err)
	res, err := v.client.Do(req)
	require.NoError(v.t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(v.t, err)
	require.NoError(v.t, res.Body.Close())
	return took, res.StatusCode
}

// buyPackages buys three packages for each user. Every tenth one is low and every
// twentieth used up; the dashboard has read them all.
func stock(t *testing.T, d *dashboard, api *whozextest.Server) {
	t.Helper()
	client := api.Client()
	n := 0
	for user, err := range client.AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(4)) {
		require.NoError(t, err)
		require.NoError(t, api.SetUserBalance(user.ID, decimal.NewFromInt(int64(27+n%500))))
		for range 3 {
			pkg, err := client.PurchasePackage(t.Context(), user.ID, whozex.PurchasePackageParams{GB: 10})
			require.NoError(t, err)
			require.NoError(t, d.catalog.add(knownPackage{ID: pkg.ID, UserID: user.ID, GB: pkg.TotalGB, Cost: pkg.Cost, CreatedAt: pkg.CreatedAt}))
			left := decimal.NewFromInt(10)
			switch n++; {
			case n%20 == 0:
				left = decimal.Zero
			case n%10 == 0:
				left = decimal.New(5, -1)
			}
			if used := pkg.TotalGB.Sub(left); used.IsPositive() {
				require.NoError(t, api.UseGB(pkg.ID, used))
			}
			require.NoError(t, d.catalog.setLevel(pkg.ID, levelOf(left, pkg.TotalGB, time.Now())))
		}
	}
}
