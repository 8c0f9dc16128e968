package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

func TestCredentials_Targeting(t *testing.T) {
	d, home := launch(t)
	v := newVisitor(t, home)
	id := d.catalog.list(nil)[0].ID
	_, body := v.get("/packages")
	assert.NotContains(t, body, "rp.evomi.com", "not shown before a request")
	assert.Zero(t, d.sandbox.Requests(whozex.OpGetCredentials))
	for _, tt := range []struct {
		name          string
		country, city string
		want          []string
		refused       string
	}{
		{name: "anywhere", want: []string{"rp.evomi.com:1000:wx", "rp.evomi.com:1002:wx", "curl -x &#39;http://wx", "Leaves from any country."}},
		{name: "any", country: "any", want: []string{"Leaves from any country."}},
		{name: "a country", country: "tr", want: []string{"_country-TR</code>", "_country-TR@rp.evomi.com:1000&#39; https://ip.whozex.com", "Leaves from TR."}},
		{name: "a city", country: "DE", city: "Bad Homburg", want: []string{"_country-DE_city-Bad-Homburg</code>", "Leaves from DE, Bad Homburg.", `value="Bad Homburg"`}},
		{name: "no country", country: "XX1", refused: "is neither a two-letter code"},
		{name: "no city", country: "DE", city: "<b>7</b>", refused: "The API refused it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := v.post("/packages/"+id+"/credentials", url.Values{"country": {tt.country}, "city": {tt.city}})
			assert.Equal(t, http.StatusOK, status)
			for _, want := range tt.want {
				assert.Contains(t, body, want)
			}
			assert.Equal(t, tt.refused == "", strings.Contains(body, "data-copy"))
			assert.Contains(t, body, tt.refused)
			assert.Contains(t, body, `<option value="DE">Germany</option>`)
			assert.NotContains(t, body, "<b>7")
		})
	}
}

// TestCurl_OneCommand checks that no character in a password can end the command.
func TestCurl_OneCommand(t *testing.T) {
	for _, tt := range []struct{ host, password string }{
		{"rp.example.com", "wxp1a2b3_country-TR"}, {"rp.example.com", "a b"}, {"rp.example.com", `'; touch /x; '`}, {"rp.example.com", "$(id)$HOME"},
		{"rp.example.com", "`id`"}, {"rp.example.com", `a"b\`}, {"rp.example.com", "a\nid\n"}, {"rp.example.com", "ü@:/#"}, {"rp'$(id)'.example.com", "a"},
	} {
		text, err := json.Marshal(tt.host + ":1000:wx1:" + tt.password)
		require.NoError(t, err)
		var c whozex.Credentials
		require.NoError(t, json.Unmarshal([]byte(`{"http":{"connection_string":`+string(text)+`}}`), &c))
		line, ok := strings.CutPrefix(curl(&c), "curl ")
		require.True(t, ok)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\n' `+line).Output()
		require.NoError(t, err)
		words := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		require.Len(t, words, 3, tt)
		proxy, err := url.Parse(words[1])
		require.NoError(t, err)
		got, _ := proxy.User.Password()
		assert.Equal(t, tt.password, got)
		assert.Equal(t, tt.host, proxy.Hostname())
		assert.Equal(t, []string{"-x", "https://ip.whozex.com"}, []string{words[0], words[2]})
	}
	assert.Empty(t, curl(new(whozex.Credentials)), "no connection string, no command")
}
