package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/whozextest"
)

func TestTour_CallsEveryEndpoint(t *testing.T) {
	t.Setenv("WHOZEX_API_KEY", "")
	var out bytes.Buffer
	server := whozextest.NewServer()
	defer server.Close()
	require.NoError(t, runTour(t.Context(), server, &out))
	assert.True(t, strings.HasSuffix(out.String(), "\ndone: 16 of 16 endpoints\n"), out.String())
	for _, secret := range []string{server.APIKey, server.CurrentKey(), "wx_live", "wxsec_", "wxp"} {
		assert.NotContains(t, out.String(), secret)
	}
	assert.Contains(t, out.String(), "event         package.created")
	totals := server.Totals()
	assert.True(t, totals.Outside.Equal(totals.Reseller.Add(totals.Users).Add(totals.Spent)))
}

func TestLive_ReadsOnly(t *testing.T) {
	server := whozextest.NewServer(whozextest.WithUsers(3))
	defer server.Close()
	t.Setenv("WHOZEX_API_KEY", server.APIKey)
	t.Setenv("WHOZEX_BASE_URL", server.URL)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.True(t, strings.HasSuffix(out.String(), "\ndone: 7 reading calls\n"), out.String())
	requests := server.RequestLog()
	assert.Len(t, requests, 7)
	for _, request := range requests {
		assert.Equal(t, "GET", request.Method)
		assert.Equal(t, 200, request.Status)
	}
}

func TestRun_WithoutKey(t *testing.T) {
	t.Setenv("WHOZEX_API_KEY", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.Contains(t, out.String(), "no real money is spent")
}
