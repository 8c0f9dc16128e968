package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// launchOver starts the dashboard on an API whose responses are replaced by data, by the
// end of their path.
func launchOver(t *testing.T, api *whozextest.Server, data map[string]string) (*dashboard, string) {
	t.Helper()
	target, err := url.Parse(api.URL)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for suffix, body := range data {
			if strings.HasSuffix(r.URL.Path, suffix) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `{"success":true,"data":%s}`, body)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	t.Setenv("WHOZEX_API_KEY", api.APIKey)
	t.Setenv("WHOZEX_BASE_URL", front.URL)
	return launchAs(t, config{})
}

// launchWithData starts a dashboard with a user and a package of each proxy type. In
// data, USER, PKG and BOUGHT stand for the user, the last package and its time.
func launchWithData(t *testing.T, data map[string]string) (*dashboard, visitor, string) {
	t.Helper()
	api := whozextest.NewServer()
	t.Cleanup(api.Close)
	id, err := api.AddUser("buyer@example.com", "Buyer")
	require.NoError(t, err)
	require.NoError(t, api.SetUserBalance(id, decimal.NewFromInt(500)))
	client := api.Client()
	t.Cleanup(client.CloseIdleConnections)
	var bought []*whozex.Package
	for i, kind := range proxyTypes {
		pkg, err := client.PurchasePackage(t.Context(), id, whozex.PurchasePackageParams{GB: 10, ProxyType: kind})
		require.NoError(t, err)
		require.NoError(t, api.UseGB(pkg.ID, decimal.NewFromInt(int64(i+1))))
		bought = append(bought, pkg)
	}
	last := bought[len(bought)-1]
	filled := map[string]string{}
	for path, body := range data {
		filled[path] = strings.NewReplacer("USER", id, "PKG", last.ID, "BOUGHT", last.CreatedAt.Format(time.RFC3339)).Replace(body)
	}
	d, home := launchOver(t, api, filled)
	for _, pkg := range bought {
		require.NoError(t, d.catalog.add(knownPackage{ID: pkg.ID, UserID: id, GB: pkg.TotalGB, Cost: pkg.Cost, CreatedAt: pkg.CreatedAt}))
	}
	return d, newVisitor(t, home), id
}

var chosen = regexp.MustCompile(`aria-current="true">([^<]+)<`)

func TestCharts_Parameters(t *testing.T) {
	_, v, _ := launchWithData(t, nil)
	for _, tt := range []struct {
		name, address string
		chosen        []string
		want, without []string
	}{
		{name: "nothing", chosen: []string{"30 days", "all types", "by day"}, want: []string{"Spend, last 30 days", "$27.00", "Usage by day, last 30 days", "6 GB", "mobile <span data-part=\"3\" data-series=\"3\">3 GB"}, without: []string{"of these", "split by proxy type"}},
		{name: "7 days", address: "?days=7", chosen: []string{"7 days", "all types", "by day"}, want: []string{"Spend, last 7 days", "$27.00"}, without: []string{"of these"}},
		{name: "90 days, more than the API has", address: "?days=90", chosen: []string{"90 days", "all types", "by day"}, want: []string{"Spend, last 30 days", "The API gives 30 of these 90 days", "Usage by day, last 90 days"}},
		{name: "a proxy type", address: "?type=datacenter", chosen: []string{"30 days", "datacenter", "by day"}, want: []string{"2 GB</strong>", "does not split these by proxy type", `class="chosen"`, "/charts?days=7&amp;type=datacenter"}, without: []string{`data-part="2"`}},
		{name: "hours", address: "?by=hour&days=7", chosen: []string{"7 days", "all types", "by hour"}, want: []string{"Usage by hour, last 7 days", "6 GB", "hours without usage are left out", `data-step="3600"`, "/charts?by=hour&amp;days=90"}, without: []string{"The API gave days"}},
		{name: "invalid values", address: "?days=-1&type=gold&by=year&package=..%2F1", chosen: []string{"30 days", "all types", "by day"}, want: []string{"6 GB"}},
		{name: "an unknown package", address: "?package=PKG-NOBODY", chosen: []string{"30 days", "all types", "by day"}, want: []string{"No package is known here."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := v.get("/charts" + tt.address)
			assert.Equal(t, http.StatusOK, status)
			var got []string
			for _, found := range chosen.FindAllStringSubmatch(body, -1) {
				got = append(got, found[1])
			}
			assert.Equal(t, tt.chosen, got)
			for _, want := range tt.want {
				assert.Contains(t, body, want)
			}
			for _, without := range tt.without {
				assert.NotContains(t, body, without)
			}
		})
	}
	_, body := v.get("/charts?days=7&by=day")
	assert.Equal(t, 7, strings.Count(regexp.MustCompile(`(?s)id="usage-table".*`).FindString(body), "<tr><th scope=\"row\">"), "a row for each day")
}

// TestCharts_UndocumentedResponses checks that the charts show responses with other
// names than the sandbox's, and say what is missing.
func TestCharts_UndocumentedResponses(t *testing.T) {
	today := time.Now().UTC().Format(time.DateOnly)
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	for _, tt := range []struct {
		name, address string
		data          map[string]string
		want, without []string
	}{
		{name: "days for hours", address: "?by=hour", data: map[string]string{"/usage": `{"history":[{"date":"` + yesterday + `","used_gb":1.5},{"date":"` + today + `","used_gb":2}]}`},
			want: []string{"The API returned days instead of hours.", "Usage by day", "10.5 GB"}},
		{name: "usage by other names", data: map[string]string{"/usage": `{"usage":[{"date":"` + today + `","megabytes":5}]}`},
			want: []string{"3 packages: The values in the API&#39;s chart have names"}, without: []string{`id="usage-table"`, "no usage"}},
		{name: "no usage at all", data: map[string]string{"/usage": `{"usage":[]}`}, want: []string{"The API reports no usage in these 30 days."}, without: []string{`id="usage-table"`}},
		{name: "usage of zero", data: map[string]string{"/usage": `{"usage":[{"date":"` + today + `","gb":0}]}`}, want: []string{"No GB were used in these 30 days."}, without: []string{`id="usage-table"`}},
		{name: "usage from before and after", data: map[string]string{"/usage": `{"usage":[{"date":"2020-01-01","gb":7},{"date":"` + today + `","gb":1},{"date":"2099-01-01","gb":7}]}`}, want: []string{"3 GB</strong>"}},
		{name: "a chart without figures by type", data: map[string]string{"/stats": `{"spending":{"total":5}}`}, want: []string{"The API gave no figures by proxy type."}},
		{name: "types of the API's own, and a sum", data: map[string]string{"/stats": `{"gb_by_type":{"isp":"30","<b>":10,"total":40}}`}, want: []string{"isp", "75%", "&lt;b&gt;", "25%"}, without: []string{"100%</td>"}},
		{name: "a shorter chart", address: "?days=7", data: map[string]string{"/overview": `{"chart":[{"date":"` + yesterday + `","spent":3},{"date":"` + today + `","spent":4}]}`},
			want: []string{"Spend, last 2 days", "$7.00", "The API gives 2 of these 7 days: its chart begins on " + yesterday, "No GB were bought"}},
		{name: "a longer chart", address: "?days=90", data: map[string]string{"/overview": `{"chart":[{"date":"` + time.Now().UTC().AddDate(0, 0, -80).Format(time.DateOnly) + `","spent":3},{"date":"` + today + `","spent":4}]}`},
			want: []string{"Spend, last 81 days", "$7.00"}},
		{name: "no chart", data: map[string]string{"/overview": `{}`, "/stats": `{}`}, want: []string{"The API gave no chart yet."}},
		{name: "a chart of long ago", data: map[string]string{"/overview": `{"chart":[{"date":"2020-01-01","spent":3}]}`}, want: []string{"The API gave no chart yet."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, v, _ := launchWithData(t, tt.data)
			status, body := v.get("/charts" + tt.address)
			assert.Equal(t, http.StatusOK, status)
			for _, want := range tt.want {
				assert.Contains(t, body, want)
			}
			for _, without := range tt.without {
				assert.NotContains(t, body, without)
			}
		})
	}
}

func TestCharts_APIDown(t *testing.T) {
	d, home := launch(t)
	d.sandbox.SetAPIDisabled(true)
	status, body := newVisitor(t, home).get("/charts")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "12 packages: The API refused the key")
	assert.Equal(t, 3, strings.Count(body, "The API refused the key"))
	assert.NotContains(t, body, `class="plot"`)
	_, body = newVisitor(t, home).get("/charts?type=mobile")
	assert.Contains(t, body, "12 packages: The API refused the key")
	assert.NotContains(t, body, "No package is known", "their type is unknown")
}
