package main

import (
	"net/http"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/whozex/whozex-go"
)

// secrets are a package's ways in, for one targeting.
type secrets struct {
	HTTP, SOCKS5, Curl string
	Targeting          whozex.Targeting // as the API understood it
}

// credentials are fetched when asked for, and by POST: no link, history or
// prefetch ever holds them. A package that the dashboard never saw is refused.
func (d *dashboard) credentials(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	found, ok := d.shelf.get(id)
	if !ok {
		d.fail(w, r, http.StatusNotFound, "The dashboard does not know this package.")
		return
	}
	v := d.view(r.Context(), found)
	v.Asked = whozex.Targeting{Country: cut(r.PostFormValue("country"), 10), City: cut(r.PostFormValue("city"), 100)}
	c, err := d.client.GetCredentials(r.Context(), id, v.Asked)
	if err != nil {
		v.Refusal = explain(err)
	} else {
		v.Secrets = &secrets{c.HTTP.ConnectionString.Reveal(), c.SOCKS5.ConnectionString.Reveal(), curl(c), c.Targeting}
	}
	d.render(w, r, http.StatusOK, "package", "Package "+id, v)
}

// curl is the API's own example, made of the connection string that is shown and
// quoted for a shell: whatever a password holds, pasting it runs curl alone.
func curl(c *whozex.Credentials) string {
	proxy, err := c.HTTPProxyURL()
	if err != nil {
		return ""
	}
	return "curl -x '" + strings.ReplaceAll(proxy.String(), "'", `'\''`) + "' https://ip.whozex.com"
}

// country is a choice of the targeting.
type country struct{ Code, Name string }

// countries are those of ISO 3166. Which of them a provider has, the API does not say.
var countries = sync.OnceValue(func() (all []country) {
	names := display.English.Regions()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			if region, err := language.ParseRegion(code); err == nil && region.IsCountry() && region.String() == code && region.Canonicalize() == region {
				all = append(all, country{code, names.Name(region)})
			}
		}
	}
	return all
})

// Countries are for the form of the one who has the credentials before them.
func (packageView) Countries() []country { return countries() }
