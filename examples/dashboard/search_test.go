package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

var (
	rowNames   = regexp.MustCompile(`<th scope="row"><a href="/users/[^"]+">([^<]+)</a>`)
	cardNames  = regexp.MustCompile(`<h3>([^<]+)</h3>`)
	rowRefusal = regexp.MustCompile(`The address says (\w+) “([^”]*)”, which means nothing here\. Shown: ([^<]+)\.</p>`)
)

func all(re *regexp.Regexp, body string) (found []string) {
	for _, m := range re.FindAllStringSubmatch(body, -1) {
		found = append(found, m[1])
	}
	return found
}

// launchWithUsers starts a dashboard with 30 users, whose balances differ, up to $29.
// The first three have packages.
func launchWithUsers(t *testing.T) (*dashboard, visitor, *whozextest.Server, []knownPackage) {
	t.Helper()
	clock := time.Now().Add(-40 * time.Hour)
	var hours atomic.Int64
	d, home, api := launchOn(t, config{write: true, ttl: time.Nanosecond}, whozextest.WithClock(func() time.Time {
		return clock.Add(time.Duration(hours.Load()) * time.Hour)
	}))
	var bought []knownPackage
	for i := range 30 {
		hours.Add(1)
		id, err := api.AddUser(fmt.Sprintf("u%02d@example.com", i), fmt.Sprintf("User %02d", i))
		require.NoError(t, err)
		require.NoError(t, api.SetUserBalance(id, decimal.NewFromInt(100)))
		for range max(0, 3-i) {
			pkg, err := api.Client().PurchasePackage(t.Context(), id, whozex.PurchasePackageParams{GB: 10})
			require.NoError(t, err)
			k := knownPackage{ID: pkg.ID, UserID: id, GB: pkg.TotalGB, Cost: pkg.Cost, CreatedAt: time.Now().Add(time.Duration(len(bought)) * time.Second)}
			require.NoError(t, d.catalog.add(k))
			bought = append(bought, k)
		}
		require.NoError(t, api.SetUserBalance(id, decimal.NewFromInt(int64(i*7%30))))
	}
	_, err := d.find(t.Context(), "-", whozex.Fresh())
	require.ErrorIs(t, err, errNoUser)
	return d, newVisitor(t, home), api, bought
}

func TestUsers_Orders(t *testing.T) {
	_, v, _, _ := launchWithUsers(t)
	for _, tt := range []struct {
		name, path  string
		first, last string
		rows        int
	}{
		{name: "as the API lists them", path: "/", first: "User 29", last: "User 20", rows: 10},
		{name: "oldest", path: "/?sort=oldest", first: "User 00", last: "User 09", rows: 10},
		{name: "highest balance", path: "/?sort=balance", first: "User 17", last: "User 20", rows: 10},
		{name: "lowest balance", path: "/?sort=balance-low", first: "User 00", last: "User 27", rows: 10},
		{name: "most packages, 25 rows", path: "/?sort=packages&rows=25", first: "User 00", last: "User 08", rows: 25},
		{name: "fewest packages, last page", path: "/?sort=packages-few&page=3", first: "User 09", last: "User 00", rows: 10},
		{name: "a search in order", path: "/?sort=balance-low&q=USER+1", first: "User 13", last: "User 17", rows: 10},
		{name: "a search by email", path: "/?sort=balance&q=u07@", first: "User 07", last: "User 07", rows: 1},
		{name: "all in rows of 100", path: "/?rows=100", first: "User 29", last: "User 00", rows: 30},
		{name: "past the end", path: "/?sort=balance&page=99", first: "User 27", last: "User 00", rows: 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := v.get(tt.path)
			require.Equal(t, http.StatusOK, status)
			names := all(rowNames, body)
			require.Len(t, names, tt.rows)
			assert.Equal(t, tt.first, names[0])
			assert.Equal(t, tt.last, names[len(names)-1])
		})
	}
}

// TestPager_KeepsParameters follows the links and the form for other pages.
func TestPager_KeepsParameters(t *testing.T) {
	_, v, _, _ := launchWithUsers(t)
	_, body := v.get("/?sort=balance-low&q=user&rows=10")
	assert.Contains(t, body, `href="/?page=2&amp;q=user&amp;rows=10&amp;sort=balance-low#users" rel="next"`)
	for _, hidden := range []string{`name="q" value="user"`, `name="rows" value="10"`, `name="sort" value="balance-low"`} {
		assert.Contains(t, body, `<input type="hidden" `+hidden)
	}
	assert.Contains(t, body, `<option value="balance-low" selected>`)
	_, body = v.get("/?page=2&q=user&rows=10&sort=balance-low")
	assert.Equal(t, "User 10", all(rowNames, body)[0])
}

func TestParams_Invalid(t *testing.T) {
	_, v, _, _ := launchWithUsers(t)
	for _, tt := range []struct {
		name, path string
		want       []string // name, value, what is shown
	}{
		{name: "order of users", path: "/?sort=shoe-size", want: []string{"sort", "shoe-size", "Newest first"}},
		{name: "rows of users", path: "/?rows=7", want: []string{"rows", "7", "10 rows"}},
		{name: "a million rows", path: "/packages?rows=1000000", want: []string{"rows", "1000000", "12 rows"}},
		{name: "page zero", path: "/?page=0", want: []string{"page", "0", "page 1"}},
		{name: "page below zero", path: "/packages?page=-3", want: []string{"page", "-3", "page 1"}},
		{name: "no number", path: "/?page=two", want: []string{"page", "two", "page 1"}},
		{name: "a number that overflows", path: "/?page=99999999999999999999", want: []string{"page", "99999999999999999999", "page 1"}},
		{name: "state", path: "/packages?state=asleep", want: []string{"state", "asleep", "Any state"}},
		{name: "order of packages", path: "/packages?sort=balance", want: []string{"sort", "balance", "Low first"}},
		{name: "markup", path: "/?sort=" + url.QueryEscape("<b>\u202e"), want: []string{"sort", "&lt;b&gt;[U+202E]", "Newest first"}},
		{name: "nothing", path: "/?sort=&rows=&page=&q="},
		{name: "an unrelated parameter", path: "/?utm_source=x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := v.get(tt.path)
			require.Equal(t, http.StatusOK, status)
			said := rowRefusal.FindStringSubmatch(body)
			if tt.want == nil {
				assert.Nil(t, said)
				return
			}
			require.NotNil(t, said)
			assert.Equal(t, tt.want, said[1:])
			assert.Len(t, rowRefusal.FindAllString(body, -1), 1)
		})
	}
}

func TestPackages_Filters(t *testing.T) {
	d, v, api, bought := launchWithUsers(t)
	require.NoError(t, api.UseGB(bought[0].ID, decimal.RequireFromString("9.5")))
	require.NoError(t, api.UseGB(bought[1].ID, decimal.NewFromInt(10)))
	for _, k := range bought[:3] {
		_, err := d.read(t.Context(), k)
		require.NoError(t, err)
	}
	id := func(i ...int) (ids []string) {
		for _, n := range i {
			ids = append(ids, bought[n].ID)
		}
		return ids
	}
	for _, tt := range []struct {
		name, query string
		want        []string
	}{
		{name: "low, then used up, then the others by age", query: "", want: id(0, 1, 5, 4, 3, 2)},
		{name: "by age alone", query: "sort=newest", want: id(5, 4, 3, 2, 1, 0)},
		{name: "low or used up", query: "state=attention", want: id(0, 1)},
		{name: "low", query: "state=low", want: id(0)},
		{name: "used up", query: "state=used-up", want: id(1)},
		{name: "enough", query: "state=enough", want: id(2)},
		{name: "not read yet", query: "state=unread", want: id(5, 4, 3)},
		{name: "gone", query: "state=gone"},
		{name: "by id", query: "q=" + bought[3].ID, want: id(3)},
		{name: "by id in small letters", query: "q=" + url.QueryEscape(regexp.MustCompile("PKG").ReplaceAllString(bought[3].ID, "pkg")), want: id(3)},
		{name: "by user's id", query: "q=" + bought[3].UserID, want: id(4, 3)},
		{name: "by name", query: "q=user+01", want: id(4, 3)},
		{name: "by email", query: "q=u02@example.com", want: id(5)},
		{name: "by user and state", query: "q=user+00&state=used-up", want: id(1)},
		{name: "nobody's", query: "q=nobody"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			unread(d, bought[3:]) // a page reads the packages it shows
			status, body := v.get("/packages?" + tt.query)
			require.Equal(t, http.StatusOK, status)
			assert.Equal(t, tt.want, all(cardNames, body))
		})
	}
}

func unread(d *dashboard, list []knownPackage) {
	d.catalog.mu.Lock()
	defer d.catalog.mu.Unlock()
	for _, one := range list {
		k := d.catalog.all[one.ID]
		d.catalog.count[k.Level.State]--
		d.catalog.count[stateUnread]++
		k.Level = level{}
	}
}

func TestIndex_LowPackages(t *testing.T) {
	d, v, api, bought := launchWithUsers(t)
	_, body := v.get("/")
	assert.Contains(t, body, "0 low, 0 used up</dd>")
	assert.NotContains(t, body, `id="low-title"`)
	require.NoError(t, api.UseGB(bought[0].ID, decimal.NewFromInt(10)))
	require.NoError(t, api.UseGB(bought[1].ID, decimal.NewFromInt(9)))
	for _, k := range bought {
		_, err := d.read(t.Context(), k, whozex.Fresh())
		require.NoError(t, err)
	}
	_, body = v.get("/")
	assert.Contains(t, body, "1 low, 1 used up</dd>")
	assert.Contains(t, body, `action="/packages/`+bought[1].ID+`/add-gb"`)
	// After adding GB it is no longer low.
	require.NoError(t, api.SetUserBalance(bought[1].UserID, decimal.NewFromInt(50)))
	path, form, _ := v.quote("/packages/"+bought[1].ID+"/add-gb", url.Values{"gb": {"20"}})
	v.post(path, form)
	_, body = v.get("/")
	assert.Contains(t, body, "0 low, 1 used up</dd>")
}

func TestLevels_LowGBEvent(t *testing.T) {
	d, _, _, bought := launchWithUsers(t)
	event := func(data string, at time.Time) {
		require.NoError(t, d.receive(t.Context(), &webhookverify.Event{Name: whozex.EventPackageLowGB, Timestamp: at, Data: json.RawMessage(data)}))
	}
	state := func(i int) string {
		k, _ := d.catalog.get(bought[i].ID)
		return k.Level.State
	}
	now := time.Now()
	event(`{"package_id":"`+bought[0].ID+`","remaining_gb":0.5,"total_gb":10}`, now)
	event(`{"package_id":"`+bought[1].ID+`"}`, now)
	event(`{"package_id":"`+bought[2].ID+`","remaining_gb":0,"total_gb":10}`, now)
	event(`{"package_id":"PKG-OTHER"}`, now)
	event(`{"package_id":7}`, now)
	assert.Equal(t, []string{stateLow, stateLow, stateUsedUp}, []string{state(0), state(1), state(2)})
	require.NoError(t, d.catalog.setLevel(bought[0].ID, levelOf(decimal.NewFromInt(10), decimal.NewFromInt(20), now.Add(time.Second))))
	event(`{"package_id":"`+bought[0].ID+`","remaining_gb":0.5,"total_gb":10}`, now)
	assert.Equal(t, stateEnough, state(0), "a late event changes nothing")
	assert.Equal(t, levels{Low: 1, UsedUp: 1, Unread: 3, All: 6}, d.catalog.levels())
}

// TestSurvey_ReadsEveryPackage checks that the survey finds low packages without a
// viewer.
func TestSurvey_ReadsEveryPackage(t *testing.T) {
	d, _, api, bought := launchWithUsers(t)
	require.NoError(t, api.UseGB(bought[4].ID, decimal.RequireFromString("9.9")))
	require.NoError(t, api.RemoveUser(bought[5].UserID))
	d.running.Go(func() { d.survey(t.Context(), time.Millisecond) })
	require.Eventually(t, func() bool { return d.catalog.levels().Unread == 0 }, 30*time.Second, time.Millisecond)
	assert.Equal(t, levels{Low: 1, All: 6}, d.catalog.levels())
	k, _ := d.catalog.get(bought[5].ID)
	assert.Equal(t, stateGone, k.Level.State)
	again := k.Level.ReadAt
	require.Eventually(t, func() bool {
		k, _ := d.catalog.get(bought[5].ID)
		return k.Level.ReadAt.After(again)
	}, 30*time.Second, time.Millisecond, "it starts again after the last")
}

func TestLevels_Restart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "dashboard.db")
	d, _, _ := launchLive(t, config{data: data})
	for i, left := range []int64{0, 1, 9} {
		k := knownPackage{ID: fmt.Sprint("PKG-", i), UserID: "u", GB: decimal.NewFromInt(10)}
		require.NoError(t, d.catalog.add(k))
		require.NoError(t, d.catalog.setLevel(k.ID, levelOf(decimal.NewFromInt(left), k.GB, time.Now())))
	}
	require.NoError(t, d.catalog.add(knownPackage{ID: "PKG-3"}))
	want := levels{Low: 1, UsedUp: 1, Unread: 1, All: 4}
	assert.Equal(t, want, d.catalog.levels())
	require.NoError(t, d.close())
	d, _ = launchAs(t, config{data: data})
	assert.Equal(t, want, d.catalog.levels())
	assert.Equal(t, "PKG-1", d.catalog.attention(1)[0].ID)
}
