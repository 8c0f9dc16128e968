package whozextest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/whozex/whozex-go"
)

const apiPrefix = "/v1"

// handler handles one operation with the server's lock held. Its result shares no memory
// with the server's state.
type handler func(*Server, *call) (any, *failure)

type route struct {
	method, path string // of the path, {id} stands for one segment
	op           whozex.Operation
	handle       handler
}

var routes = []route{
	{http.MethodGet, "/account", whozex.OpGetAccount, (*Server).getAccount},
	{http.MethodGet, "/account/stats", whozex.OpGetAccountStats, (*Server).getAccountStats},
	{http.MethodGet, "/account/transactions", whozex.OpListTransactions, (*Server).listTransactions},
	{http.MethodPost, "/account/regenerate-key", whozex.OpRegenerateKey, (*Server).regenerateKey},
	{http.MethodGet, "/users", whozex.OpListUsers, (*Server).listUsers},
	{http.MethodPost, "/users", whozex.OpCreateUser, (*Server).createUser},
	{http.MethodPost, "/users/{id}/balance", whozex.OpAddBalance, (*Server).changeBalance},
	{http.MethodPost, "/users/{id}/packages", whozex.OpPurchasePackage, (*Server).purchasePackage},
	{http.MethodGet, "/packages/{id}", whozex.OpGetPackage, (*Server).getPackage},
	{http.MethodPost, "/packages/{id}/add-gb", whozex.OpAddGB, (*Server).addGB},
	{http.MethodGet, "/packages/{id}/credentials", whozex.OpGetCredentials, (*Server).getCredentials},
	{http.MethodGet, "/packages/{id}/usage", whozex.OpGetUsage, (*Server).getUsage},
	{http.MethodGet, "/pricing", whozex.OpGetPricing, (*Server).getPricing},
	{http.MethodGet, "/pricing/calculate", whozex.OpCalculatePrice, (*Server).calculatePrice},
	{http.MethodGet, "/analytics/overview", whozex.OpGetAnalyticsOverview, (*Server).getAnalyticsOverview},
	{http.MethodPost, "/webhooks", whozex.OpCreateWebhook, (*Server).createWebhook},
}

// find returns the route of a request and its id, or the methods that the path
// has instead.
func find(method, escapedPath string) (found *route, id string, allowed []string) {
	path, ok := strings.CutPrefix(escapedPath, apiPrefix)
	if !ok {
		return nil, "", nil
	}
	segments := strings.Split(path, "/")
	for i := range routes {
		got, ok := match(strings.Split(routes[i].path, "/"), segments)
		switch {
		case !ok:
		case routes[i].method == method:
			return &routes[i], got, nil
		default:
			allowed = append(allowed, routes[i].method)
		}
	}
	return nil, "", allowed
}

func match(pattern, segments []string) (id string, ok bool) {
	if len(pattern) != len(segments) {
		return "", false
	}
	for i, want := range pattern {
		got, err := url.PathUnescape(segments[i])
		if err != nil || got == "" && want != "" {
			return "", false
		}
		if want == "{id}" {
			id = got
		} else if got != want {
			return "", false
		}
	}
	return id, true
}
