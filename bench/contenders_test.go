package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/digitalocean/godo"
	"github.com/go-resty/resty/v2"
	"github.com/google/go-github/v84/github"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/bench/oapi"
)

const apiKey = "wx_live_example"

// envelope is the envelope of every response. All contenders except whozex decode into
// it, and all use the same data types.
type envelope[T any] struct {
	Success bool        `json:"success"`
	Data    T           `json:"data"`
	Meta    whozex.Meta `json:"meta"`
}

type usersPage struct {
	Users      []whozex.User     `json:"users"`
	Pagination whozex.Pagination `json:"pagination"`
}

// site reads the API with one contender.
type site struct {
	name    string
	account func(context.Context) (*whozex.Account, error)
	users   func(context.Context, int) ([]whozex.User, error)
}

// sites returns all contenders, with the baseline first. With a nil transport, each
// uses its own default.
func sites(t testing.TB, base string, transport http.RoundTripper) []site {
	t.Helper()
	var httpClient *http.Client
	if transport != nil {
		httpClient = &http.Client{Transport: transport}
	}
	return []site{
		byHandSite(base, httpClient), whozexSite(t, base, httpClient), retryableSite(base, httpClient), restySite(base, httpClient), oapiSite(t, base, httpClient),
		openaiSite(base, httpClient), githubSite(t, base, httpClient), godoSite(t, base, httpClient),
	}
}

func usersPath(page int) string { return fmt.Sprintf("/users?limit=100&page=%d", page) }

// newSite returns a site for a function that gets a path and decodes its response.
func newSite(name string, get func(ctx context.Context, path string, into any) error) site {
	return site{
		name: name,
		account: func(ctx context.Context) (*whozex.Account, error) {
			var e envelope[whozex.Account]
			err := get(ctx, "/account", &e)
			return &e.Data, err
		},
		users: func(ctx context.Context, page int) ([]whozex.User, error) {
			var e envelope[usersPage]
			err := get(ctx, usersPath(page), &e)
			return e.Data.Users, err
		},
	}
}

func whozexSite(t testing.TB, base string, httpClient *http.Client) site {
	opts := []whozex.Option{whozex.WithBaseURL(base)}
	if httpClient != nil {
		opts = append(opts, whozex.WithHTTPClient(httpClient))
	}
	client, err := whozex.New(apiKey, opts...)
	require.NoError(t, err)
	return site{
		name:    "whozex",
		account: func(ctx context.Context) (*whozex.Account, error) { return client.GetAccount(ctx) },
		users: func(ctx context.Context, page int) ([]whozex.User, error) {
			users, err := client.ListUsers(ctx, whozex.ListUsersParams{Page: page, Limit: 100})
			if err != nil {
				return nil, err
			}
			return users.Items, nil
		},
	}
}

func status(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

func decode(resp *http.Response, into any) error {
	defer func() { _ = resp.Body.Close() }()
	if err := status(resp); err != nil {
		return err
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func byHandSite(base string, client *http.Client) site {
	if client == nil {
		client = http.DefaultClient
	}
	return newSite("net/http by hand", func(ctx context.Context, path string, into any) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+apiKey)
		req.Header.Set("Accept", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		return decode(resp, into)
	})
}

func retryableSite(base string, httpClient *http.Client) site {
	client := retryablehttp.NewClient()
	client.Logger = nil
	if httpClient != nil {
		client.HTTPClient = httpClient
	}
	return newSite("go-retryablehttp", func(ctx context.Context, path string, into any) error {
		req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+apiKey)
		req.Header.Set("Accept", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		return decode(resp, into)
	})
}

func restySite(base string, httpClient *http.Client) site {
	client := resty.New()
	if httpClient != nil {
		client = resty.NewWithClient(httpClient)
	}
	client.SetBaseURL(base).SetAuthToken(apiKey)
	return newSite("resty", func(ctx context.Context, path string, into any) error {
		resp, err := client.R().SetContext(ctx).SetResult(into).Get(path)
		if err != nil {
			return err
		}
		return status(resp.RawResponse)
	})
}

func openaiSite(base string, httpClient *http.Client) site {
	opts := []option.RequestOption{option.WithBaseURL(base + "/"), option.WithAPIKey(apiKey)}
	if httpClient != nil {
		opts = append(opts, option.WithHTTPClient(httpClient))
	}
	client := openai.NewClient(opts...)
	return newSite("openai-go", func(ctx context.Context, path string, into any) error {
		return client.Get(ctx, path[1:], nil, into)
	})
}

func githubSite(t testing.TB, base string, httpClient *http.Client) site {
	client := github.NewClient(httpClient).WithAuthToken(apiKey)
	address, err := url.Parse(base + "/")
	require.NoError(t, err)
	client.BaseURL = address
	return newSite("go-github", func(ctx context.Context, path string, into any) error {
		req, err := client.NewRequest(http.MethodGet, path[1:], nil)
		if err != nil {
			return err
		}
		_, err = client.Do(ctx, req, into)
		return err
	})
}

// bearer sets the API key, because godo has no option for it.
type bearer struct{ next http.RoundTripper }

func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+apiKey)
	return b.next.RoundTrip(req)
}

func godoSite(t testing.TB, base string, httpClient *http.Client) site {
	next := http.DefaultTransport
	if httpClient != nil {
		next = httpClient.Transport
	}
	client, err := godo.New(&http.Client{Transport: bearer{next}}, godo.SetBaseURL(base+"/"))
	require.NoError(t, err)
	return newSite("godo", func(ctx context.Context, path string, into any) error {
		req, err := client.NewRequest(ctx, http.MethodGet, path[1:], nil)
		if err != nil {
			return err
		}
		_, err = client.Do(ctx, req, into)
		return err
	})
}

// responses has the response bodies of a fake server, by path.
type responses map[string][]byte

var contentType = http.Header{"Content-Type": {"application/json"}}

func (r responses) RoundTrip(req *http.Request) (*http.Response, error) {
	body, found := r[req.URL.Path]
	if !found {
		return nil, fmt.Errorf("unknown path %s", req.URL.Path)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: contentType,
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func (r responses) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(r[req.URL.Path])
}

func oapiSite(t testing.TB, base string, httpClient *http.Client) site {
	opts := []oapi.ClientOption{oapi.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+apiKey)
		return nil
	})}
	if httpClient != nil {
		opts = append(opts, oapi.WithHTTPClient(httpClient))
	}
	client, err := oapi.NewClientWithResponses(base, opts...)
	require.NoError(t, err)
	limit := 100
	return site{
		name: "oapi-codegen",
		account: func(ctx context.Context) (*whozex.Account, error) {
			resp, err := client.GetAccountWithResponse(ctx)
			if err != nil {
				return nil, err
			}
			return &resp.JSON200.Data, status(resp.HTTPResponse)
		},
		users: func(ctx context.Context, page int) ([]whozex.User, error) {
			resp, err := client.ListUsersWithResponse(ctx, &oapi.ListUsersParams{Limit: &limit, Page: &page})
			if err != nil {
				return nil, err
			}
			return resp.JSON200.Data.Users, status(resp.HTTPResponse)
		},
	}
}
